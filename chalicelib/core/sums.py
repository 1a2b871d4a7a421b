"""Sums: how many have read each message of a block, added up over its tiles, so that a count is one small item however
large the group is.

A tree stands on the tiles of a block. A node of level 1 has a slot for each of 40 tiles, one of level 2 for each of 40
such nodes, and so on: a group of up to 80 that ever joined needs no node, 3,200 need one level, 128,000 two, and
5 million three. A slot holds the counts of one child as they were at one version of it, and the version.

- A child's versions have one order, and what it holds only grows with them. So a slot takes what is newer and refuses
  all else: late, repeated and concurrent updates end in the same state, and nothing is ever added to a number.
- A sum is made of what the node itself holds. It lags where a child has changed and its slot not yet, and never runs
  ahead. Whoever changed the child is responsible for the slot, and their record comes again until it is written.
- Which node counts a message follows from the message alone, so its count comes from one place and never goes back:
  the lowest leftmost node over all the ordinals that had been given when it was sent.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from chalicelib.core.conversation import Conversation
from chalicelib.core.tiles import BLOCK_SIZE, SEGMENT_SIZE, Tile

# A node of level 1 has at most 40 × 72 bytes of counts, one of level 2 at most 40 × 136: 3 and 6 KB, and that only
# where all 64 messages of a block ask for receipts; with one of them half a KB.
FAN_OUT = 40

# How many have read each message, by offset. Who has none is not there.
Counts = Mapping[int, int]

_MASK_BYTES = BLOCK_SIZE // 8


@dataclass(frozen=True)
class NodeKey:
    """Where a node stands. The tiles are level 0, and their index is their segment."""

    conversation: Conversation
    block: int
    level: int
    index: int

    @property
    def parent(self) -> "NodeKey":
        return NodeKey(self.conversation, self.block, self.level + 1, self.index // FAN_OUT)

    @property
    def slot(self) -> int:
        """Which of its parent's slots is for it."""
        return self.index % FAN_OUT


@dataclass(frozen=True)
class Slot:
    """The counts of one child at one version of it."""

    version: int
    counts: Counts = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """A node as it is stored: its slots, and how often it has changed. `expires_at_s` as for tiles."""

    version: int = 0
    slots: Mapping[int, Slot] = field(default_factory=dict)
    expires_at_s: int = 0

    @property
    def counts(self) -> Counts:
        return add_up(slot.counts for slot in self.slots.values())

    def unfilled(self, place: NodeKey, offset: int, next_ordinal: int, sender_ordinal: int) -> Iterator[NodeKey]:
        """The children of this node, that stands at `place`, of which it does not say that all have read a message."""
        below = members_below(place.level - 1)
        for number in range(FAN_OUT):
            child = NodeKey(place.conversation, place.block, place.level - 1, place.index * FAN_OUT + number)
            ordinals = range(child.index * below, min((child.index + 1) * below, next_ordinal))
            others = len(ordinals) - (sender_ordinal in ordinals)
            read = self.slots[number].counts.get(offset, 0) if number in self.slots else 0
            if read < others:
                yield child


def level_of(next_ordinal: int) -> int:
    """The level of the node that counts a message, from the ordinals that had been given when it was sent."""
    return next(level for level in count() if members_below(level) >= next_ordinal)


def members_below(level: int) -> int:
    """How many ordinals a node of this level stands over."""
    below: int = SEGMENT_SIZE * FAN_OUT**level
    return below


def counts_of(tile: Tile) -> Counts:
    """How many of a segment have read each message."""
    return {offset: readers.bit_count() for offset, readers in tile.bits.items() if readers}


def add_up(several: Iterable[Counts]) -> Counts:
    total: dict[int, int] = {}
    for counts in several:
        for offset, readers in counts.items():
            total[offset] = total.get(offset, 0) + readers
    return total


def pack(counts: Counts, level: int) -> bytes:
    """The counts of one child, for a slot of a node of this level: which offsets have any, and then those, in order.

    A number takes as many bytes as the largest there can be.
    """
    width = _width(level)
    offsets = sorted(offset for offset, readers in counts.items() if readers)
    mask = sum(1 << offset for offset in offsets)
    return mask.to_bytes(_MASK_BYTES, "little") + b"".join(
        counts[offset].to_bytes(width, "little") for offset in offsets
    )


def unpack(packed: bytes, level: int) -> Counts:
    """What `pack` packed."""
    width = _width(level)
    mask = int.from_bytes(packed[:_MASK_BYTES], "little")
    offsets = [offset for offset in range(BLOCK_SIZE) if mask >> offset & 1]
    return {
        offset: int.from_bytes(packed[start : start + width], "little")
        for offset, start in zip(offsets, range(_MASK_BYTES, len(packed), width), strict=True)
    }


def _width(level: int) -> int:
    return (members_below(level - 1).bit_length() + 7) // 8
