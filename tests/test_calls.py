"""How many requests each thing makes to AWS: what it costs in time and money, whatever the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib import kept, push
from chalicelib.store import console, dynamo
from tests.world import World


class Calls:
    """The operations that were asked for, in order."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def _note(self, model: Any, **_: Any) -> None:
        self.made.append(model.name)

    @contextmanager
    def recorded(self) -> Iterator[list[str]]:
        """What is called inside the `with`. The console is in memory, as in any function that is warm."""
        console.current()
        self.made.clear()
        for client in (dynamo.client(), push.client()):
            client.meta.events.register("before-call", self._note)
        try:
            yield self.made
        finally:
            for client in (dynamo.client(), push.client()):
                client.meta.events.unregister("before-call", self._note)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    monkeypatch.setattr(console, "_KEPT_MS", 3_600_000)  # it is not read again in between, however slow the machine
    return Calls()


RECEIPT_CALL = ["BatchGetItem", "UpdateItem"]


@pytest.mark.parametrize("count", [1, 30, 63])
def test_a_receipt_call_for_up_to_64_messages_of_a_block_makes_two_requests(
    world: World, calls: Calls, count: int
) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    in_group = [alice.sends("team") for _ in range(count)]
    private = [alice.sends(bob) for _ in range(count)]
    kept.forget_all()

    for sent in (in_group, private):
        for reader_is in ("the first in this process", "the next"):
            with calls.recorded() as made:
                assert set(bob.reads(*sent)) == {0}, reader_is
            assert made == RECEIPT_CALL


def test_the_messages_that_were_just_sent_elsewhere_are_asked_for_once_more(
    world: World, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a replica does not have yet is read consistently, but only for who may have been sent it."""
    alice, bob, mallory = world.users("alice", "bob", "mallory")
    alice.creates("team", bob)
    message = alice.sends("team")
    look_up = dynamo.look_up

    def behind(*lookups: dynamo.Lookup) -> Any:
        rows = look_up(*lookups)
        return [
            [] if each.table == "Messages" and not each.consistent else found
            for each, found in zip(lookups, rows, strict=True)
        ]

    monkeypatch.setattr(dynamo, "look_up", behind)
    with calls.recorded() as made:
        assert bob.reads(message) == [0]
    assert made == ["BatchGetItem", *RECEIPT_CALL]
    kept.forget_all()
    with calls.recorded() as made:
        assert mallory.reads(message) == [45001]
    assert made == ["BatchGetItem"]


def test_receipts_of_several_blocks_make_one_write_each(world: World, calls: Calls) -> None:
    alice, bob = world.users("alice", "bob")
    sent = [alice.sends(bob) for _ in range(70)]

    with calls.recorded() as made:
        assert set(bob.reads(*sent)) == {0}

    assert made == ["BatchGetItem", "UpdateItem", "UpdateItem"]


def test_a_fold_and_its_push_make_four_requests_and_a_post_for_a_group_and_two_for_c2c(
    world: World, calls: Calls
) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    alice.connects()
    in_group, private = [alice.sends("team") for _ in range(30)], alice.sends(bob)
    world.pump()
    expected = {
        "team": ["BatchGetItem", "PutItem", "BatchGetItem", "PutItem", "PostToConnection"],
        "c2c": ["BatchGetItem", "PutItem", "PostToConnection"],
    }
    for reader in (bob, carol):
        reader.reads(*in_group)
    records = world.streams.new("Reads")
    with calls.recorded() as made:
        assert world.streams.deliver("Reads", records) == []
    assert made == expected["team"]

    bob.reads(private)
    records = world.streams.new("Reads")
    with calls.recorded() as made:
        assert world.streams.deliver("Reads", records) == []
    assert made == expected["c2c"]

    bob.reads(alice.sends("team"))
    records = world.streams.new("Reads")
    kept.forget_all()
    with calls.recorded() as made:
        assert world.streams.deliver("Reads", records) == []
    assert made == ["BatchGetItem", "PutItem", "BatchGetItem", "BatchGetItem", "PutItem", "PostToConnection"]


def test_asking_for_receipts_makes_two_requests(world: World, calls: Calls) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    sent = [alice.sends("team") for _ in range(20)]
    bob.reads(*sent)
    world.pump()

    with calls.recorded() as made:
        assert len(alice.asks(*sent)["receiptList"]) == 20

    assert made == ["BatchGetItem", "BatchGetItem"]


def test_sending_makes_three_requests_in_c2c_and_four_in_a_group(world: World, calls: Calls) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    alice.sends(bob)

    with calls.recorded() as made:
        alice.sends(bob)
    assert made == ["BatchGetItem", "UpdateItem", "PutItem"]
    with calls.recorded() as made:
        alice.sends("team")
    assert made == ["BatchGetItem", "UpdateItem", "BatchGetItem", "PutItem"]


def test_what_is_kept_in_memory_never_hides_a_switch_or_a_removal(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    first, second = alice.sends("team"), bob.sends("team")
    assert carol.reads(first, second) == [0, 0]
    world.pump()

    bob.turns_receipts(False)
    assert bob.calls("POST", "/read-receipts", {"msgIDs": [first["msgID"]]}).ok["withheld"] is True
    bob.turns_receipts(True)
    assert bob.counts(second) == (1, 1)
    alice.removes("team", bob)
    assert bob.asks(second)["resultList"][0]["code"] == 45001
    assert bob.tries_to_send("team").refusal == (404, 10010)
    third = alice.sends("team")
    assert bob.reads(first, third) == [0, 45002]


def test_memory_is_bounded_in_entries_and_in_age(world: World) -> None:
    of_two = kept.Kept[str, int](entries=2, age_ms=1000)
    for name, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        of_two.put(name, value)

    assert [of_two.get(name) for name in "abc"] == [3, None, 4]
    world.waits(1)
    assert [of_two.get(name) for name in "abc"] == [None, None, None]
