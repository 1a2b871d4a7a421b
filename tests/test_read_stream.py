"""Reads → tiles and pushes: batches, repetition, poison, failures, frames."""

from typing import Any

import pytest

from chalicelib import counting, kept, read_stream
from chalicelib.limits import FRAME_BYTES_MAX
from chalicelib.store import dynamo, messages, receipts, users
from chalicelib.store.receipts import add
from tests.world import Record, World


def poisoned(record: Record, **image: Any) -> Record:
    """A record as no handler of ours writes it."""
    number = str(int(record["dynamodb"]["SequenceNumber"]) - 1)
    keys = {"conversationSegment": {"S": "nonsense"}, "blockOrdinal": {"S": "x"}}
    new = {**keys, "r1": {"N": "1"}, "userID": {"S": "bob"}, **image}
    change = {**record["dynamodb"], "SequenceNumber": number, "Keys": keys, "NewImage": new, "OldImage": {}}
    return {**record, "eventName": "INSERT", "dynamodb": change}


def numbers(records: list[Record]) -> list[str]:
    return [record["dynamodb"]["SequenceNumber"] for record in records]


def test_all_receipts_of_a_batch_for_one_sender_come_in_one_frame(world: World) -> None:
    alice, bob, carol, dave = world.users("alice", "bob", "carol", "dave")
    alice.creates("team", bob, carol, dave)
    socket = alice.connects()
    sent = [alice.sends("team") for _ in range(5)]
    private = alice.sends(bob)
    bob.reads(*sent)
    carol.reads(*sent[:2])
    bob.reads(private)
    world.pump()

    (frame,) = socket.events("onRecvMessageReadReceipts")
    assert [(each["msgID"], each["readCount"], each["unreadCount"]) for each in frame["receiptList"]] == [
        *((message["msgID"], 2, 1) for message in sent[:2]),
        *((message["msgID"], 1, 2) for message in sent[2:]),
        (private["msgID"], 1, 0),
    ]


