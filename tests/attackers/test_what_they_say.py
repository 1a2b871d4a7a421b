"""Whatever is said, however it is spelt, packed or repeated: an answer in our words, and nothing of others touched."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.core.conversation import Conversation, encode_msg_id
from chalicelib.limits import BODY_BYTES_MAX, FRAME_BYTES_MAX, SEQ_MAX
from tests.attackers.scene import (
    CALLS,
    FRAMES,
    IN_CHAT,
    IN_TEAM,
    PAGE,
    SECRETS,
    TEAM,
    TIM,
    Call,
    Heard,
    Scene,
    calls_to_aws,
    contents,
)

Way = tuple[str, str]

# Names that are none, or look like somebody's.
STRANGE_TEXTS = [
    "",
    " ",
    ".",
    "..",
    "alice\x00",
    "\x00",
    "alice\n",
    "alice\r\nX-User-ID: bob",
    "ALICE",  # a user of their own
    "ａlice",  # fullwidth
    "аlice",  # Cyrillic
    "alice\u200b",
    "\u202eecila",
    "alicé",
    "alice\u0301",
    "①",
    "😀" * 16,
    "alice bob",
    "alice~bob",
    "team~1",
    "c2c_alice~bob",
    "group_team",
    "group_",
    "c2c_",
    "../team",
    "../../admin/settings",
    "..%2fteam",
    "%2e%2e",
    "team/members",
    "team?x=1",
    "team#",
    "file:///etc/passwd",
    "' OR '1'='1",
    "{{7*7}}",
    "${jndi:ldap://evil.example}",
    "<script>alert(1)</script>",
    "__proto__",
    "null",
    "0",
    "-1",
    "1e999",
    "NaN",
    "a" * 33,
    "a" * 49,
    "a" * 129,
    "a" * 5000,
]
STRANGE_VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    2**53,
    2**63,
    2**64,
    10**300,
    1e308,
    0.5,
    [],
    {},
    [[]],
    ["alice"] * 200,
    {"$gt": ""},
    {"a": {"b": [None]}},
]

# How a msgID may not be spelt: there is one spelling for each message.
MISSPELT = [
    IN_TEAM + "=",
    IN_TEAM + "\n",
    IN_TEAM[:-1],
    IN_TEAM + "AA",
    IN_TEAM.lower(),
    "",
    "AAAA",
    "../" + IN_TEAM,
    "😀",
    "A" * 128,
    *(
        base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")
        for plain in (
            "group_team~0",
            "group_team~-1",
            "group_team~01",
            "group_team~+1",
            "group_team~ 1",
            "group_team~1_0",
            "group_team~１",
            "group_team~1.0",
            "group_team~1e0",
            f"group_team~{SEQ_MAX + 1}",
            "group_team~" + "9" * 80,
            "group_team",
            "group_~1",
            "group_..~1",
            "group_te/am~1",
            "c2c_bob~alice~1",
            "c2c_alice~alice~1",
            "c2c_alice~1",
            "c2c_alice~bob~carol~1",
            "GROUP_team~1",
            "group_team\x00~1",
            "ｇroup_team~1",
        )
    ),
]

way_and_call = pytest.mark.parametrize(("way", "call"), CALLS.items(), ids=[" ".join(way) for way in CALLS])


def in_our_words(heard: Heard, secrets: Sequence[str] = SECRETS[:2]) -> None:
    """An answer, not a failure; and in it nothing of others."""
    assert heard.status in (200, 400, 401, 403, 404, 409, 413), heard.raw
    if heard.status != 200:
        assert heard.body.keys() == {"code", "desc"}, heard.raw
        assert heard.body["code"] != 10002
    assert not [secret for secret in secrets if secret in heard.raw.decode()]


def nothing_of_others_changed(scene: Scene) -> None:
    """What was there before is there as it was. The outsider has nothing there; what they make is beside it."""
    now = contents()
    for table, rows in scene.tables.items():
        assert rows.items() <= now[table].items(), table


def with_each_leaf(value: Any, strange: Any) -> Iterator[Any]:
    """The same example again and again, each time with something strange at another place in it."""
    if isinstance(value, dict):
        for name, part in value.items():
            for other in with_each_leaf(part, strange):
                yield {**value, name: other}
    elif isinstance(value, list):
        for index, part in enumerate(value):
            for other in with_each_leaf(part, strange):
                yield [*value[:index], other, *value[index + 1 :]]
    else:
        yield strange


@way_and_call
@pytest.mark.parametrize("who", ["outsider", "newcomer"])
def test_strange_names_at_every_place(scene: Scene, way: Way, call: Call, who: str) -> None:
    token = scene.people[who].token
    for text in STRANGE_TEXTS:
        variants = [replace(call, path=path) for path in with_each_leaf(call.path, text) if text not in ("", ".", "..")]
        variants += [replace(call, query=query) for query in with_each_leaf(call.query, text)]
        variants += [replace(call, body=body) for body in with_each_leaf(call.body or {}, text)]
        for variant in variants:
            in_our_words(scene.call(way, variant, token), SECRETS[: 2 if who == "outsider" else 0])
    if who == "outsider":
        nothing_of_others_changed(scene)


@way_and_call
def test_strange_values_at_every_place(scene: Scene, way: Way, call: Call) -> None:
    for value in STRANGE_VALUES:
        for body in with_each_leaf(call.body or {}, value):
            in_our_words(scene.call(way, replace(call, body=body), scene.people["outsider"].token))
        if call.body is not None:
            in_our_words(scene.call(way, call, scene.people["outsider"].token, raw=json.dumps(value).encode()))
    nothing_of_others_changed(scene)


@pytest.mark.parametrize(
    "name",
    [
        "__init__.py",
        "index.html",
        "../settings.py",
        "..%2fsettings.py",
        "%2e%2e%2fsettings.py",
        "..\\settings.py",
        "/etc/passwd",
        "page.js\x00",
        "page.js/",
        "PAGE.JS",
        "page.js%00.css",
        "file:///etc/passwd",
        "<script>alert(1)</script>",
        "a" * 5000,
    ],
)
def test_of_the_page_only_its_own_files_are_given_away(scene: Scene, name: str) -> None:
    way = ("GET", "/page/{version}/{name}")
    for version in ("0", "..", "../.."):
        heard = scene.call(way, replace(PAGE[way], path={"version": version, "name": name}), None)
        assert heard.status in (403, 404)  # 403: Chalice's own gateway, of what is no route at all
        assert name not in heard.raw.decode()


@pytest.mark.parametrize("command", TIM)
def test_strange_names_and_values_in_tims_server_api(scene: Scene, command: str) -> None:
    """By an administrator, who may do anything with it but break it."""
    token = scene.people["admin"].token
    for strange in (*STRANGE_TEXTS, *STRANGE_VALUES):
        for body in [strange, *with_each_leaf(TIM[command], strange)]:
            heard = scene.call_tim(command, body, usersig=token)
            assert heard.status == 200
            assert heard.code != 10002, body


@pytest.mark.parametrize("msg_id", MISSPELT)
@pytest.mark.parametrize("who", ["owner", "outsider"])
def test_there_is_one_spelling_of_a_msg_id(scene: Scene, msg_id: str, who: str) -> None:
    token = scene.people[who].token
    for path in ("/v1/read-receipts", "/v1/read-receipts/query"):
        assert scene.call(("POST", path), Call(body={"msgIDs": [msg_id]}), token).code == 6017
        assert scene.call(("POST", path), Call(body={"msgIDs": [IN_TEAM, msg_id]}), token).code == 6017
    if msg_id:
        list_ = ("GET", "/v1/messages/{msg_id}/read-members")
        assert scene.call(list_, replace(CALLS[list_], path={"msg_id": msg_id}), token).code == 6017
    read = ("POST", "/v1/conversations/{conversation_id}/read")
    chat = {"conversation_id": "c2c_bob" if who == "owner" else "c2c_alice"}
    assert scene.call(read, Call(chat, body={"msgID": msg_id}), token).code == 6017
    history = ("GET", "/v1/conversations/{conversation_id}/messages")
    assert scene.call(history, Call(chat, {"lastMsgID": msg_id}), token).code == 6017
    assert contents() == scene.tables


@pytest.mark.parametrize("who", ["outsider", "owner"])
def test_msg_ids_of_other_conversations_lead_nowhere(scene: Scene, who: str) -> None:
    """As a cursor, as a mark, or smuggled in among others: even one's own from elsewhere."""
    token = scene.people[who].token
    away = encode_msg_id(Conversation.between("dave", "grace"), 1)
    history = ("GET", "/v1/conversations/{conversation_id}/messages")
    read = ("POST", "/v1/conversations/{conversation_id}/read")

    for conversation_id, msg_id in (
        ("c2c_zoe", IN_TEAM),
        ("c2c_zoe", IN_CHAT),
        ("c2c_bob", away),
        ("group_x", IN_TEAM),
    ):
        path = {"conversation_id": conversation_id}
        assert scene.call(history, Call(path, {"lastMsgID": msg_id}), token).code == 6017
        assert scene.call(read, Call(path, body={"msgID": msg_id}), token).code in (6017, 10010)
    for path_ in ("/v1/read-receipts", "/v1/read-receipts/query"):
        assert scene.call(("POST", path_), Call(body={"msgIDs": [IN_TEAM, IN_CHAT]}), token).code == 6017
    assert contents() == scene.tables


