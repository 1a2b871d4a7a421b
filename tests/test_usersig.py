"""UserSig, against vectors of TIM's official signer (the npm package tls-sig-api-v2 1.0.2, with its clock set)."""

import hashlib
import hmac
import json
import zlib
from base64 import b64encode
from typing import Any

import pytest

from chalicelib import clock, tokens, usersig
from chalicelib.codes import Refusal
from chalicelib.limits import TOKEN_EXPIRY_MAX_S
from tests.world import World

APP_ID = 1400000001
KEY = "an example of a UserSig key, for tests only"
SIGNED_AT_S = 1795400000

# new Api(1400000001, KEY).genUserSig("alice", 3600), and so on.
ALICE = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwok5mcmpUInilOzEgoLMFCUrQxMDCDCEyJRk5qYqWRmaW5pCJCCiqRUFmUWpSlbGZjCR4sx0kFWJ2iXFpi7lYaVlueZ5nt6FSd4ZnkHp3oUp5WnGVSU*3qnOFZ5VWSHB-o62SrUAdOkxSw__"  # noqa: E501
STRANGE = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwom6SfHJeikOqcpullD54pTsxIKCzBQlK0MTAwgwhMiUZOamKlkZmluaQiQgoqkVBZlFIHFTU1MjuGhxZrqSlZJFeoGHU0pIvmNufm6Qm0l5vkeuaWSxo36gSZZ7ZGhVVppjVIFbvrdBaqmBrVItADN5Mvk_"  # noqa: E501
WITH_BUFFER = "eJw1jUEOgjAURO-y10aposQmLD4QQ0wXoCiWHULRBjVNARWNdzeCzGrmvcW8IWLb8V1ooDAdGzDqtszFrZaF7HB6kZn4iyovU6VkDpSYRh-Sm1peBVBiLee96Kl4KqkF0NliIE0l9LEpgAIirnj8VHy6j7LSdBARnbjyNPk1b4JdbHu4lieg4Md68wjUOnPZQbjt7kWShocFi3KWocWCc2smsc-Dg-ew4fMF1v5BYQ__"  # noqa: E501
OTHER_APP = "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwok5mcmpUInilOzEgoLMFCUrQxMDCDCCyJRk5qYqWRmaW5pCJCCiqRUFmUWpSlbGZjCR4sx0JSulEkfHoMS0tIpE7whDZzff8sSw4Dy-MJ*A9CqP-ML0UHOvfGPnoBxT34iqSFulWgBtGTDM"  # noqa: E501


def packed(fields: Any) -> str:
    """Fields packed as a UserSig is, whatever they are."""
    raw = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return b64encode(zlib.compress(raw)).decode().translate(str.maketrans("+/=", "*-_"))


def unpacked(user_sig: str) -> dict[str, Any]:
    from base64 import b64decode

    fields: dict[str, Any] = json.loads(zlib.decompress(b64decode(user_sig.translate(str.maketrans("*-_", "+/=")))))
    return fields


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERSIG_APP_ID", str(APP_ID))
    monkeypatch.setattr(clock, "now_ms", lambda: SIGNED_AT_S * 1000)


@pytest.mark.parametrize(
    ("user_sig", "user_id", "lifetime_s"),
    [(ALICE, "alice", 3600), (STRANGE, "a-b_c.d@e#F9", 86400 * 180), (WITH_BUFFER, "alice", 3600)],
)
def test_what_the_official_signer_signs_is_accepted(user_sig: str, user_id: str, lifetime_s: int) -> None:
    if user_sig is WITH_BUFFER:  # signed with another clock
        lifetime_s += unpacked(user_sig)["TLS.time"] - SIGNED_AT_S

    caller = tokens.verify(user_sig)

    assert (caller.user_id, caller.expires_at_s, caller.is_admin) == (user_id, SIGNED_AT_S + lifetime_s, False)


