"""The console: which groups have receipts, the edition, the size, the switch, the retention; and who may set them."""

from typing import Any

import pytest

from chalicelib import clock, tokens
from chalicelib.core.console import NEVER_S
from chalicelib.store import console, dynamo
from tests.world import World

DEFAULTS = {
    "receiptGroupTypes": ["Meeting", "Public", "Work"],
    "edition": "premium",
    "receiptGroupSizeMax": None,
    "mayTurnReceiptsOff": True,
    "retentionDays": None,
    "webhookURL": None,
}


def test_the_console_has_the_defaults_of_the_page(world: World) -> None:
    assert world.admin().calls("GET", "/admin/settings").ok == DEFAULTS


def test_only_what_is_named_changes_and_null_takes_a_limit_away(world: World) -> None:
    admin = world.admin()

    assert admin.sets(receiptGroupSizeMax=200, retentionDays=30) == {
        **DEFAULTS,
        "receiptGroupSizeMax": 200,
        "retentionDays": 30,
    }
    assert admin.sets(receiptGroupSizeMax=None) == {**DEFAULTS, "retentionDays": 30}
    assert admin.calls("GET", "/admin/settings").ok == {**DEFAULTS, "retentionDays": 30}
    assert admin.sets(receiptGroupTypes=[])["receiptGroupTypes"] == []
    assert admin.calls("GET", "/admin/settings").ok["receiptGroupTypes"] == []


@pytest.mark.parametrize("role", ["", "Admin", "user"])
def test_only_administrators_see_and_change_it(world: World, role: str) -> None:
    alice = world.user("alice")
    alice.token = tokens.mint("alice", 60, role=role)

    assert alice.calls("GET", "/admin/settings").refusal == (403, 60010)
    assert alice.calls("PUT", "/admin/settings", {"edition": "standard"}).refusal == (403, 60010)
    assert console.current().edition == "premium"


