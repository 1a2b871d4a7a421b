"""Every way in × everybody who may not: refused with its reason, with nothing seen, changed or even looked up."""

import base64
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import Callable
from typing import Any, get_args
from unittest.mock import patch

import jwt
import pytest

import app as ways_in
from chalicelib import keys, requests, tim_rest, tokens
from chalicelib.limits import KEY_KEPT_S
from chalicelib.store import members
from tests.attackers.scene import (
    ALL_REFUSED,
    CALLS,
    FRAMES,
    PAGE,
    PUBLIC,
    SECRETS,
    TIM,
    TIM_ROUTE,
    Call,
    Heard,
    Scene,
    calls_to_aws,
    contents,
)
from tests.fakes import EXAMPLE_KEYS, FakeKeys
from tests.world import Json, Socket

APP_ID, KEY = 1400000001, EXAMPLE_KEYS[keys.USERSIG]
OTHER_KEY = "another secret that is long enough for HS256"


def user_sig(key: str = KEY, *, unsigned: Json | None = None, **changed: Any) -> str:
    """A UserSig of alice's; `unsigned` is written in after it was signed."""
    fields = {
        "TLS.identifier": "alice",
        "TLS.sdkappid": APP_ID,
        "TLS.time": int(time.time()),
        "TLS.expire": 3600,
        **{f"TLS.{name}": value for name, value in changed.items()},
    }
    lines = "".join(f"{name}:{value}\n" for name, value in fields.items())
    signature = base64.b64encode(hmac.digest(key.encode(), lines.encode(), hashlib.sha256)).decode()
    return packed({**fields, "TLS.ver": "2.0", "TLS.sig": signature, **(unsigned or {})})


def packed(fields: Any) -> str:
    raw = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return base64.b64encode(zlib.compress(raw)).decode().translate(str.maketrans("+/=", "*-_"))


def signed(*, key: str = "", algorithm: str = "HS256", headers: Json | None = None, **changed: Any) -> str:
    """A JWT of alice's with something changed about it; None takes a claim away."""
    claims = {"sub": "alice", "exp": int(time.time()) + 3600, "role": "admin", **changed}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key or keys.current(keys.TOKEN), algorithm=algorithm, headers=headers)


def unsigned(header: Json, claims: Any, signature: str = "") -> str:
    return ".".join((in_base64(json.dumps(header).encode()), in_base64(json.dumps(claims).encode()), signature))


def in_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def tampered() -> str:
    """A good token of mallory's with alice's name written in."""
    head, _, signature = tokens.mint("mallory", 3600).split(".")
    _, claims, _ = tokens.mint("alice", 3600).split(".")
    return f"{head}.{claims}.{signature}"


CLAIMS: Json = {"sub": "alice", "exp": 4102444800, "role": "admin"}

