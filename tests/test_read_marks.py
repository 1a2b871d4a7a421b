"""Conversations marked read: unread counts, the user's other devices, and what a C2C peer is told."""

from typing import Any

import pytest

from chalicelib import clock, push
from chalicelib.core.conversation import Conversation, encode_msg_id
from chalicelib.store import dynamo
from tests.world import User, World


def test_the_unread_count_is_of_what_others_sent_since_the_mark(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    sent = [alice.sends("team", receipt=False) for _ in range(3)]
    bob.sends("team")
    alice.sends("team")
    assert refused_after_drawing(world, alice)  # leaves a gap, which is no message
    alice.sends(bob)

    assert bob.unread() == {"group_team": 4, "c2c_alice": 1}
    assert alice.unread() == {"group_team": 1, "c2c_bob": 0}
    bob.marks_read("group_team", sent[1])
    assert bob.unread() == {"group_team": 2, "c2c_alice": 1}
    bob.marks_read("group_team")
    bob.marks_read("c2c_alice")
    assert bob.unread() == {"group_team": 0, "c2c_alice": 0}


def test_who_joins_later_has_nothing_unread_from_before(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")
    alice.sends("team")
    alice.invites("team", bob)

    assert bob.unread() == {"group_team": 0}
    alice.sends("team")
    assert bob.unread() == {"group_team": 1}


def test_the_unread_count_stops_at_a_hundred(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    for _ in range(105):
        alice.sends(bob, receipt=False)

    assert bob.unread() == {"c2c_alice": 100}


def test_a_mark_never_goes_back(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    sent = [alice.sends(bob) for _ in range(3)]
    socket = alice.connects()
    bob.marks_read("c2c_alice")
    bob.marks_read("c2c_alice", sent[0])
    world.pump()

    assert bob.unread() == {"c2c_alice": 0}
    assert len(socket.events("onRecvC2CReadReceipt")) == 1
    assert all(message["isPeerRead"] for message in alice.history("c2c_bob")["messageList"])


def test_the_peer_gets_a_receipt_with_an_empty_msg_id_and_the_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    phone, laptop, his = alice.connects(), alice.connects(), bob.connects()
    alice.sends(bob, receipt=False)
    monkeypatch.setattr(clock, "now_ms", lambda: 1_700_000_000_999)
    bob.marks_read("c2c_alice")
    world.pump()

    told = {
        "event": "onRecvC2CReadReceipt",
        "receiptList": [
            {
                "msgID": "",
                "userID": "bob",
                "isPeerRead": True,
                "groupID": "",
                "readCount": 0,
                "unreadCount": 0,
                "timestamp": 1_700_000_000,
            }
        ],
    }
    assert phone.events("onRecvC2CReadReceipt") == laptop.events("onRecvC2CReadReceipt") == [told]
    assert his.events("onRecvC2CReadReceipt") == []


def test_the_callers_devices_hear_of_it_and_nobody_else_in_a_group(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    hers, phone, laptop = alice.connects(), bob.connects(), bob.connects()
    alice.sends("team")
    bob.marks_read("group_team")
    world.pump()

    heard = {"event": "onConversationRead", "conversationID": "group_team", "lastReadSeq": 1}
    assert phone.events("onConversationRead") == laptop.events("onConversationRead") == [heard]
    assert {frame["event"] for frame in hers.frames} == {"onRecvNewMessage"}


def test_history_says_which_own_messages_the_peer_has_marked_read(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    first, second = alice.sends(bob, receipt=False), alice.sends(bob)
    bob.sends(alice)
    bob.marks_read("c2c_alice", first)

    shown = {message["seq"]: message.get("isPeerRead") for message in alice.history("c2c_bob")["messageList"]}
    assert shown == {first["seq"]: True, second["seq"]: False, 3: None}
    bob.marks_read("c2c_alice")
    shown = {message["seq"]: message.get("isPeerRead") for message in alice.history("c2c_bob")["messageList"]}
    assert shown == {first["seq"]: True, second["seq"]: True, 3: None}
    assert alice.sends(bob)["seq"] == 4
    assert alice.history("c2c_bob")["messageList"][0]["isPeerRead"] is False


def test_a_gap_or_an_own_message_behind_it_does_not_make_a_mark_partial(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    socket = alice.connects()
    message = alice.sends(bob)
    bob.sends(alice)
    monkeypatch.setattr(clock, "now_ms", lambda: message["timestamp"] * 1000 + 1_800_000)
    bob.marks_read("c2c_alice", message)
    world.pump()

    (event,) = socket.events("onRecvC2CReadReceipt")
    assert event["receiptList"][0]["timestamp"] == message["timestamp"] + 1800


def test_the_shown_time_does_not_go_back_where_clocks_differ(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    socket = alice.connects()
    now = clock.now_ms()
    for ahead_ms in (10_000, 2_000):
        alice.sends(bob)
        monkeypatch.setattr(clock, "now_ms", lambda ahead_ms=ahead_ms: now + ahead_ms)
        bob.marks_read("c2c_alice")
        world.pump()

    times = [event["receiptList"][0]["timestamp"] for event in socket.events("onRecvC2CReadReceipt")]
    assert len(times) == 2
    assert times[0] == times[1]


def test_a_partial_mark_is_told_with_the_time_of_its_last_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V2TIM's clients take every message up to the time of the mark for read."""
    alice, bob = world.users("alice", "bob")
    socket = alice.connects()
    sent = []
    for number in range(3):
        monkeypatch.setattr(clock, "now_ms", lambda number=number: 1_700_000_000_000 + number * 10_000)
        sent.append(alice.sends(bob))
    monkeypatch.setattr(clock, "now_ms", lambda: 1_700_000_099_000)
    bob.marks_read("c2c_alice", sent[1])
    world.pump()

    (event,) = socket.events("onRecvC2CReadReceipt")
    assert event["receiptList"][0]["timestamp"] == sent[1]["timestamp"] < sent[2]["timestamp"]


def test_receipts_do_not_change_the_unread_count_unless_the_call_asks_for_both(world: World) -> None:
    """The confusion is the same in every system, so it is a parameter here."""
    alice, bob = world.users("alice", "bob")
    sent = [alice.sends(bob) for _ in range(3)]

    assert bob.reads(*sent[:2]) == [0, 0]
    assert bob.unread() == {"c2c_alice": 3}
    body = {"msgIDs": [message["msgID"] for message in sent[:2]], "alsoMarkRead": True}
    assert "withheld" not in bob.calls("POST", "/read-receipts", body).ok
    assert bob.unread() == {"c2c_alice": 1}
    frame = {"action": "sendMessageReadReceipts", "msgIDs": [sent[2]["msgID"]], "alsoMarkRead": True}
    assert bob.connects().says(frame)["code"] == 0
    assert bob.unread() == {"c2c_alice": 0}


def test_marking_read_sends_no_receipts_for_the_messages(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    message = alice.sends(bob)
    bob.marks_read("c2c_alice")
    world.pump()

    assert alice.counts(message) == (0, 1)


def test_withheld_receipts_that_also_mark_read_change_only_the_own_unread_count(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    socket = alice.connects()
    message = alice.sends(bob)
    bob.turns_receipts(False)
    bob.calls("POST", "/read-receipts", {"msgIDs": [message["msgID"]], "alsoMarkRead": True})
    world.pump()

    assert bob.unread() == {"c2c_alice": 0}
    assert {frame["event"] for frame in socket.frames} == {"onRecvNewMessage"}


@pytest.mark.parametrize("conversation", ["group_team", "group_nothing"])
def test_strangers_and_those_who_left_mark_nothing(world: World, conversation: str) -> None:
    alice, bob, mallory = world.users("alice", "bob", "mallory")
    alice.creates("team", bob)
    message = alice.sends("team")
    bob.quits("team")

    assert mallory.marks_read(conversation).refusal == (404, 10010)
    assert bob.marks_read(conversation).refusal == (404, 10010)
    bob.calls("POST", "/read-receipts", {"msgIDs": [message["msgID"]], "alsoMarkRead": True})
    assert dynamo.client().scan(TableName="Marks")["Items"] == []


def test_a_conversation_that_has_not_begun_can_be_marked_and_nothing_happens(world: World) -> None:
    bob = world.user("bob")

    assert bob.marks_read("c2c_alice").ok["code"] == 0
    assert dynamo.client().scan(TableName="Marks")["Items"] == []


def test_bad_marks_are_refused(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")
    early = alice.sends("team")
    alice.invites("team", bob)
    other = alice.sends(bob)

    assert bob.marks_read("group_team", early).refusal == (404, 45001)
    assert bob.marks_read("group_team", other).refusal == (400, 6017)
    nothing = {"msgID": encode_msg_id(Conversation.of_group("team"), 999)}
    assert bob.marks_read("group_team", nothing).refusal == (404, 45001)
    assert bob.marks_read("group_team", {"msgID": "x"}).refusal == (400, 6017)
    assert bob.marks_read("team").refusal == (400, 6017)


def refused_after_drawing(world: World, user: User) -> bool:
    """A message that is refused only when its seq has been drawn."""
    world.admin().sets(receiptGroupSizeMax=1)
    refused = user.tries_to_send("team").status == 403
    world.admin().sets(receiptGroupSizeMax=None)
    return refused


def test_redelivered_and_poisoned_marks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    socket = alice.connects()
    alice.sends(bob)
    bob.marks_read("c2c_alice")
    records = world.streams.new("Marks")
    poison = {**records[-1], "dynamodb": {"SequenceNumber": "1", "NewImage": {"conversationID": {"S": "x"}}}}

    assert world.streams.deliver("Marks", [poison, *records]) == ["1"]
    assert world.streams.deliver("Marks", records) == []
    events = socket.events("onRecvC2CReadReceipt")
    assert len(events) == 2
    assert events[0] == events[1]

    def fails(*_: Any) -> Any:
        return dynamo.client().describe_table(TableName="nothing")

    monkeypatch.setattr(push, "deliver", fails)
    assert world.streams.deliver("Marks", records) == [records[-1]["dynamodb"]["SequenceNumber"]]
    removed = [{**records[-1], "eventName": "REMOVE"}]
    assert world.streams.deliver("Marks", removed) == []
