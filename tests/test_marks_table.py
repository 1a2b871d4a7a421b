"""The rows of Marks: no mark and no time ever goes back, also where somebody else was quicker."""

from typing import Any

import pytest

from chalicelib.core.conversation import Conversation
from chalicelib.store import marks
from chalicelib.store.marks import Mark
from tests.world import World

TEAM, CHAT = Conversation.of_group("team"), Conversation.between("alice", "bob")


@pytest.mark.parametrize(("seqs", "stays_at"), [([5, 3], 5), ([5, 5], 5), ([3, 5], 5), ([1], 1)])
def test_a_mark_that_is_ones_own_never_goes_back(world: World, seqs: list[int], stays_at: int) -> None:
    for seq in seqs:
        marks.advance(TEAM, "bob", seq)

    assert marks.find(TEAM, "bob") == Mark(TEAM, "bob", read_seq=stays_at)


@pytest.mark.parametrize(
    ("said", "stays"),
    [
        ([(5, 100), (3, 200)], (5, 5, 100)),
        ([(5, 100), (5, 200)], (5, 5, 100)),
        ([(3, 100), (5, 200)], (5, 5, 200)),
        ([(3, 200), (5, 100)], (5, 5, 200)),
    ],
)
def test_a_mark_that_is_shown_never_goes_back_nor_does_its_time(
    world: World, said: list[tuple[int, int]], stays: tuple[int, int, int]
) -> None:
    for seq, at_ms in said:
        marks.advance_and_show(CHAT, "bob", seq, at_ms)

    assert marks.find(CHAT, "bob") == Mark(CHAT, "bob", *stays)


@pytest.mark.parametrize(
    ("read_before", "shown_before", "thought", "now"),
    [
        (0, (7, 900), (0, 0, 0), (7, 7, 900)),  # all is ahead already
        (7, (3, 500), (0, 0, 0), (7, 5, 500)),  # read ahead, from a time when nothing was shown
        (7, (3, 50), (0, 0, 0), (7, 5, 100)),  # read ahead, and shown earlier than now
        (7, (3, 500), (7, 0, 0), (7, 5, 500)),  # shown later than was thought
        (7, (6, 500), (7, 3, 500), (7, 6, 500)),  # shown further than was thought
        (0, (3, 900), (0, 0, 0), (5, 5, 900)),  # at a later time, by another clock
        (0, (3, 50), (3, 3, 50), (5, 5, 100)),  # as it was thought
    ],
)
def test_where_somebody_was_quicker_it_is_looked_at_again(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    read_before: int,
    shown_before: tuple[int, int],
    thought: tuple[int, int, int],
    now: tuple[int, int, int],
) -> None:
    marks.advance_and_show(CHAT, "bob", *shown_before)
    if read_before:
        marks.advance(CHAT, "bob", read_before)
    find, stale = marks.find, [Mark(CHAT, "bob", *thought)]
    monkeypatch.setattr(marks, "find", lambda *of: stale.pop() if stale else find(*of))

    marks.advance_and_show(CHAT, "bob", 5, 100)

    assert find(CHAT, "bob") == Mark(CHAT, "bob", *now)


def test_who_has_marked_nothing_is_at_the_beginning(world: World) -> None:
    assert marks.find(CHAT, "bob") == Mark(CHAT, "bob")


def test_what_changed_is_read_from_a_record_with_and_without_an_image_before(world: World) -> None:
    def image(**numbers: int) -> dict[str, Any]:
        keys = {"conversationID": {"S": CHAT.conversation_id}, "userID": {"S": "bob"}}
        return {**keys, **{name: {"N": str(number)} for name, number in numbers.items()}}

    after = image(readSeq=5, shownSeq=4, shownAtMs=900)

    assert marks.changes({"NewImage": after}) == (Mark(CHAT, "bob"), Mark(CHAT, "bob", 5, 4, 900))
    assert marks.changes({"NewImage": after, "OldImage": image(readSeq=3)})[0] == Mark(CHAT, "bob", 3)


def test_another_failure_than_a_lost_condition_is_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKS_TABLE", "nothing")

    with pytest.raises(Exception, match="ResourceNotFound"):
        marks.advance(TEAM, "bob", 1)