# Every token is one for alice, an administrator's even, but for something: (token, code, who is stated).
BAD_TOKENS: dict[str, tuple[Callable[[], str | None], int]] = {
    "no token": (lambda: None, 70002),
    "an empty token": (lambda: "", 70002),
    "expired": (lambda: signed(exp=int(time.time()) - 1), 70001),
    "expires now": (lambda: signed(exp=int(time.time())), 70001),
    "never expires": (lambda: signed(exp=None), 70003),
    "expires in ms": (lambda: signed(exp=int(time.time()) * 1000), 70003),
    "not good yet": (lambda: signed(nbf=int(time.time()) + 3600), 70003),
    "nobody's": (lambda: signed(sub=None), 70003),
    "of a user that cannot be": (lambda: signed(sub="alice\x00"), 70003),
    "of a user that looks like her": (lambda: signed(sub="ａlice"), 70003),
    "of two users": (lambda: signed(sub="alice~bob"), 70003),
    "tampered": (tampered, 70009),
    "other key": (lambda: signed(key=OTHER_KEY), 70009),
    "cut off": (lambda: signed()[:-3], 70009),
    "no signature": (lambda: signed().rpartition(".")[0] + ".", 70009),
    "alg none": (lambda: unsigned({"alg": "none", "typ": "JWT"}, CLAIMS), 70003),
    "alg None": (lambda: unsigned({"alg": "None"}, CLAIMS), 70003),
    "alg null": (lambda: unsigned({"alg": None}, CLAIMS), 70003),
    "no alg": (lambda: unsigned({"typ": "JWT"}, CLAIMS), 70003),
    "alg RS256": (lambda: unsigned({"alg": "RS256"}, CLAIMS, "AAAA"), 70003),
    "alg HS512, with our key": (lambda: signed(key=keys.current(keys.TOKEN) * 2, algorithm="HS512"), 70003),
    "a key of its own (jwk)": (lambda: signed(key=OTHER_KEY, headers={"jwk": {"kty": "oct", "k": "AAAA"}}), 70009),
    "a key elsewhere (jku, kid)": (
        lambda: signed(key=OTHER_KEY, headers={"jku": "https://evil.example/jwks", "kid": "../../dev/null"}),
        70009,
    ),
    "critical extension": (lambda: signed(headers={"crit": ["x"], "x": 1}), 70003),
    "not an object": (lambda: unsigned({"alg": "HS256"}, [1], "AAAA"), 70009),
    "two dots": (lambda: "..", 70003),
    "a word": (lambda: "alice", 70003),
    "a path": (lambda: "../../etc/passwd", 70003),
    "a JWE": (lambda: "a.b.c.d.e", 70003),
    "a header nested deep": (lambda: f"{in_base64(b'[' * 5000)}.{in_base64(b'{}')}.AAAA", 70003),
    "a UserSig where none are taken": (user_sig, 70003),
}

# Where UserSigs are taken.
BAD_USER_SIGS: dict[str, tuple[Callable[[], str], int]] = {
    "other app": (lambda: user_sig(sdkappid=APP_ID + 1), 70014),
    "other key": (lambda: user_sig("another key"), 70009),
    "expired": (lambda: user_sig(time=int(time.time()) - 7200), 70001),
    "made to expire later": (lambda: user_sig(unsigned={"TLS.expire": 86400 * 180}), 70009),
    "made an administrator's": (lambda: user_sig(unsigned={"TLS.identifier": "administrator"}), 70009),
    "lines within a name": (lambda: user_sig(identifier=f"alice\nTLS.sdkappid:{APP_ID}"), 70003),
    "negative life": (lambda: user_sig(expire=-86400 * 365 * 100), 70003),
    "endless life": (lambda: user_sig(expire=2**62), 70003),
    "nested deep": (lambda: packed(b'{"a":' + b"[" * 4000), 70003),
    "huge number": (lambda: packed(b'{"TLS.time":' + b"9" * 4000 + b"}"), 70003),
    "a bomb": (lambda: packed(b'{"TLS.ver":"' + b"0" * 5_000_000 + b'"}'), 70003),
    "not packed": (lambda: "alice", 70003),
}

# Who states that they are somebody else, with a token that is good.
MISTAKEN = {"other user": "bob", "other case": "Alice", "with a space": "alice,bob", "lookalike": "a%6Cice"}

WAYS = [*CALLS.items()]
way = pytest.mark.parametrize(("way", "call"), WAYS, ids=[" ".join(way) for way, _ in WAYS])


def test_every_way_in_is_attacked() -> None:
    """A route, frame or command that is new belongs into `scene.py`, with who may not."""
    routes = {
        (method, path) for path, methods in ways_in.app.routes.items() for method in methods if method != "OPTIONS"
    }
    open_to_all = {
        (method, path)
        for path, methods in ways_in.app.routes.items()
        for method, entry in methods.items()
        if getattr(getattr(entry.view_function, "operation", None), "public", False)
    }

    assert routes == {*CALLS, *PUBLIC, *PAGE, TIM_ROUTE}
    assert open_to_all == PUBLIC.keys()
    assert {frame.__struct_config__.tag for frame in get_args(requests.Frame)} == FRAMES.keys()
    assert vars(tim_rest)["_COMMANDS"].keys() == TIM.keys()


