import random

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.conversation import Conversation
from chalicelib.core.tiles import (
    BLOCK_SIZE,
    SEGMENT_SIZE,
    ReadDelta,
    Tile,
    TileKey,
    bit_of,
    block_of,
    count_readers,
    first_ordinal_of,
    fold,
    offset_of,
    segment_of,
    seq_at,
)
from chalicelib.limits import SEQ_MAX

GROUP = Conversation.of_group("g")
reads = st.tuples(st.integers(1, 200), st.integers(0, 250))  # a seq and the ordinal of who read it
bits = st.dictionaries(st.integers(0, BLOCK_SIZE - 1), st.integers(1, 2**SEGMENT_SIZE - 1), max_size=6)


def deltas_of(facts: list[tuple[int, int]]) -> list[ReadDelta]:
    return [ReadDelta(GROUP, block_of(seq), ordinal, f"u{ordinal}", {offset_of(seq): 1}) for seq, ordinal in facts]


def tiles_after(batches: list[list[ReadDelta]]) -> dict[TileKey, Tile]:
    tiles: dict[TileKey, Tile] = {}
    for batch in batches:
        for key, additions in fold(batch).items():
            tiles[key] = tiles.get(key, Tile()).union(additions)
    return tiles


@given(st.integers(0, SEQ_MAX))
def test_a_seq_is_its_block_and_offset(seq: int) -> None:
    assert seq_at(block_of(seq), offset_of(seq)) == seq
    assert 0 <= offset_of(seq) < BLOCK_SIZE


@given(st.integers(0, SEQ_MAX))
def test_an_ordinal_has_a_bit_of_its_own_in_its_segment(ordinal: int) -> None:
    assert bit_of(ordinal) == 1 << (ordinal - first_ordinal_of(segment_of(ordinal)))
    assert bit_of(ordinal) < 2**SEGMENT_SIZE


@given(st.lists(reads, max_size=60), st.randoms(use_true_random=False))
def test_however_facts_are_ordered_repeated_and_batched_the_counts_are_those_of_the_set(
    facts: list[tuple[int, int]], chance: random.Random
) -> None:
    again = facts + chance.sample(facts, len(facts) // 2)
    chance.shuffle(again)
    cut = chance.randint(0, len(again))

    tiles = tiles_after([deltas_of(again[:cut]), deltas_of(again[cut:]), deltas_of(again[:cut])])

    for seq in {seq for seq, _ in facts}:
        of_block = [tile for key, tile in tiles.items() if key.block == block_of(seq)]
        assert count_readers(of_block, offset_of(seq)) == len({ordinal for other, ordinal in facts if other == seq})


@given(bits, bits)
def test_a_union_loses_nothing_and_moves_the_version_only_when_something_is_new(
    one: dict[int, int], two: dict[int, int]
) -> None:
    tile = Tile().union(Tile(bits=one))
    both = tile.union(Tile(bits=two))

    for offset in range(BLOCK_SIZE):
        assert both.bits.get(offset, 0) == one.get(offset, 0) | two.get(offset, 0)
    assert both.union(Tile(bits=one)) is both
    assert both.union(Tile(bits=two)) is both
    assert both.version - tile.version == (both is not tile)
    assert both.union(Tile(expires_at_s=9)) == Tile(both.version + 1, both.bits, 9)
    assert both.union(Tile(expires_at_s=9)).union(Tile(expires_at_s=5)).expires_at_s == 9


def test_reads_of_other_conversations_blocks_and_segments_go_to_other_tiles() -> None:
    other = Conversation.of_group("h")
    deltas = [
        ReadDelta(GROUP, 0, 0, "a", {1: 1}),
        ReadDelta(GROUP, 0, 79, "b", {1: 1}),
        ReadDelta(GROUP, 0, 80, "c", {1: 1}),
        ReadDelta(GROUP, 1, 0, "a", {1: 1}),
        ReadDelta(other, 0, 0, "a", {1: 1}),
    ]

    assert {key: tile.bits for key, tile in fold(deltas).items()} == {
        TileKey(GROUP, 0, 0): {1: 1 | 1 << 79},
        TileKey(GROUP, 0, 1): {1: 1},
        TileKey(GROUP, 1, 0): {1: 1},
        TileKey(other, 0, 0): {1: 1},
    }


def test_a_tile_is_kept_as_long_as_the_last_of_its_rows() -> None:
    deltas = [ReadDelta(GROUP, 0, ordinal, "a", {1: 1}, expires_at_s=ordinal) for ordinal in (3, 9, 5)]

    assert [tile.expires_at_s for tile in fold(deltas).values()] == [9]


def test_to_add_nobody_changes_nothing() -> None:
    tile = Tile(version=3, bits={1: 0b10})

    assert tile.union(Tile(bits={1: 0, 5: 0})) is tile
    assert tile.union(Tile()) is tile
