"""The read-receipt switch: enforced by the server, and reciprocal."""

import pytest

from chalicelib import mark_stream
from chalicelib.store import dynamo
from tests.world import World


def rows(table: str) -> int:
    return dynamo.client().scan(TableName=table)["Count"]


def test_it_is_on_until_it_is_turned_off(world: World) -> None:
    alice = world.user("alice")

    assert alice.calls("GET", "/settings").ok == {"readReceipts": True, "mayTurnReceiptsOff": True}
    assert alice.turns_receipts(False)["readReceipts"] is False
    assert alice.calls("GET", "/settings").ok["readReceipts"] is False
    assert alice.turns_receipts(True)["readReceipts"] is True
    assert alice.calls("PUT", "/settings", {}).refusal == (400, 6017)


def test_who_turned_it_off_sends_no_receipts_and_is_told_that_they_were_withheld(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    socket = alice.connects()
    in_group, private, plain = alice.sends("team"), alice.sends(bob), alice.sends("team", receipt=False)
    bob.turns_receipts(False)

    sent = bob.calls("POST", "/read-receipts", {"msgIDs": [in_group["msgID"], plain["msgID"]]}).ok
    frame = bob.connects().says({"action": "sendMessageReadReceipts", "requestID": "1", "msgIDs": [private["msgID"]]})
    world.pump()

    assert sent["withheld"] is True
    assert [each["code"] for each in sent["resultList"]] == [0, 10062]  # refusals are said as ever
    assert (frame["code"], frame["withheld"]) == (0, True)
    assert rows("Reads") == 0
    assert alice.counts(in_group) == (0, 1)
    assert (alice.readers(in_group), alice.non_readers(in_group)) == ([], ["bob"])
    assert alice.counts(private) == (0, 1)
    assert socket.receipts == {}


def test_with_it_on_nothing_is_said_of_withholding(world: World) -> None:
    alice, bob = world.users("alice", "bob")

    assert "withheld" not in bob.calls("POST", "/read-receipts", {"msgIDs": [alice.sends(bob)["msgID"]]}).ok
    assert "withheld" not in alice.sends(bob)


def test_turning_it_on_again_reveals_nothing_of_the_time_between(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    before, meanwhile, after = alice.sends("team"), alice.sends("team"), alice.sends("team")
    socket = alice.connects()
    bob.reads(before)
    bob.turns_receipts(False)
    bob.reads(meanwhile)
    bob.turns_receipts(True)
    world.pump()

    assert [alice.counts(message) for message in (before, meanwhile, after)] == [(1, 0), (0, 1), (0, 1)]
    bob.reads(after)
    world.pump()
    assert [alice.counts(message) for message in (before, meanwhile, after)] == [(1, 0), (0, 1), (1, 0)]
    assert socket.receipts.keys() == {before["msgID"], after["msgID"]}


def test_who_turned_it_off_sees_none_asked_for_or_pushed(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    in_group, private = alice.sends("team"), alice.sends(bob)
    socket = alice.connects()
    alice.turns_receipts(False)
    bob.reads(in_group)
    bob.reads(private)
    bob.marks_read("c2c_alice")
    world.pump()

    assert socket.receipts == {}
    assert socket.events("onRecvC2CReadReceipt") == []
    assert alice.calls("POST", "/read-receipts/query", {"msgIDs": [private["msgID"]]}).refusal == (403, 45006)
    assert alice.calls("GET", f"/messages/{in_group['msgID']}/read-members").refusal == (403, 45006)
    assert "isPeerRead" not in alice.history("c2c_bob")["messageList"][0]


def test_messages_sent_meanwhile_ask_for_no_receipts_and_never_have_any(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    alice.turns_receipts(False)
    in_group, private, unasked = alice.sends("team"), alice.sends(bob), alice.sends(bob, receipt=False)

    assert [(each["needReadReceipt"], each.get("withheld")) for each in (in_group, private, unasked)] == [
        (False, True),
        (False, True),
        (False, None),
    ]
    assert bob.reads(in_group) == bob.reads(private) == [10062]
    alice.turns_receipts(True)
    bob.marks_read("c2c_alice")
    world.pump()
    assert [each["code"] for each in alice.asks(in_group)["resultList"]] == [10062]
    assert [message["isPeerRead"] for message in alice.history("c2c_bob")["messageList"]] == [False, False]


def test_a_repeated_send_is_withheld_as_the_first_was(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.turns_receipts(False)
    first = alice.sends(bob, clientMsgID="1")
    alice.turns_receipts(True)

    assert alice.sends(bob, clientMsgID="1") == first


def test_messages_sent_before_are_seen_again_when_it_is_turned_on(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    message = alice.sends(bob)
    bob.reads(message)
    alice.turns_receipts(False)
    alice.turns_receipts(True)

    assert alice.counts(message) == (1, 0)


def test_a_conversation_marked_read_meanwhile_is_not_told_to_the_peer_then_or_later(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    first = alice.sends(bob)
    socket = alice.connects()
    bob.turns_receipts(False)
    assert bob.marks_read("c2c_alice").ok["code"] == 0
    world.pump()
    bob.turns_receipts(True)
    world.pump()

    assert socket.events("onRecvC2CReadReceipt") == []
    assert [each["isPeerRead"] for each in alice.history("c2c_bob")["messageList"]] == [False]

    bob.marks_read("c2c_alice", first)  # now with the switch on: a new marking, and told
    world.pump()
    assert len(socket.events("onRecvC2CReadReceipt")) == 1
    assert [each["isPeerRead"] for each in alice.history("c2c_bob")["messageList"]] == [True]


def test_the_users_own_unread_state_goes_on_as_ever(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.sends(bob)
    bob.turns_receipts(False)
    laptop = bob.connects()
    assert bob.unread() == {"c2c_alice": 1}
    bob.marks_read("c2c_alice")
    world.pump()

    assert bob.unread() == {"c2c_alice": 0}
    assert laptop.events("onConversationRead") == [
        {"event": "onConversationRead", "conversationID": "c2c_alice", "lastReadSeq": 1}
    ]


@pytest.mark.parametrize("off_before", [False, True])
def test_an_administrator_may_forbid_turning_it_off_but_exposes_nobody_unasked(world: World, off_before: bool) -> None:
    alice = world.user("alice")
    if off_before:
        alice.turns_receipts(False)
    world.admin().sets(mayTurnReceiptsOff=False)

    assert alice.calls("GET", "/settings").ok == {"readReceipts": not off_before, "mayTurnReceiptsOff": False}
    assert alice.turns_receipts(True)["readReceipts"] is True
    assert alice.calls("PUT", "/settings", {"readReceipts": False}).refusal == (403, 45007)


def test_the_switch_of_one_does_not_touch_the_others(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    message = alice.sends("team")
    bob.turns_receipts(False)
    bob.reads(message)
    carol.reads(message)
    world.pump()

    assert alice.counts(message) == (1, 1)
    assert alice.readers(message) == ["carol"]


def test_a_mark_does_not_tell_the_peer_that_what_they_sent_meanwhile_was_read(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    socket = alice.connects()
    alice.turns_receipts(False)
    alice.sends(bob)
    alice.turns_receipts(True)
    bob.marks_read("c2c_alice")
    world.pump()
    assert socket.events("onRecvC2CReadReceipt") == []  # there is nothing else to tell

    world.waits(10)
    open_one = alice.sends(bob)
    world.waits(10)
    alice.turns_receipts(False)
    alice.sends(bob)
    alice.turns_receipts(True)
    world.waits(10)
    bob.marks_read("c2c_alice")
    world.pump()
    (event,) = socket.events("onRecvC2CReadReceipt")
    assert event["receiptList"][0]["timestamp"] == open_one["timestamp"]
    shown = [message["isPeerRead"] for message in alice.history("c2c_bob")["messageList"]]
    assert shown == [False, True, False]


def test_turning_it_off_again_is_no_turning_off(world: World) -> None:
    alice = world.user("alice")
    alice.turns_receipts(False)
    world.admin().sets(mayTurnReceiptsOff=False)

    assert alice.turns_receipts(False) == {"readReceipts": False, "mayTurnReceiptsOff": False}


def test_what_is_too_much_to_look_at_is_not_told_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark over many messages tells of those that were looked at: a private one may come behind."""
    monkeypatch.setattr(mark_stream, "_EXAMINED_MAX", 3)
    alice, bob = world.users("alice", "bob")
    phone = alice.connects()
    alice.turns_receipts(False)
    alice.turns_receipts(True)
    for _ in range(3):
        world.waits(10)
        last_open = alice.sends(bob)
    world.waits(10)
    alice.turns_receipts(False)
    private = alice.sends(bob)
    alice.turns_receipts(True)
    world.waits(10)
    bob.marks_read("c2c_alice")
    world.pump()

    (event,) = phone.events("onRecvC2CReadReceipt")
    assert last_open["timestamp"] <= event["receiptList"][0]["timestamp"] < private["timestamp"]
