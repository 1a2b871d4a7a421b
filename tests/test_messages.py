"""Sending and history."""

import pytest

from chalicelib import clock, tokens
from chalicelib.core.message import Message
from chalicelib.limits import CONTENT_BYTES_MAX, FRAME_BYTES_MAX
from chalicelib.store import dynamo, messages
from tests.world import Json, World


def test_sending_answers_with_the_message_as_its_sender_sees_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    monkeypatch.setattr(clock, "now_ms", lambda: 1_700_000_000_999)

    message = alice.sends(bob, "hi", receipt=True)

    assert message.pop("msgID")
    assert message == {
        "seq": 1,
        "timestamp": 1_700_000_000,
        "sender": "alice",
        "userID": "bob",
        "isSelf": True,
        "needReadReceipt": True,
        "text": "hi",
    }
    (received,) = bob.history("c2c_alice")["messageList"]
    assert (received["userID"], received["isSelf"], received["sender"]) == ("alice", False, "alice")


def test_data_comes_back_as_it_was_sent(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    data = {"type": "card", "价格": [1, 2.5, 123456789012345678901234567890, None, True], "nested": {"empty": {}}}

    sent = alice.calls("POST", "/messages", {"userID": "bob", "data": data}).ok

    assert sent["data"] == data
    assert "text" not in sent
    assert not sent["needReadReceipt"]
    assert bob.history("c2c_alice")["messageList"][0]["data"] == data


def test_text_and_data_together_have_at_most_12_kb_in_utf_8(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    rest = CONTENT_BYTES_MAX - 100 - len('{"k":""}')

    assert alice.tries_to_send(bob, "字" * (CONTENT_BYTES_MAX // 3)).status == 200
    assert alice.tries_to_send(bob, "字" * (CONTENT_BYTES_MAX // 3) + "a").refusal == (413, 80002)
    assert alice.tries_to_send(bob, "a" * 100, data={"k": "b" * rest}).status == 200
    assert alice.tries_to_send(bob, "a" * 100, data={"k": "b" * (rest + 1)}).refusal == (
        413,
        80002,
    )
    assert len(bob.history("c2c_alice")["messageList"]) == 2


def test_history_is_newest_first_in_pages_by_last_msg_id(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    sent = [alice.sends(bob, f"{number}")["msgID"] for number in range(7)]

    pages: list[list[str]] = []
    last: dict[str, str] = {}
    while True:
        page = bob.history("c2c_alice", count=3, **last)
        pages.append([message["msgID"] for message in page["messageList"]])
        if page["isFinished"]:
            break
        last = {"lastMsgID": pages[-1][-1]}

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [msg_id for page in pages for msg_id in page] == sent[::-1]


def test_a_full_last_page_says_that_it_is_the_last(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    for _ in range(4):
        alice.sends(bob)

    first = bob.history("c2c_alice", count=2)
    assert not first["isFinished"]
    assert bob.history("c2c_alice", count=2, lastMsgID=first["messageList"][-1]["msgID"])["isFinished"]


def test_a_conversation_that_has_not_begun_is_empty(world: World) -> None:
    alice = world.user("alice")

    assert alice.history("c2c_bob") == {"messageList": [], "isFinished": True}


def test_members_see_a_group_from_their_joining_on_and_nothing_after_leaving(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")
    alice.sends("team", "before")
    alice.invites("team", bob)
    alice.sends("team", "while in")

    assert texts(bob.history("group_team")) == ["while in"]
    bob.quits("team")
    alice.sends("team", "while out")
    assert bob.calls("GET", "/conversations/group_team/messages").refusal == (404, 10010)

    alice.invites("team", bob)
    alice.sends("team", "back")
    assert texts(bob.history("group_team")) == ["back", "while in"]
    assert texts(bob.history("group_team", count=1)) == ["back"]
    assert not bob.history("group_team", count=1)["isFinished"]
    assert texts(alice.history("group_team")) == ["back", "while out", "while in", "before"]


def test_strangers_see_and_send_nothing_whether_there_is_such_a_group_or_not(world: World) -> None:
    alice, mallory = world.users("alice", "mallory")
    alice.creates("team")
    alice.sends("team")
    answers = [
        (mallory.tries_to_send(group), mallory.calls("GET", f"/conversations/group_{group}/messages"))
        for group in ("team", "nothing")
    ]

    assert {answer.refusal for of_group in answers for answer in of_group} == {(404, 10010)}
    assert [each.body for each in answers[0]] == [each.body for each in answers[1]]
    assert alice.sends("team")["seq"] == 2  # a stranger does not even draw a seq


def test_who_has_left_cannot_send(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    bob.sends("team")
    bob.quits("team")

    assert bob.tries_to_send("team").refusal == (404, 10010)


def test_nobody_writes_to_themselves(world: World) -> None:
    alice = world.user("alice")

    assert alice.tries_to_send(alice).refusal == (400, 6017)
    assert alice.calls("GET", "/conversations/c2c_alice/messages").refusal == (400, 6017)


def test_a_repeated_send_returns_the_first_message_instead_of_a_second_one(world: World) -> None:
    alice, bob = world.users("alice", "bob")

    first = alice.sends(bob, "once", clientMsgID="m-1")
    again = alice.sends(bob, "once more", clientMsgID="m-1")
    other = alice.sends(bob, "another", clientMsgID="m-2")

    assert again == first
    assert other["msgID"] != first["msgID"]
    assert texts(bob.history("c2c_alice")) == ["another", "once"]


def test_a_repeated_send_is_answered_whatever_has_been_set_since(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    first = alice.sends("team", clientMsgID="1")
    changes: list[Json] = [{"receiptGroupSizeMax": 1}, {"receiptGroupTypes": []}, {"edition": "standard"}]
    for change in changes:
        world.admin().sets(**change)
        assert alice.sends("team", clientMsgID="1") == first

    assert alice.sends("team", receipt=False)["seq"] == first["seq"] + 1  # no repetition has drawn a seq


def test_a_send_that_died_before_it_was_stored_is_completed_by_its_repetition(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    with monkeypatch.context() as patch:
        patch.setattr(messages, "put", lambda _: dynamo.client().describe_table(TableName="nothing"))
        assert alice.tries_to_send(bob, clientMsgID="1").refusal == (500, 10002)
    assert alice.history("c2c_bob")["messageList"] == []

    again = alice.sends(bob, clientMsgID="1")

    assert alice.history("c2c_bob")["messageList"][0]["msgID"] == again["msgID"]
    assert bob.reads(again) == [0]


def test_two_sends_under_one_client_msg_id_at_once_are_answered_with_what_is_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    put, others = messages.put, [lambda: alice.sends(bob, "second", clientMsgID="1")]

    def second_in_between(message: Message) -> Message:
        if others:
            others.pop()()
        return put(message)

    monkeypatch.setattr(messages, "put", second_in_between)
    answered = alice.sends(bob, "first", clientMsgID="1")

    assert answered["text"] == "second"
    assert bob.history("c2c_alice")["messageList"][0]["text"] == "second"


def test_a_client_msg_id_is_free_again_when_its_message_has_expired(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    world.admin().sets(retentionDays=1)
    first = alice.sends(bob, clientMsgID="1")
    world.waits(2 * 24 * 3600)
    alice.token = tokens.mint("alice", 7 * 24 * 3600)

    assert alice.sends(bob, clientMsgID="1")["seq"] == first["seq"] + 1


@pytest.mark.parametrize("depth", [65, 300, 900, 981])
def test_data_is_nested_only_so_deep(world: World, depth: int) -> None:
    alice = world.user("alice")

    def nested(levels: int) -> bytes:
        return b'{"userID":"bob","data":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"

    assert alice.calls("POST", "/messages", nested(depth)).refusal == (400, 6017)
    assert alice.calls("POST", "/messages", nested(64)).status == 200


def test_content_that_would_not_fit_into_a_frame_is_refused(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    socket = bob.connects()

    assert alice.tries_to_send(bob, "\x01" * CONTENT_BYTES_MAX).refusal == (413, 80002)
    assert alice.tries_to_send(bob, "\n" * CONTENT_BYTES_MAX).status == 200
    world.pump()
    assert len(socket.frames) == 1
    assert max(world.sockets.sizes) <= FRAME_BYTES_MAX


def test_a_client_msg_id_is_the_senders_own_and_the_conversations_own(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")

    sent = [sender.sends(to, clientMsgID="1") for sender, to in ((alice, bob), (bob, alice), (alice, carol))]

    assert len({message["msgID"] for message in sent}) == 3


def test_a_message_of_another_conversation_is_no_place_in_this_one(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    other = alice.sends(carol)
    alice.sends(bob)

    answer = alice.calls("GET", "/conversations/c2c_bob/messages", lastMsgID=other["msgID"])

    assert answer.refusal == (400, 6017)


def texts(history: Json) -> list[str]:
    return [message["text"] for message in history["messageList"]]
