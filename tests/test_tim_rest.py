"""TIM's server API: its commands, fields and answers, over the same functions as our own."""

import base64
import hashlib
import hmac
import json
import time
import zlib
from typing import Any

import pytest

from chalicelib import tokens
from tests.world import Json, World

GROUP, OPENIM = "group_open_http_svc", "openim"
APP_ID, KEY = 1400000001, "an example of a UserSig key, for tests only"


def call(world: World, path: str, body: Any, token: str | None = None, **query: Any) -> Json:
    """One call of TIM's server API, by an administrator unless it is said otherwise."""
    usersig = tokens.mint("boss", 60, role="admin") if token is None else token
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    parameters = "&".join(
        f"{name}={value}" for name, value in {"usersig": usersig, "contenttype": "json", **query}.items()
    )
    answer = world.http.request(
        "POST", f"/v4/{path}?{parameters}", headers={"Content-Type": "application/json"}, body=raw
    )
    assert answer.status_code == 200
    said: Json = json.loads(answer.body)
    assert (said["ActionStatus"] == "OK") == (said["ErrorCode"] == 0) == (said["ErrorInfo"] == "")
    return said


def seqs(*messages: Json) -> list[Json]:
    return [{"MsgSeq": message["seq"]} for message in messages]


def test_receipts_of_group_messages_come_with_a_code_each(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    read, unasked, unread = alice.sends("team"), alice.sends("team", receipt=False), bob.sends("team")
    bob.reads(read)
    world.pump()

    body = {"GroupId": "team", "MsgSeqList": [*seqs(read, unasked, unread), {"MsgSeq": 99}]}
    assert call(world, f"{GROUP}/get_group_msg_receipt", body)["GroupMsgReceiptList"] == [
        {"Code": 0, "MsgSeq": 1, "ReadNum": 1, "UnreadNum": 1},
        {"Code": 10062, "MsgSeq": 2, "ReadNum": 0, "UnreadNum": 0},
        {"Code": 0, "MsgSeq": 3, "ReadNum": 0, "UnreadNum": 2},
        {"Code": 10062, "MsgSeq": 99, "ReadNum": 0, "UnreadNum": 0},
    ]


def test_the_members_who_have_and_have_not_read_come_in_pages(world: World) -> None:
    alice = world.user("alice")
    names = [f"user{number}" for number in range(5)]
    alice.creates("team", *names)
    message = alice.sends("team")
    for name in names[:3]:
        world.user(name).reads(message)
    found: dict[str, list[str]] = {"ReadList": [], "UnreadList": []}
    for filter_, field in enumerate(found):
        cursor, is_finish = "", 0
        while not is_finish:
            body = {"GroupId": "team", "MsgSeq": 1, "Filter": filter_, "Cursor": cursor, "Count": 2}
            page = call(world, f"{GROUP}/get_group_msg_receipt_detail", body)
            found[field] += [member["Member_Account"] for member in page[field]]
            cursor, is_finish = page["Cursor"], page["IsFinish"]
        assert cursor == ""

    assert found == {"ReadList": names[:3], "UnreadList": names[3:]}
    missing = call(world, f"{GROUP}/get_group_msg_receipt_detail", {"GroupId": "team", "MsgSeq": 9})
    assert missing["ErrorCode"] == 10062


def test_receipts_are_sent_for_members(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    socket = alice.connects()
    message, own = alice.sends("team"), bob.sends("team")

    body = {"GroupId": "team", "From_Account": "bob", "MsgSeqList": seqs(message, own)}
    answer = call(world, f"{GROUP}/group_msg_receipt", body)
    world.pump()

    assert answer["GroupMsgReceiptList"] == [{"MsgSeq": 1, "Code": 0}, {"MsgSeq": 2, "Code": 7014}]
    assert socket.receipts[message["msgID"]]["readCount"] == 1


def test_c2c_receipts_are_sent_for_users(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    message = alice.sends(bob)
    info = {"From_Account": "alice", "To_Account": "bob", "MsgKey": message["msgID"]}
    body = {"Operator_Account": "bob", "Peer_Account": "alice", "C2CMsgInfo": [info]}

    assert call(world, f"{OPENIM}/c2c_msg_read_receipt", body)["C2CMsgInfo"] == [
        {"MsgKey": message["msgID"], "Code": 0}
    ]
    assert alice.counts(message) == (1, 0)
    other = {**body, "C2CMsgInfo": [{**info, "From_Account": "bob"}]}
    assert call(world, f"{OPENIM}/c2c_msg_read_receipt", other)["ErrorCode"] == 20001


def test_conversations_are_marked_read_up_to_a_time_or_all(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    first = alice.sends(bob)
    world.waits(10)
    alice.sends(bob)
    body = {"Report_Account": "bob", "Peer_Account": "alice"}

    for before, left in ((first["timestamp"] - 5, 2), (first["timestamp"] + 5, 1)):
        assert call(world, f"{OPENIM}/admin_set_msg_read", {**body, "MsgReadTime": before})["ErrorCode"] == 0
        assert bob.unread() == {"c2c_alice": left}
    assert call(world, f"{OPENIM}/admin_set_msg_read", body)["ErrorCode"] == 0
    assert bob.unread() == {"c2c_alice": 0}
    same = {"Report_Account": "bob", "Peer_Account": "bob"}
    assert call(world, f"{OPENIM}/admin_set_msg_read", same)["ErrorCode"] == 90001


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (f"{GROUP}/get_group_msg_receipt", b"{", 10004),
        (f"{GROUP}/get_group_msg_receipt", {"GroupId": "team", "MsgSeqList": []}, 10004),
        (f"{GROUP}/get_group_msg_receipt", {"GroupId": "team", "MsgSeqList": [{"MsgSeq": 1}] * 51}, 10004),
        (f"{GROUP}/get_group_msg_receipt", {"GroupId": "nothing", "MsgSeqList": [{"MsgSeq": 1}]}, 10010),
        (f"{GROUP}/get_group_msg_receipt_detail", {"GroupId": "team", "MsgSeq": 1, "Filter": 2}, 10004),
        (f"{GROUP}/get_group_msg_receipt_detail", {"GroupId": "team", "MsgSeq": 1, "Cursor": "x"}, 10004),
        (f"{GROUP}/get_group_msg_receipt_detail", {"GroupId": "team", "MsgSeq": 1, "Count": 201}, 10004),
        (f"{OPENIM}/c2c_msg_read_receipt", {}, 20001),
        (f"{OPENIM}/admin_set_msg_read", {"Report_Account": "bob"}, 90001),
        (f"{OPENIM}/nothing", {}, 10003),
    ],
)
def test_bad_calls_are_refused_as_tim_refuses_them(world: World, path: str, body: Any, code: int) -> None:
    world.user("alice").creates("team")

    answer = call(world, path, body)

    assert (answer["ActionStatus"], answer["ErrorCode"]) == ("FAIL", code)


def test_only_administrators_call_it(world: World) -> None:
    body = {"Report_Account": "bob", "Peer_Account": "alice"}
    path = f"{OPENIM}/admin_set_msg_read"

    assert call(world, path, body, token=tokens.mint("alice", 60))["ErrorCode"] == 60010
    assert call(world, path, body, token="")["ErrorCode"] == 70002
    assert call(world, path, body, token="nonsense")["ErrorCode"] == 70003
    assert call(world, path, body, identifier="somebody-else")["ErrorCode"] == 70013


def test_whoever_is_called_like_an_administrator_is_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product's users may choose their names; only TIM's own key makes an administrator of one."""
    monkeypatch.setenv("USERSIG_ADMINS", "administrator")
    body = {"Report_Account": "bob", "Peer_Account": "alice"}

    answer = call(world, f"{OPENIM}/admin_set_msg_read", body, tokens.mint("administrator", 60))

    assert answer["ErrorCode"] == 60010


def test_an_administrators_user_sig_opens_it_for_its_app(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERSIG_APP_ID", str(APP_ID))
    monkeypatch.setenv("USERSIG_ADMINS", "administrator,other")
    body = {"Report_Account": "bob", "Peer_Account": "alice"}

    def by(identifier: str, sdkappid: int) -> Any:
        token = user_sig(identifier)
        return call(world, f"{OPENIM}/admin_set_msg_read", body, token, identifier=identifier, sdkappid=sdkappid)

    assert by("administrator", APP_ID)["ErrorCode"] == 0
    assert by("other", APP_ID)["ErrorCode"] == 0
    assert by("alice", APP_ID)["ErrorCode"] == 60010
    assert by("administrator", APP_ID + 1)["ErrorCode"] == 70014


def test_below_premium_it_is_refused_with_the_servers_number(world: World) -> None:
    world.user("alice").creates("team")
    world.admin().sets(edition="standard")

    assert (
        call(world, f"{GROUP}/get_group_msg_receipt", {"GroupId": "team", "MsgSeqList": [{"MsgSeq": 1}]})["ErrorCode"]
        == 10059
    )


def test_what_else_goes_wrong_is_a_10002(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERSATIONS_TABLE", "nothing")

    answer = call(world, f"{OPENIM}/admin_set_msg_read", {"Report_Account": "bob", "Peer_Account": "alice"})

    assert answer["ErrorCode"] == 10002
    assert "nothing is known to be lost" in answer["ErrorInfo"]


def user_sig(identifier: str) -> str:
    """A UserSig of today, by the same recipe that the vectors of tests/test_usersig.py hold us to."""
    fields = {"TLS.identifier": identifier, "TLS.sdkappid": APP_ID, "TLS.time": int(time.time()), "TLS.expire": 600}
    lines = "".join(f"{name}:{value}\n" for name, value in fields.items())
    signature = base64.b64encode(hmac.digest(KEY.encode(), lines.encode(), hashlib.sha256)).decode()
    packed = zlib.compress(json.dumps({"TLS.ver": "2.0", **fields, "TLS.sig": signature}).encode())
    return base64.b64encode(packed).decode().translate(str.maketrans("+/=", "*-_"))
