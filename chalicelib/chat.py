"""Messages: sending them, reading them back, and the conversations they are in.

- Only members send to a group; anybody sends to any user, but not to themselves.
- A member sees the messages sent during their own memberships, while they are a member; nobody else sees anything.
"""

import msgspec

from chalicelib import answers, clock, codes, limits, requests
from chalicelib.codes import Refusal
from chalicelib.core import audience
from chalicelib.core.audience import Membership
from chalicelib.core.conversation import Conversation, decode_msg_id
from chalicelib.core.message import Header, Message
from chalicelib.store import conversations, dynamo, members, messages
from chalicelib.store.conversations import Draw


def send(caller: str, request: requests.SendMessage) -> answers.MessageShape:
    """sendMessage. A repetition under the same clientMsgID answers with the first message instead of sending another.

    Refuses with 6017, 10010 or 80002. A seq that was drawn for a message that is then refused leaves a harmless gap.
    """
    conversation = _addressee(caller, request)
    text, data_json = _content(request)
    _as_member(conversation, caller)  # so that strangers do not even draw a seq
    draw = _draw(conversation)
    sender = audience.covering(_as_member(conversation, caller), draw.seq)
    if sender is None:
        raise Refusal(codes.NO_SUCH_GROUP)
    header = Header(
        conversation=conversation,
        seq=draw.seq,
        sender=caller,
        sender_ordinal=sender.ordinal,
        audience=audience.audience_size(draw.member_count),
        need_read_receipt=request.needReadReceipt,
        sent_at_ms=clock.now_ms(),
    )
    if request.clientMsgID:
        claim = messages.claim(header, request.clientMsgID)
        earlier = None if claim.is_first else messages.find(conversation, claim.header.seq)
        if earlier:
            return answers.message(earlier, caller)
        header = claim.header
    message = Message(header, text, data_json)
    messages.put(message)
    return answers.message(message, caller)


def history(caller: str, conversation_id: str, request: requests.History) -> answers.History:
    """getC2CHistoryMessageList or getGroupHistoryMessageList: newest first. Refuses with 6017 or 10010."""
    conversation = _named(caller, conversation_id)
    before = limits.SEQ_MAX
    if request.lastMsgID is not None:
        before = _seq_within(conversation, request.lastMsgID)
    stays = _as_member(conversation, caller)
    wanted = request.count + 1  # one more than asked for, to know whether there are more
    found: list[Message] = []
    for stay in reversed(stays):
        last = before - 1 if stay.left_seq is None else min(before - 1, stay.left_seq)
        first = stay.joined_seq + 1
        if first <= last and len(found) < wanted:
            found += messages.newest_first(conversation, first, last, wanted - len(found))
    page = found[: request.count]
    return answers.History([answers.message(message, caller) for message in page], len(found) <= request.count)


def list_conversations(caller: str, request: requests.ConversationPage) -> answers.Conversations:
    """getConversationList: those the caller is in, by conversationID. Refuses with 6017."""
    after = _after(request.nextSeq)
    found = members.conversations_of(caller, after, request.count + 1)
    page, more = found[: request.count], found[request.count :]
    states = {state.conversation: state for state in conversations.find_many(page)}
    return answers.Conversations(
        [answers.conversation(states[conversation], caller) for conversation in page if conversation in states],
        nextSeq=page[-1].conversation_id if more else "",
        isFinished=not more,
    )


def _addressee(caller: str, request: requests.SendMessage) -> Conversation:
    """The conversation a message goes to. Refuses with 6017."""
    if request.groupID is not None:
        return Conversation.of_group(request.groupID)
    if request.userID is None or request.userID == caller:
        raise Refusal(codes.BAD_PARAMETERS, "One does not send messages to oneself.")
    return Conversation.between(caller, request.userID)


def _content(request: requests.SendMessage) -> tuple[str | None, str | None]:
    """The text, and the data as compact JSON. Refuses with 80002 above 12 KB together."""
    data_json = None if request.data is None else msgspec.json.encode(request.data).decode()
    size = len((request.text or "").encode()) + len((data_json or "").encode())
    if size > limits.CONTENT_BYTES_MAX:
        raise Refusal(codes.CONTENT_TOO_LONG, f"Text and data together have at most {limits.CONTENT_BYTES_MAX} bytes.")
    return request.text, data_json


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


def _seq_within(conversation: Conversation, msg_id: str) -> int:
    """The seq of a message of this conversation. Refuses with 6017."""
    try:
        of, seq = decode_msg_id(msg_id)
    except ValueError as error:
        raise Refusal(codes.BAD_PARAMETERS, "`lastMsgID` is not a msgID.") from error
    if of != conversation:
        raise Refusal(codes.BAD_PARAMETERS, "`lastMsgID` is of another conversation.")
    return seq


def _after(cursor: str) -> str:
    """A cursor that `list_conversations` gave, or none. Refuses with 6017."""
    try:
        return Conversation.parse(cursor).conversation_id if cursor else ""
    except ValueError as error:
        raise Refusal(codes.BAD_PARAMETERS, "`nextSeq` is not one that this call gave.") from error
