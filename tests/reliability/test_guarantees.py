"""The six guarantees of the README, by their names."""

import random
from typing import Any

import pytest

from chalicelib.core.conversation import Conversation, encode_msg_id
from tests.world import Json, User, World


@pytest.mark.parametrize("seed", range(5))
def test_counted_once(world: World, seed: int) -> None:
    """readCount is the number of distinct audience members who sent a receipt, whatever was retried or reordered."""
    chance = random.Random(seed)
    alice, *readers = world.users("alice", *(f"user{number:02}" for number in range(12)))
    alice.creates("team", *readers)
    sent = [alice.sends("team") for _ in range(4)]
    facts = {(reader.user_id, message["msgID"]) for reader in readers for message in sent if chance.random() < 0.6}
    for reader in readers:
        mine = [message for message in sent if (reader.user_id, message["msgID"]) in facts]
        for message in chance.sample(mine, len(mine)) + mine:  # each twice: one by one, from two devices
            reader.reads(message)
    records = world.streams.new("Reads")
    for _ in range(6):
        part = chance.sample(records, chance.randint(0, len(records)))
        assert world.streams.deliver("Reads", part) == []
    assert world.streams.deliver("Reads", records) == []

    for message in sent:
        read = {user for user, msg_id in facts if msg_id == message["msgID"]}
        assert alice.counts(message) == (len(read), len(readers) - len(read))


@pytest.mark.parametrize("seed", range(5))
def test_adds_up(world: World, seed: int) -> None:
    """Read list + unread list = audience; their lengths are readCount and unreadCount, through joins and leaves."""
    chance = random.Random(seed)
    alice, *others = world.users("alice", *(f"user{number}" for number in range(6)))
    alice.creates("team")
    present: set[str] = set()
    audiences: list[tuple[Json, set[str]]] = []
    for _ in range(40):
        other = chance.choice(others)
        action = chance.choice(["move", "send", "read", "read"])
        if action == "move" and other.user_id in present:
            other.quits("team")
            present.remove(other.user_id)
        elif action == "move":
            alice.invites("team", other)
            present.add(other.user_id)
        elif action == "send":
            audiences.append((alice.sends("team"), set(present)))
        elif audiences:
            message, audience = chance.choice(audiences)
            assert (other.reads(message) == [0]) == (other.user_id in audience)
    world.pump()

    for message, audience in audiences:
        read, unread = alice.readers(message), alice.non_readers(message)
        assert sorted(read + unread) == sorted(audience)
        assert alice.counts(message) == (len(read), len(unread))


def test_forward(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and read times never go back."""
    from chalicelib import clock

    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    message, private = alice.sends("team"), alice.sends(bob)
    seen: list[tuple[int, int, int]] = []
    batches: list[Any] = []
    for now, reader in ((9000, bob), (5000, bob), (7000, carol), (1000, carol), (2000, bob)):
        monkeypatch.setattr(clock, "now_ms", lambda now=now: now)
        reader.reads(message)
        bob.reads(private)
        batches.append(world.streams.new("Reads"))
        for batch in (batches[-1], batches[0]):
            assert world.streams.deliver("Reads", batch) == []
            (receipt,) = alice.asks(private)["receiptList"]
            times = {member["userID"]: member["readAtMs"] for member in alice.members_who("read", message)}
            seen.append((alice.counts(message)[0], receipt["timestamp"], times["bob"]))

    assert [count for count, _, _ in seen] == sorted(count for count, _, _ in seen)
    assert {(second, bobs) for _, second, bobs in seen} == {(9, 9000)}


def test_heard(world: World) -> None:
    """An accepted receipt reaches every connected device of the sender, or the next pull."""
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    phone, laptop, broken, gone = (alice.connects() for _ in range(4))
    world.sockets.broken.add(broken.connection_id)
    world.sockets.gone.add(gone.connection_id)
    sent = [alice.sends("team"), alice.sends(bob)]
    for message in sent:
        bob.reads(message)
    world.pump()

    expected = {receipt["msgID"]: receipt for message in sent for receipt in alice.asks(message)["receiptList"]}
    assert all(receipt["readCount"] == 1 for receipt in expected.values())
    assert phone.receipts == laptop.receipts == expected
    assert broken.receipts == gone.receipts == {}


def test_private(world: World) -> None:
    """Only the sender sees who read; non-members get nothing."""
    alice, bob, left, mallory = world.users("alice", "bob", "left", "mallory")
    alice.creates("team", bob, left)
    message = alice.sends("team")
    sockets = [user.connects() for user in (bob, left, mallory)]
    left.quits("team")
    bob.reads(message)
    world.pump()

    def tries(user: User) -> list[int]:
        listed = user.calls("GET", f"/messages/{message['msgID']}/read-members")
        return [user.asks(message)["resultList"][0]["code"], listed.refusal[1]]

    assert {code for user in (bob, left, mallory) for code in tries(user)} == {45001}
    assert all(socket.receipts == {} for socket in sockets)
    assert mallory.reads(message) == [45001]
    assert alice.readers(message) == ["bob"]


def test_private_for_who_turned_receipts_off(world: World) -> None:
    """A member who turned receipts off never appears as read and sees none."""
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    hers, his = alice.connects(), bob.connects()
    of_alice, of_bob = alice.sends("team"), bob.sends("team")
    bob.turns_receipts(False)
    bob.reads(of_alice)
    alice.reads(of_bob)
    world.pump()

    assert (alice.counts(of_alice), alice.readers(of_alice), alice.non_readers(of_alice)) == ((0, 1), [], ["bob"])
    assert bob.calls("POST", "/read-receipts/query", {"msgIDs": [of_bob["msgID"]]}).refusal == (403, 45006)
    assert hers.receipts == his.receipts == {}


def test_loud(world: World) -> None:
    """Every message of a call that was refused says why, with its code; nothing is dropped silently."""
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    kinds = [
        alice.sends("team"),
        alice.sends("team", receipt=False),
        bob.sends("team"),
        {"msgID": encode_msg_id(Conversation.of_group("team"), 99)},
    ]
    ids = [message["msgID"] for message in kinds]
    answers = [
        bob.calls("POST", "/read-receipts", {"msgIDs": ids}).ok["resultList"],
        alice.asks(*kinds)["resultList"],
    ]

    assert [each["msgID"] for each in answers[0]] == ids
    assert [each["msgID"] for each in answers[1]] == ids[1:]
    assert [each["code"] for each in answers[0]] == [0, 10062, 7014, 45001]
    assert [each["code"] for each in answers[1]] == [10062, 45001, 45001]
    assert all(each["desc"] for answer in answers for each in answer)
