"""Bearer tokens: JWT, HS256 and nothing else, `sub` is the userID, `exp` is required; `role: admin` opens
the console.

The product's own back end mints them with the stack's token key when its users log in; `mint` is for the commands and
tests.
"""

import time
from collections.abc import Iterable
from contextlib import suppress

import jwt
from jwt.types import Options

from chalicelib import codes, keys, settings, usersig
from chalicelib.codes import Refusal
from chalicelib.core.caller import Caller
from chalicelib.core.conversation import is_user_id
from chalicelib.limits import TOKEN_EXPIRY_MAX_S, TOKEN_KEY_BYTES_MIN

_ALGORITHM = "HS256"

# When a token was issued is nobody's business here, and clocks differ.
_OPTIONS: Options = {"require": ["exp", "sub"], "verify_iat": False}

# The `role` of who may use the console.
ADMIN = "admin"


def verify(token: str, stated_user_id: str = "") -> Caller:
    """The caller whom this token names, who must be the one that is stated, if any is.

    A JWT, or a UserSig where the stack is configured for them: that has no dots. Refuses with 70001, 70002, 70003,
    70009, 70013 or 70014.
    """
    if not token:
        raise Refusal(codes.TOKEN_MISSING)
    app_id = settings.usersig_app_id()
    if app_id is not None and "." not in token:
        caller = usersig.verify(token, app_id, keys.accepted(keys.USERSIG))
    else:
        caller = _verify_jwt(token, keys.accepted(keys.TOKEN))
    if not is_user_id(caller.user_id):
        raise Refusal(codes.TOKEN_BAD, "The token's user is not a userID.")
    if stated_user_id and stated_user_id != caller.user_id:
        raise Refusal(codes.TOKEN_OTHER_USER)
    return caller


def _verify_jwt(token: str, accepted: Iterable[str]) -> Caller:
    for key in accepted:
        with suppress(jwt.InvalidSignatureError):
            return _caller(token, key)
    raise Refusal(codes.TOKEN_WRONG_KEY)


def _caller(token: str, key: str) -> Caller:
    """Whom a token names. InvalidSignatureError if it was signed with another key."""
    try:
        claims = jwt.decode(token, _checked(key), algorithms=[_ALGORITHM], options=_OPTIONS)
        caller = Caller(claims["sub"], int(claims["exp"]), is_admin=claims.get("role") == ADMIN)
    except jwt.InvalidSignatureError:
        raise
    except jwt.ExpiredSignatureError as error:
        raise Refusal(codes.TOKEN_EXPIRED) from error
    except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError) as error:
        raise Refusal(codes.TOKEN_BAD) from error
    if caller.expires_at_s > TOKEN_EXPIRY_MAX_S:
        raise Refusal(codes.TOKEN_BAD, "The token's `exp` is not a time in seconds.")
    return caller


def mint(user_id: str, lifetime_s: int, key: str = "", *, role: str = "") -> str:
    """A token for this user, good for so many seconds; signed with the stack's own key if none is given.

    ValueError if it is not a userID, RuntimeError if the key is too short.
    """
    if not is_user_id(user_id):
        raise ValueError(f"not a userID: {user_id!r}")
    now = int(time.time())
    claims = {"sub": user_id, "iat": now, "exp": now + lifetime_s, **({"role": role} if role else {})}
    return jwt.encode(claims, _checked(key or keys.current(keys.TOKEN)), algorithm=_ALGORITHM)


def _checked(key: str) -> str:
    if len(key.encode()) < TOKEN_KEY_BYTES_MIN:
        raise RuntimeError(f"The token key is shorter than {TOKEN_KEY_BYTES_MIN} bytes.")
    return key
