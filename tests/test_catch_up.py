"""Catching up after a reconnect: nothing is missed, whatever is on its way, and at worst something comes twice."""

import random
from typing import Any

import pytest

from chalicelib import push, tokens
from chalicelib.store import changes, dynamo
from tests.world import Json, User, World

MINUTE_S = 61


def first_cursor(user: User) -> str:
    answer: Json = user.calls("GET", "/read-receipts/changes").ok
    assert (answer["receiptList"], answer["isFinished"], answer["isComplete"]) == ([], True, True)
    return str(answer["cursor"])


def catches_up(user: User, cursor: str, page: int = 10) -> tuple[dict[str, int], str]:
    """The readCount of each message that changed since, and the cursor for the next time."""
    counts: dict[str, int] = {}
    for _ in range(100):
        answer = user.calls("GET", "/read-receipts/changes", since=cursor, count=page).ok
        counts.update({receipt["msgID"]: receipt["readCount"] for receipt in answer["receiptList"]})
        cursor = answer["cursor"]
        if answer["isFinished"]:
            return counts, cursor
    raise AssertionError("it does not come to an end")


def test_receipts_that_changed_since_come_with_the_counts_of_the_moment(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    before, group, private, untouched = alice.sends("team"), alice.sends("team"), alice.sends(bob), alice.sends(bob)
    bob.reads(before)
    world.pump()
    world.waits(MINUTE_S + 1)
    cursor = first_cursor(alice)
    bob.reads(group)
    bob.reads(private)
    world.pump()
    carol.reads(group)
    world.pump()

    counts, cursor = catches_up(alice, cursor)

    assert counts == {group["msgID"]: 2, private["msgID"]: 1}
    assert untouched["msgID"] not in counts
    world.waits(MINUTE_S)
    _, cursor = catches_up(alice, cursor)
    assert catches_up(alice, cursor)[0] == {}


def test_what_comes_late_is_not_skipped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that was stamped before the cursor was given, and written after."""
    alice, bob = world.users("alice", "bob")
    sent = [alice.sends(bob) for _ in range(3)]
    cursor = first_cursor(alice)
    bob.reads(sent[0])
    late = world.streams.new("Reads")
    stamped = world.now_ms()
    world.waits(10)
    bob.reads(sent[1])
    world.pump()
    counts, cursor = catches_up(alice, cursor)
    assert set(counts) == {sent[1]["msgID"]}

    with monkeypatch.context() as patch:
        patch.setattr("chalicelib.clock.now_ms", lambda: stamped)
        assert world.streams.deliver("Reads", late) == []
    counts, _ = catches_up(alice, cursor)

    assert sent[0]["msgID"] in counts


@pytest.mark.parametrize("page", [1, 3, 10])
def test_many_changes_come_in_pages(world: World, page: int) -> None:
    alice, bob = world.users("alice", "bob")
    cursor = first_cursor(alice)
    sent = [alice.sends(bob) for _ in range(25)]
    for message in sent:
        bob.reads(message)
        world.pump()
        world.waits(3)

    counts, cursor = catches_up(alice, cursor, page)
    assert counts == {message["msgID"]: 1 for message in sent}
    again, _ = catches_up(alice, cursor, page)
    assert set(again) < set(counts)  # only those of the last minute


def test_a_batch_over_many_conversations_is_split_and_complete(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    cursor = first_cursor(alice)
    sent = []
    for number in range(25):
        alice.creates(f"team{number:02}", bob)
        sent.append(alice.sends(f"team{number:02}"))
        bob.reads(sent[-1])
    world.pump()

    assert dynamo.client().scan(TableName="Changes")["Count"] == 2
    assert catches_up(alice, cursor)[0] == {message["msgID"]: 1 for message in sent}


def test_one_row_for_each_sender_and_batch_and_none_for_the_receipt_call(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    sent = [alice.sends("team") for _ in range(5)]
    theirs = carol.sends("team")
    bob.reads(*sent, theirs)
    carol.reads(*sent)
    assert dynamo.client().scan(TableName="Changes")["Count"] == 0

    world.pump()

    assert dynamo.client().scan(TableName="Changes")["Count"] == 2


def test_whatever_a_device_missed_it_finds_by_catching_up(world: World) -> None:
    """Heard: an accepted receipt reaches every connected device of the sender, or the next pull."""
    chance = random.Random(7)
    alice, *others = world.users("alice", "bob", "carol", "dave")
    alice.creates("team", *others)
    known: dict[str, int] = {}
    cursor = first_cursor(alice)
    socket = alice.connects()
    sent: list[Json] = []
    for _ in range(60):
        action = chance.choice(["send", "read", "read", "pump", "drop", "catch up", "wait"])
        if action == "send":
            to: list[User | str] = ["team", others[0]]
            sent.append(alice.sends(chance.choice(to)))
        elif action == "read" and sent:
            chance.choice(others).reads(chance.choice(sent))
        elif action == "pump":
            world.pump()
        elif action == "drop":
            world.sockets.broken.add(socket.connection_id)
        elif action == "wait":
            world.waits(chance.choice([1, 30, 90]))
        elif action == "catch up":
            world.sockets.broken.clear()
            counts, cursor = catches_up(alice, cursor)
            known.update(counts)
    world.pump()
    counts, _ = catches_up(alice, cursor)
    known.update(counts)
    for msg_id, receipt in socket.receipts.items():
        known[msg_id] = max(known.get(msg_id, 0), receipt["readCount"])

    assert {msg_id: count for msg_id, count in known.items() if count} == {
        message["msgID"]: alice.counts(message)[0] for message in sent if alice.counts(message)[0]
    }


def test_only_own_messages_that_may_be_seen_and_are_known_to_the_client_come(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    cursor, bobs = first_cursor(alice), first_cursor(bob)
    group, private = alice.sends("team"), alice.sends(bob)
    bob.reads(group)
    bob.reads(private)
    world.pump()

    assert catches_up(bob, bobs)[0] == {}
    assert set(catches_up(world.user("alice", sdk_version="6.1.2155"), cursor)[0]) == {group["msgID"]}
    alice.quits("team")
    assert set(catches_up(alice, cursor)[0]) == {private["msgID"]}


def test_it_says_when_the_cursor_is_older_than_what_is_kept(world: World) -> None:
    alice = world.user("alice")
    cursor = first_cursor(alice)
    world.waits(8 * 24 * 3600)
    alice.token = tokens.mint("alice", 30 * 24 * 3600)

    answer = alice.calls("GET", "/read-receipts/changes", since=cursor).ok

    assert (answer["isComplete"], answer["isFinished"]) == (False, True)
    assert alice.calls("GET", "/read-receipts/changes", since=answer["cursor"]).ok["isComplete"]


@pytest.mark.parametrize(
    "since", ["x", "0", "00001700000000~00000000", "0" * 15 + "~0000000G", "0" * 15 + "~00000000\n"]
)
def test_a_cursor_that_is_none_is_refused(world: World, since: str) -> None:
    assert world.user("alice").calls("GET", "/read-receipts/changes", since=since).refusal == (400, 6017)


def test_who_has_no_receipts_catches_up_with_none(world: World) -> None:
    alice = world.user("alice")
    cursor = first_cursor(alice)
    alice.turns_receipts(False)
    assert alice.calls("GET", "/read-receipts/changes", since=cursor).refusal == (403, 45006)
    alice.turns_receipts(True)
    world.admin().sets(edition="standard")
    assert alice.calls("GET", "/read-receipts/changes").refusal == (403, 7013)


def test_a_change_that_cannot_be_noted_comes_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    cursor = first_cursor(alice)
    message = alice.sends(bob)
    bob.reads(message)
    records = world.streams.new("Reads")

    def fails(*_: Any) -> Any:
        return dynamo.client().describe_table(TableName="nothing")

    for module, name in ((changes, "note"), (push, "deliver_to")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fails)
            assert world.streams.deliver("Reads", records)
    assert world.streams.deliver("Reads", records) == []
    assert set(catches_up(alice, cursor)[0]) == {message["msgID"]}


def test_rows_expire_after_a_week(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    bob.reads(alice.sends(bob))
    world.pump()

    (row,) = (dynamo.plain(item) for item in dynamo.client().scan(TableName="Changes")["Items"])
    assert abs(row["expiresAt"] - world.now_ms() // 1000 - 7 * 24 * 3600) < 60


def test_who_was_away_from_the_group_itself_catches_up_after_coming_back(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    bob.creates("team", alice)
    message = alice.sends("team")
    since = first_cursor(alice)
    alice.quits("team")
    bob.reads(message)
    world.pump()
    world.waits(61)
    while_away = alice.calls("GET", "/read-receipts/changes", since=since).ok["receiptList"]
    bob.invites("team", alice)
    back = alice.calls("GET", "/read-receipts/changes", since=since).ok["receiptList"]

    assert while_away == []
    assert [(receipt["msgID"], receipt["readCount"]) for receipt in back] == [(message["msgID"], 1)]
