"""What keeps the service from being overrun, and from being called by pages it does not know."""

import pytest

from chalicelib import clock, limits, throttle
from chalicelib.codes import Refusal
from tests.world import World

PAGE = "https://chat.example"
OTHER = "https://evil.example"


@pytest.fixture(autouse=True)
def _limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten calls a second, five at once; and time that passes only when it is let."""
    began_ms = world.now_ms()
    passed_ms = world._ahead_ms
    monkeypatch.setattr(clock, "now_ms", lambda: began_ms + world._ahead_ms - passed_ms)
    monkeypatch.setenv("USER_CALLS_PER_SECOND", "10")
    monkeypatch.setenv("USER_CALLS_BURST", "5")


def test_a_user_who_calls_too_often_is_told_so_and_nobody_else_is(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    answers = [alice.calls("GET", "/settings") for _ in range(8)]

    assert [answer.status for answer in answers] == [200] * 5 + [429] * 3
    assert answers[-1].refusal == (429, 7008)
    assert bob.calls("GET", "/settings").status == 200


def test_the_bucket_fills_up_again_and_no_further_than_its_size(world: World) -> None:
    alice = world.user("alice")

    def calls() -> list[int]:
        return [alice.calls("GET", "/settings").status for _ in range(7)]

    assert calls().count(200) == 5
    world.waits(0.25)
    assert calls().count(200) == 2
    world.waits(3600)
    assert calls().count(200) == 5


def test_frames_count_as_calls_do(world: World) -> None:
    socket = world.user("alice").connects()

    codes = [socket.says({"action": "ping", "requestID": number})["code"] for number in range(7)]

    assert codes == [0] * 5 + [7008] * 2


def test_without_a_limit_everybody_may_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER_CALLS_PER_SECOND", "0")

    assert {world.user("alice").calls("GET", "/settings").status for _ in range(20)} == {200}


def test_who_has_no_good_token_uses_up_nobodys_calls(world: World) -> None:
    alice = world.user("alice")
    for _ in range(10):
        world.call("GET", "/settings", token="nonsense", headers={"X-User-ID": "alice"})

    assert alice.calls("GET", "/settings").status == 200


def test_the_memory_of_callers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    throttle.forget()
    monkeypatch.setattr(throttle, "THROTTLED_USERS_MAX", 100)
    for number in range(1000):
        throttle.check(f"user-{number}")

    assert len(throttle._buckets) == 100
    for _ in range(4):
        throttle.check("user-999")
    with pytest.raises(Refusal):
        throttle.check("user-999")
    throttle.forget()


def headers(world: World, origin: str, method: str = "GET", path: str = "/v1/health") -> dict[str, str]:
    response = world.http.request(method, path, headers={"Origin": origin}, body=b"")
    assert response.status_code == (204 if method == "OPTIONS" else 200)
    return {name.lower(): value for name, value in response.headers.items()}


def test_pages_of_other_origins_are_not_let_in_by_default(world: World) -> None:
    for method in ("GET", "OPTIONS"):
        assert not [name for name in headers(world, OTHER, method) if name.startswith("access-control")]


def test_only_pages_of_origins_that_are_named_are_let_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", f"{PAGE}, https://app.example:8443")
    for method in ("GET", "OPTIONS"):
        mine = headers(world, PAGE, method)
        assert mine["access-control-allow-origin"] == PAGE
        assert mine["vary"] == "Origin"
        theirs = headers(world, OTHER, method)
        assert "access-control-allow-origin" not in theirs
        assert theirs["vary"] == "Origin"
        assert "access-control-allow-credentials" not in mine
    asked = headers(world, PAGE, "OPTIONS", "/v1/messages/x/read-members")
    assert {"Authorization", "Content-Type"} <= set(asked["access-control-allow-headers"].split(", "))
    assert {"GET", "POST", "PUT", "DELETE"} == set(asked["access-control-allow-methods"].split(", "))
    assert asked["access-control-max-age"] == str(limits.PREFLIGHT_KEPT_S)


def test_a_refusal_can_be_read_by_the_page_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "*")
    response = world.http.request("GET", "/v1/settings", headers={"Origin": PAGE}, body=b"")

    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == PAGE


def test_what_a_token_opens_is_kept_by_nobody_on_the_way(world: World) -> None:
    token = {"Authorization": f"Bearer {world.user('alice').token}"}
    private = world.http.request("GET", "/v1/settings", headers=token, body=b"")
    public = world.http.request("GET", "/v1/openapi.json", headers={}, body=b"")

    assert private.headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in public.headers
