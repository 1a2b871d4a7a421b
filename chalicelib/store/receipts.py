"""Receipts: the tiles, folded from Reads by the stream. What is in a tile is true; what is not may be on its way."""

from collections.abc import Iterable, Iterator, Mapping

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core.conversation import SEPARATOR, Conversation
from chalicelib.core.message import Header
from chalicelib.core.tiles import SEGMENT_SIZE, Tile, TileKey, block_of, count_readers, offset_of
from chalicelib.store import dynamo

TABLE = "Receipts"


def find_many(keys: Iterable[TileKey]) -> dict[TileKey, Tile]:
    """Tiles by their keys, empty ones too; consistently read."""
    tiles = {(key.conversation.conversation_id, _block_segment(key)): key for key in keys}
    found = dict.fromkeys(tiles.values(), Tile())
    for row in dynamo.get_many(TABLE, map(_key, found), consistent=True):
        found[tiles[row["conversationID"], row["blockSegment"]]] = _tile(row)
    return found


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
        try:
            dynamo.client().put_item(
                TableName=settings.table(TABLE),
                Item=dynamo.item({**_key(key), **_row(tile)}),
                ConditionExpression="attribute_not_exists(version) OR version = :read",
                ExpressionAttributeValues=dynamo.item({":read": stored.version}),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not dynamo.lost_condition(error):
                raise
            stored = _tile(dynamo.plain(error.response["Item"]))  # type: ignore[typeddict-item]  # with ALL_OLD it is there
        else:
            return tile
    return stored


def counts(
    conversation: Conversation, headers: Iterable[Header], known: Mapping[TileKey, Tile] | None = None
) -> dict[int, int]:
    """How many have read each of these messages of a group, by seq; from tiles that are known, or consistently read."""
    asked = {header.seq: header for header in headers}
    tiles: dict[int, Iterable[Tile]] = {}
    in_one = {}
    for header in asked.values():
        block = block_of(header.seq)
        if header.next_ordinal is not None and header.next_ordinal <= SEGMENT_SIZE:
            in_one[header.seq] = TileKey(conversation, block, 0)
        elif block not in tiles:
            tiles[block] = of_block(conversation, block)
    found = dict(known or {})
    found.update(find_many({key for key in in_one.values() if key not in found}))
    return {
        seq: count_readers([found[in_one[seq]]] if seq in in_one else tiles[block_of(seq)], offset_of(seq))
        for seq in asked
    }


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
