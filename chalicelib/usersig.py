"""UserSig, the token that back ends on TIM issue already: accepted beside JWT where an app ID and key are configured.

TLSSigAPIv2: a JSON object of `TLS.` fields, deflated by zlib, in base64 with `*-_` for `+/=`. `TLS.sig` is an
HMAC-SHA256 over the others, line by line, in an order of its own.
"""

import hashlib
import hmac
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable

import msgspec
from msgspec import Struct, field

from chalicelib import clock, codes, limits
from chalicelib.codes import Refusal
from chalicelib.core.caller import Caller

_TO_BASE64 = str.maketrans("*-_", "+/=")


class _Signed(Struct):
    """What is inside a UserSig. Times in seconds; `expire` is how long it is good for."""

    identifier: str = field(name="TLS.identifier")
    app_id: int = field(name="TLS.sdkappid")
    time: int = field(name="TLS.time")
    expire: int = field(name="TLS.expire")
    signature: str = field(name="TLS.sig")
    version: str = field(name="TLS.ver")
    user_buffer: str | None = field(name="TLS.userbuf", default=None)


def verify(user_sig: str, app_id: int, accepted: Iterable[str]) -> Caller:
    """The caller whom a UserSig names, signed with one of these keys. Refuses with 70001, 70003, 70009 or 70014."""
    signed = _parse(user_sig)
    if signed.app_id != app_id:
        raise Refusal(codes.TOKEN_OTHER_APP)
    theirs = signed.signature.encode()
    if not any(hmac.compare_digest(_signature(signed, key).encode(), theirs) for key in accepted):
        raise Refusal(codes.TOKEN_WRONG_KEY)
    expires_at_s = signed.time + signed.expire
    if not 0 < expires_at_s <= limits.TOKEN_EXPIRY_MAX_S:
        raise Refusal(codes.TOKEN_BAD)
    if expires_at_s <= clock.now_ms() // 1000:
        raise Refusal(codes.TOKEN_EXPIRED)
    return Caller(signed.identifier, expires_at_s)


def _parse(user_sig: str) -> _Signed:
    """What a UserSig says. Refuses with 70003 what is none, or unpacks to more than any can be."""
    try:
        packed = b64decode(user_sig.translate(_TO_BASE64), validate=True)
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(packed, limits.USER_SIG_BYTES_MAX)
        signed = msgspec.json.decode(plain, type=_Signed)
    except (ValueError, RecursionError, zlib.error) as error:
        raise Refusal(codes.TOKEN_BAD) from error
    if not unpacker.eof:  # cut off before the checksum, or larger than any can be
        raise Refusal(codes.TOKEN_BAD)
    if signed.version != "2.0":
        raise Refusal(codes.TOKEN_BAD, "This is not a UserSig of version 2.0.")
    return signed


def _signature(signed: _Signed, key: str) -> str:
    lines = [
        f"TLS.identifier:{signed.identifier}\n",
        f"TLS.sdkappid:{signed.app_id}\n",
        f"TLS.time:{signed.time}\n",
        f"TLS.expire:{signed.expire}\n",
    ]
    if signed.user_buffer is not None:
        lines.append(f"TLS.userbuf:{signed.user_buffer}\n")
    return b64encode(hmac.digest(key.encode(), "".join(lines).encode(), hashlib.sha256)).decode()