def test_every_field_of_a_request_is_in_its_example() -> None:
    """So that what is done to the examples is done to every field there is."""
    for (method, path), call in CALLS.items():
        operation = vars(ways_in.app.routes[path][method].view_function)["operation"]
        optional = {"userID"} if path == "/v1/messages" else set()  # not beside a groupID
        if operation.body and path != "/v1/admin/settings":
            assert {*operation.body.__struct_fields__} - optional == {*(call.body or {})}, path
        assert {*operation.query.__struct_fields__} == {*call.query}, path


def refused(heard: Heard, status: int, code: int, why: str = "") -> None:
    assert (heard.status, heard.code) == (status, code), (why, heard.raw)
    assert heard.body.keys() == {"code", "desc"}


@way
def test_a_bad_token_is_refused_before_anything_is_looked_up(scene: Scene, way: Any, call: Call) -> None:
    for why, (token, code) in BAD_TOKENS.items():
        with calls_to_aws() as made:
            heard = scene.call(way, call, token())

        refused(heard, 401, code, why)
        assert made == [], why
    for stated in MISTAKEN.values():
        with calls_to_aws() as made:
            refused(scene.call(way, call, signed(), headers={"X-User-ID": stated}), 401, 70013)
        assert made == []
    assert contents() == scene.tables


