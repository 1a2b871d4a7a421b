"""A message of a large group: told range by range, by way of a queue, each connected member at least once."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from chalicelib import fan_out, limits, queue, settings
from chalicelib.store import members
from tests.world import Json, Record, World


@pytest.fixture
def queued(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The queue, as the stack makes it; and a function tells ten members."""
    monkeypatch.setattr(limits, "TOLD_BY_ONE_MAX", 10)
    queue.client.cache_clear()
    monkeypatch.setenv("FAN_OUT_QUEUE", boto3.client("sqs").create_queue(QueueName="FanOut")["QueueUrl"])
    yield
    queue.client.cache_clear()


def in_queue() -> list[Record]:
    """What is in the queue, as Lambda hands it on."""
    records: list[Record] = []
    while (
        found := queue.client()
        .receive_message(QueueUrl=settings.fan_out_queue(), MaxNumberOfMessages=10)
        .get("Messages")
    ):
        records += [{"messageId": each["MessageId"], "body": each["Body"]} for each in found]
    return records


def tells(world: World, records: list[Record]) -> list[str]:
    answer = world.functions.invoke("tell_members", {"Records": records}).payload
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


@pytest.mark.usefixtures("queued")
def test_every_range_of_a_large_group_is_told_by_itself(world: World) -> None:
    alice = world.user("alice")
    names = [f"user{number:02}" for number in range(1, 35)]
    alice.creates("team", *names)
    left, late = world.users("user05", "late")
    sockets = {name: world.user(name).connects() for name in ("alice", "user05", "user09", "user10", "user34", "late")}
    message = alice.sends("team")
    left.quits("team")
    alice.invites("team", late)
    world.pump()
    assert all(socket.frames == [] for socket in sockets.values())

    records = in_queue()
    assert len(records) == 4
    for record in records:
        assert tells(world, [record]) == []

    heard = {name: [each["message"]["msgID"] for each in socket.frames] for name, socket in sockets.items()}
    told = [message["msgID"]]
    assert heard == {"alice": told, "user05": [], "user09": told, "user10": told, "user34": told, "late": []}


@pytest.mark.usefixtures("queued")
def test_a_range_that_fails_comes_again_and_the_others_are_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = world.user("alice")
    alice.creates("team", *(f"user{number:02}" for number in range(1, 35)))
    first, last = world.user("user01").connects(), world.user("user34").connects()
    alice.sends("team")
    world.pump()
    records = sorted(in_queue(), key=lambda record: first_of(record))
    in_order = members.in_order

    def fails_for_the_first(conversation: Any, first: int, last: int | None) -> Any:
        if first == 0:
            raise RuntimeError("not now")
        return in_order(conversation, first, last)

    with monkeypatch.context() as patch:
        patch.setattr(members, "in_order", fails_for_the_first)
        assert tells(world, [*records, {"messageId": "poison", "body": "{}"}]) == [records[0]["messageId"], "poison"]
    assert (len(first.frames), len(last.frames)) == (0, 1)
    assert tells(world, records) == []
    assert (len(first.frames), len(last.frames)) == (1, 2)


def first_of(record: Json) -> int:
    import msgspec

    return msgspec.json.decode(record["body"], type=fan_out.Range).first


@pytest.mark.usefixtures("queued")
def test_a_message_that_the_queue_does_not_take_comes_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = world.user("alice")
    alice.creates("team", *(f"user{number:02}" for number in range(1, 35)))
    alice.sends("team")

    def full(**_: Any) -> None:
        raise ConnectionError("the queue takes nothing")

    records = world.streams.new("Messages")
    number = records[0]["dynamodb"]["SequenceNumber"]
    with monkeypatch.context() as patch:
        patch.setattr(queue.client(), "send_message", full)
        assert world.streams.deliver("Messages", records) == [number]

    assert world.streams.deliver("Messages", records) == []
    assert len(in_queue()) == 4


@pytest.mark.usefixtures("queued")
def test_a_message_that_has_expired_meanwhile_is_told_to_nobody(world: World) -> None:
    body = '{"conversationID":"group_team","seq":1,"first":0,"last":9}'

    assert tells(world, [{"messageId": "1", "body": body}]) == []