@pytest.mark.parametrize(
    ("user_sig", "code"),
    [
        pytest.param(OTHER_APP, 70014, id="other app"),
        pytest.param("nonsense", 70003, id="not packed"),
        pytest.param("é" * 9, 70003, id="not ascii"),
        pytest.param(packed(b"{"), 70003, id="not JSON"),
        pytest.param(packed([1]), 70003, id="not an object"),
        pytest.param(packed({"TLS.ver": "2.0"}), 70003, id="fields missing"),
        pytest.param(packed({**unpacked(ALICE), "TLS.ver": "1.0"}), 70003, id="other version"),
        pytest.param(packed({**unpacked(ALICE), "TLS.time": "now"}), 70003, id="wrong type"),
        pytest.param(packed({**unpacked(ALICE), "TLS.identifier": "bob"}), 70009, id="other user written in"),
        pytest.param(packed({**unpacked(ALICE), "TLS.expire": 7200}), 70009, id="longer life written in"),
        pytest.param(packed({**unpacked(ALICE), "TLS.userbuf": "eA=="}), 70009, id="buffer written in"),
        pytest.param(packed({**unpacked(ALICE), "TLS.sig": "é"}), 70009, id="strange signature"),
        pytest.param(packed(b'{"TLS.ver":"' + b"0" * 10_000_000 + b'"}'), 70003, id="unpacks to megabytes"),
        pytest.param(packed(b'{"a":' + b"[" * 4000), 70003, id="nested deep"),
        pytest.param(packed({**unpacked(ALICE), "x": "0" * 4096}), 70003, id="good, and too large"),
        pytest.param(ALICE[:-8], 70003, id="cut off"),
        pytest.param(ALICE[:8] + "\n" + ALICE[8:], 70003, id="in two lines"),
        pytest.param(ALICE[:8] + "!" + ALICE[8:], 70003, id="with what base64 has not"),
    ],
)
def test_everything_else_is_refused_with_its_reason(user_sig: str, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        tokens.verify(user_sig)

    assert refused.value.code.number == code


def test_an_expired_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: (SIGNED_AT_S + 3600) * 1000)

    with pytest.raises(Refusal) as refused:
        tokens.verify(ALICE)
    assert refused.value.code.number == 70001


def signed_to_expire(at_s: int) -> str:
    fields = {
        "TLS.identifier": "alice",
        "TLS.sdkappid": APP_ID,
        "TLS.time": SIGNED_AT_S,
        "TLS.expire": at_s - SIGNED_AT_S,
    }
    lines = "".join(f"{name}:{value}\n" for name, value in fields.items())
    signature = b64encode(hmac.digest(KEY.encode(), lines.encode(), hashlib.sha256)).decode()
    return packed({**fields, "TLS.ver": "2.0", "TLS.sig": signature})


@pytest.mark.parametrize(
    ("at_s", "code"), [(-1, 70003), (0, 70003), (1, 70001), (SIGNED_AT_S, 70001), (TOKEN_EXPIRY_MAX_S + 1, 70003)]
)
def test_it_expires_at_a_time_that_is_one(at_s: int, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        tokens.verify(signed_to_expire(at_s))
    assert refused.value.code.number == code


@pytest.mark.parametrize("at_s", [SIGNED_AT_S + 1, TOKEN_EXPIRY_MAX_S])
def test_until_then_it_is_good(at_s: int) -> None:
    assert tokens.verify(signed_to_expire(at_s)).expires_at_s == at_s


def test_of_another_version_it_says_so() -> None:
    with pytest.raises(Refusal, match="not a UserSig of version 2"):
        tokens.verify(packed({**unpacked(ALICE), "TLS.ver": "1.0"}))


def test_one_signed_with_another_key_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        usersig.verify(ALICE, APP_ID, [KEY + "x"])
    assert refused.value.code.number == 70009


def test_jwt_is_accepted_beside_it_and_without_configuration_only_jwt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tokens.verify(tokens.mint("bob", 3600)).user_id == "bob"

    monkeypatch.setenv("USERSIG_APP_ID", "")
    assert tokens.verify(tokens.mint("bob", 3600)).user_id == "bob"
    with pytest.raises(Refusal) as refused:
        tokens.verify(ALICE)
    assert refused.value.code.number == 70003


def test_it_opens_http_and_sockets_for_its_user_and_nobody_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: SIGNED_AT_S * 1000)

    def call(stated: str) -> Any:
        return world.call("GET", "/conversations", token=ALICE, headers={"X-User-ID": stated})

    assert call("").ok == call("alice").ok == {"conversationList": [], "nextSeq": "", "isFinished": True}
    assert call("bob").refusal == (401, 70013)
    assert world.connect(ALICE, userID="alice").says({"action": "ping"})["code"] == 0
    refused = world.connect(ALICE, userID="bob")
    assert (refused.status, refused.code) == (401, 70013)
