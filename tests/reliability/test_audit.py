"""The audit: what corrupted tiles and sums are found, and mended; and that nothing is found where nothing is wrong."""

from itertools import count

import pytest

from chalicelib import audit, counting, push
from chalicelib.audit import EXPIRES_EARLY, EXTRA, MISSING, WRONG_SUM, Difference, Mending, Progress
from chalicelib.core import sums as tree
from chalicelib.core.conversation import Conversation
from chalicelib.core.sums import NodeKey, Slot
from chalicelib.core.tiles import Tile, TileKey
from chalicelib.store import conversations, dynamo, receipts, sums
from tests.reliability import guarantees
from tests.reliability.faults import Calls, Fault, Killed
from tests.reliability.traffic import Fold, ReceiptsInGroup
from tests.world import Json, User, World

GROUP = Conversation.of_group("team")
TILE = TileKey(GROUP, 0, 0)
ROOT = NodeKey(GROUP, 0, 1, 0)

REPORT, REPAIR, REMOVE = Mending(), Mending(adds=True), Mending(adds=True, removes=True)

Team = tuple[User, list[User], Json]


def found(mending: Mending = REPORT) -> list[tuple[str, str, bool]]:
    """The differences in all conversations: where, of what kind, and whether they were mended."""
    all_ = [each for each in audit.audit_all(mending) if isinstance(each, Difference)]
    return [(each.where, each.kind, each.is_mended) for each in all_]


@pytest.fixture
def team(world: World, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A group of 101 with a message that three of them have read, two segments under one node, a minute ago."""
    alice = world.user("alice")
    names = [f"user{number:03}" for number in range(1, 101)]
    alice.creates("team", *names)
    message = alice.sends("team")
    readers = [world.user(names[ordinal - 1]) for ordinal in (1, 2, 90)]
    for reader in readers:
        reader.reads(message)
    world.pump()
    world.waits(61)
    assert found() == []
    assert alice.counts(message) == (3, 97)
    return alice, readers, message


def delete(table: str) -> None:
    """Delete all rows of a table of what is made of reads."""
    keys = {"Receipts": ("conversationID", "blockSegment"), "Sums": ("conversationNode", "block")}[table]
    for row in dynamo.client().scan(TableName=table)["Items"]:
        dynamo.client().delete_item(TableName=table, Key={name: row[name] for name in keys})


def store(tile: Tile) -> None:
    """Put these readers into the tile, whatever was there."""
    seen = receipts.find_many([TILE])[TILE]
    assert receipts.replace(TILE, seen, tile)


def test_missing_readers_are_found_and_mended_and_so_are_the_sums_over_them(world: World, team: Team) -> None:
    alice, _, message = team
    store(Tile(bits={1: 0b010}))
    assert found() == [
        ("block 0, segment 0", MISSING, False),
        ("block 0, node 1/0", WRONG_SUM, False),
    ]

    assert found(REPAIR) == [("block 0, segment 0", MISSING, True)]  # with which the sum over it is right again

    assert found() == []
    assert alice.counts(message) == (3, 97)


@pytest.mark.parametrize("tables", [("Receipts",), ("Sums",), ("Receipts", "Sums")])
def test_deleted_tiles_and_sums_are_made_anew(world: World, team: Team, tables: tuple[str, ...]) -> None:
    alice, _, message = team
    for table in tables:
        delete(table)
    assert found() != []

    assert all(mended for _, _, mended in found(REPAIR))

    assert found() == []
    assert alice.counts(message) == (3, 97)


def test_what_a_sum_remembers_of_a_tile_that_never_was_is_found(world: World, team: Team) -> None:
    alice, _, message = team
    (node,) = sums.find_many([ROOT]).values()
    assert sums.mend(ROOT, node, {**node.slots, 7: Slot(1, {1: 5})}, node.expires_at_s)
    assert alice.counts(message) == (8, 92)

    assert found(REMOVE) == [("block 0, node 1/0", WRONG_SUM, True)]

    assert found() == []
    assert alice.counts(message) == (3, 97)


def test_readers_who_have_not_read_are_reported_and_taken_away_only_if_that_is_asked_for(
    world: World, team: Team
) -> None:
    alice, _, message = team
    counting.carry_up({TILE: receipts.add(TILE, Tile(bits={1: 0b1000}))}, {0: 1})
    assert alice.counts(message) == (4, 96)
    assert found(REPAIR) == [("block 0, segment 0", EXTRA, False)]
    assert alice.counts(message) == (4, 96)

    assert found(REMOVE) == [("block 0, segment 0", EXTRA, True), ("block 0, node 1/0", WRONG_SUM, True)]

    assert found() == []
    assert alice.counts(message) == (3, 97)


@pytest.mark.parametrize("ahead", [-1, 0, 1])
def test_a_sum_that_is_wrong_is_mended_whatever_version_it_claims(world: World, team: Team, ahead: int) -> None:
    alice, _, message = team
    (node,) = sums.find_many([ROOT]).values()
    wrong = {number: Slot(slot.version + ahead, {1: 9}) for number, slot in node.slots.items()}
    assert sums.mend(ROOT, node, wrong, node.expires_at_s)
    assert found(REPAIR) == [("block 0, node 1/0", WRONG_SUM, False)]  # a count would go back

    assert found(REMOVE) == [("block 0, node 1/0", WRONG_SUM, True)]

    assert found() == []
    assert alice.counts(message) == (3, 97)
    world.user("user050").reads(message)
    world.pump()
    assert alice.counts(message) == (4, 96)


def test_a_tile_that_would_expire_before_its_reads_is_put_off(world: World, team: Team) -> None:
    dynamo.client().update_item(
        TableName=receipts.TABLE,
        Key=dynamo.item({"conversationID": "group_team", "blockSegment": "0~0"}),
        UpdateExpression="SET expiresAt = :early",
        ExpressionAttributeValues=dynamo.item({":early": 1}),
    )

    assert (EXPIRES_EARLY, True) in {(kind, mended) for _, kind, mended in found(REPAIR)}
    assert found() == []


def test_a_read_of_the_last_minute_is_on_its_way_and_no_difference(world: World, team: Team) -> None:
    message = team[2]
    world.user("user003").reads(message)
    assert found() == []
    world.waits(61)

    assert found() == [("block 0, segment 0", MISSING, False)]


def test_readers_of_messages_that_have_expired_are_left_alone(world: World, team: Team) -> None:
    alice, readers, _ = team
    world.admin().sets(retentionDays=1)
    readers[0].reads(alice.sends("team"))
    world.pump()
    world.waits(20 * 24 * 3600)
    world.expires("Messages")
    dynamo.client().update_item(  # the row of the first reader, as if it had been about that message alone
        TableName="Reads",
        Key=dynamo.item({"conversationSegment": "group_team~0", "blockOrdinal": "0~1"}),
        UpdateExpression="REMOVE r2",
    )

    assert found(REMOVE) == []


def test_a_receipt_that_comes_while_its_bit_is_taken_away_is_counted(
    world: World, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fold finds the bit and changes nothing, so the version does not tell: the audit looks once more."""
    alice, _, message = team
    counting.carry_up({TILE: receipts.add(TILE, Tile(bits={1: 0b1000}))}, {0: 1})
    replace = receipts.replace

    def late(key: TileKey, seen: Tile, right: Tile) -> Tile | None:
        world.user("user003").reads(message)
        world.pump()
        return replace(key, seen, right)

    monkeypatch.setattr(receipts, "replace", late)
    found(REMOVE)

    assert found() == []
    assert alice.counts(message) == (4, 96)
    assert "user003" in alice.readers(message)


def test_it_goes_on_where_it_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "FAN_OUT", 2)
    for number in range(3):
        alice, bob = world.users(f"alice{number}", f"bob{number}")
        alice.creates(f"team{number}", bob)
        bob.reads(alice.sends(f"team{number}"))
    world.waits(61)
    everything = list(audit.audit_all(REPORT))
    places = [each.cursor for each in everything if isinstance(each, Progress)]
    whole = [each for each in everything if isinstance(each, Difference)]
    assert len(whole) == 3

    for stop in range(len(everything)):
        before = everything[: stop + 1]
        cursor = next((each.cursor for each in reversed(before) if isinstance(each, Progress)), "")
        rest = [each for each in audit.audit_all(REPORT, cursor) if isinstance(each, Difference)]
        assert {*rest, *(each for each in before if isinstance(each, Difference))} == set(whole)
    assert len(places) == len(set(places))


