"""Sums: the nodes over the tiles of a block, one item each. What they are, and why they are right: `core.sums`.

Each node has a partition key of its own, so that what many folds write at once is spread as far as can be. All folds of
one block meet in its topmost node: one small write for each batch of a shard, not for each receipt.
"""

from collections.abc import Iterable, Mapping

from botocore.exceptions import ClientError

from chalicelib import clock, settings
from chalicelib.core.conversation import SEPARATOR
from chalicelib.core.sums import Node, NodeKey, Slot, pack, unpack
from chalicelib.store import dynamo
from chalicelib.store.dynamo import Lookup

TABLE = "Sums"

_SLOT, _VERSION = "s", "v"


def put(key: NodeKey, slots: Mapping[int, Slot], expires_at_s: int) -> Node:
    """Make sure that these slots of a node are at these versions or later, and return it as it then is.

    One write, with nothing read before: each slot has one child, and takes only what is newer. Where it is refused some
    slot has that or newer already, so that slot is left out and the rest tried again: nobody has to wait for anybody. A
    write whose answer was lost is refused when it is repeated, and is found to be there.
    """
    node = Node()
    pending = dict(slots)
    while pending:
        try:
            node = _put(key, pending, expires_at_s)
            break
        except ClientError as error:
            if not dynamo.lost_condition(error):
                raise
            node = _node(key.level, dynamo.plain(error.response["Item"]))  # type: ignore[typeddict-item]  # with ALL_OLD it is there
        pending = {
            number: slot
            for number, slot in pending.items()
            if number not in node.slots or node.slots[number].version < slot.version
        }
    if node.expires_at_s < expires_at_s:
        _put_off(key, expires_at_s)
    return node


def find_many(keys: Iterable[NodeKey]) -> dict[NodeKey, Node]:
    """Nodes by their keys, empty ones too; consistently read."""
    wanted = list(keys)
    (rows,) = dynamo.look_up(lookup(wanted))
    return by_key(wanted, rows)


def mend(key: NodeKey, seen: Node, slots: Mapping[int, Slot], expires_at_s: int) -> bool:
    """Let a node say this of its children, and nothing else, if it still is as it was seen. False if it is not.

    For the audit alone: whatever else changes a node lets its slots take what is newer.
    """
    row: dynamo.Row = {"version": seen.version + 1 if seen.version else clock.now_ms(), "expiresAt": expires_at_s}
    for number, slot in slots.items():
        row[f"{_SLOT}{number}"] = pack(slot.counts, key.level)
        row[f"{_VERSION}{number}"] = slot.version
    try:
        dynamo.client().put_item(
            TableName=settings.table(TABLE),
            Item=dynamo.item({**_key(key), **row}),
            ConditionExpression="attribute_not_exists(version) OR version = :seen",
            ExpressionAttributeValues=dynamo.item({":seen": seen.version}),
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        return False
    return True


def lookup(keys: Iterable[NodeKey]) -> Lookup:
    """What to ask for, to have these nodes; consistently."""
    return Lookup(TABLE, [_key(key) for key in keys])


def by_key(keys: Iterable[NodeKey], rows: Iterable[dynamo.Row]) -> dict[NodeKey, Node]:
    """These nodes, from their rows; one that is not there has counted nothing yet."""
    found = {(row["conversationNode"], row["block"]): row for row in rows}
    nodes: dict[NodeKey, Node] = {}
    for key in keys:
        row = found.get((_name(key), key.block))
        nodes[key] = _node(key.level, row) if row else Node()
    return nodes


def _put(key: NodeKey, slots: Mapping[int, Slot], expires_at_s: int) -> Node:
    sets = ", ".join(f"{_SLOT}{each} = :{_SLOT}{each}, {_VERSION}{each} = :{_VERSION}{each}" for each in slots)
    newer = (f"(attribute_not_exists({_VERSION}{each}) OR {_VERSION}{each} < :{_VERSION}{each})" for each in slots)
    # It begins with the time, as a tile does, and for the same reason: see `receipts`.
    values: dict[str, dynamo.Value] = {":one": 1, ":now": clock.now_ms(), ":expires": expires_at_s}
    for number, slot in slots.items():
        values[f":{_SLOT}{number}"] = pack(slot.counts, key.level)
        values[f":{_VERSION}{number}"] = slot.version
    answer = dynamo.client().update_item(
        TableName=settings.table(TABLE),
        Key=dynamo.item(_key(key)),
        UpdateExpression=(
            f"SET {sets}, expiresAt = if_not_exists(expiresAt, :expires), version = if_not_exists(version, :now) + :one"
        ),
        ConditionExpression=" AND ".join(newer),
        ExpressionAttributeValues=dynamo.item(values),
        ReturnValues="ALL_NEW",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    return _node(key.level, dynamo.plain(answer["Attributes"]))


def _put_off(key: NodeKey, expires_at_s: int) -> None:
    """Let a node be kept as long as the last of its tiles."""
    try:
        dynamo.client().update_item(
            TableName=settings.table(TABLE),
            Key=dynamo.item(_key(key)),
            UpdateExpression="SET expiresAt = :expires",
            ConditionExpression="expiresAt < :expires",
            ExpressionAttributeValues=dynamo.item({":expires": expires_at_s}),
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):  # somebody else has put it off as far
            raise


def _node(level: int, row: dynamo.Row) -> Node:
    slots = {
        int(name[1:]): Slot(row[f"{_VERSION}{name[1:]}"], unpack(packed, level))
        for name, packed in row.items()
        if name[0] == _SLOT and name[1:].isdecimal()
    }
    return Node(row["version"], slots, row["expiresAt"])


def _key(key: NodeKey) -> dict[str, dynamo.Value]:
    return {"conversationNode": _name(key), "block": key.block}


def _name(key: NodeKey) -> str:
    return SEPARATOR.join((key.conversation.conversation_id, str(key.level), str(key.index)))
