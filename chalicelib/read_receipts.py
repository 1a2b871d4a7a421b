"""Read receipts: sending them, asking how far a message has been read, and by whom.

- A receipt is taken from whoever is in the audience of a message that asked for receipts, and from nobody else; also
  after they left the group. It is one fact, however often and from however many devices it comes.
- Only the sender of a message, while a member, sees its receipt and its lists. To everybody else it does not exist.
- A member is told "not in your audience" for every seq outside their memberships, whether or not it is a message's.
"""

from collections import defaultdict
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import UNSET

from chalicelib import answers, chat, clock, codes, counting, entitlement, limits, log, requests, together
from chalicelib.codes import Code, Refusal
from chalicelib.core import audience
from chalicelib.core.audience import Membership
from chalicelib.core.caller import Caller
from chalicelib.core.console import receipt_expires_at_s
from chalicelib.core.conversation import Conversation, decode_msg_id, encode_msg_id
from chalicelib.core.message import Header
from chalicelib.core.receipt import Receipt, c2c_receipt, group_receipt
from chalicelib.core.tiles import (
    SEGMENT_SIZE,
    block_of,
    first_ordinal_of,
    offset_of,
    segment_of,
)
from chalicelib.store import conversations, members, reads, standing
from chalicelib.store.standing import Standing


def send(caller: Caller, request: requests.ReadReceipts) -> answers.ReceiptsSent:
    """sendMessageReadReceipts: write down which messages the caller has read, one write for each block of 64.

    Says for each message whether it was taken; one that is refused, or fails, does not stop the others. If the caller
    has read receipts turned off they are withheld: nothing is written down, and the answer says so. As in TIM the
    unread count does not change, unless the call asks for that too (`alsoMarkRead`). Refuses the whole call with 6017
    or 7013.
    """
    conversation, seqs = _of_one_conversation(request.msgIDs)
    entitlement.check_client(caller, conversation)
    found = standing.find(conversation, caller.user_id, seqs)
    stays, headers = found.stays, found.headers
    verdicts = {seq: _verdict(caller.user_id, stays, seq, headers.get(seq)) for seq in seqs}
    taken = [seq for seq, code in verdicts.items() if code is codes.OK]
    is_withheld = bool(taken) and not found.user.read_receipts
    if not is_withheld:
        failed = _record(conversation, stays, [headers[seq] for seq in taken])
        verdicts.update(dict.fromkeys(failed, codes.SERVER_ERROR))
    for code in verdicts.values():
        if code is not codes.OK:
            log.count("Refused", 1, str(code.number))
        elif not is_withheld:
            log.count("ReceiptsRecorded")
    seen = [header for seq, header in headers.items() if audience.may_see(stays, seq)]
    if request.alsoMarkRead and seen:
        chat.mark_read_up_to(caller.user_id, conversation, max(seen, key=lambda header: header.seq))
    results = [answers.message_result(msg_id, verdicts[seq]) for msg_id, seq in zip(request.msgIDs, seqs, strict=True)]
    return answers.ReceiptsSent(results, withheld=is_withheld or UNSET)


def query(caller: Caller, request: requests.MessageIDs) -> answers.ReceiptsFound:
    """getMessageReadReceipts: the receipts of own messages. Refuses the whole call with 6017, 7013 or 45006."""
    conversation, seqs = _of_one_conversation(request.msgIDs)
    headers = _own_seen(caller, conversation, seqs)
    asked_for = {seq: header for seq, header in headers.items() if header.need_read_receipt}
    found = {receipt.msg_id: receipt for receipt in receipts_of(conversation, asked_for)}
    refused = {
        encode_msg_id(conversation, seq): codes.NO_RECEIPT if seq in headers else codes.NO_SUCH_MESSAGE
        for seq in seqs
        if seq not in asked_for
    }
    return answers.ReceiptsFound(
        [answers.receipt(found[msg_id], caller.sdk_version) for msg_id in request.msgIDs if msg_id in found],
        [answers.message_result(msg_id, refused[msg_id]) for msg_id in request.msgIDs if msg_id in refused],
    )