@way
def test_a_bad_user_sig_is_refused_before_anything_is_looked_up(
    scene: Scene, way: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USERSIG_APP_ID", str(APP_ID))
    for why, (token, code) in BAD_USER_SIGS.items():
        with calls_to_aws() as made:
            heard = scene.call(way, call, token())

        refused(heard, 401, code, why)
        assert made == [], why
    refused(scene.call(way, call, user_sig(), headers={"X-User-ID": "bob"}), 401, 70013)
    assert contents() == scene.tables


def theirs(tables: Json, who: str) -> Json:
    """All but how far the owner has read: a receipt for her own message is refused, the mark that comes with it not."""
    return {**tables, "Marks": {}} if who == "owner" else tables


@way
@pytest.mark.parametrize("who", ALL_REFUSED)
def test_who_may_not_is_refused_and_changes_nothing(scene: Scene, way: Any, call: Call, who: str) -> None:
    heard = scene.call(way, call, scene.people[who].token)

    assert heard.code == call.refused.get(who, 0), heard.raw
    if heard.code:
        assert theirs(contents(), who) == theirs(scene.tables, who)
        assert not [secret for secret in SECRETS if secret in heard.raw.decode()]
    else:
        assert heard.status == 200


@pytest.mark.parametrize("who", ["outsider", "admin"])
def test_what_is_asked_for_oneself_shows_nothing_of_others(scene: Scene, who: str) -> None:
    for way, call in WAYS:
        heard = scene.call(way, call, scene.people[who].token)
        assert not [secret for secret in SECRETS if secret in heard.raw.decode()], way


@pytest.mark.parametrize("way", PUBLIC, ids=" ".join)
@pytest.mark.parametrize("token", [None, "nonsense"])
def test_what_is_open_to_all_tells_no_secrets(scene: Scene, way: tuple[str, str], token: str | None) -> None:
    """A bad token does not matter there, and a good one gets nobody more."""
    method, route = way
    if route == "/{proxy+}":
        answer = scene.world.call_unknown_route(method)
        assert answer.refusal == (404, 10003)
        return
    with calls_to_aws() as made:
        heard = scene.call(way, Call(), token)

    assert heard.status == PUBLIC[way]
    assert heard == scene.call(way, Call(), scene.people["admin"].token)
    assert not [word for word in (*SECRETS, keys.current(keys.TOKEN)) if word in heard.raw.decode()]
    assert made == []
    assert contents() == scene.tables


@pytest.mark.parametrize("way", PAGE, ids=" ".join)
def test_the_page_is_the_same_for_everybody(scene: Scene, way: tuple[str, str]) -> None:
    """It knows nobody, so nobody's token, cookie or name makes another page of it."""
    with calls_to_aws() as made:
        plain = scene.call(way, PAGE[way], None)
        heads = {"Cookie": "user=alice", "X-Forwarded-Host": "evil.example", "Host": "evil.example", "X-User-ID": "bob"}
        known = scene.call(way, PAGE[way], scene.people["admin"].token, headers=heads)

    assert plain.status == 200
    assert plain == known
    assert b"evil.example" not in plain.raw
    assert not [word for word in (*SECRETS, keys.current(keys.TOKEN)) if word in plain.raw.decode()]
    assert made == []


@pytest.mark.parametrize("command", TIM)
def test_tims_server_api_is_for_administrators(scene: Scene, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERSIG_ADMINS", "administrator")
    attempts: list[tuple[str | None, str, int]] = [(token(), "", code) for token, code in BAD_TOKENS.values()]
    attempts += [(signed(), stated, 70013) for stated in MISTAKEN.values()]
    attempts += [(user.token, "", 60010) for who, user in scene.people.items() if who != "admin"]
    # Whoever calls themselves so is no administrator: only TIM's own signature makes one of a name.
    attempts += [(tokens.mint("administrator", 60), "administrator", 60010)]
    attempts += [(signed(role=role), "alice", 60010) for role in (None, "Admin", "user", ["admin"], True)]
    for token, identifier, code in attempts:
        query = {"usersig": token or "", "identifier": identifier}
        with calls_to_aws() as made:
            heard = scene.call_tim(command, TIM[command], **query)

        assert heard.status == 200
        assert heard.body["ActionStatus"] == "FAIL"
        assert heard.body.keys() == {"ActionStatus", "ErrorInfo", "ErrorCode"}
        assert heard.code == code, (token, heard.raw)
        assert made == []
    assert contents() == scene.tables


def test_a_command_that_is_none_is_refused_like_any_other_until_one_is_let_in(scene: Scene) -> None:
    nothing = scene.call_tim("openim/nothing", {}, usersig=scene.people["outsider"].token)
    something = scene.call_tim("openim/admin_set_msg_read", {}, usersig=scene.people["outsider"].token)

    assert nothing == something


# Sockets.


def test_a_bad_token_opens_no_socket(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with calls_to_aws() as made:
        for token, code in BAD_TOKENS.values():
            socket = scene.world.connect(token())
            assert (socket.status, socket.code) == (401, code)
        for stated in MISTAKEN.values():
            assert scene.world.connect(signed(), userID=stated).code == 70013
        monkeypatch.setenv("USERSIG_APP_ID", str(APP_ID))
        for token, code in BAD_USER_SIGS.values():
            assert scene.world.connect(token()).code == code

    assert made == []
    assert contents() == scene.tables


def says(socket: Socket, action: str) -> Json:
    return socket.says({"action": action, "requestID": 1, **(FRAMES[action].body or {})})


@pytest.mark.parametrize("action", FRAMES)
def test_a_socket_says_nothing_after_its_token_has_expired_or_before_it_is_known(
    scene: Scene, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = scene.people["owner"].connects(token=tokens.mint("alice", lifetime_s=60))
    stranger = Socket(scene.world, "socket-of-nobody=", {"statusCode": 200})
    before = contents()

    assert says(stranger, action)["code"] == 70003
    scene.world.waits(61)
    try:
        assert says(socket, action)["code"] == 70001
    finally:
        scene.world.waits(-61)
    assert contents() == before


@pytest.mark.parametrize("action", FRAMES)
@pytest.mark.parametrize("who", ALL_REFUSED)
def test_who_may_not_is_refused_on_a_socket_too(scene: Scene, action: str, who: str) -> None:
    socket = scene.people[who].connects()
    before = contents()

    answer = says(socket, action)

    codes = [answer["code"], *(each["code"] for each in answer.get("resultList", []))]
    assert max(codes) == FRAMES[action].refused.get(who, 0)
    if max(codes):
        assert theirs(contents(), who) == theirs(before, who)
        assert not [secret for secret in SECRETS if secret in json.dumps(answer)]


def test_a_frame_cannot_name_somebody_else_as_who_says_it(scene: Scene) -> None:
    socket = scene.people["outsider"].connects()
    before = contents()

    for field in ("sender", "userId", "token", "connectionID", "caller", "role", "is_admin", "event"):
        frame = {"action": "sendMessage", "groupID": "team", "text": "x", field: "alice"}
        assert socket.says(frame)["code"] == 6017
    assert contents() == before


def test_who_has_left_or_was_never_in_hears_nothing(scene: Scene) -> None:
    sockets = {who: scene.people[who].connects() for who in ("outsider", "former", "admin", "newcomer", "member")}
    scene.people["owner"].sends("team", "the launch is on Friday after all")
    message = scene.people["owner"].sends("team")
    scene.people["member"].reads(message)
    scene.world.pump()

    assert {who for who, socket in sockets.items() if socket.frames} == {"newcomer", "member"}
    assert not [who for who, socket in sockets.items() if socket.receipts]


def test_an_expired_administrator_is_none(scene: Scene) -> None:
    way = ("GET", "/v1/admin/settings")
    assert scene.call(way, CALLS[way], scene.people["admin"].token).status == 200

    refused(scene.call(way, CALLS[way], signed(exp=int(time.time()) - 1)), 401, 70001)


def test_a_token_is_not_taken_again_after_its_key_was_retired(scene: Scene) -> None:
    """Rotated twice, as for a key that leaked: within five minutes it opens nothing, on HTTP or a socket."""
    way = ("GET", "/v1/conversations")
    stored = FakeKeys(**EXAMPLE_KEYS)
    leaked, late = scene.people["owner"].token, 0
    with patch.object(keys, "stored", stored.stored):
        keys.forget()
        assert scene.call(way, CALLS[way], leaked).status == 200
        stored.rotate(keys.TOKEN, "a second token key, for tests only, of enough bytes")
        scene.world.waits(late := KEY_KEPT_S + 1)
        try:
            assert scene.call(way, CALLS[way], leaked).status == 200  # rotated once, it goes on for a day
            stored.rotate(keys.TOKEN, "a third token key, for tests only, of enough bytes")
            scene.world.waits(KEY_KEPT_S + 1)
            late += KEY_KEPT_S + 1
            with calls_to_aws() as made:
                refused(scene.call(way, CALLS[way], leaked), 401, 70009)
                assert scene.world.connect(leaked).code == 70009
                assert scene.call_tim("openim/nothing", {}, usersig=leaked).code == 70009
            assert made == []
        finally:
            scene.world.waits(-late)
            keys.forget()


def test_who_was_just_removed_sees_no_message_of_a_list_that_is_behind(scene: Scene) -> None:
    """The index by which conversations are listed follows within a moment; what was said since is not for them."""
    way = ("GET", "/v1/conversations")
    call = Call(query={"withLastMessage": "true"})
    was = members.conversations_of("grace", "", 10)
    owner, newcomer = scene.people["owner"], scene.people["newcomer"]
    owner.removes("team", newcomer)
    owner.sends("team", "the launch is on Friday after all")
    with patch.object(members, "conversations_of", lambda *_: was):
        removed = scene.call(way, call, newcomer.token)
        owner.invites("team", newcomer)
        invited_back = scene.call(way, call, newcomer.token)

    assert b"launch" not in removed.raw
    assert b"launch" not in invited_back.raw


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "*",
        "http://chat.example",
        "https://chat.example.evil.example",
        "https://chat.example:444",
        "https://chat.example/",
        "https://chat.examplé",
        "https://chat.example, https://evil.example",
    ],
)
def test_pages_of_other_origins_are_not_let_in_on_any_way(
    scene: Scene, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with the page that is, browsers never send cookies or passwords of their own."""
    monkeypatch.setenv("CORS_ORIGINS", "https://chat.example")
    for way, call in WAYS:
        for method in (way[0], "OPTIONS"):
            token = scene.people["outsider"].token
            with calls_to_aws() as made:
                other = scene.call((method, way[1]), call, token, headers={"Origin": origin})
                ours = scene.call((method, way[1]), call, token, headers={"Origin": "https://chat.example"})
            names = {name.lower() for name in other.headers}
            assert not [name for name in names if name.startswith("access-control-allow-")], way
            allowed = {name.lower(): value for name, value in ours.headers.items()}
            assert allowed["access-control-allow-origin"] == "https://chat.example"
            assert "access-control-allow-credentials" not in allowed
            if method == "OPTIONS":
                assert made == []
                assert other.raw == ours.raw == b""