def test_cursors_lead_only_through_what_is_ones_own(scene: Scene) -> None:
    token = scene.people["outsider"].token
    for cursor in ("c2c_alice~bob", "group_team", "group_a", "c2c_a~b"):
        heard = scene.call(("GET", "/v1/conversations"), Call(query={"nextSeq": cursor}), token)
        assert heard.body == {"conversationList": [], "nextSeq": "", "isFinished": True}
    for cursor in ("000000000000000~00000000", "999999999999999~ffffffff"):
        heard = scene.call(("GET", "/v1/read-receipts/changes"), Call(query={"since": cursor}), token)
        assert heard.body["receiptList"] == []
    for cursor in (
        "alice",
        "0~0",
        "~",
        "-00000000000001~00000000",
        "٠" * 15 + "~00000000",
        "0" * 15 + "~0000000g",
        "0" * 40,
    ):
        heard = scene.call(("GET", "/v1/read-receipts/changes"), Call(query={"since": cursor}), token)
        assert heard.code == 6017, cursor
    for cursor in ("alice", "c2c_bob~alice", "group_", "group_team~1", "c2c_alice", " ", "A" * 128, "A" * 129):
        assert scene.call(("GET", "/v1/conversations"), Call(query={"nextSeq": cursor}), token).code == 6017, cursor
    for number in (-1, 2**53, "1.5", "0x1", "１", " 1"):
        for way in (("GET", "/v1/groups/{group_id}/members"), ("GET", "/v1/messages/{msg_id}/read-members")):
            call = replace(CALLS[way], query={"nextSeq": str(number)})
            assert scene.call(way, call, scene.people["owner"].token).code == 6017, number
    assert contents() == scene.tables