def test_it_reads_no_faster_than_it_may(world: World, team: Team) -> None:
    now, pauses = [0.0], []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    with audit.paced(10, pause, lambda: now[0]):
        found()
    at_ten = now[0]
    now[0] = 0.0
    with audit.paced(5, pause, lambda: now[0]):
        found()

    assert at_ten > 0
    assert now[0] == pytest.approx(2 * at_ten)
    before = len(pauses)
    found()
    assert len(pauses) == before


@pytest.fixture
def calls(world: World) -> Calls:
    return Calls(dynamo.client(), push.client())


@pytest.mark.parametrize("flow", [ReceiptsInGroup, Fold])
def test_nothing_is_found_after_faults(world: World, calls: Calls, flow: type[ReceiptsInGroup] | type[Fold]) -> None:
    """Whatever struck a receipt or a fold, and whoever tried again or did not: what is counted is what was read."""
    tags = map(str, count())
    run = flow(world, next(tags))
    with calls.counted():
        run.act()
    for number in range(1, len(calls.made) + 1):
        fault = list(Fault)[number % len(Fault)]
        run = flow(world, next(tags))
        try:
            with calls.counted(number, fault):
                run.act()
        except Killed:
            assert fault.kills
        if isinstance(run, Fold):
            run.act()  # Lambda comes again with what failed
        world.pump()
    world.waits(61)

    assert found() == []
    assert conversations.find(Conversation.of_group(run.group)) is not None
    guarantees.checked("Counted once")
