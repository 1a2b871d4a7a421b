"""Tiles: who has read what, one bit for each member and message, 64 messages × 80 members to a tile.

A read is a fact that never changes, so a tile is a grow-only set: the union of two states of it is right whatever their
order, and however often one of them comes again. 64 × 80 bits and their names stay under 1 KB, which is one write unit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.core.console import NEVER_S
from chalicelib.core.conversation import Conversation

BLOCK_SIZE = 64
SEGMENT_SIZE = 80


def block_of(seq: int) -> int:
    return seq // BLOCK_SIZE


def offset_of(seq: int) -> int:
    return seq % BLOCK_SIZE


def seq_at(block: int, offset: int) -> int:
    return block * BLOCK_SIZE + offset


def segment_of(ordinal: int) -> int:
    return ordinal // SEGMENT_SIZE


def first_ordinal_of(segment: int) -> int:
    return segment * SEGMENT_SIZE


def bit_of(ordinal: int) -> int:
    """The bit that stands for this member in the tiles of its segment."""
    return 1 << (ordinal % SEGMENT_SIZE)


# For each offset of a block, the set of readers of one segment as a bit mask.
Bits = Mapping[int, int]


@dataclass(frozen=True)
class Tile:
    """The readers of one block by the members of one segment.

    `version` counts its changes; 0: not stored yet. `expires_at_s` is when the last of its rows in Reads expires.
    """

    version: int = 0
    bits: Bits = field(default_factory=dict)
    expires_at_s: int = 0

    def union(self, additions: "Tile") -> "Tile":
        """This tile with more readers, kept as long as both; itself, unchanged, if that is nothing new."""
        grown = {offset: self.bits.get(offset, 0) | readers for offset, readers in additions.bits.items()}
        expires_at_s = max(self.expires_at_s, additions.expires_at_s)
        has_all = all(self.bits.get(offset, 0) == readers for offset, readers in grown.items())
        if has_all and expires_at_s == self.expires_at_s:
            return self
        return Tile(self.version + 1, {**self.bits, **grown}, expires_at_s)


def count_readers(tiles: Iterable[Tile], offset: int) -> int:
    """How many members have read one message, from all tiles of its block."""
    return sum(tile.bits.get(offset, 0).bit_count() for tile in tiles)


@dataclass(frozen=True)
class ReadDelta:
    """What one stream record of Reads says: this member read these messages of a block, at these times.

    `read_at_ms` is what is new. `all_offsets` is all that the row holds: it costs nothing to fold it again, and makes
    up for an earlier record of the row that was lost.
    """

    conversation: Conversation
    block: int
    ordinal: int
    user_id: str
    read_at_ms: Mapping[int, int]  # by offset
    all_offsets: frozenset[int] = frozenset()
    expires_at_s: int = NEVER_S

    @property
    def tile_key(self) -> "TileKey":
        return TileKey(self.conversation, self.block, segment_of(self.ordinal))


@dataclass(frozen=True)
class TileKey:
    """Where a tile is stored."""

    conversation: Conversation
    block: int
    segment: int


def fold(deltas: Iterable[ReadDelta]) -> dict[TileKey, Tile]:
    """What a batch of new reads adds to each tile. Order and repetition of the deltas make no difference."""
    additions: dict[TileKey, Tile] = defaultdict(Tile)
    for delta in deltas:
        bits = dict.fromkeys(delta.all_offsets.union(delta.read_at_ms), bit_of(delta.ordinal))
        additions[delta.tile_key] = additions[delta.tile_key].union(Tile(0, bits, delta.expires_at_s))
    return dict(additions)
