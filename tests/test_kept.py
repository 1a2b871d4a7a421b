"""What a warm function keeps in memory: what it was given, for as long as it was told, and no more than it was told."""

import pytest

from chalicelib import clock, kept
from chalicelib.kept import Kept


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time in ms, to be changed."""
    now = [1_000_000]
    monkeypatch.setattr(clock, "now_ms", lambda: now[0])
    return now


@pytest.mark.parametrize(("later_ms", "is_kept"), [(0, True), (1, True), (99, True), (100, False), (-1, False)])
def test_it_is_kept_until_its_age_and_not_by_a_clock_that_was_set_back(
    now: list[int], later_ms: int, is_kept: bool
) -> None:
    names: Kept[str, str] = Kept(entries=2, age_ms=100)
    names.put("a", "alice")
    now[0] += later_ms

    assert names.get("a") == ("alice" if is_kept else None)
    assert names.get("b") is None


def test_what_is_empty_is_kept_too(now: list[int]) -> None:
    numbers: Kept[str, int] = Kept(entries=2, age_ms=100)
    numbers.put("none", 0)

    assert numbers.get("none") == 0


def test_what_came_first_goes_first_and_what_comes_again_is_new(now: list[int]) -> None:
    names: Kept[str, str] = Kept(entries=2, age_ms=100)
    for name in ("a", "b", "a", "c"):
        names.put(name, name)

    assert [names.get(name) for name in ("a", "b", "c")] == ["a", None, "c"]


def test_what_comes_again_is_as_old_as_its_last_coming(now: list[int]) -> None:
    names: Kept[str, str] = Kept(entries=2, age_ms=100)
    names.put("a", "alice")
    now[0] += 60
    names.put("a", "anna")
    now[0] += 60

    assert names.get("a") == "anna"


def test_all_of_it_is_forgotten_at_once(now: list[int]) -> None:
    one: Kept[str, str] = Kept(entries=2, age_ms=100)
    other: Kept[str, str] = Kept(entries=2, age_ms=100)
    one.put("a", "alice")
    other.put("b", "bob")

    kept.forget_all()

    assert (one.get("a"), other.get("b")) == (None, None)
