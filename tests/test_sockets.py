"""WebSocket: connect, frames and their answers, several devices, and sockets that go."""

import time
from typing import Any

import pytest

from chalicelib import clock, tokens
from chalicelib.limits import CONNECTION_LIFETIME_S, CONNECTIONS_PER_USER_MAX
from chalicelib.store import connections, dynamo
from tests.world import World


@pytest.mark.parametrize("token", [None, "", "nonsense", "expired"])
def test_without_a_good_token_nobody_connects(world: World, token: str | None) -> None:
    socket = world.connect(tokens.mint("alice", -10) if token == "expired" else token)

    assert socket.status == 401
    assert connections.find(socket.connection_id) is None
    assert world.connections_of("alice") == set()


def test_a_ping_is_answered_with_its_request_id(world: World) -> None:
    socket = world.user("alice").connects()

    assert socket.status == 200
    assert socket.says({"action": "ping", "requestID": "r-1"}) == {"requestID": "r-1", "code": 0, "desc": "OK"}
    assert socket.says({"action": "ping", "requestID": 7})["requestID"] == 7
    assert socket.says({"action": "ping"})["requestID"] is None


def test_messages_and_receipts_can_be_sent_as_frames(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    hers, his = alice.connects(), bob.connects()

    sent = hers.says(
        {"action": "sendMessage", "requestID": "1", "userID": "bob", "text": "hi", "needReadReceipt": True}
    )
    assert (sent["requestID"], sent["code"], sent["message"]["text"]) == ("1", 0, "hi")
    world.pump()
    msg_id = his.events("onRecvNewMessage")[0]["message"]["msgID"]
    assert msg_id == sent["message"]["msgID"]
    answer = his.says({"action": "sendMessageReadReceipts", "requestID": "2", "msgIDs": [msg_id]})
    assert answer == {
        "requestID": "2",
        "code": 0,
        "desc": "OK",
        "resultList": [{"msgID": msg_id, "code": 0, "desc": "OK"}],
    }
    world.pump()
    assert hers.receipts[msg_id]["isPeerRead"]


@pytest.mark.parametrize(
    ("frame", "code", "request_id"),
    [
        ("", 6017, None),
        ("{", 6017, None),
        ("[]", 6017, None),
        ("null", 6017, None),
        ("\ud800", 6017, None),
        ("[" * 5000, 6017, None),
        ('{"requestID":"9"}', 6017, "9"),
        ('{"action":"dance","requestID":"9"}', 6017, "9"),
        ('{"action":5,"requestID":"9"}', 6017, "9"),
        ('{"action":"ping","requestID":["9"]}', 6017, None),
        ('{"action":"ping","requestID":"' + "9" * 65 + '"}', 6017, None),
        ('{"action":"ping","requestID":"9","extra":1}', 6017, "9"),
        ('{"action":"sendMessageReadReceipts","requestID":"9","msgIDs":[]}', 6017, "9"),
        ('{"action":"sendMessage","requestID":"9","text":"to nobody"}', 6017, "9"),
        ('{"action":"sendMessage","requestID":"9","groupID":"nothing","text":"x"}', 10010, "9"),
        ('{"action":"ping","requestID":"9","pad":"' + "x" * 40_000 + '"}', 80002, "9"),
        ('{"action":"ping","requestID":' + "9" * 400 + "}", 6017, None),
        ('{"action":"sendMessage","requestID":"9","userID":"bob","data":' + '{"a":' * 900 + "1" + "}" * 901, 6017, "9"),
    ],
)
def test_a_bad_frame_is_answered_with_why(world: World, frame: str, code: int, request_id: Any) -> None:
    answer = world.user("alice").connects().says(frame)

    assert (answer["code"], answer["requestID"]) == (code, request_id)
    assert answer["desc"]


def test_a_frame_of_a_socket_that_is_not_known_is_refused(world: World) -> None:
    socket = world.user("alice").connects()
    socket.closes()

    assert socket.says({"action": "ping", "requestID": "1"})["code"] == 70003


def test_a_socket_that_is_still_connecting_is_not_taken_for_gone(world: World) -> None:
    """API Gateway calls a socket gone until $connect has answered, and a push may come in between."""
    alice, bob = world.users("alice", "bob")
    coming = alice.connects()
    world.sockets.gone.add(coming.connection_id)
    alice.sends(bob)
    world.pump()
    world.sockets.gone.clear()

    assert coming.says({"action": "ping"})["code"] == 0
    message = alice.sends(bob)
    world.pump()
    assert [frame["message"]["msgID"] for frame in coming.events("onRecvNewMessage")] == [message["msgID"]]


def test_a_socket_whose_token_has_expired_hears_nothing_more_and_is_ended(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    socket = alice.connects(tokens.mint("alice", 60))
    world.waits(61)
    alice.sends(bob)
    world.pump()

    assert socket.frames == []
    assert world.sockets.ended == {socket.connection_id}
    assert world.connections_of("alice") == set()


def test_a_gone_socket_that_cannot_be_forgotten_keeps_nobody_from_hearing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, *others = world.users("alice", *(f"user{number:02}" for number in range(20)))
    alice.creates("team", *others)
    sockets = [other.connects() for other in others]
    world.sockets.gone.add(sockets[0].connection_id)
    alice.sends("team")
    records = world.streams.new("Messages")
    monkeypatch.setattr(connections, "forget_gone", lambda _: dynamo.client().describe_table(TableName="nothing"))

    assert world.streams.deliver("Messages", records) == []
    assert [len(socket.frames) for socket in sockets] == [0] + [1] * 19


def test_a_connection_that_cannot_be_written_down_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERS_TABLE", "nothing")

    socket = world.user("alice").connects()

    assert (socket.status, socket.code) == (500, 10002)


def test_a_socket_speaks_only_as_long_as_its_token_is_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = world.user("alice").connects(tokens.mint("alice", 60))
    assert socket.says({"action": "ping"})["code"] == 0

    later = clock.now_ms() + 61_000
    monkeypatch.setattr(clock, "now_ms", lambda: later)

    assert socket.says({"action": "ping", "requestID": "1"})["code"] == 70001


def test_every_device_of_a_user_hears_the_same(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    phone, laptop, his = alice.connects(), alice.connects(), bob.connects()
    message = alice.sends(bob)
    bob.reads(message)
    world.pump()

    assert phone.receipts == laptop.receipts
    assert phone.receipts[message["msgID"]]["readCount"] == 1
    assert len(his.events("onRecvNewMessage")) == 1
    assert [socket.events("onRecvNewMessage")[0]["message"]["isSelf"] for socket in (phone, laptop, his)] == [
        True,
        True,
        False,
    ]


def test_disconnecting_forgets_exactly_that_connection(world: World) -> None:
    alice = world.user("alice")
    phone, laptop = alice.connects(), alice.connects()

    phone.closes()
    phone.closes()  # API Gateway may say it twice

    assert world.connections_of("alice") == {laptop.connection_id}
    assert connections.find(phone.connection_id) is None
    assert connections.find(laptop.connection_id) is not None


def test_a_gone_connection_met_while_pushing_is_forgotten_and_only_that_one(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    phone, laptop = alice.connects(), alice.connects()
    world.sockets.gone.add(phone.connection_id)
    world.waits(60)

    alice.sends(bob)
    world.pump()

    assert world.connections_of("alice") == {laptop.connection_id}
    assert connections.find(phone.connection_id) is None
    assert len(laptop.events("onRecvNewMessage")) == 1


def test_a_connection_whose_row_has_expired_is_still_forgotten_when_it_is_met_gone(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    phone = alice.connects()
    dynamo.client().delete_item(TableName="Connections", Key={"connectionID": {"S": phone.connection_id}})
    world.sockets.gone.add(phone.connection_id)
    world.waits(60)

    alice.sends(bob)
    world.pump()

    assert world.connections_of("alice") == set()


def test_a_broken_connection_is_kept_and_does_not_stop_the_others(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    phone, laptop = alice.connects(), alice.connects()
    world.sockets.broken.add(phone.connection_id)

    alice.sends(bob)
    world.pump()

    assert world.connections_of("alice") == {phone.connection_id, laptop.connection_id}
    assert len(laptop.events("onRecvNewMessage")) == 1


def test_rows_expire_after_the_longest_life_of_a_socket(world: World) -> None:
    socket = world.user("alice").connects(sdkVersion="8.1")

    row = dynamo.get("Connections", {"connectionID": socket.connection_id})

    assert row is not None
    assert 0 <= row["expiresAt"] - CONNECTION_LIFETIME_S - int(time.time()) + 5 <= 10
    assert row["sdkVersion"] == "8.1"


def test_one_connection_too_many_is_refused_and_the_others_stay(world: World) -> None:
    alice = world.user("alice")
    sockets = [alice.connects() for _ in range(CONNECTIONS_PER_USER_MAX)]

    extra = alice.connects()

    assert (extra.status, extra.code) == (429, 45003)
    assert connections.find(extra.connection_id) is None
    assert world.connections_of("alice") == {socket.connection_id for socket in sockets}


def test_dead_connections_do_not_keep_a_user_out(world: World) -> None:
    alice = world.user("alice")
    sockets = [alice.connects() for _ in range(CONNECTIONS_PER_USER_MAX)]
    world.sockets.gone |= {sockets[3].connection_id, sockets[8].connection_id}
    world.waits(60)

    extra = alice.connects()

    assert extra.status == 200
    alive = {socket.connection_id for socket in (*sockets, extra)} - world.sockets.gone
    assert world.connections_of("alice") == alive


def test_sockets_with_expired_tokens_do_not_keep_a_user_out(world: World) -> None:
    alice = world.user("alice")
    sockets = [alice.connects(tokens.mint("alice", 60)) for _ in range(CONNECTIONS_PER_USER_MAX)]
    world.waits(61)

    extra = alice.connects()

    assert extra.status == 200
    assert world.sockets.ended == {socket.connection_id for socket in sockets}
    assert world.connections_of("alice") == {extra.connection_id}
