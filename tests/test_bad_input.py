"""Whatever is asked wrongly is answered with a code and a reason, changes nothing, and is never a 500."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.limits import BODY_BYTES_MAX, MSG_IDS_PER_CALL_MAX
from chalicelib.store import dynamo
from tests.world import User, World

BAD = (400, 6017)


def contents(table: str) -> list[Any]:
    return sorted(map(str, dynamo.client().scan(TableName=table)["Items"]))


@pytest.fixture
def alice(world: World) -> User:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    alice.sends("team")
    return alice


GOOD_MESSAGE = {"userID": "bob", "text": "hi"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/messages", b"{"),
        ("POST", "/messages", b""),
        ("POST", "/messages", b"null"),
        ("POST", "/messages", b"[]"),
        ("POST", "/messages", b"\xff\xfe"),
        ("POST", "/messages", b'{"userID":"bob","text":"\xff"}'),
        ("POST", "/messages", b'{"userID":"bob","text":"\\ud800"}'),
        ("POST", "/messages", b'{"userID":"bob","data":{"a":NaN}}'),
        ("POST", "/messages", b'{"userID":"bob","data":{"a":1e999}}'),
        ("POST", "/messages", b'{"userID":"bob","data":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"),
        ("POST", "/messages", b'{"userID":"bob","text":"x"}{}'),
        ("POST", "/messages", {**GOOD_MESSAGE, "extra": 1}),
        ("POST", "/messages", {"text": "to nobody"}),
        ("POST", "/messages", {**GOOD_MESSAGE, "groupID": "team"}),
        ("POST", "/messages", {"userID": "bob"}),
        ("POST", "/messages", {"userID": "bob", "text": ""}),
        ("POST", "/messages", {"userID": "bob", "text": 5}),
        ("POST", "/messages", {"userID": "bob", "data": [1]}),
        ("POST", "/messages", {"userID": "bob", "data": "{}"}),
        ("POST", "/messages", {"userID": "", "text": "x"}),
        ("POST", "/messages", {"userID": "b" * 33, "text": "x"}),
        ("POST", "/messages", {"userID": "bo b", "text": "x"}),
        ("POST", "/messages", {"userID": "bob\n", "text": "x"}),
        ("POST", "/messages", {"userID": "bob~alice", "text": "x"}),
        ("POST", "/messages", {"userID": "波波", "text": "x"}),
        ("POST", "/messages", {"groupID": "g" * 49, "text": "x"}),
        ("POST", "/messages", {**GOOD_MESSAGE, "needReadReceipt": "yes"}),
        ("POST", "/messages", {**GOOD_MESSAGE, "needReadReceipt": 1}),
        ("POST", "/messages", {**GOOD_MESSAGE, "clientMsgID": ""}),
        ("POST", "/messages", {**GOOD_MESSAGE, "clientMsgID": "a~b"}),
        ("POST", "/messages", {**GOOD_MESSAGE, "clientMsgID": "x" * 129}),
        ("POST", "/groups", {}),
        ("POST", "/groups", {"groupType": "Secret"}),
        ("POST", "/groups", {"groupType": "Work", "groupID": "a/b"}),
        ("POST", "/groups", {"groupType": "Work", "groupID": ""}),
        ("POST", "/groups", {"groupType": "Work", "name": "n" * 101}),
        ("POST", "/groups", {"groupType": "Work", "memberList": ["ok", "not ok"]}),
        ("POST", "/groups", {"groupType": "Work", "memberList": ["x"] * 5001}),
        ("POST", "/groups/team/members", {"userList": []}),
        ("POST", "/groups/team/members", {"userList": "bob"}),
        ("POST", "/groups/team/members", {"userList": [None]}),
        ("POST", "/read-receipts", {"msgIDs": []}),
        ("POST", "/read-receipts", {"msgIDs": ["x"]}),
        ("POST", "/read-receipts", {"msgIDs": [""]}),
        ("POST", "/read-receipts", {"msgIDs": ["x" * 129]}),
        ("POST", "/read-receipts", {"msgIDs": [7]}),
        ("POST", "/read-receipts", {"msgIDs": "Z3JvdXBfdGVhbX4x"}),
        ("POST", "/read-receipts", {"msgIDs": ["Z3JvdXBfdGVhbX4x"] * (MSG_IDS_PER_CALL_MAX + 1)}),
        ("POST", "/read-receipts", {"msgIDs": ["Z3JvdXBfdGVhbX4x", "Z3JvdXBfdGVhbX4x="]}),
        ("POST", "/read-receipts/query", {"msgIDs": []}),
        ("POST", "/read-receipts/query", {"msgIDs": ["../../etc"]}),
        ("GET", "/messages/nonsense/read-members", None),
        ("GET", "/messages/Z3JvdXBfdGVhbX4x/read-members?filter=all", None),
        ("GET", "/messages/Z3JvdXBfdGVhbX4x/read-members?count=0", None),
        ("GET", "/messages/Z3JvdXBfdGVhbX4x/read-members?count=101", None),
        ("GET", "/messages/Z3JvdXBfdGVhbX4x/read-members?count=many", None),
        ("GET", "/messages/Z3JvdXBfdGVhbX4x/read-members?nextSeq=-1", None),
        ("GET", "/messages/Z3JvdXBfdGVhbX4x/read-members?nextSeq=99999999999999999999", None),
        ("GET", "/messages/Z3JvdXBfdGVhbX4x/read-members?nextSeq=1.5", None),
        ("GET", "/messages/Z3JvdXBfdGVhbX4x/read-members?colour=red", None),
        ("GET", "/conversations/team/messages", None),
        ("GET", "/conversations/group_/messages", None),
        ("GET", "/conversations/c2c_a~b/messages", None),
        ("GET", "/conversations/group_team/messages?lastMsgID=x", None),
        ("GET", "/conversations/group_team/messages?count=-5", None),
        ("GET", "/conversations?nextSeq=nonsense", None),
        ("GET", "/conversations?count=1000", None),
        ("GET", "/groups/team/members?nextSeq=x", None),
        ("DELETE", "/groups/team/members/not%20a%20user", None),
    ],
)
def test_a_bad_request_is_refused_with_6017_and_changes_nothing(
    world: World, alice: User, method: str, path: str, body: Any
) -> None:
    before = {table: contents(table) for table in ("Conversations", "Members", "Messages", "Reads", "Sends")}

    answer = world.call(method, path, body, token=alice.token)

    assert answer.refusal == BAD
    assert {table: contents(table) for table in before} == before


def test_the_reason_says_what_was_expected_and_where(alice: User) -> None:
    answer = alice.calls("POST", "/messages", {"userID": "bob", "text": 5})

    assert answer.body["desc"] == "Expected `str | null`, got `int` - at `$.text`."
    assert "unknown field `txt`" in alice.calls("POST", "/messages", {"userID": "bob", "txt": "x"}).body["desc"]


def test_a_body_over_the_limit_is_refused(alice: User) -> None:
    assert alice.calls("POST", "/messages", b" " * (BODY_BYTES_MAX + 1)).refusal == (413, 80002)


def test_a_group_that_cannot_be_is_refused_like_one_that_is_not(alice: User) -> None:
    assert alice.calls("GET", "/groups/not%20a%20group").refusal == (404, 10010)
    assert alice.calls("GET", "/groups/nothing").refusal == (404, 10010)


def test_another_content_type_is_refused_in_our_words(world: World, alice: User) -> None:
    answer = world.call(
        "POST",
        "/messages",
        b"userID=bob",
        token=alice.token,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert answer.refusal == (415, 6017)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic YTpi", "alice"])
def test_without_a_token_nothing_is_said_but_that(world: World, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    assert world.call("POST", "/messages", b"{", headers=headers).refusal == (401, 70002)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_an_unknown_route_is_refused_in_our_words(world: World, method: str) -> None:
    assert world.call_unknown_route(method).refusal == (404, 10003)


def test_whatever_else_goes_wrong_is_a_10002_that_tells_nothing_of_the_inside(
    world: World, alice: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESSAGES_TABLE", "nothing")

    answer = alice.calls("GET", "/conversations/group_team/messages")
    frame = alice.connects().says({"action": "sendMessage", "requestID": "1", **GOOD_MESSAGE})

    assert answer.refusal == (500, 10002)
    assert (frame["code"], frame["requestID"]) == (10002, "1")
    assert "ResourceNotFound" not in answer.body["desc"] + frame["desc"]
    assert capsys.readouterr().err.count("ResourceNotFound") >= 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    ["userID", "groupID", "text", "data", "needReadReceipt", "clientMsgID", "msgIDs", "groupType", "name", "memberList"]
)


@given(
    path=st.sampled_from(["/messages", "/groups", "/groups/team/members", "/read-receipts", "/read-receipts/query"]),
    body=st.dictionaries(field_names | st.text(max_size=5), json_values, max_size=5) | st.binary(max_size=40),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_at_all_makes_a_500(world: World, path: str, body: Any) -> None:
    answer = world.call("POST", path, body, token=world.user("alice").token)

    assert answer.status in (200, 400, 404, 409, 413)
    if answer.status != 200:
        assert answer.refusal


@given(frame=st.dictionaries(field_names | st.just("action"), json_values, max_size=4) | st.text(max_size=40))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_frame_at_all_makes_a_10002(world: World, frame: Any) -> None:
    socket = world.user("alice").connects()

    assert socket.says(frame)["code"] != 10002
    socket.closes()
