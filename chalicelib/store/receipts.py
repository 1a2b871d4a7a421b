"""Receipts: the tiles, folded from Reads by the stream. What is in a tile is true; what is not may be on its way."""

import dataclasses
from collections.abc import Iterable, Iterator

from botocore.exceptions import ClientError

from chalicelib import clock, log, settings
from chalicelib.core.conversation import SEPARATOR, Conversation
from chalicelib.core.tiles import Tile, TileKey
from chalicelib.store import dynamo
from chalicelib.store.dynamo import Lookup

TABLE = "Receipts"


def find_many(keys: Iterable[TileKey]) -> dict[TileKey, Tile]:
    """Tiles by their keys, empty ones too; consistently read."""
    wanted = list(keys)
    (rows,) = dynamo.look_up(lookup(wanted))
    return by_key(wanted, rows)


def lookup(keys: Iterable[TileKey]) -> Lookup:
    """What to ask for, to have these tiles; consistently."""
    return Lookup(TABLE, [_key(key) for key in keys])


def by_key(keys: Iterable[TileKey], rows: Iterable[dynamo.Row]) -> dict[TileKey, Tile]:
    """These tiles, from their rows; nobody is in one that is not there."""
    found = {(row["conversationID"], row["blockSegment"]): _tile(row) for row in rows}
    return {key: found.get((key.conversation.conversation_id, _block_segment(key)), Tile()) for key in keys}


def add(key: TileKey, additions: Tile, stored: Tile | None = None) -> Tile:
    """Make sure that these readers are in the tile, and return it as it then is.

    Read (unless the caller just has), unite, write if nobody wrote in between, else again: a union is right whatever
    came before it, and readers that are in the tile already cost no write.
    """
    if stored is None:
        stored = find_many([key])[key]
    for _ in dynamo.tries():
        tile = stored.union(additions)
        if tile is stored:
            break
        tile = _after(stored, tile)
        found = _put(key, tile, stored.version)
        if found is None:
            return tile
        log.count("FoldConflicts")
        stored = found
    return stored


def _after(stored: Tile, tile: Tile) -> Tile:
    """A tile with the version that follows what is stored.

    The first version of a tile is the time. So one that expired and begins anew is still newer than whatever a sum
    remembers of it: no tile changes every millisecond of its life.
    """
    return tile if stored.version else dataclasses.replace(tile, version=clock.now_ms())


def _put(key: TileKey, tile: Tile, version: int) -> Tile | None:
    """Store a tile if it still is at this version (0: not there). None if that was so, else what was there."""
    try:
        dynamo.client().put_item(
            TableName=settings.table(TABLE),
            Item=dynamo.item({**_key(key), **_row(tile)}),
            ConditionExpression="attribute_not_exists(version) OR version = :read",
            ExpressionAttributeValues=dynamo.item({":read": version}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        return _tile(dynamo.plain(error.response["Item"]))  # type: ignore[typeddict-item]  # with ALL_OLD it is there
    return None


def replace(key: TileKey, seen: Tile, right: Tile) -> Tile | None:
    """Store these readers and no others as the tile's next version, if it still is as it was seen. None if it is not.

    For the audit alone: whatever else changes a tile only adds to it.
    """
    tile = _after(seen, Tile(seen.version + 1, right.bits, max(seen.expires_at_s, right.expires_at_s)))
    return tile if _put(key, tile, seen.version) is None else None


def keys_of(conversation: Conversation) -> Iterator[TileKey]:
    """The keys of all tiles of a conversation, block after block. Consistent."""
    rows = dynamo.query(
        TABLE,
        "conversationID = :conversation",
        {":conversation": conversation.conversation_id},
        ConsistentRead=True,
        ProjectionExpression="blockSegment",
    )
    for row in rows:
        block, segment = map(int, row["blockSegment"].split(SEPARATOR))
        yield TileKey(conversation, block, segment)


def of_block(conversation: Conversation, block: int) -> list[Tile]:
    """All tiles of a block, consistently read: one item for each 80 members that ever were."""
    return list(map(_tile, _rows(conversation, block)))


def _rows(conversation: Conversation, block: int) -> Iterator[dynamo.Row]:
    return dynamo.query(
        TABLE,
        "conversationID = :conversation AND begins_with(blockSegment, :block)",
        {":conversation": conversation.conversation_id, ":block": f"{block}{SEPARATOR}"},
        ConsistentRead=True,
    )


def _tile(row: dynamo.Row) -> Tile:
    bits = {
        int(name[1:]): int.from_bytes(readers, "little")
        for name, readers in row.items()
        if name[0] == "m" and name[1:].isdecimal()
    }
    return Tile(row["version"], bits, row["expiresAt"])


def _row(tile: Tile) -> dynamo.Row:
    bits = {
        f"m{offset}": readers.to_bytes((readers.bit_length() + 7) // 8, "little")
        for offset, readers in tile.bits.items()
    }
    return {"version": tile.version, "expiresAt": tile.expires_at_s, **bits}


def _key(key: TileKey) -> dict[str, dynamo.Value]:
    return {"conversationID": key.conversation.conversation_id, "blockSegment": _block_segment(key)}


def _block_segment(key: TileKey) -> str:
    return f"{key.block}{SEPARATOR}{key.segment}"
