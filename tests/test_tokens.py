"""Who is let in: JWT, HS256, `sub` and `exp`, and a sharp reason for whoever is not."""

import time
from typing import Any

import jwt
import pytest

from chalicelib import keys as stack_keys
from chalicelib import tokens
from chalicelib.codes import Refusal
from chalicelib.core.caller import Caller
from chalicelib.limits import TOKEN_EXPIRY_MAX_S
from tests.fakes import FakeKeys

HOUR = 3600


def signed(claims: dict[str, Any], key: str | None = None, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, key or stack_keys.current(stack_keys.TOKEN), algorithm=algorithm)


def good() -> dict[str, Any]:
    return {"sub": "alice", "exp": int(time.time()) + HOUR}


def test_a_good_token_names_its_user_and_until_when() -> None:
    claims = good()

    assert tokens.verify(signed(claims)) == Caller("alice", claims["exp"])
    assert tokens.verify(tokens.mint("bob", HOUR)).user_id == "bob"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param(lambda: "", 70002, id="none"),
        pytest.param(lambda: signed({**good(), "exp": int(time.time()) - 1}), 70001, id="expired"),
        pytest.param(lambda: signed(good(), "another key that is as long as it must be"), 70009, id="wrong key"),
        pytest.param(lambda: "x", 70003, id="no token at all"),
        pytest.param(lambda: "a.b.c", 70003, id="not base64"),
        pytest.param(lambda: "é" * 50, 70003, id="not ascii"),
        pytest.param(lambda: jwt.encode(good(), key="", algorithm="none"), 70003, id="alg none"),
        pytest.param(
            lambda: signed(good(), "another key, long enough to be taken for one", "HS512"),
            70003,
            id="another algorithm",
        ),
        pytest.param(lambda: signed({"exp": int(time.time()) + HOUR}), 70003, id="no sub"),
        pytest.param(lambda: signed({"sub": "alice"}), 70003, id="no exp"),
        pytest.param(lambda: signed({**good(), "sub": 5}), 70003, id="sub is no string"),
        pytest.param(lambda: signed({**good(), "sub": "al ice"}), 70003, id="sub is no userID"),
        pytest.param(lambda: signed({**good(), "sub": "a" * 33}), 70003, id="sub is too long"),
        pytest.param(lambda: signed({**good(), "sub": "a~b"}), 70003, id="sub has our separator"),
        pytest.param(lambda: signed({**good(), "exp": "soon"}), 70003, id="exp is no time"),
        pytest.param(lambda: signed({**good(), "exp": 1e400}), 70003, id="exp is infinite"),
        pytest.param(lambda: signed({**good(), "exp": 10**50}), 70003, id="exp is beyond all time"),
        pytest.param(lambda: signed({**good(), "exp": 1e300}), 70003, id="exp is a huge float"),
        pytest.param(lambda: signed({**good(), "sub": ".."}), 70003, id="sub is a path"),
        pytest.param(lambda: signed({**good(), "nbf": int(time.time()) + HOUR}), 70003, id="not valid yet"),
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")  # forgeries may be made badly
def test_every_other_token_is_refused_with_its_reason(token: Any, code: int) -> None:
    with pytest.raises(Refusal) as refused:
        tokens.verify(token())

    assert refused.value.code.number == code
    assert refused.value.code.http_status == 401


@pytest.mark.parametrize(
    ("changed", "why"), [({"sub": "al ice"}, "is not a userID"), ({"exp": 10**50}, "`exp` is not a time in seconds")]
)
def test_of_a_claim_that_cannot_be_it_says_which(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(Refusal, match=why):
        tokens.verify(signed({**good(), **changed}))


def test_the_last_second_of_time_is_one() -> None:
    assert tokens.verify(signed({**good(), "exp": TOKEN_EXPIRY_MAX_S})).expires_at_s == TOKEN_EXPIRY_MAX_S


@pytest.mark.parametrize(("role", "claimed"), [("", {}), ("admin", {"role": "admin"})])
def test_what_is_minted_says_who_since_when_until_when_and_a_role_if_any(role: str, claimed: dict[str, str]) -> None:
    minted = tokens.mint("alice", HOUR, "a key of 32 bytes is long enough", role=role)
    claims = jwt.decode(minted, "a key of 32 bytes is long enough", algorithms=["HS256"])

    assert claims == {"sub": "alice", "iat": claims["iat"], "exp": claims["iat"] + HOUR, **claimed}


def test_a_token_whose_claims_were_changed_is_refused() -> None:
    head, _, signature = signed(good()).split(".")
    _, other, _ = signed({**good(), "sub": "bob"}).split(".")

    with pytest.raises(Refusal) as refused:
        tokens.verify(".".join((head, other, signature)))

    assert refused.value.code.number == 70009


def test_a_short_key_is_not_worked_with(keys: FakeKeys) -> None:
    keys.rotate("TOKEN_KEY", "short")

    with pytest.raises(RuntimeError, match="shorter than 32 bytes"):
        tokens.mint("alice", HOUR)


def test_clocks_may_differ_about_when_a_token_was_issued() -> None:
    assert tokens.verify(signed({**good(), "iat": int(time.time()) + 30})).user_id == "alice"


@pytest.mark.parametrize("role", ["", "user", "Admin", 1, None, ["admin"]])
def test_only_the_role_admin_is_an_administrator(role: Any) -> None:
    assert not tokens.verify(signed({**good(), "role": role})).is_admin
    assert tokens.verify(signed({**good(), "role": "admin"})).is_admin


def test_no_token_is_minted_for_nobody_or_with_a_short_key() -> None:
    with pytest.raises(ValueError, match="not a userID"):
        tokens.mint("al ice", HOUR)
    with pytest.raises(RuntimeError, match="shorter"):
        tokens.mint("alice", HOUR, "short")
