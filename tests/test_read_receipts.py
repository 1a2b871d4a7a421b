"""Sending receipts, asking for them, and the lists of members who have and have not read."""

import pytest

from chalicelib import clock
from chalicelib.core.conversation import Conversation, encode_msg_id
from tests.world import Json, World

OWN, NOT_ASKED, NO_MESSAGE, NOT_IN_AUDIENCE = 7014, 10062, 45001, 45002


def test_a_c2c_receipt_has_all_seven_fields(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    message = alice.sends(bob)
    unread = {"msgID": message["msgID"], "userID": "bob", "groupID": ""}

    assert alice.asks(message)["receiptList"] == [
        {**unread, "isPeerRead": False, "timestamp": 0, "readCount": 0, "unreadCount": 1}
    ]
    monkeypatch.setattr(clock, "now_ms", lambda: 1_700_000_000_999)
    assert bob.reads(message) == [0]
    assert alice.asks(message)["receiptList"] == [
        {**unread, "isPeerRead": True, "timestamp": 1_700_000_000, "readCount": 1, "unreadCount": 0}
    ]


def test_a_group_receipt_has_all_seven_fields(world: World) -> None:
    alice, bob, carol, dave = world.users("alice", "bob", "carol", "dave")
    alice.creates("team", bob, carol, dave)
    message = alice.sends("team")
    receipt = {"msgID": message["msgID"], "userID": "", "isPeerRead": False, "timestamp": 0, "groupID": "team"}

    assert alice.asks(message)["receiptList"] == [{**receipt, "readCount": 0, "unreadCount": 3}]
    bob.reads(message)
    carol.reads(message)
    world.pump()
    assert alice.asks(message)["receiptList"] == [{**receipt, "readCount": 2, "unreadCount": 1}]


def test_each_message_is_taken_or_refused_with_its_reason(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")
    early = alice.sends("team")
    alice.invites("team", bob)
    plain = alice.sends("team", receipt=False)
    good = alice.sends("team")
    own = bob.sends("team")
    missing = {"msgID": encode_msg_id(Conversation.of_group("team"), 999)}

    assert bob.reads(early, good, plain, own, missing, good) == [NOT_IN_AUDIENCE, 0, NOT_ASKED, OWN, NO_MESSAGE, 0]
    assert alice.readers(good) == ["bob"]


def test_what_a_member_may_not_see_is_refused_alike_whether_it_is_a_message_or_a_gap(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")
    alice.sends("team")
    world.admin().sets(receiptGroupTypes=[])
    alice.tries_to_send("team")  # draws seq 2 and leaves a gap
    alice.invites("team", bob)
    gap, message = ({"msgID": encode_msg_id(Conversation.of_group("team"), seq)} for seq in (2, 1))

    assert bob.reads(gap, message) == [NOT_IN_AUDIENCE, NOT_IN_AUDIENCE]


def test_strangers_are_told_that_nothing_exists(world: World) -> None:
    alice, bob, mallory = world.users("alice", "bob", "mallory")
    alice.creates("team", bob)
    for message in (alice.sends("team"), alice.sends(bob), {"msgID": encode_msg_id(Conversation.of_group("no"), 1)}):
        assert mallory.reads(message) == [NO_MESSAGE]
        assert mallory.asks(message) == {
            "receiptList": [],
            "resultList": [
                {"msgID": message["msgID"], "code": NO_MESSAGE, "desc": mallory.asks(message)["resultList"][0]["desc"]}
            ],
        }
        world.pump()
    assert alice.members_who("read", alice.sends("team")) == []


def test_only_the_sender_asks_and_others_are_told_that_nothing_exists(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    message, plain = alice.sends("team"), alice.sends("team", receipt=False)
    path = f"/messages/{message['msgID']}/read-members"

    assert [each["code"] for each in bob.asks(message)["resultList"]] == [NO_MESSAGE]
    assert bob.calls("GET", path).refusal == (404, NO_MESSAGE)
    assert [each["code"] for each in alice.asks(message, plain)["resultList"]] == [NOT_ASKED]
    assert alice.calls("GET", f"/messages/{plain['msgID']}/read-members").refusal == (404, NOT_ASKED)
    alice.quits("team")
    assert [each["code"] for each in alice.asks(message)["resultList"]] == [NO_MESSAGE]
    assert alice.calls("GET", path).refusal == (404, NO_MESSAGE)


def test_receipts_are_answered_in_the_order_asked(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    sent = [alice.sends(bob) for _ in range(5)]
    asked = [sent[3], sent[0], sent[4], sent[0]]

    assert [each["msgID"] for each in alice.asks(*asked)["receiptList"]] == [each["msgID"] for each in asked]


def test_the_messages_of_one_call_are_of_one_conversation(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    mixed = {"msgIDs": [alice.sends(bob)["msgID"], alice.sends(carol)["msgID"]]}

    assert alice.calls("POST", "/read-receipts", mixed).refusal == (400, 6017)
    assert alice.calls("POST", "/read-receipts/query", mixed).refusal == (400, 6017)


def test_a_hundred_messages_of_several_blocks_are_read_by_one_call(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    sent = [alice.sends(bob) for _ in range(100)]

    assert bob.reads(*sent) == [0] * 100
    assert all(receipt["isPeerRead"] for receipt in alice.asks(*sent)["receiptList"])


def test_the_first_read_time_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    message = alice.sends("team")

    for now in (5000, 9000, 2000):
        monkeypatch.setattr(clock, "now_ms", lambda now=now: now)
        bob.reads(message)

    assert alice.members_who("read", message) == [{"userID": "bob", "readAtMs": 5000}]


def test_the_read_list_shows_a_receipt_as_soon_as_its_call_has_answered(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    message = alice.sends("team")

    bob.reads(message)

    assert alice.readers(message) == ["bob"]
    assert alice.non_readers(message) == ["carol"]
    assert alice.counts(message) == (0, 2)  # counts follow with the stream
    world.pump()
    assert alice.counts(message) == (1, 1)


@pytest.mark.parametrize("page", [1, 7, 100])
def test_lists_page_in_the_order_of_joining(world: World, page: int) -> None:
    alice = world.user("alice")
    names = [f"user{number:03}" for number in range(90)]  # two segments
    alice.creates("team", *names)
    message = alice.sends("team")
    readers = [name for number, name in enumerate(names) if number % 3 == 0 or number > 80]
    for name in readers:
        world.user(name).reads(message)

    read = alice.members_who("read", message, page)
    unread = alice.members_who("unread", message, page)

    assert [member["userID"] for member in read] == readers
    assert [member["userID"] for member in unread] == [name for name in names if name not in readers]
    assert all("readAtMs" in member for member in read)
    assert not any("readAtMs" in member for member in unread)


def test_who_joins_later_is_not_counted_and_who_leaves_stays(world: World) -> None:
    alice, bob, carol, dave = world.users("alice", "bob", "carol", "dave")
    alice.creates("team", bob, carol)
    message = alice.sends("team")
    bob.reads(message)
    bob.quits("team")
    carol.quits("team")
    alice.invites("team", dave)
    assert dave.reads(message) == [NOT_IN_AUDIENCE]
    world.pump()

    assert alice.counts(message) == (1, 1)
    assert (alice.readers(message), alice.non_readers(message)) == (["bob"], ["carol"])
    assert carol.reads(message) == [0]  # a receipt that was on its way when carol left
    world.pump()
    assert alice.counts(message) == (2, 0)


def test_who_rejoins_counts_once_for_a_message_of_the_earlier_membership(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    message = alice.sends("team")
    bob.reads(message)
    bob.quits("team")
    alice.invites("team", bob)
    bob.reads(message)
    later = alice.sends("team")
    bob.reads(message, later)
    world.pump()

    assert alice.counts(message) == alice.counts(later) == (1, 0)
    assert alice.readers(message) == alice.readers(later) == ["bob"]


def test_a_c2c_message_has_no_list_of_members(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    message = alice.sends(bob)

    assert alice.calls("GET", f"/messages/{message['msgID']}/read-members").refusal == (400, 6017)


def test_a_group_of_one_has_an_audience_of_nobody(world: World) -> None:
    alice = world.user("alice")
    alice.creates("alone")
    message = alice.sends("alone")

    assert alice.counts(message) == (0, 0)
    assert alice.readers(message) == alice.non_readers(message) == []


def test_a_list_of_a_large_group_comes_in_pages_of_bounded_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib import limits

    monkeypatch.setattr(limits, "SEGMENTS_PER_PAGE_MAX", 2)
    alice = world.user("alice")
    names = [f"user{number:03}" for number in range(400)]
    alice.creates("team", *names)
    message = alice.sends("team")
    world.user(names[-1]).reads(message)

    first: Json = alice.calls("GET", f"/messages/{message['msgID']}/read-members").ok

    assert first == {"members": [], "nextSeq": 160, "isFinished": False}
    assert alice.readers(message) == [names[-1]]
