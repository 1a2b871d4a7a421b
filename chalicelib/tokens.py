"""Bearer tokens: JWT, HS256 and nothing else, `sub` is the userID, `exp` is required; `role: admin` opens
the console.

The product's own back end mints them with the stack's secret when its users log in; `mint` is for local use and tests.
"""

import time

import jwt

from chalicelib import codes, settings
from chalicelib.codes import Refusal
from chalicelib.core.caller import Caller
from chalicelib.core.conversation import is_user_id
from chalicelib.limits import TOKEN_SECRET_BYTES_MIN

_ALGORITHM = "HS256"

# The `role` of who may use the console.
ADMIN = "admin"


def verify(token: str) -> Caller:
    """The caller whom this token names. Refuses with 70001, 70002, 70003 or 70009."""
    if not token:
        raise Refusal(codes.TOKEN_MISSING)
    try:
        claims = jwt.decode(token, _secret(), algorithms=[_ALGORITHM], options={"require": ["exp", "sub"]})
        caller = Caller(claims["sub"], int(claims["exp"]), is_admin=claims.get("role") == ADMIN)
    except jwt.ExpiredSignatureError as error:
        raise Refusal(codes.TOKEN_EXPIRED) from error
    except jwt.InvalidSignatureError as error:
        raise Refusal(codes.TOKEN_WRONG_KEY) from error
    except (jwt.InvalidTokenError, ValueError, OverflowError, RecursionError) as error:
        raise Refusal(codes.TOKEN_BAD) from error
    if not is_user_id(caller.user_id):
        raise Refusal(codes.TOKEN_BAD, "The token's `sub` is not a userID.")
    return caller


def mint(user_id: str, lifetime_s: int, secret: str = "", *, role: str = "") -> str:
    """A token for this user, good for so many seconds; signed with the stack's own secret if none is given."""
    now = int(time.time())
    claims = {"sub": user_id, "iat": now, "exp": now + lifetime_s, **({"role": role} if role else {})}
    return jwt.encode(claims, secret or _secret(), algorithm=_ALGORITHM)


def _secret() -> str:
    secret = settings.token_secret()
    if len(secret.encode()) < TOKEN_SECRET_BYTES_MIN:
        raise RuntimeError(f"The token secret is shorter than {TOKEN_SECRET_BYTES_MIN} bytes.")
    return secret
