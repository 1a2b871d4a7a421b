"""Messages: sending them, reading them back, and the conversations they are in.

- Only members send to a group; anybody sends to any user, but not to themselves.
- A member sees the messages sent during their own memberships, while they are a member; nobody else sees anything.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from chalicelib import answers, clock, codes, entitlement, limits, requests
from chalicelib.codes import Refusal
from chalicelib.core import audience
from chalicelib.core.audience import Membership
from chalicelib.core.caller import Caller
from chalicelib.core.conversation import Conversation, decode_msg_id
from chalicelib.core.message import Header, Message
from chalicelib.store import console, conversations, dynamo, marks, members, messages, standing, users
from chalicelib.store.conversations import Draw, State
from chalicelib.store.marks import Mark

# Conversations whose unread messages are counted at once.
_COUNTED_AT_ONCE = 8


def send(caller: Caller, request: requests.SendMessage) -> answers.MessageShape:
    """sendMessage. A repetition under the same clientMsgID answers with the first message instead of sending another.

    Refuses with 6017, 7013, 10010, 45004, 45005 or 80002. A seq that was drawn for a message that is then refused
    leaves a harmless gap.
    """
    conversation = _addressee(caller.user_id, request)
    text, data_json = _content(request)
    found = standing.find(conversation, caller.user_id)
    if not audience.is_member(found.stays):  # so that strangers do not even draw a seq
        raise Refusal(codes.NO_SUCH_GROUP)
    header = None
    if request.clientMsgID:
        header = messages.claimed(conversation, caller.user_id, request.clientMsgID)
    if header is None:
        header = _new_header(caller, conversation, request.needReadReceipt, is_private=not found.user.read_receipts)
        if request.clientMsgID:
            header = messages.claim(header, request.clientMsgID)
    message = messages.put(Message(header, text, data_json))
    withheld = request.needReadReceipt and message.header.is_private
    return answers.message(message, caller.user_id, withheld=withheld or UNSET)


def history(caller: str, conversation_id: str, request: requests.HistoryPage) -> answers.History:
    """getC2CHistoryMessageList or getGroupHistoryMessageList: newest first. Refuses with 6017 or 10010."""
    conversation = _named(caller, conversation_id)
    before = limits.SEQ_MAX
    if request.lastMsgID is not None:
        before = _seq_within(conversation, request.lastMsgID, "lastMsgID")
    stays = _as_member(conversation, caller)
    wanted = request.count + 1  # one more than asked for, to know whether there are more
    found: list[Message] = []
    for stay in reversed(stays):
        last = before - 1 if stay.left_seq is None else min(before - 1, stay.left_seq)
        first = stay.joined_seq + 1
        if first <= last and len(found) < wanted:
            found += messages.newest_first(conversation, first, last, wanted - len(found))
    page = found[: request.count]
    peer_read_seq = _peer_read_seq(conversation, caller)
    return answers.History(
        [
            answers.message(message, caller, is_peer_read=_is_peer_read(message, caller, peer_read_seq))
            for message in page
        ],
        isFinished=len(found) <= request.count,
    )


def mark_read(caller: str, conversation_id: str, request: requests.MarkRead) -> answers.Outcome:
    """cleanConversationUnreadMessageCount: up to a message, or all there is. Refuses with 6017, 10010 or 45001.

    The caller's other devices hear of it, and in C2C the peer does, unless the caller has read receipts turned off.
    """
    conversation = _named(caller, conversation_id)
    stays = _as_member(conversation, caller)
    header = None
    if request.msgID is not None:
        seq = _seq_within(conversation, request.msgID, "msgID")
        header = messages.headers(conversation, [seq]).get(seq) if audience.may_see(stays, seq) else None
        if header is None:
            raise Refusal(codes.NO_SUCH_MESSAGE)
    mark_read_up_to(caller, conversation, header)
    return answers.outcome(codes.OK)


def mark_read_up_to(caller: str, conversation: Conversation, header: Header | None) -> None:
    """Mark a conversation read up to this message, or (None) all there is by now.

    The peer is told the time of the marking. If there are later messages of theirs, it is told the time of the message
    instead, so that clients which compare times, as V2TIM's do, do not take the later ones for read.
    """
    if header is None:
        state = conversations.find(conversation, consistent=True)
        seq = state.seq if state else 0
    else:
        seq = header.seq
    if seq == 0:
        return
    if conversation.is_group or not users.find(caller).read_receipts:
        marks.advance(conversation, caller, seq)
        return
    has_later = header is not None and messages.count_unread(conversation, caller, seq, limit=1)
    marks.advance_and_show(conversation, caller, seq, header.sent_at_ms if header and has_later else clock.now_ms())


def list_conversations(caller: str, request: requests.ConversationPage) -> answers.Conversations:
    """getConversationList: those the caller is in, by conversationID. Refuses with 6017."""
    after = _after(request.nextSeq)
    found = members.conversations_of(caller, after, request.count + 1)
    page = dict(islice(found.items(), request.count))
    is_more = len(found) > len(page)
    states = {state.conversation: state for state in conversations.find_many(page)}
    read = marks.find_many(page, caller)
    stays = members.of_users(*((conversation, caller) for conversation in page)) if request.withLastMessage else {}
    listed = [(states[conversation], since) for conversation, since in page.items() if conversation in states]
    with ThreadPoolExecutor(_COUNTED_AT_ONCE) as pool:
        unread = pool.map(lambda each: _unread(caller, each[0], each[1], read), listed)
        last = pool.map(lambda each: _last_message(each[0], caller, stays), listed)
        shown = [
            answers.conversation(state, caller, count, message)
            for (state, _), count, message in zip(listed, unread, last, strict=True)
        ]
    cursor = list(page)[-1].conversation_id if is_more else ""
    return answers.Conversations(shown, nextSeq=cursor, isFinished=not is_more)


def _unread(caller: str, state: State, since: int, read: Mapping[Conversation, Mark]) -> int:
    """How many messages of others this member has not marked read, up to 100."""
    mark = read.get(state.conversation)
    after = max(since, mark.read_seq if mark else 0)
    if after >= state.seq:
        return 0
    return messages.count_unread(state.conversation, caller, after, limits.UNREAD_COUNT_MAX)


def _last_message(
    state: State, caller: str, stays: Mapping[tuple[Conversation, str], list[Membership]]
) -> answers.MessageShape | UnsetType:
    """The newest message of a conversation that this member may see.

    The list may be a moment behind, and still have a group that the member was removed from, or rejoined: who may see
    what was said since follows from the stays alone.
    """
    theirs = stays.get((state.conversation, caller), [])
    since = next((stay.joined_seq for stay in theirs if stay.is_current), state.seq)
    if since >= state.seq:
        return UNSET
    newest = messages.newest_first(state.conversation, since + 1, state.seq, 1)
    return answers.message(newest[0], caller) if newest else UNSET


def _peer_read_seq(conversation: Conversation, caller: str) -> int | None:
    """Up to where the C2C peer has marked the conversation read; None where the caller is not to know."""
    if conversation.is_group or not users.find(caller).read_receipts:
        return None
    return marks.find(conversation, conversation.peer_of(caller)).shown_seq


def _is_peer_read(message: Message, caller: str, peer_read_seq: int | None) -> bool | UnsetType:
    """Whether the peer has marked the conversation read since this own C2C message.

    V2TIM compares the message's second with that of the mark; the seq says the same exactly.
    """
    if peer_read_seq is None or message.header.sender != caller:
        return UNSET
    return message.header.seq <= peer_read_seq and not message.header.is_private


def _addressee(caller: str, request: requests.SendMessage) -> Conversation:
    """The conversation a message goes to. Refuses with 6017."""
    if request.groupID is not None:
        return Conversation.of_group(request.groupID)
    if request.userID is None or request.userID == caller:
        raise Refusal(codes.BAD_PARAMETERS, "One does not send messages to oneself.")
    return Conversation.between(caller, request.userID)


def _content(request: requests.SendMessage) -> tuple[str | None, str | None]:
    """The text, and the data as compact JSON. Refuses with 80002 above 12 KB together, with 6017 if nested too deep."""
    if _is_deeper_than(limits.NESTING_MAX, request.data):
        raise Refusal(codes.BAD_PARAMETERS, f"`data` is nested more than {limits.NESTING_MAX} deep.")
    data = b"" if request.data is None else msgspec.json.encode(request.data)
    text = (request.text or "").encode()
    if len(text) + len(data) > limits.CONTENT_BYTES_MAX:
        raise Refusal(codes.CONTENT_TOO_LONG, f"Text and data together have at most {limits.CONTENT_BYTES_MAX} bytes.")
    if len(msgspec.json.encode(request.text)) + len(data) > limits.ENCODED_CONTENT_BYTES_MAX:
        raise Refusal(codes.CONTENT_TOO_LONG, "The content has too many characters that JSON must escape.")
    return request.text, data.decode() or None


def _is_deeper_than(limit: int, value: Any) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    """What is nested in a JSON value and may have something nested in it."""
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (child for child in within if isinstance(child, dict | list))


def _new_header(caller: Caller, conversation: Conversation, need_read_receipt: bool, *, is_private: bool) -> Header:
    """The header of a new message, with a seq of its own. Refuses with 7013, 10010, 45004 or 45005."""
    if need_read_receipt:
        entitlement.check_client(caller, conversation)
    draw = _draw(conversation)
    sender = audience.covering(_as_member(conversation, caller.user_id), draw.seq)
    if sender is None:
        raise Refusal(codes.NO_SUCH_GROUP)
    if need_read_receipt and conversation.is_group:
        entitlement.check_group(draw)
    now = clock.now_ms()
    return Header(
        conversation=conversation,
        seq=draw.seq,
        sender=caller.user_id,
        sender_ordinal=sender.ordinal,
        audience=audience.audience_size(draw.member_count),
        need_read_receipt=need_read_receipt and not is_private,
        sent_at_ms=now,
        is_private=is_private,
        expires_at_s=console.current().message_expires_at_s(now),
        next_ordinal=draw.next_ordinal,
    )


def _draw(conversation: Conversation) -> Draw:
    """A fresh seq; a C2C conversation begins with its first message."""
    for _ in dynamo.tries():
        draw = conversations.draw_seq(conversation)
        if draw:
            return draw
        if conversation.is_group:
            break
        members.open_c2c(conversation)
    raise Refusal(codes.NO_SUCH_GROUP)


def _as_member(conversation: Conversation, caller: str) -> list[Membership]:
    """The caller's memberships, one of them current. Refuses with 10010, whether there is such a group or not."""
    stays = members.of_user(conversation, caller)
    if not audience.is_member(stays):
        raise Refusal(codes.NO_SUCH_GROUP)
    return stays


def _named(caller: str, conversation_id: str) -> Conversation:
    """The conversation that a client names. Refuses with 6017."""
    try:
        return Conversation.named_by(caller, conversation_id)
    except ValueError as error:
        raise Refusal(codes.BAD_PARAMETERS, "A conversationID is `c2c_<userID>` or `group_<groupID>`.") from error


def _seq_within(conversation: Conversation, msg_id: str, field: str) -> int:
    """The seq of a message of this conversation. Refuses with 6017."""
    try:
        of, seq = decode_msg_id(msg_id)
    except ValueError as error:
        raise Refusal(codes.BAD_PARAMETERS, f"`{field}` is not a msgID.") from error
    if of != conversation:
        raise Refusal(codes.BAD_PARAMETERS, f"`{field}` is of another conversation.")
    return seq


def _after(cursor: str) -> str:
    """A cursor that `list_conversations` gave, or none. Refuses with 6017."""
    try:
        return Conversation.parse(cursor).conversation_id if cursor else ""
    except ValueError as error:
        raise Refusal(codes.BAD_PARAMETERS, "`nextSeq` is not one that this call gave.") from error