def test_each_sender_hears_only_of_their_own_messages(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    hers, his, theirs = alice.connects(), bob.connects(), carol.connects()
    of_alice, of_bob = alice.sends("team"), bob.sends("team")
    carol.reads(of_alice, of_bob)
    world.pump()

    assert hers.receipts.keys() == {of_alice["msgID"]}
    assert his.receipts.keys() == {of_bob["msgID"]}
    assert theirs.receipts == {}


def test_a_sender_who_has_left_is_told_nothing_more(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    socket = alice.connects()
    message = alice.sends("team")
    alice.quits("team")
    bob.reads(message)
    world.pump()

    assert socket.receipts == {}


def test_frames_stay_within_32_kb(world: World) -> None:
    alice, bob = world.users("a" * 32, "b" * 32)
    socket = alice.connects()
    sent = [alice.sends(bob) for _ in range(200)]
    bob.reads(*sent[:100])
    bob.reads(*sent[100:])
    world.pump()

    assert len(socket.events("onRecvMessageReadReceipts")) == 2
    assert max(world.sockets.sizes) <= FRAME_BYTES_MAX
    assert socket.receipts.keys() == {message["msgID"] for message in sent}


def test_a_repeated_read_is_no_news(world: World) -> None:
    """DynamoDB writes no stream record for it at all; moto does, with equal images, and they say nothing new."""
    alice, bob = world.users("alice", "bob")
    socket = alice.connects()
    message = alice.sends(bob)
    bob.reads(message)
    world.pump()

    bob.reads(message)
    world.pump()

    assert len(socket.events("onRecvMessageReadReceipts")) == 1


def test_redelivery_of_any_part_of_a_batch_changes_nothing(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    sent = [alice.sends("team") for _ in range(3)]
    for reader in (bob, carol):
        for message in sent[:2]:
            reader.reads(message)
    records = world.streams.new("Reads")
    socket = alice.connects()
    assert world.streams.deliver("Reads", records) == []
    folded = receipts.of_block(dynamo_conversation(), 0)

    for part in (records, records[1:], records[:2], list(reversed(records)), records * 2):
        assert world.streams.deliver("Reads", part) == []
        assert receipts.of_block(dynamo_conversation(), 0) == folded

    assert [alice.counts(message) for message in sent] == [(2, 0), (2, 0), (0, 2)]
    assert {each["readCount"] for each in socket.receipts.values()} == {2}


def dynamo_conversation() -> Any:
    from chalicelib.core.conversation import Conversation

    return Conversation.of_group("team")


def test_a_poisoned_record_is_reported_and_the_others_are_done(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    message = alice.sends("team")
    bob.reads(message)
    carol.reads(message)
    first, *rest = [record for record in world.streams.new("Reads") if "userID" in record["dynamodb"]["NewImage"]]
    good_keys = first["dynamodb"]["Keys"]
    poison = [
        poisoned(first),
        poisoned(first, **good_keys, r1={"S": "never"}),
        poisoned(first, **good_keys, r99={"N": "1"}),
        poisoned(first, **good_keys, userID={"N": "5"}),
        poisoned(first, **{**good_keys, "blockOrdinal": {"S": "-1~2"}}),
        poisoned(first, **{**good_keys, "blockOrdinal": {"S": "0~-5"}}),
        poisoned(first, **{**good_keys, "conversationSegment": {"S": "group_team~7"}}),
        poisoned(first, conversationSegment={"S": "c2c_alice~bob~0"}, blockOrdinal={"S": "0~1"}, userID={"S": "eve"}),
        poisoned(first, conversationSegment={"S": "c2c_alice~bob~0"}, blockOrdinal={"S": "0~1"}, r1={"S": "x"}),
        {**first, "dynamodb": {"SequenceNumber": "77"}},
        {**first, "dynamodb": {"SequenceNumber": "77", "NewImage": [1]}},
    ]

    for record in poison:
        assert world.streams.deliver("Reads", [record, first, *rest]) == numbers([record])
    assert alice.counts(message) == (2, 0)


def test_rows_that_expire_count_as_nothing(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    message = alice.sends("team")
    bob.reads(message)
    world.pump()
    socket = alice.connects()
    row = dynamo.client().scan(TableName="Reads")["Items"][0]
    keys = {name: row[name] for name in ("conversationSegment", "blockOrdinal")}
    dynamo.client().delete_item(TableName="Reads", Key=keys)
    removed = world.streams.new("Reads")

    assert [record["eventName"] for record in removed] == ["REMOVE"]
    assert world.streams.deliver("Reads", removed) == []
    assert alice.counts(message) == (1, 0)
    assert socket.frames == []


def test_a_tile_that_cannot_be_written_fails_only_its_own_records(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("one", bob)
    alice.creates("two", bob)
    socket = alice.connects()
    in_one, in_two, private = alice.sends("one"), alice.sends("two"), alice.sends(bob)
    for message in (in_one, in_two, private):
        bob.reads(message)
    records = world.streams.new("Reads")
    of_one = [
        each
        for each in records
        if "group_one" in str(each["dynamodb"]["Keys"]) and "userID" in each["dynamodb"]["NewImage"]
    ]

    def fails_for_one(key: Any, additions: Any, stored: Any) -> Any:
        if key.conversation.group_id == "one":
            dynamo.client().get_item(TableName="nothing", Key={"x": {"S": "x"}})
        return add(key, additions, stored)

    monkeypatch.setattr(receipts, "add", fails_for_one)
    assert world.streams.deliver("Reads", records) == numbers(of_one)
    assert socket.receipts.keys() == {in_two["msgID"], private["msgID"]}

    monkeypatch.setattr(receipts, "add", add)
    assert world.streams.deliver("Reads", of_one) == []
    assert socket.receipts.keys() == {in_one["msgID"], in_two["msgID"], private["msgID"]}


def test_counts_that_cannot_be_read_are_told_when_the_record_comes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    socket = alice.connects()
    message = alice.sends("team")
    bob.reads(message)
    records = world.streams.new("Reads")
    told = [each for each in records if "userID" in each["dynamodb"]["NewImage"]]
    for module, name in ((messages, "headers"), (counting, "counts"), (users, "lookup")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, lambda *_: dynamo.client().describe_table(TableName="nothing"))
            assert world.streams.deliver("Reads", records) == numbers(told)

    assert socket.receipts == {}
    assert world.streams.deliver("Reads", records) == []
    assert socket.receipts[message["msgID"]]["readCount"] == 1


def test_two_folds_of_one_tile_at_once_both_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    message = alice.sends("team")
    bob.reads(message)
    of_bob = world.streams.new("Reads")
    carol.reads(message)
    of_carol = world.streams.new("Reads")
    find_many, pending = receipts.find_many, [of_carol]

    def other_fold_in_between(keys: Any) -> Any:
        found = find_many(keys)
        if pending:
            world.streams.deliver("Reads", pending.pop())
        return found

    monkeypatch.setattr(receipts, "find_many", other_fold_in_between)

    assert world.streams.deliver("Reads", of_bob) == []
    assert not pending
    assert alice.counts(message) == (2, 0)


def test_tiles_that_cannot_be_read_together_are_read_one_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("one", bob)
    alice.creates("two", bob)
    sent = [alice.sends("one"), alice.sends("two")]
    for message in sent:
        bob.reads(message)
    find_many = receipts.find_many

    def at_most_one(keys: Any) -> Any:
        return find_many(keys) if len(keys) < 2 else dynamo.client().describe_table(TableName="nothing")

    monkeypatch.setattr(receipts, "find_many", at_most_one)
    world.pump()

    assert [alice.counts(message) for message in sent] == [(1, 0), (1, 0)]


def test_a_batch_of_nothing_is_well(world: World) -> None:
    assert read_stream.handle([]) == []


def test_a_stored_message_of_another_make_fails_only_its_own_conversation(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("one", bob)
    alice.creates("two", bob)
    socket = alice.connects()
    broken, good = alice.sends("one"), alice.sends("two")
    bob.reads(broken)
    bob.reads(good)
    dynamo.client().update_item(
        TableName="Messages",
        Key={"conversationID": {"S": "group_one"}, "seq": {"N": "1"}},
        UpdateExpression="REMOVE senderOrdinal",
    )
    kept.forget_all()
    records = world.streams.new("Reads")

    failed = world.streams.deliver("Reads", records)

    assert failed
    assert {
        "group_one" in str(each["dynamodb"]["Keys"]) for each in records if each["dynamodb"]["SequenceNumber"] in failed
    } == {True}
    assert socket.receipts.keys() == {good["msgID"]}


def test_a_record_that_was_given_up_is_made_good_by_the_next_read_of_its_block(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    lost, next_ = alice.sends("team"), alice.sends("team")
    bob.reads(lost)
    world.streams.new("Reads")  # and nobody folds them
    assert alice.counts(lost) == (0, 1)

    bob.reads(next_)
    world.pump()

    assert alice.counts(lost) == alice.counts(next_) == (1, 0)


def test_a_sender_who_left_and_came_back_is_told_of_earlier_messages_too(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    bob.creates("team", alice)
    message = alice.sends("team")
    alice.quits("team")
    bob.invites("team", alice)
    socket = alice.connects()
    bob.reads(message)
    world.pump()

    assert socket.receipts[message["msgID"]]["readCount"] == 1