@pytest.mark.parametrize(
    "bad",
    [
        {"receiptGroupTypes": ["AVChatRoom"]},
        {"receiptGroupTypes": "Work"},
        {"edition": "gold"},
        {"receiptGroupSizeMax": 0},
        {"retentionDays": 36_501},
        {"retentionDays": 1.5},
        {"mayTurnReceiptsOff": None},
        {"colour": "red"},
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_changes(world: World, bad: dict[str, Any]) -> None:
    assert world.admin().calls("PUT", "/admin/settings", {"retentionDays": 5, **bad}).refusal == (400, 6017)
    assert world.admin().calls("GET", "/admin/settings").ok == DEFAULTS


def test_a_change_made_elsewhere_applies_within_seconds_without_a_deploy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    assert alice.tries_to_send(bob).status == 200
    row = {"scope": "app", "edition": "standard"}
    dynamo.client().put_item(TableName="Settings", Item=dynamo.item(row))

    assert alice.tries_to_send(bob).status == 200
    monkeypatch.setattr(clock, "now_ms", lambda: now + 2000)
    assert alice.tries_to_send(bob).refusal == (403, 7013)


@pytest.mark.parametrize(
    ("group_type", "refusal"),
    [("Work", None), ("Public", None), ("Meeting", None), ("Community", 45004), ("AVChatRoom", 45004)],
)
def test_by_default_receipts_are_for_work_public_and_meeting_groups(
    world: World, group_type: str, refusal: int | None
) -> None:
    alice = world.user("alice")
    alice.creates("team", "bob", group_type=group_type)

    answer = alice.tries_to_send("team")

    if refusal is None:
        assert answer.ok["needReadReceipt"]
    else:
        assert answer.refusal == (403, refusal)
        assert group_type in answer.body["desc"]
        assert [message["seq"] for message in alice.history("group_team")["messageList"]] == []
    assert alice.sends("team", receipt=False)["text"] == "hello"


def test_communities_can_be_switched_on_and_work_off_and_what_was_sent_keeps_its_receipts(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("work", bob)
    alice.creates("community", bob, group_type="Community")
    earlier = alice.sends("work")

    world.admin().sets(receiptGroupTypes=["Community"])

    assert alice.sends("community")["needReadReceipt"]
    assert alice.tries_to_send("work").refusal == (403, 45004)
    assert bob.reads(earlier) == [0]
    world.pump()
    assert alice.counts(earlier) == (1, 0)


def test_c2c_needs_no_setting(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    world.admin().sets(receiptGroupTypes=[], receiptGroupSizeMax=1)

    message = alice.sends(bob)

    assert bob.reads(message) == [0]
    assert alice.counts(message) == (1, 0)


def test_a_group_larger_than_allowed_is_refused_until_it_is_smaller(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    world.admin().sets(receiptGroupSizeMax=2)
    alice.creates("team", bob, carol)

    answer = alice.tries_to_send("team")
    assert answer.refusal == (403, 45005)
    assert "2 members" in answer.body["desc"]
    carol.quits("team")
    assert alice.sends("team")["needReadReceipt"]


def test_below_premium_every_receipt_call_is_refused_and_ordinary_messages_are_sent(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    private, in_group = alice.sends(bob), alice.sends("team")
    world.admin().sets(edition="standard")
    calls = [
        alice.tries_to_send(bob),
        alice.tries_to_send("team"),
        bob.calls("POST", "/read-receipts", {"msgIDs": [private["msgID"]]}),
        alice.calls("POST", "/read-receipts/query", {"msgIDs": [in_group["msgID"]]}),
        alice.calls("GET", f"/messages/{in_group['msgID']}/read-members"),
    ]

    assert {call.refusal for call in calls} == {(403, 7013)}
    assert all("premium edition" in call.body["desc"] and "/v1/admin/settings" in call.body["desc"] for call in calls)
    assert alice.sends(bob, receipt=False)["text"] == "hello"
    frame = {"action": "sendMessageReadReceipts", "requestID": "1", "msgIDs": [private["msgID"]]}
    assert bob.connects().says(frame)["code"] == 7013
    assert bob.marks_read("c2c_alice").ok["code"] == 0

    world.admin().sets(edition="premium")
    assert bob.reads(private) == [0]


def test_messages_expire_by_the_retention_they_were_sent_with(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    now_s = 1_700_000_000
    monkeypatch.setattr(clock, "now_ms", lambda: now_s * 1000)
    alice.sends("team", clientMsgID="1")
    world.admin().sets(retentionDays=30)
    alice.sends("team", clientMsgID="2")
    world.admin().sets(retentionDays=None)
    alice.sends("team", clientMsgID="3")

    assert expiries("Messages") == expiries("Sends") == {None, now_s + 30 * 24 * 3600}


def test_receipts_are_kept_as_long_as_the_longest_kept_message_of_their_row(world: World) -> None:
    """However the retention was changed in between, and in whichever order the messages are read."""
    orders: list[list[int | None]] = [[None, 30], [30, None], [30, 60], [60, 30]]
    for number, order in enumerate(orders):
        alice, bob = world.users("alice", "bob")
        alice.creates(f"team{number}", bob)
        sent = []
        for days in order:
            world.admin().sets(retentionDays=days)
            sent.append(alice.sends(f"team{number}"))
        for message in sent:
            bob.reads(message)
            world.pump()
        rows = [row for row in everything("Reads", "Receipts") if f"team{number}" in str(row)]
        assert len(rows) == 2
        longest = NEVER_S if None in order else (60 + 7) * 24 * 3600 + clock.now_ms() // 1000
        assert all(row["expiresAt"] - longest >= 0 for row in rows)
        assert all(row["expiresAt"] - longest < 2 * 24 * 3600 for row in rows)


def test_repeating_a_receipt_on_another_day_changes_nothing(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    world.admin().sets(retentionDays=30)
    message = alice.sends("team")
    bob.reads(message)
    world.pump()
    before = everything("Reads", "Receipts")
    world.waits(3 * 24 * 3600)
    bob.token = tokens.mint("bob", 9 * 24 * 3600)

    bob.reads(message)
    world.pump()

    assert everything("Reads", "Receipts") == before


def test_changes_of_different_settings_at_once_do_not_undo_each_other(world: World) -> None:
    world.admin().sets(retentionDays=5)
    console.current()
    row = {"scope": "app", "retentionDays": 5, "edition": "standard"}
    dynamo.client().put_item(TableName="Settings", Item=dynamo.item(row))  # another administrator, elsewhere

    assert world.admin().sets(retentionDays=9)["edition"] == "standard"


def test_types_are_listed_once(world: World) -> None:
    assert world.admin().sets(receiptGroupTypes=["Work", "Work", "Community"])["receiptGroupTypes"] == [
        "Community",
        "Work",
    ]


def everything(*tables: str) -> list[dict[str, Any]]:
    rows = [dynamo.plain(item) for table in tables for item in dynamo.client().scan(TableName=table)["Items"]]
    return sorted(rows, key=str)


def expiries(*tables: str) -> set[int | None]:
    return {row.get("expiresAt") for row in everything(*tables)}
