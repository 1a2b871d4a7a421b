"""Receipts: the tiles, folded from Reads by the stream. What is in a tile is true; what is not may be on its way."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core.conversation import SEPARATOR, Conversation
from chalicelib.core.tiles import Tile, TileKey
from chalicelib.store import dynamo

TABLE = "Receipts"


def add(key: TileKey, additions: Tile) -> Tile:
    """Make sure that these readers are in the tile, and return it as it then is.

    Read, unite, write if nobody wrote in between, else again: a union is right whatever came before it, and readers
    that are in the tile already cost no write.
    """
    stored = _tile(dynamo.get(TABLE, _key(key), consistent=True))
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


def _tile(row: dynamo.Row | None) -> Tile:
    if row is None:
        return Tile()
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
    return {
        "conversationID": key.conversation.conversation_id,
        "blockSegment": f"{key.block}{SEPARATOR}{key.segment}",
    }
