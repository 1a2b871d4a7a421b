"""The audit: Receipts and Sums are recomputed from Reads, every difference is reported, and mended if asked for.

- Reads are the facts. A tile must have a bit for each of them and no other, and a node must say what its children say.
- It is safe while traffic runs. A difference counts only if it is still there when looked at again, and a read of the
  last minute may be on its way through the stream. A tile is read before the rows behind it: what is in it then was in
  Reads before, so a bit without a read is one for certain.
- What is missing is mended by the same conditional union that folds reads, which never takes anything away.
- A bit without a read, or a sum that is ahead, makes a count too large. It is reported; taking it away, the one thing
  here that lets a count go back, is done only where that is asked for, and only if the tile or node is as it was read.
  Should that reader's receipt arrive in between, its row is found when the tile is looked at once more.
- Bits of messages that have expired stay: their rows may have been deleted before the tile was.
- It goes on where it stopped: `cursor` is the place behind what has been audited.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, groupby, repeat
from typing import Any

from chalicelib import clock, counting
from chalicelib.core.conversation import Conversation
from chalicelib.core.sums import Counts, NodeKey, Slot, add_up, counts_of
from chalicelib.core.tiles import SEGMENT_SIZE, Tile, TileKey, bit_of, seq_at
from chalicelib.store import conversations, dynamo, messages, reads, receipts, sums
from chalicelib.store.conversations import State
from chalicelib.store.reads import Row

MISSING = "read, and not counted"
EXTRA = "counted, and not read"
EXPIRES_EARLY = "expires before its reads"
WRONG_SUM = "adds up to something else"

# A read of so long ago has come through the stream, or will not. A busy stream takes a second.
SETTLED_MS = 60_000

# Behind the last segment of any conversation, and what comes after its segments.
_END = 2**31

# How often a tile or a node that changes while it is being mended is tried again.
_TRIES = 5


@dataclass(frozen=True)
class Difference:
    """Something that is not as Reads say. `where` is a tile or node, `seqs` the messages concerned."""

    conversation_id: str
    where: str
    kind: str
    seqs: tuple[int, ...]
    is_mended: bool = False


@dataclass(frozen=True)
class Progress:
    """How far the audit has come: the place to go on from, and what has been looked at since it began."""

    cursor: str
    conversations: int
    tiles: int


@dataclass(frozen=True)
class Mending:
    """What is to be done about a difference: nothing, unite what is missing, also take away what has no read."""

    adds: bool = False
    removes: bool = False


def audit_all(mending: Mending, cursor: str = "") -> Iterator[Difference | Progress]:
    """Audit every conversation behind the cursor, in the order in which the table is scanned."""
    conversation_id, _, segment = cursor.rpartition("/")
    begun = conversations.find(Conversation.parse(conversation_id), consistent=True) if conversation_id else None
    todo = chain([(begun, int(segment))] if begun else [], zip(conversations.all_after(conversation_id), repeat(0)))
    done = tiles = 0
    for state, first_segment in todo:
        of_this = 0
        for found in audit(state, mending, first_segment):
            if isinstance(found, Progress):
                of_this = found.tiles
                found = replace(found, conversations=done + found.conversations, tiles=tiles + of_this)
            yield found
        done, tiles = done + 1, tiles + of_this


def audit(state: State, mending: Mending, first_segment: int = 0) -> Iterator[Difference | Progress]:
    """Audit one conversation from this segment on. C2C has nothing that is made of its reads."""
    conversation, visited = state.conversation, set[TileKey]()
    segments = -(-state.next_ordinal // SEGMENT_SIZE) if conversation.is_group else 0
    for segment in range(first_segment, segments):
        for block, rows in groupby(reads.of_partition(conversation, segment), key=lambda row: row.block):
            key = TileKey(conversation, block, segment)
            visited.add(key)
            if not _agrees(receipts.find_many([key])[key], list(rows)):
                yield from _audit_tile(key, mending)
        yield Progress(f"{conversation.conversation_id}/{segment + 1}", 0, len(visited))
    if conversation.is_group and first_segment < _END:
        yield from _audit_what_is_left(conversation, visited, mending)
    yield Progress(f"{conversation.conversation_id}/{_END}", 1, len(visited))


def _audit_what_is_left(
    conversation: Conversation, visited: set[TileKey], mending: Mending
) -> Iterator[Difference | Progress]:
    """The tiles that have no reads at all, and the nodes over all tiles."""
    for block, keys in groupby(receipts.keys_of(conversation), key=lambda key: key.block):
        tiles = set(keys)
        for key in sorted(tiles - visited, key=lambda key: key.segment):
            yield from _audit_tile(key, mending)
            visited.add(key)
        yield from _audit_nodes(conversation, block, tiles, mending)


def _agrees(tile: Tile, rows: Iterable[Row]) -> bool:
    """Whether a tile is exactly what these rows make it."""
    facts = _tile_of(rows)
    return {offset: bits for offset, bits in tile.bits.items() if bits} == facts.bits and (
        tile.expires_at_s >= facts.expires_at_s
    )


def _tile_of(rows: Iterable[Row]) -> Tile:
    """The tile that these rows make."""
    tile = Tile()
    for row in rows:
        tile = tile.union(Tile(0, dict.fromkeys(row.read_at_ms, bit_of(row.ordinal)), row.expires_at_s))
    return tile


def _audit_tile(key: TileKey, mending: Mending) -> Iterator[Difference]:
    """Look at one tile closely: tile, rows, tile. What is different both times is a difference."""
    for _ in range(_TRIES):
        before = receipts.find_many([key])[key]
        rows = list(reads.of_tile(key))
        after = receipts.find_many([key])[key]
        settled = [row for row in (_settled(row) for row in rows) if row]
        missing = _minus(_tile_of(settled).bits, after.bits)
        extra = _of_messages_that_stay(key, _minus(before.bits, _tile_of(rows).bits))
        is_early = bool(settled and after.version) and after.expires_at_s < _tile_of(settled).expires_at_s
        if extra and mending.removes:
            if (
                receipts.replace(key, before, Tile(before.version, _minus(before.bits, extra), before.expires_at_s))
                is None
            ):
                continue  # it has changed: look again
            receipts.add(key, _tile_of(reads.of_tile(key)))  # what was read in between
        if (missing or is_early) and mending.adds:
            receipts.add(key, _tile_of(rows))
        where = f"block {key.block}, segment {key.segment}"
        for kind, bits, is_mended in ((MISSING, missing, mending.adds), (EXTRA, extra, mending.removes)):
            if bits:
                yield Difference(key.conversation.conversation_id, where, kind, _seqs(key.block, bits), is_mended)
        if is_early:
            yield Difference(key.conversation.conversation_id, where, EXPIRES_EARLY, (), mending.adds)
        return
    yield Difference(key.conversation.conversation_id, f"block {key.block}, segment {key.segment}", EXTRA, ())


def _audit_nodes(
    conversation: Conversation, block: int, tiles: Iterable[TileKey], mending: Mending
) -> Iterator[Difference]:
    """Look at the nodes over the tiles of a block, from below, as far up as its messages are counted."""
    children = [NodeKey(conversation, block, 0, key.segment) for key in tiles]
    for _ in range(_level_of(conversation, block)):
        parents = sorted({child.parent for child in children}, key=lambda key: key.index)
        for parent in parents:
            yield from _audit_node(parent, [child for child in children if child.parent == parent], mending)
        children = parents


def _audit_node(key: NodeKey, children: list[NodeKey], mending: Mending) -> Iterator[Difference]:
    """Look at one node: its slots must say what its children say, at their versions.

    The node is read before its children and mended only if it is as it was read. A child that changes meanwhile brings
    its slot itself, with a later version.
    """
    conversation_id, where = key.conversation.conversation_id, f"block {key.block}, node {key.level}/{key.index}"
    for attempt in range(_TRIES):
        (node,) = sums.find_many([key]).values()
        right, expires_at_s = _slots_of(children)
        said = {number: slot.counts for number, slot in node.slots.items()}
        wrong = {number for number, slot in right.items() if said.get(number) != slot.counts}
        wrong |= {
            number for number, slot in right.items() if number in said and node.slots[number].version > slot.version
        }
        offsets = {
            offset
            for number in right.keys() | said.keys()
            for offset in _offsets_that_differ(said.get(number, {}), right[number].counts if number in right else {})
        }
        # A slot without a child may be all that is left of a tile that expired.
        staying = _seqs(key.block, _of_messages_that_stay(key, dict.fromkeys(offsets, 1)))
        if not wrong and not staying and node.expires_at_s >= expires_at_s:
            return
        if attempt == 0:
            continue  # a fold may be on its way up: look again
        counts = add_up(slot.counts for slot in right.values())
        is_lowered = any(counts.get(offset, 0) < readers for offset, readers in node.counts.items())
        may_be_mended = mending.removes if is_lowered else mending.adds
        is_mended = may_be_mended and sums.mend(key, node, right, max(expires_at_s, node.expires_at_s))
        if is_mended or not may_be_mended:
            kind = WRONG_SUM if wrong or staying else EXPIRES_EARLY
            yield Difference(conversation_id, where, kind, staying, is_mended)
            return
    yield Difference(conversation_id, where, WRONG_SUM, ())


def _slots_of(children: list[NodeKey]) -> tuple[dict[int, Slot], int]:
    """What a node must say of these children, and how long it must be kept for them."""
    if children[0].level == 0:
        keys = {TileKey(child.conversation, child.block, child.index): child.slot for child in children}
        tiles = receipts.find_many(keys)
        slots = {keys[key]: Slot(tile.version, counts_of(tile)) for key, tile in tiles.items() if tile.version}
        return slots, max((tile.expires_at_s for tile in tiles.values()), default=0)
    nodes = sums.find_many(children)
    slots = {key.slot: Slot(node.version, node.counts) for key, node in nodes.items() if node.version}
    return slots, max((node.expires_at_s for node in nodes.values()), default=0)


def _offsets_that_differ(one: Counts, other: Counts) -> set[int]:
    return {offset for offset in one.keys() | other.keys() if one.get(offset, 0) != other.get(offset, 0)}


def _level_of(conversation: Conversation, block: int) -> int:
    """How far up the messages of a block are counted: the latest of them was sent to the most."""
    latest = messages.newest_first(conversation, seq_at(block, 0), seq_at(block + 1, 0) - 1, limit=1)
    place = counting.place_of(latest[0].header) if latest else None
    return place.level if place else 0


def _settled(row: Row) -> Row | None:
    """What of a row must be in its tile by now; None if it has expired, so that the tile may have, too."""
    now_ms = clock.now_ms()
    if row.expires_at_s * 1000 < now_ms:
        return None
    times = {offset: at for offset, at in row.read_at_ms.items() if at < now_ms - SETTLED_MS}
    return Row(row.block, row.ordinal, times, row.expires_at_s)


def _minus(bits: Mapping[int, int], others: Mapping[int, int]) -> dict[int, int]:
    left = {offset: readers & ~others.get(offset, 0) for offset, readers in bits.items()}
    return {offset: readers for offset, readers in left.items() if readers}


def _of_messages_that_stay(key: TileKey | NodeKey, bits: Mapping[int, int]) -> dict[int, int]:
    """Those of these bits that are about messages which exist and have not expired."""
    headers = messages.headers(key.conversation, (seq_at(key.block, offset) for offset in bits)) if bits else {}
    now_s = clock.now_ms() // 1000
    staying = {seq for seq, header in headers.items() if header.expires_at_s is None or header.expires_at_s > now_s}
    return {offset: readers for offset, readers in bits.items() if seq_at(key.block, offset) in staying}


def _seqs(block: int, bits: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(seq_at(block, offset) for offset in sorted(bits))


@contextmanager
def paced(
    read_units_per_s: float, pause: Callable[[float], None] = time.sleep, now_s: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """Hold everything that this process reads from DynamoDB meanwhile to so many read units a second, on average.

    DynamoDB says with each answer what it took; before the next request as much time is let pass as that is worth.
    """
    began_s, units = now_s(), 0.0

    def ask(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
        asked = {"ReturnConsumedCapacity": "TOTAL"} if "ReturnConsumedCapacity" in model.input_shape.members else {}
        return {**params, **asked}

    def pay(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        nonlocal units
        if model.name not in ("GetItem", "BatchGetItem", "Query", "Scan"):
            return
        consumed = parsed.get("ConsumedCapacity") or []
        units += sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed]))
        ahead_s = units / read_units_per_s - (now_s() - began_s)
        if ahead_s > 0:
            pause(ahead_s)

    events = dynamo.client().meta.events
    events.register("provide-client-params.dynamodb", ask)  # type: ignore[arg-type]  # a hook may answer
    events.register("after-call.dynamodb", pay)
    try:
        yield
    finally:
        events.unregister("provide-client-params.dynamodb", ask)  # type: ignore[arg-type]  # as above
        events.unregister("after-call.dynamodb", pay)
