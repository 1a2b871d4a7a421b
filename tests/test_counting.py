"""Counts of large groups: one item for each block, exact whatever comes late, twice, at once or not at all.

To be large with few members, the tree is made of pairs here: a node has two children, and a tile is for 80 as ever.
"""

import random
from typing import Any

import pytest

from chalicelib import counting, kept, limits
from chalicelib.core import sums as tree
from chalicelib.core.audience import Membership
from chalicelib.core.conversation import Conversation
from chalicelib.core.sums import NodeKey, Slot
from chalicelib.core.tiles import Tile, TileKey
from chalicelib.store import dynamo, reads, receipts, sums
from tests.world import Json, User, World

GROUP = Conversation.of_group("team")


@pytest.fixture
def large(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[User, list[User], list[Json]]:
    """A group of four segments under two levels of pairs, and three messages of it."""
    monkeypatch.setattr(tree, "FAN_OUT", 2)
    alice = world.user("alice")
    names = [f"user{number:03}" for number in range(250)]
    alice.creates("team", *names)
    sent = [alice.sends("team") for _ in range(3)]
    # Some of every segment, its first and its last among them.
    return alice, [world.user(names[ordinal - 1]) for ordinal in (1, 2, 79, 80, 81, 159, 160, 239, 240, 250)], sent


Large = tuple[User, list[User], list[Json]]


def test_counts_and_pushes_of_a_large_group_are_exact(world: World, large: Large) -> None:
    alice, readers, sent = large
    socket = alice.connects()
    for done, reader in enumerate(readers, start=1):
        reader.reads(*sent[: 1 + done % 3])
        world.pump()
        assert alice.counts(sent[0]) == (done, 250 - done)

    expected = [10, 7, 3]
    assert [alice.counts(message)[0] for message in sent] == expected
    assert [socket.receipts[message["msgID"]]["readCount"] for message in sent] == expected
    assert [len(alice.readers(message)) for message in sent] == expected
    assert [len(alice.non_readers(message)) for message in sent] == [250 - count for count in expected]


@pytest.mark.parametrize("seed", range(3))
def test_parts_of_batches_in_any_order_and_again_never_count_twice_nor_go_back(
    world: World, large: Large, seed: int
) -> None:
    chance = random.Random(seed)
    alice, readers, sent = large
    for reader in readers:
        for message in sent:
            reader.reads(message)
    records = world.streams.new("Reads")
    seen = []
    for _ in range(5):
        assert world.streams.deliver("Reads", chance.sample(records, chance.randint(1, 12))) == []
        seen.append([alice.counts(message)[0] for message in sent])
    assert world.streams.deliver("Reads", records) == []

    assert [alice.counts(message)[0] for message in sent] == [10, 10, 10]
    for of_message in zip(*seen, strict=True):
        assert list(of_message) == sorted(of_message)
        assert max(of_message) <= 10


@pytest.mark.parametrize("lost_at", [0, 1, 2])
def test_a_fold_that_dies_on_the_way_up_is_made_good_when_its_records_come_again(
    world: World, large: Large, monkeypatch: pytest.MonkeyPatch, lost_at: int
) -> None:
    alice, readers, sent = large
    for reader in readers:
        reader.reads(sent[0])
    records = world.streams.new("Reads")
    put, calls = sums.put, iter(range(100))

    def dies_once(*arguments: Any) -> Any:
        if next(calls) == lost_at:
            dynamo.client().describe_table(TableName="nothing")
        return put(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sums, "put", dies_once)
        failed = world.streams.deliver("Reads", records)
    assert failed
    assert alice.counts(sent[0])[0] <= 10

    assert (
        world.streams.deliver("Reads", [each for each in records if each["dynamodb"]["SequenceNumber"] in failed]) == []
    )
    assert alice.counts(sent[0]) == (10, 240)


def test_two_folds_at_once_meet_in_the_topmost_node_and_both_count(
    world: World, large: Large, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one comes after this one's tile, and again before each of its nodes."""
    alice, readers, sent = large
    first, second, third, *_ = readers
    batches = []
    for reader in (first, second, third):
        reader.reads(sent[0])
        batches.append(world.streams.new("Reads"))
    mine, *others = batches
    put = sums.put

    def others_in_between(*arguments: Any) -> Any:
        if others:
            world.streams.deliver("Reads", others.pop())
        return put(*arguments)

    monkeypatch.setattr(sums, "put", others_in_between)

    assert world.streams.deliver("Reads", mine) == []
    assert not others
    assert alice.counts(sent[0]) == (3, 247)


def test_a_slot_takes_what_is_newer_and_nothing_else(world: World) -> None:
    key = NodeKey(GROUP, 0, 1, 0)
    sums.put(key, {0: Slot(2, {5: 20}), 1: Slot(7, {5: 1})}, 9)

    late = sums.put(key, {0: Slot(1, {5: 10}), 2: Slot(1, {5: 3, 6: 4})}, 9)
    again = sums.put(key, {0: Slot(2, {5: 20}), 1: Slot(7, {5: 1})}, 9)
    newer = sums.put(key, {0: Slot(3, {5: 21}), 1: Slot(6, {5: 0})}, 12)

    assert late.counts == again.counts == {5: 24, 6: 4}
    assert newer.counts == {5: 25, 6: 4}
    (row,) = dynamo.look_up(sums.lookup([key]))[0]
    assert sums.by_key([key], [row])[key].counts == newer.counts
    assert row["expiresAt"] == 12


def test_a_write_whose_answer_was_lost_is_found_to_be_there(world: World) -> None:
    key = NodeKey(GROUP, 0, 1, 0)
    slots = {3: Slot(1, {0: 80})}

    assert sums.put(key, slots, 9) == sums.put(key, slots, 9)


def test_a_message_from_before_the_group_grew_keeps_its_place_and_both_are_exact(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = world.user("alice")
    names = [f"user{number:03}" for number in range(100)]
    alice.creates("team", *names[:79])
    small = alice.sends("team")
    alice.invites("team", *names[79:])
    large = alice.sends("team")
    old, new = world.user(names[0]), world.user(names[99])
    old.reads(small)
    world.pump()
    assert (alice.counts(small), alice.counts(large)) == ((1, 78), (0, 100))
    new.reads(large)
    old.reads(large)
    world.pump()

    assert (alice.counts(small), alice.counts(large)) == ((1, 78), (2, 98))


def test_a_lost_record_of_a_later_message_is_made_good_in_the_sums_too(world: World, large: Large) -> None:
    alice, readers, sent = large
    readers[0].reads(sent[2])
    world.streams.new("Reads")  # and nobody folds them
    readers[0].reads(sent[0])
    world.pump()

    assert [alice.counts(message)[0] for message in sent] == [1, 0, 1]


def test_a_message_that_does_not_say_how_many_had_joined_is_counted_from_all_tiles(world: World, large: Large) -> None:
    alice, readers, sent = large
    for message in sent[:2]:
        dynamo.client().update_item(
            TableName="Messages",
            Key={"conversationID": {"S": "group_team"}, "seq": {"N": str(message["seq"])}},
            UpdateExpression="REMOVE nextOrdinal",
        )
    kept.forget_all()
    socket = alice.connects()
    for reader in readers:
        reader.reads(*sent)
    world.pump()

    assert [alice.counts(message)[0] for message in sent] == [10, 10, 10]
    assert socket.receipts[sent[0]["msgID"]]["readCount"] == 10


def test_what_was_repaired_in_a_tile_is_carried_up_by_its_version(world: World, large: Large) -> None:
    """Also where the tile had too much: a slot follows the version, not the larger number."""
    alice, readers, sent = large
    for reader in readers:
        reader.reads(sent[0])
    world.pump()
    key = TileKey(GROUP, 0, 0)
    right = receipts.find_many([key])[key]
    wrong = receipts.add(key, Tile(0, {1: (1 << 70) - 1}, right.expires_at_s))
    counting.carry_up({key: wrong}, {0: 2})
    assert alice.counts(sent[0])[0] > 10

    assert receipts.replace(key, right, right) is None  # it is not as it was seen
    assert receipts.replace(key, wrong, right)

    assert alice.counts(sent[0])[0] > 10
    counting.carry_up(receipts.find_many([key]), {0: 2})
    assert alice.counts(sent[0]) == (10, 240)


def test_the_one_who_has_not_read_is_found_without_looking_at_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "FAN_OUT", 2)
    alice = world.user("alice")
    names = [f"user{number:03}" for number in range(1, 400)]
    alice.creates("team", *names)
    sent = alice.sends("team")
    for ordinal, name in enumerate(names, start=1):
        if ordinal != 250:
            reads.record(GROUP, Membership(ordinal, name, joined_seq=0), 0, [1], 1)
    looked_at = []
    of_segment = reads.of_segment

    def noted(conversation: Conversation, segment: int, seq: int) -> Any:
        looked_at.append(segment)
        return of_segment(conversation, segment, seq)

    monkeypatch.setattr(reads, "of_segment", noted)
    assert alice.non_readers(sent) == ["user250"]
    assert looked_at == [0, 1, 2, 3, 4]  # what is not folded yet is not relied on
    looked_at.clear()
    world.pump()

    assert alice.counts(sent) == (398, 1)
    assert alice.non_readers(sent) == ["user250"]
    assert looked_at == [3]
    monkeypatch.setattr(limits, "SEGMENTS_PER_PAGE_MAX", 3)  # nodes of the tree on one page
    assert alice.non_readers(sent) == ["user250"]
    assert len(alice.readers(sent)) == 398


@pytest.mark.parametrize("expired", [("Receipts",), ("Receipts", "Sums"), ("Sums",)])
def test_what_expired_and_begins_anew_is_newer_than_what_is_remembered_of_it(
    world: World, large: Large, expired: tuple[str, ...]
) -> None:
    """DynamoDB deletes what has expired in no order: a sum may remember a tile that is gone, under a later version."""
    alice, readers, _ = large
    world.admin().sets(retentionDays=1)
    passing = alice.sends("team")
    for reader in readers[:3]:
        reader.reads(passing)
        world.pump()
    world.admin().sets(retentionDays=None)
    world.waits(10 * 24 * 3600)
    world.expires("Messages", "Reads", *expired)
    lasting = alice.sends("team")
    readers[0].reads(lasting)
    readers[-1].reads(lasting)
    world.pump()

    assert alice.counts(lasting)[0] == 2
