"""Reads: for each reader and block of 64 messages one row, with the time each message was first read. The facts.

All readers of a segment share a partition, so that their stream records come in one shard and in order. C2C needs
nothing else: the peer's row is the receipt.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core.audience import Membership
from chalicelib.core.console import NEVER_S
from chalicelib.core.conversation import SEPARATOR, Conversation, is_user_id
from chalicelib.core.tiles import BLOCK_SIZE, ReadDelta, TileKey, block_of, offset_of, segment_of, seq_at
from chalicelib.store import dynamo

TABLE = "Reads"


@dataclass(frozen=True)
class Row:
    """What one member has read of one block: the time of the first reading in ms, by offset."""

    block: int
    ordinal: int
    read_at_ms: Mapping[int, int]
    expires_at_s: int = NEVER_S


def record(
    conversation: Conversation,
    reader: Membership,
    block: int,
    offsets: Iterable[int],
    read_at_ms: int,
    expires_at_s: int = NEVER_S,
) -> None:
    """Write down that a member read these messages of one block. One write unit, whether it is one message or 64.

    The first time stays, whatever comes late, again or at once from another device; a repetition changes nothing, and
    so does not even appear in the stream. The row is kept as long as any of its messages: where a retention is set it
    is put off, once a day at most, by a write of its own.
    """
    firsts = (f"r{offset} = if_not_exists(r{offset}, :now)" for offset in sorted(set(offsets)))
    update = f"SET userID = :user, expiresAt = if_not_exists(expiresAt, :expires), {', '.join(firsts)}"
    row: Any = {
        "TableName": settings.table(TABLE),
        "Key": dynamo.item(_key(conversation, reader.ordinal, block)),
    }
    answer = dynamo.client().update_item(
        **row,
        UpdateExpression=update,
        ExpressionAttributeValues=dynamo.item({":user": reader.user_id, ":now": read_at_ms, ":expires": expires_at_s}),
        ReturnValues="ALL_NEW",  # a repetition updates nothing, and must tell all the same
    )
    if dynamo.plain(answer["Attributes"])["expiresAt"] >= expires_at_s:
        return
    try:
        dynamo.client().update_item(
            **row,
            UpdateExpression="SET expiresAt = :expires",
            ConditionExpression="expiresAt < :expires",
            ExpressionAttributeValues=dynamo.item({":expires": expires_at_s}),
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):  # somebody else has put it off as far
            raise


def of_segment(conversation: Conversation, segment: int, seq: int) -> dict[int, tuple[str, int]]:
    """Who in a segment has read one message: the userID and the time of the first reading in ms, by ordinal.

    Consistent.
    """
    read = f"r{offset_of(seq)}"
    rows = dynamo.query(
        TABLE,
        "conversationSegment = :segment AND begins_with(blockOrdinal, :block)",
        {":segment": _joined(conversation.conversation_id, segment), ":block": _joined(block_of(seq), "")},
        ConsistentRead=True,
        FilterExpression=f"attribute_exists({read})",
        ProjectionExpression=f"blockOrdinal, userID, {read}",
    )
    return {_numbers(row["blockOrdinal"])[1]: (row["userID"], row[read]) for row in rows}


def of_member(conversation: Conversation, ordinal: int, blocks: Iterable[int]) -> dict[int, int]:
    """What one member has read in these blocks: the time of the first reading in ms, by seq. Consistent."""
    keys = [_key(conversation, ordinal, block) for block in blocks]
    times: dict[int, int] = {}
    for row in dynamo.get_many(TABLE, keys, consistent=True):
        block, _ = _numbers(row["blockOrdinal"])
        times.update((seq_at(block, offset), at) for offset, at in _times(row).items())
    return times


def of_partition(conversation: Conversation, segment: int) -> Iterator[Row]:
    """All that a segment has read, block after block. Consistent."""
    return _rows("conversationSegment = :segment", {":segment": _joined(conversation.conversation_id, segment)})


def of_tile(key: TileKey) -> Iterator[Row]:
    """All that the members of a tile's segment have read of its block. Consistent."""
    return _rows(
        "conversationSegment = :segment AND begins_with(blockOrdinal, :block)",
        {":segment": _joined(key.conversation.conversation_id, key.segment), ":block": _joined(key.block, "")},
    )


def _rows(condition: str, values: Mapping[str, dynamo.Value]) -> Iterator[Row]:
    for row in dynamo.query(TABLE, condition, values, ConsistentRead=True):
        yield Row(*_numbers(row["blockOrdinal"]), _times(row), row.get("expiresAt", NEVER_S))


def delta(change: Mapping[str, Any]) -> ReadDelta | None:
    """What is new in one stream record's `dynamodb` part: the new image minus the old one. None if nothing is.

    A row that is only put off is news too: its tile must be kept as long.

    An exception, of whatever kind, if it is not the image of a row that `record` writes.
    """
    row = dynamo.plain(change["NewImage"])
    before = dynamo.plain(change.get("OldImage", {}))
    read_at_ms = _times(row)
    fresh = {offset: at for offset, at in read_at_ms.items() if f"r{offset}" not in before}
    expires_at_s = row.get("expiresAt", NEVER_S)
    if not fresh and (not read_at_ms or expires_at_s <= before.get("expiresAt", NEVER_S)):
        return None
    conversation_id, _, segment = row["conversationSegment"].rpartition(SEPARATOR)
    conversation = Conversation.parse(conversation_id)
    block, ordinal = _numbers(row["blockOrdinal"])
    is_written_so = (
        block >= 0
        and ordinal >= 0
        and segment_of(ordinal) == int(segment)
        and max(read_at_ms) < BLOCK_SIZE
        and all(isinstance(at, int) for at in (*read_at_ms.values(), expires_at_s))
        and is_user_id(row["userID"])
        and (conversation.is_group or conversation.users[ordinal] == row["userID"])
    )
    if not is_written_so:
        raise ValueError("not a row of Reads")
    return ReadDelta(conversation, block, ordinal, row["userID"], fresh, frozenset(read_at_ms), expires_at_s)


def _times(row: dynamo.Row) -> dict[int, int]:
    return {int(name[1:]): at for name, at in row.items() if name[0] == "r" and name[1:].isdecimal()}


def _key(conversation: Conversation, ordinal: int, block: int) -> dict[str, dynamo.Value]:
    return {
        "conversationSegment": _joined(conversation.conversation_id, segment_of(ordinal)),
        "blockOrdinal": _joined(block, ordinal),
    }


def _joined(*parts: object) -> str:
    return SEPARATOR.join(map(str, parts))


def _numbers(joined: str) -> tuple[int, int]:
    first, second = joined.split(SEPARATOR)
    return int(first), int(second)