def receipts_of_own(user_id: str, conversation: Conversation, seqs: Sequence[int]) -> list[Receipt]:
    """The receipts of those of these messages that this user sent, may see now, and asked for receipts."""
    own = _own(standing.find(conversation, user_id, seqs), seqs)
    return receipts_of(conversation, {seq: header for seq, header in own.items() if header.need_read_receipt})


def read_members(caller: Caller, msg_id: str, request: requests.ReadMemberPage) -> answers.ReadMembers:
    """getGroupMessageReadMemberList: who has read an own message (and when), or has not, by ordinal.

    Straight from Reads, so that it shows every receipt whose call has answered. Refuses with 6017, 7013, 10062, 45001
    or 45006.
    """
    conversation, seqs = _of_one_conversation([msg_id])
    if not conversation.is_group:
        raise Refusal(codes.BAD_PARAMETERS, "Lists of members are for group messages; a C2C receipt says it all.")
    header = _own_seen(caller, conversation, seqs).get(seqs[0])
    if header is None:
        raise Refusal(codes.NO_SUCH_MESSAGE)
    if not header.need_read_receipt:
        raise Refusal(codes.NO_RECEIPT)
    return read_members_of(header, request)


def read_members_of(header: Header, request: requests.ReadMemberPage) -> answers.ReadMembers:
    """A page of a group message's list. A bounded number of segments is looked at, a few at once, and more at once
    where they hold little."""
    end = header.next_ordinal or _next_ordinal(header.conversation)
    segments, go_on = _segments(header, request, end)
    found: list[tuple[int, answers.ReadMember]] = []
    at_once = -(-request.count // SEGMENT_SIZE)
    while segments and len(found) < request.count:
        looked_at, segments = segments[:at_once], segments[at_once:]
        for members_found in together.each(lambda segment: _listed(header, request, segment, end), looked_at):
            found += members_found
        at_once *= 2
    page = [member for _, member in found[: request.count]]
    if len(found) > request.count:
        return answers.ReadMembers(page, nextSeq=found[request.count][0], isFinished=False)
    go_on = segments[0] if segments else go_on
    if go_on is None:
        return answers.ReadMembers(page, nextSeq=0, isFinished=True)
    return answers.ReadMembers(page, nextSeq=first_ordinal_of(go_on), isFinished=False)


def _segments(header: Header, request: requests.ReadMemberPage, end: int) -> tuple[list[int], int | None]:
    """The segments of a page, and where the next one begins; None if this is the last.

    Segments that all have read are passed over, as the sums never run ahead. Those that nobody has read are not: the
    sums may lag, and the list shows every receipt whose call has answered.
    """
    first = segment_of(request.nextSeq)
    if request.filter == "unread":
        return counting.segments_with_unread(header, end, first, limits.SEGMENTS_PER_PAGE_MAX)
    last = segment_of(end - 1)
    segments = list(range(first, min(last + 1, first + limits.SEGMENTS_PER_PAGE_MAX)))
    return segments, segments[-1] + 1 if segments and segments[-1] < last else None


def _listed(
    header: Header, request: requests.ReadMemberPage, segment: int, end: int
) -> list[tuple[int, answers.ReadMember]]:
    """Those of a segment who belong in the list, by ordinal.

    Who has read is known from Reads alone: what was written there was checked to be of the audience.
    """
    read = reads.of_segment(header.conversation, segment, header.seq)
    if request.filter == "read":
        listed = [(ordinal, answers.ReadMember(*read[ordinal])) for ordinal in sorted(read)]
    else:
        last = min(first_ordinal_of(segment + 1), end) - 1
        stays = members.in_order(header.conversation, first_ordinal_of(segment), last)
        listed = [
            (stay.ordinal, answers.ReadMember(stay.user_id))
            for stay in stays
            if stay.covers(header.seq) and stay.ordinal != header.sender_ordinal and stay.ordinal not in read
        ]
    return [(ordinal, member) for ordinal, member in listed if ordinal >= request.nextSeq]


def _next_ordinal(conversation: Conversation) -> int:
    """How many have ever joined a group, for messages that do not say how many had when they were sent."""
    state = conversations.find(conversation, consistent=True)
    return state.next_ordinal if state else 0


def _own_seen(caller: Caller, conversation: Conversation, seqs: Sequence[int]) -> dict[int, Header]:
    """The headers of those messages whose receipts the caller may see now.

    Refuses with 7013 who is not entitled to receipts, and with 45006 who has turned them off.
    """
    entitlement.check_client(caller, conversation)
    found = standing.find(conversation, caller.user_id, seqs)
    if not found.user.read_receipts:
        raise Refusal(codes.RECEIPTS_TURNED_OFF)
    return _own(found, seqs)


def _of_one_conversation(msg_ids: Sequence[str]) -> tuple[Conversation, list[int]]:
    """The conversation of these messages, and their seqs in the order asked. Refuses with 6017."""
    try:
        decoded = [decode_msg_id(msg_id) for msg_id in msg_ids]
    except ValueError as error:
        raise Refusal(codes.BAD_PARAMETERS, f"This is {error}.") from error
    conversation = decoded[0][0]
    if any(other != conversation for other, _ in decoded):
        raise Refusal(codes.BAD_PARAMETERS, "The messages of one call are of one conversation.")
    return conversation, [seq for _, seq in decoded]


def _verdict(caller: str, stays: Sequence[Membership], seq: int, header: Header | None) -> Code:
    """Whether this user's receipt for a message is taken, or why not."""
    if not stays:
        return codes.NO_SUCH_MESSAGE
    if not audience.covering(stays, seq):
        return codes.NOT_IN_AUDIENCE
    if header is None:
        return codes.NO_SUCH_MESSAGE
    if header.sender == caller:
        return codes.OWN_MESSAGE
    if not header.need_read_receipt:
        return codes.NO_RECEIPT
    return codes.OK


def _record(conversation: Conversation, stays: Sequence[Membership], headers: Sequence[Header]) -> list[int]:
    """Write down that a user has read these messages, and return the seqs of those for which that failed."""
    now = clock.now_ms()
    rows: dict[tuple[Membership, int], list[Header]] = defaultdict(list)
    for header in headers:
        stay = audience.covering(stays, header.seq)
        assert stay is not None, "only what the caller is in the audience of comes here"
        rows[stay, block_of(header.seq)].append(header)

    def record(row: tuple[Membership, int]) -> list[int]:
        stay, block = row
        seqs = [header.seq for header in rows[row]]
        expires_at_s = max(receipt_expires_at_s(header.expires_at_s) for header in rows[row])
        try:
            reads.record(conversation, stay, block, map(offset_of, seqs), now, expires_at_s)
        except (BotoCoreError, ClientError) as error:
            log.failure("record", error, conversation=conversation.conversation_id, block=block)
            return seqs
        return []

    return [seq for failed in together.each(record, rows) for seq in failed]


def _own(found: Standing, seqs: Sequence[int]) -> dict[int, Header]:
    """The headers of those messages that this user sent and may see now."""
    seen = {seq: found.headers[seq] for seq in seqs if seq in found.headers and audience.may_see(found.stays, seq)}
    return {seq: header for seq, header in seen.items() if header.sender == found.user.user_id}


def receipts_of(conversation: Conversation, headers: dict[int, Header]) -> list[Receipt]:
    """How far these messages of one conversation have been read."""
    if not headers:
        return []
    if conversation.is_group:
        counts = counting.counts(conversation, headers.values())
        return [group_receipt(header, counts[seq]) for seq, header in headers.items()]
    sender = next(iter(headers.values()))
    peer = 1 - sender.sender_ordinal
    read_at_ms = reads.of_member(conversation, peer, {block_of(seq) for seq in headers})
    return [
        c2c_receipt(header.msg_id, conversation.users[peer], read_at_ms.get(seq)) for seq, header in headers.items()
    ]