@pytest.mark.parametrize("next_seq", [1, 79, 80, 81, 6400, SEQ_MAX])
def test_a_page_from_anywhere_shows_no_more_than_all_pages(scene: Scene, next_seq: int) -> None:
    owner = scene.people["owner"]
    for way, field in (
        (("GET", "/v1/groups/{group_id}/members"), "memberList"),
        (("GET", "/v1/messages/{msg_id}/read-members"), "members"),
    ):
        everybody = scene.call(way, replace(CALLS[way], query={"nextSeq": "0"}), owner.token).body[field]
        page = scene.call(way, replace(CALLS[way], query={"nextSeq": str(next_seq)}), owner.token).body
        assert all(member in everybody for member in page[field])
        assert len(page[field]) <= len(everybody)


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


MESSAGE = b'{"userID":"alice","text":"x","data":%s}'
# Bodies of a message, each with the status it is refused with; nothing is looked up for any of them.
BOMBS = {
    "nested deep": (MESSAGE % nested(40_000), 400),
    "lists nested deep": (MESSAGE % (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), 400),
    "nested deep and never closed": (b'{"userID":' + b"[" * 200_000, 400),
    "nested deep in a field that is none": (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "NaN": (MESSAGE % b'{"a":NaN}', 400),
    "Infinity": (MESSAGE % b'{"a":Infinity}', 400),
    "-Infinity": (MESSAGE % b'{"a":-Infinity}', 400),
    "a number out of range": (MESSAGE % b'{"a":1e400}', 400),
    "a number of 100,000 digits": (MESSAGE % (b'{"a":' + b"9" * 100_000 + b"}"), 400),
    "100,000 keys": (MESSAGE % b"{%s}" % b",".join(b'"%x":1' % n for n in range(25_000)), 413),
    "one key, 25,000 times": (b"{%s}" % b",".join([b'"text":"x"'] * 20_000), 400),
    "a long list": (b'{"userID":"alice","data":{"a":[%s]}}' % b",".join([b"0"] * 100_000), 413),
    "escapes": (b'{"userID":"alice","text":"%s"}' % (b"\\u0000" * 6_000), 413),
    "a lone surrogate": (b'{"userID":"alice","text":"\\ud800"}', 400),
    "a lone surrogate for a key": (MESSAGE % b'{"\\udfff":1}', 400),
    "overlong UTF-8": (b'{"userID":"\xc1\xa1lice","text":"x"}', 400),
    "UTF-16": ('{"userID":"alice","text":"x"}'.encode("utf-16"), 400),
    "a byte order mark": (b"\xef\xbb\xbf" + b'{"userID":"alice","text":"x"}', 400),
    "a comment": (b'{"userID":"alice",/*"*/"text":"x"}', 400),
    "a trailing comma": (b'{"userID":"alice","text":"x",}', 400),
    "two at once": (b'{"userID":"alice","text":"x"}' * 2, 400),
    "too long": (b'{"userID":"alice","text":"%s"}' % (b"x" * BODY_BYTES_MAX), 413),
    "nothing but spaces": (b" " * (BODY_BYTES_MAX - 1), 400),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_before_anything_is_looked_up(scene: Scene, bomb: str) -> None:
    body, status = BOMBS[bomb]
    with calls_to_aws() as made:
        heard = scene.call(("POST", "/v1/messages"), Call(), scene.people["outsider"].token, raw=body)

    assert heard.status == status, heard.raw[:200]
    in_our_words(heard)
    assert len(heard.raw) < 500, "what was sent is not said back"
    assert made == []


@pytest.mark.parametrize(
    ("path", "field", "each"),
    [
        ("/v1/read-receipts", "msgIDs", IN_TEAM),
        ("/v1/read-receipts/query", "msgIDs", IN_TEAM),
        ("/v1/groups/{group_id}/members", "userList", "alice"),
        ("/v1/groups", "memberList", "alice"),
    ],
)
def test_a_list_that_is_too_long_is_refused_before_anything_is_looked_up(
    scene: Scene, path: str, field: str, each: str
) -> None:
    way = ("POST", path)
    for length in (5001, (BODY_BYTES_MAX - 100) // (len(each) + 4)):
        call = replace(CALLS[way], body={**(CALLS[way].body or {}), field: [each] * length})
        with calls_to_aws() as made:
            heard = scene.call(way, call, scene.people["owner"].token)

        assert heard.status in (400, 413)
        assert made == []


def test_of_a_key_that_comes_twice_the_last_counts_for_all_purposes(scene: Scene) -> None:
    """There is one reader of JSON here, so nobody checks the one and does the other."""
    outsider = scene.people["outsider"]
    way = ("POST", "/v1/messages")
    to_group_last = scene.call(way, Call(), outsider.token, raw=b'{"groupID":"mine","groupID":"team","text":"x"}')
    sent = scene.call(way, Call(), outsider.token, raw=b'{"userID":"bob","userID":"zoe","text":"x","text":"y"}')

    assert to_group_last.code == 10010
    assert (sent.body["userID"], sent.body["text"]) == ("zoe", "y")
    assert scene.call(way, Call(), outsider.token, raw=b'{"userID":"zoe","groupID":"team","text":"x"}').code == 6017


def test_a_body_that_is_not_what_its_encoding_says_is_refused(scene: Scene) -> None:
    """API Gateway sends bodies of other content types in base64."""
    event = {
        "requestContext": {"resourcePath": "/v1/messages", "httpMethod": "POST"},
        "pathParameters": {},
        "multiValueQueryStringParameters": None,
        "headers": {"authorization": f"Bearer {scene.people['outsider'].token}", "content-type": "application/json"},
        "body": "é not base64",
        "isBase64Encoded": True,
        "stageVariables": None,
    }
    tim = {
        **event,
        "requestContext": {"resourcePath": "/v4/{service}/{command}", "httpMethod": "POST"},
        "pathParameters": {"service": "openim", "command": "admin_set_msg_read"},
        "multiValueQueryStringParameters": {"usersig": [scene.people["admin"].token]},
    }

    assert json.loads(scene.gateway(event)["body"])["code"] == 6017
    assert json.loads(scene.gateway(tim)["body"])["ErrorCode"] == 90001


# Sockets.


def frame(text: str) -> str:
    return '{"action":"sendMessage","requestID":1,"userID":"alice","text":"x","data":' + text + "}"


BAD_FRAMES = {
    "empty": "",
    "binary, as API Gateway passes it on": base64.b64encode(bytes(range(256))).decode(),
    "a lone surrogate": '{"action":"ping","requestID":"\ud800"}',
    "NUL": "\x00",
    "a number": "7",
    "a list": "[]",
    "not an action": '{"action":"sudo"}',
    "no action": "{}",
    "an action that is a list": '{"action":["ping"]}',
    "an event": '{"event":"onRecvNewMessage","message":{}}',
    "Chalice's own": '{"Code":"x","Message":"y"}',
    "nested deep": frame('{"a":' + "[" * 15_000 + "]" * 15_000 + "}"),
    "a huge number": frame('{"a":' + "9" * 30_000 + "}"),
    "a requestID that is huge": '{"action":"ping","requestID":' + "9" * 400 + "}",
    "a requestID that is long": '{"action":"ping","requestID":"' + "x" * 65 + '"}',
    "NaN": frame('{"a":NaN}'),
    "a byte too long": " " * (FRAME_BYTES_MAX - 16) + '{"action":"ping"}',
    "as long as API Gateway lets through": "x" * 128 * 1024,
}


@pytest.mark.parametrize("body", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_a_bad_frame_is_answered_and_the_socket_goes_on(scene: Scene, body: str) -> None:
    socket = scene.people["outsider"].connects()
    before = contents()

    answer = socket.says(body)

    assert answer["code"] in (6017, 80002)
    assert answer.keys() == {"requestID", "code", "desc"}
    assert contents() == before
    assert socket.says({"action": "ping", "requestID": "still here"})["requestID"] == "still here"


def test_a_frame_without_a_body_is_answered(scene: Scene) -> None:
    socket = scene.people["outsider"].connects()
    for event in ({}, {"body": None}):
        scene.world.functions.invoke(
            "socket_heard", {**scene.world.socket_event(socket.connection_id, "MESSAGE"), **event}
        )

    assert [answer["code"] for answer in socket.frames] == [6017, 6017]


@pytest.mark.parametrize("action", FRAMES)
def test_strange_names_in_frames(scene: Scene, action: str) -> None:
    socket = scene.people["outsider"].connects()
    for strange in (*STRANGE_TEXTS, *STRANGE_VALUES):
        for body in with_each_leaf({"requestID": 1, **(FRAMES[action].body or {})}, strange):
            answer = socket.says({"action": action, **body})
            assert answer["code"] != 10002
            assert not [secret for secret in SECRETS[:2] if secret in json.dumps(answer)]
    nothing_of_others_changed(scene)


def test_a_flood_of_frames_is_answered_one_by_one_and_leaves_nothing(scene: Scene) -> None:
    """How many a second come through is API Gateway's to bound; each that does costs the same."""
    socket = scene.people["outsider"].connects()
    before = contents()
    costs = []
    for number in range(200):
        with calls_to_aws() as made:
            socket.says({"action": "ping", "requestID": number} if number % 2 else "x" * number)
        costs.append(len(made))

    assert len(socket.frames) == 200
    assert max(costs) == 2  # whose socket this is, and the answer
    assert contents() == before


# And all of it mixed up.

NAMES = st.sampled_from(
    ["alice", "bob", "erin", "mallory", "zoe", "team", "mist", "group_team", "c2c_alice", "c2c_bob"]
)
MSG_IDS = st.builds(
    encode_msg_id,
    st.sampled_from([TEAM, Conversation.between("alice", "bob"), Conversation.between("alice", "mallory")]),
    st.sampled_from([1, 2, 3, 64, SEQ_MAX]),
)
ANYTHING = NAMES | MSG_IDS | st.sampled_from(STRANGE_TEXTS) | st.text(max_size=8)


@st.composite
def asked(draw: st.DrawFn) -> tuple[Way, Call]:
    """A call to any way in, with anything at any place."""
    way, call = draw(st.sampled_from(list(CALLS.items())))

    def drawn(value: Any, anything: st.SearchStrategy[Any]) -> Any:
        if isinstance(value, dict):
            return {name: drawn(part, anything) for name, part in value.items() if draw(st.integers(0, 5))}
        if isinstance(value, list):
            return [drawn(value[0], anything) for _ in range(draw(st.integers(0, 3)))]
        return draw(st.just(value) | anything)

    path = {name: draw(ANYTHING.filter(lambda text: text not in ("", ".", ".."))) for name in call.path}
    body = None if call.body is None else drawn(call.body, ANYTHING | st.sampled_from(STRANGE_VALUES))
    return way, Call(path, drawn(call.query, ANYTHING), body)


@given(asked=st.lists(asked(), min_size=1, max_size=12))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_outsider_changes_nothing_and_sees_nothing_whatever_they_say(
    scene: Scene, asked: list[tuple[Way, Call]]
) -> None:
    for way, call in asked:
        heard = scene.call(way, call, scene.people["outsider"].token)
        in_our_words(heard)
    nothing_of_others_changed(scene)
    scene.restore()
