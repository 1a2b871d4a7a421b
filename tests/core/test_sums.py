"""The tree over a block's tiles: however its updates are ordered, repeated and lost, it ends as the tiles say."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.conversation import Conversation
from chalicelib.core.sums import (
    FAN_OUT,
    NodeKey,
    add_up,
    counts_of,
    level_of,
    members_below,
    pack,
    unpack,
)
from chalicelib.core.tiles import BLOCK_SIZE, SEGMENT_SIZE, Tile

GROUP = Conversation.of_group("g")


@pytest.mark.parametrize(
    ("next_ordinal", "level"),
    [(1, 0), (80, 0), (81, 1), (3_200, 1), (3_201, 2), (100_000, 2), (128_000, 2), (128_001, 3), (5_120_000, 3)],
)
def test_the_level_is_the_lowest_whose_first_node_stands_over_all(next_ordinal: int, level: int) -> None:
    assert level_of(next_ordinal) == level
    assert members_below(level) >= next_ordinal


@given(st.integers(0, 10**7), st.integers(1, 4))
def test_every_segment_has_a_slot_of_its_own_at_each_level(segment: int, levels: int) -> None:
    place = NodeKey(GROUP, 7, 0, segment)
    path = []
    for _ in range(levels):
        path.append(place.slot)
        place = place.parent

    assert all(0 <= slot < FAN_OUT for slot in path)
    assert sum(slot * FAN_OUT**level for level, slot in enumerate(path)) + place.index * FAN_OUT**levels == segment


@given(st.integers(1, 4), st.data())
def test_counts_come_out_as_they_were_packed(level: int, data: st.DataObject) -> None:
    most = members_below(level - 1)
    counts = data.draw(st.dictionaries(st.integers(0, BLOCK_SIZE - 1), st.integers(1, most)))

    assert unpack(pack(counts, level), level) == counts


def test_a_node_stays_within_a_few_kb() -> None:
    full = {level: pack(dict.fromkeys(range(BLOCK_SIZE), members_below(level - 1)), level) for level in (1, 2, 3)}

    assert {level: len(packed) for level, packed in full.items()} == {1: 72, 2: 136, 3: 200}
    assert len(pack({63: SEGMENT_SIZE}, 1)) == 9


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, SEGMENT_SIZE - 1))), st.randoms())
def test_the_sum_of_the_tiles_counts_is_the_number_of_bits(
    facts: list[tuple[int, int, int]], chance: random.Random
) -> None:
    tiles: dict[int, Tile] = {}
    for segment, offset, member in facts:
        tiles[segment] = tiles.get(segment, Tile()).union(Tile(bits={offset: 1 << member}))

    total = add_up(map(counts_of, tiles.values()))
    assert total == {
        offset: len({(segment, member) for segment, other, member in facts if other == offset})
        for offset in {offset for _, offset, _ in facts}
    }
