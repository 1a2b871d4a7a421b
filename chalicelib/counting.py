"""Counting: how many have read the messages of a group, from one item for each block, however large the group.

- A message sent when no more than 80 had ever joined is counted from its tile.
- Any other is counted from one node of the tree of sums over its block (`core.sums`).
- One that was sent before messages noted how many had joined is counted from all tiles of its block.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from chalicelib import together
from chalicelib.core.conversation import Conversation
from chalicelib.core.message import Header
from chalicelib.core.sums import Counts, Node, NodeKey, Slot, counts_of, level_of, members_below
from chalicelib.core.tiles import Tile, TileKey, block_of, count_readers, offset_of, segment_of
from chalicelib.store import dynamo, receipts, sums


def counts(
    conversation: Conversation, headers: Iterable[Header], known: Mapping[NodeKey, Counts] | None = None
) -> dict[int, int]:
    """How many have read each of these messages of a group, by seq; consistently read, but for what is known."""
    asked = {header.seq: header for header in headers}
    places = {seq: place for seq, header in asked.items() if (place := place_of(header))}
    found = dict(known or {})
    missing = set(places.values()) - found.keys()
    tiles = {TileKey(conversation, key.block, key.index): key for key in missing if key.level == 0}
    nodes = [key for key in missing if key.level]
    tile_rows, node_rows = dynamo.look_up(receipts.lookup(tiles), sums.lookup(nodes))
    found.update({tiles[key]: counts_of(tile) for key, tile in receipts.by_key(tiles, tile_rows).items()})
    found.update({key: node.counts for key, node in sums.by_key(nodes, node_rows).items()})
    result = {seq: found[place].get(offset_of(seq), 0) for seq, place in places.items()}
    before = asked.keys() - places.keys()
    for block in {block_of(seq) for seq in before}:
        of_block = receipts.of_block(conversation, block)
        result.update((seq, count_readers(of_block, offset_of(seq))) for seq in before if block_of(seq) == block)
    return result


def place_of(header: Header) -> NodeKey | None:
    """The tile or node that counts a message; None where it does not say."""
    if header.next_ordinal is None:
        return None
    return NodeKey(header.conversation, block_of(header.seq), level_of(header.next_ordinal), 0)


def segments_with_unread(header: Header, next_ordinal: int, first: int, limit: int) -> tuple[list[int], int | None]:
    """The segments, from `first`, in which not everybody may have read a message; at most `limit`, and at most so many
    nodes are read for it. Also where to go on, or None where there is nothing more.

    What the sums say was read has been read: so where they say that all have, there is nobody to be found. Where
    somebody has left they never say so.
    """
    found: list[int] = []
    nodes_read = 0
    open_ = [NodeKey(header.conversation, block_of(header.seq), level_of(next_ordinal), 0)]
    while open_:
        place = open_.pop()
        begins = segment_of(place.index * members_below(place.level))
        if segment_of((place.index + 1) * members_below(place.level) - 1) < first:
            continue
        if place.level == 0 and len(found) < limit:
            found.append(place.index)
        elif place.level and nodes_read < limit:
            nodes_read += 1
            (rows,) = dynamo.look_up(sums.lookup([place]))
            node = sums.by_key([place], rows)[place]
            unfilled = node.unfilled(place, offset_of(header.seq), next_ordinal, header.sender_ordinal)
            open_ += reversed(list(unfilled))
        else:
            return found, max(first, begins)
    return found, None


def carry_up(tiles: Mapping[TileKey, Tile], levels: Mapping[int, int]) -> dict[NodeKey, Counts]:
    """Bring what stands over these tiles of one conversation up to date, as far up as `levels` says for their block.

    Returns what the tiles and the nodes hold then. It can be repeated, and done by several at once: the one that is
    last with a child leaves its slot as new as the child.
    """
    held: dict[NodeKey, Counts] = {}
    changed: dict[NodeKey, tuple[Slot, int]] = {}
    for key, tile in tiles.items():
        place = NodeKey(key.conversation, key.block, 0, key.segment)
        held[place] = counts_of(tile)
        changed[place] = Slot(tile.version, held[place]), tile.expires_at_s
    while True:
        children: dict[NodeKey, dict[int, tuple[Slot, int]]] = defaultdict(dict)
        for place, slot in changed.items():
            if place.level < levels.get(place.block, 0):
                children[place.parent][place.slot] = slot
        if not children:
            return held
        nodes = dict(zip(children, together.each(_put, children.items()), strict=True))
        held.update((key, node.counts) for key, node in nodes.items())
        changed = {
            key: (Slot(node.version, held[key]), max(expires_at_s for _, expires_at_s in children[key].values()))
            for key, node in nodes.items()
        }


def _put(children: tuple[NodeKey, Mapping[int, tuple[Slot, int]]]) -> Node:
    key, changed = children
    slots = {number: slot for number, (slot, _) in changed.items()}
    return sums.put(key, slots, max(expires_at_s for _, expires_at_s in changed.values()))
