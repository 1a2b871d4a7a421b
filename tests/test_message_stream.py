"""Messages → pushes to the members that are connected."""

from typing import Any

import pytest

from chalicelib.store import dynamo, members
from tests.world import World


def test_connected_members_hear_of_a_message_as_they_see_it(world: World) -> None:
    alice, bob, carol, dave = world.users("alice", "bob", "carol", "dave")
    alice.creates("team", bob, carol)
    hers, his, strangers = alice.connects(), bob.connects(), dave.connects()
    message = alice.sends("team", data={"k": [1]})
    world.pump()

    assert hers.events("onRecvNewMessage") == [{"event": "onRecvNewMessage", "message": message}]
    assert his.events("onRecvNewMessage") == [{"event": "onRecvNewMessage", "message": {**message, "isSelf": False}}]
    assert strangers.frames == []


def test_who_joined_later_or_has_left_hears_nothing(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob)
    left, late = bob.connects(), carol.connects()
    alice.sends("team")
    bob.quits("team")
    alice.invites("team", carol)
    world.pump()

    assert left.frames == late.frames == []


def test_more_members_than_one_batch_are_told(world: World) -> None:
    alice = world.user("alice")
    names = [f"user{number:03}" for number in range(120)]
    alice.creates("team", *names)
    first, last = world.user(names[0]).connects(), world.user(names[-1]).connects()
    alice.sends("team")
    world.pump()

    assert len(first.events("onRecvNewMessage")) == len(last.events("onRecvNewMessage")) == 1


def test_a_poisoned_record_is_reported_and_the_others_are_told(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    socket = bob.connects()
    alice.sends(bob)
    (record,) = world.streams.new("Messages")
    poison = [
        {**record, "dynamodb": {"SequenceNumber": "1", "NewImage": image}}
        for image in (
            {},
            {"conversationID": {"S": "x"}},
            {**record["dynamodb"]["NewImage"], "data": {"N": "5"}},
            {**record["dynamodb"]["NewImage"], "audience": {"S": "many"}},
            {**record["dynamodb"]["NewImage"], "seq": {"BOOL": True, "S": "1"}},
        )
    ]

    for bad in poison:
        assert world.streams.deliver("Messages", [bad, record]) == ["1"]
    assert len(socket.events("onRecvNewMessage")) == len(poison)


def test_members_that_cannot_be_read_are_told_when_the_record_comes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    socket = bob.connects()
    alice.sends("team")
    records = world.streams.new("Messages")

    def fails(*_: Any, **__: Any) -> Any:
        return dynamo.client().describe_table(TableName="nothing")

    with monkeypatch.context() as patch:
        patch.setattr(members, "in_order", fails)
        assert world.streams.deliver("Messages", records) == [records[0]["dynamodb"]["SequenceNumber"]]
    assert socket.frames == []
    assert world.streams.deliver("Messages", records) == []
    assert len(socket.frames) == 1


def test_messages_that_expire_are_told_to_nobody(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    message = alice.sends(bob)
    world.pump()
    socket = bob.connects()
    dynamo.client().delete_item(
        TableName="Messages", Key={"conversationID": {"S": "c2c_alice~bob"}, "seq": {"N": str(message["seq"])}}
    )
    world.pump()

    assert socket.frames == []
