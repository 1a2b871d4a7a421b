"""Messages, by conversation and seq; and Sends, which remember what a client called them."""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec
from botocore.exceptions import ClientError

from chalicelib import clock, settings
from chalicelib.core.console import NEVER_S
from chalicelib.core.conversation import SEPARATOR, Conversation
from chalicelib.core.message import Header, Message
from chalicelib.kept import Kept
from chalicelib.limits import SEQ_MAX, UNREAD_COUNT_MAX, UNREAD_EXAMINED_MAX
from chalicelib.store import dynamo
from chalicelib.store.dynamo import Lookup

TABLE = "Messages"
SENDS = "Sends"

# Half a kilobyte each: 5 MB. For a minute, so that what a group reads at once is looked up once.
_kept: Kept[tuple[Conversation, int], Header] = Kept(entries=10_000, age_ms=60_000)

_HEADER = (
    "conversationID, seq, sender, senderOrdinal, audience, needReadReceipt, sentAtMs, isPrivate, expiresAt, nextOrdinal"
)


def put(message: Message) -> Message:
    """Store a message, and return what is stored under its seq.

    The seq was drawn for it alone, so what is there already is itself; or, under a clientMsgID that is being repeated
    while the first attempt is still under way, whichever of the two came first.
    """
    header = message.header
    row = {**_header_row(header), "text": message.text, "data": message.data_json}
    try:
        dynamo.client().put_item(
            TableName=settings.table(TABLE),
            Item=dynamo.item(row),
            ConditionExpression="attribute_not_exists(seq)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        return message_of(dynamo.plain(error.response["Item"]))  # type: ignore[typeddict-item]  # with ALL_OLD it is there
    return message


def find(conversation: Conversation, seq: int) -> Message | None:
    """One message, consistently read."""
    row = dynamo.get(TABLE, _key(conversation, seq), consistent=True)
    return message_of(row) if row else None


def headers(conversation: Conversation, seqs: Iterable[int]) -> dict[int, Header]:
    """The headers of those messages that exist, by seq.

    A header never changes, so one that was found is right, however old the replica; one that was not found may just
    have been sent, and is asked for again consistently.
    """
    wanted = set(seqs)
    found = kept(conversation, wanted)
    for consistent in (False, True):
        (rows,) = dynamo.look_up(lookup(conversation, wanted - found.keys(), consistent=consistent))
        found.update(keep(rows))
    return found


def kept(conversation: Conversation, seqs: Iterable[int]) -> dict[int, Header]:
    """The headers that this process still has in memory.

    Safe, because a header never changes. It may be kept for a minute longer than a message that expires, and DynamoDB
    takes days to delete that.
    """
    found = ((seq, _kept.get((conversation, seq))) for seq in seqs)
    return {seq: header for seq, header in found if header}


def lookup(conversation: Conversation, seqs: Iterable[int], *, consistent: bool) -> Lookup:
    """What to ask for, to have the headers of these messages."""
    return Lookup(TABLE, [_key(conversation, seq) for seq in sorted(seqs)], consistent, _HEADER)


def keep(rows: Iterable[dynamo.Row]) -> dict[int, Header]:
    """The headers in these rows of one conversation, by seq; from now on they are in memory."""
    found = {row["seq"]: _header(row) for row in rows}
    for seq, header in found.items():
        _kept.put((header.conversation, seq), header)
    return found


def newest_first(conversation: Conversation, first: int, last: int, limit: int) -> list[Message]:
    """At most `limit` messages with `first <= seq <= last`, the newest first."""
    rows = dynamo.query(
        TABLE,
        "conversationID = :conversation AND seq BETWEEN :first AND :last",
        {":conversation": conversation.conversation_id, ":first": first, ":last": last},
        ScanIndexForward=False,
        ConsistentRead=True,
        Limit=limit,
    )
    return [message_of(row) for _, row in zip(range(limit), rows, strict=False)]


def claimed(conversation: Conversation, sender: str, client_msg_id: str) -> Header | None:
    """The message that a clientMsgID of this sender stands for in this conversation, stored or about to be."""
    row = dynamo.get(SENDS, {"sendID": _send_id(conversation, sender, client_msg_id)}, consistent=True)
    if row is None or row.get("expiresAt", NEVER_S) < clock.now_ms() // 1000:
        return None
    return _header(row)


def claim(header: Header, client_msg_id: str) -> Header:
    """Let a clientMsgID stand for this message, unless it stands for one already; return the one it stands for.

    The first write wins and stays, so every repetition finds the same message, even one whose first attempt died
    before the message was stored: then whoever comes next stores it, under the seq that was claimed. A claim lasts as
    long as its message.
    """
    send_id = _send_id(header.conversation, header.sender, client_msg_id)
    try:
        dynamo.client().put_item(
            TableName=settings.table(SENDS),
            Item=dynamo.item({"sendID": send_id, **_header_row(header)}),
            ConditionExpression="attribute_not_exists(sendID) OR expiresAt < :now",
            ExpressionAttributeValues=dynamo.item({":now": clock.now_ms() // 1000}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        return _header(dynamo.plain(error.response["Item"]))  # type: ignore[typeddict-item]  # with ALL_OLD it is there
    return header


def sent_by(conversation: Conversation, sender: str, first: int, last: int, limit: int) -> list[Header]:
    """The headers of one sender's messages with `first <= seq <= last`, oldest first; `limit` messages are examined."""
    return [header for header in _examined(conversation, first, last, limit) if header.sender == sender]


def count_unread(conversation: Conversation, reader: str, after: int, limit: int) -> int:
    """How many messages with a seq above `after` others have sent, counted up to `limit`.

    A bounded number of messages is examined, so of somebody who sent hundreds themselves since, it may be fewer.
    """
    examined = _examined(conversation, after + 1, SEQ_MAX, UNREAD_EXAMINED_MAX)
    return sum(1 for _ in islice((header for header in examined if header.sender != reader), limit))


def _examined(conversation: Conversation, first: int, last: int, limit: int) -> Iterator[Header]:
    rows = dynamo.query(
        TABLE,
        "conversationID = :conversation AND seq BETWEEN :first AND :last",
        {":conversation": conversation.conversation_id, ":first": first, ":last": last},
        ProjectionExpression=_HEADER,
        ConsistentRead=True,
        Limit=UNREAD_COUNT_MAX,
    )
    return map(_header, islice(rows, limit))


def message_of(row: dynamo.Row) -> Message:
    """A message from its row, or from the image of it in a stream record. ValueError if it is neither."""
    content = msgspec.convert(row, _ContentRow)
    return Message(_header(row), content.text, content.data)


class _HeaderRow(msgspec.Struct):
    """The types of a header's attributes, so that a row of another make is found out where it is read."""

    conversationID: str
    seq: int
    sender: str
    senderOrdinal: int
    audience: int
    needReadReceipt: bool
    sentAtMs: int
    isPrivate: bool = False
    expiresAt: int | None = None
    nextOrdinal: int | None = None


class _ContentRow(msgspec.Struct):
    text: str | None = None
    data: str | None = None


def _send_id(conversation: Conversation, sender: str, client_msg_id: str) -> str:
    return SEPARATOR.join((conversation.conversation_id, sender, client_msg_id))


def _header_row(header: Header) -> dict[str, dynamo.Value | None]:
    return {
        "conversationID": header.conversation.conversation_id,
        "seq": header.seq,
        "sender": header.sender,
        "senderOrdinal": header.sender_ordinal,
        "audience": header.audience,
        "needReadReceipt": header.need_read_receipt,
        "sentAtMs": header.sent_at_ms,
        "isPrivate": header.is_private or None,
        "expiresAt": header.expires_at_s,
        "nextOrdinal": header.next_ordinal,
    }


def _header(row: dynamo.Row) -> Header:
    checked = msgspec.convert(row, _HeaderRow)
    return Header(
        conversation=Conversation.parse(checked.conversationID),
        seq=checked.seq,
        sender=checked.sender,
        sender_ordinal=checked.senderOrdinal,
        audience=checked.audience,
        need_read_receipt=checked.needReadReceipt,
        sent_at_ms=checked.sentAtMs,
        is_private=checked.isPrivate,
        expires_at_s=checked.expiresAt,
        next_ordinal=checked.nextOrdinal,
    )


def _key(conversation: Conversation, seq: int) -> dict[str, dynamo.Value]:
    return {"conversationID": conversation.conversation_id, "seq": seq}
