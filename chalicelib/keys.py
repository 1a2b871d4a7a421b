"""The stack's keys, from Secrets Manager: what tokens, UserSigs and webhooks are signed with.

Rotating one needs no deploy. A new value becomes the current key and the old one the previous, and then:

- A function reads a key when it first needs it, and goes by it for five minutes.
- A signature that fits none of the keys it knows makes it look again, at most every five seconds whatever is sent.
- The previous key is accepted for a day after the rotation, so that tokens which are out there stay good that long,
  and not a moment longer. Rotating twice retires a key that leaked within five minutes.
- If keys cannot be read again, those that were read before go on being used.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from chalicelib import clock, limits, log, settings

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

# The keys, by the names of the settings that say where they are kept.
TOKEN = "TOKEN_KEY"
USERSIG = "USERSIG_KEY"
WEBHOOK = "WEBHOOK_KEY"


@dataclass(frozen=True)
class _Kept:
    """A key as it was read: the current one, when it became that, the one before it, and when all this was read."""

    current: str
    current_since_ms: int
    previous: str | None
    read_at_ms: int

    def accepted(self) -> Iterator[str]:
        yield self.current
        if self.previous and clock.now_ms() - self.current_since_ms < limits.KEY_OVERLAP_S * 1000:
            yield self.previous


_kept: dict[str, _Kept] = {}


def current(name: str) -> str:
    """The key to sign with."""
    return _known(name).current


def good(name: str) -> list[str]:
    """The keys to sign with where the other side may know the previous one only."""
    return list(_known(name).accepted())


def accepted(name: str) -> Iterator[str]:
    """The keys to verify with, the likeliest first. Whoever asks for more than there are makes us look again."""
    known = _known(name)
    tried = set(known.accepted())
    yield from known.accepted()
    if clock.now_ms() - known.read_at_ms >= limits.KEY_RECHECK_S * 1000:
        yield from (key for key in _read_again(name, known).accepted() if key not in tried)


def forget() -> None:
    """Read them again the next time."""
    _kept.clear()


def _known(name: str) -> _Kept:
    known = _kept.get(name)
    if known is None:
        known = _kept[name] = _read(name)
    elif clock.now_ms() - known.read_at_ms >= limits.KEY_KEPT_S * 1000:
        known = _read_again(name, known)
    return known


def _read_again(name: str, known: _Kept) -> _Kept:
    """The key as it is now, or as it was known if that cannot be found out."""
    try:
        again = _read(name)
    except Exception as error:  # noqa: BLE001  # whatever it is, the keys that are known are as good as a moment ago
        log.failure("keys", error, key=name)
        again = _Kept(known.current, known.current_since_ms, known.previous, clock.now_ms())
    _kept[name] = again
    return again


def _read(name: str) -> _Kept:
    now_ms = clock.now_ms()
    value, since_ms = stored(name, "AWSCURRENT") or ("", 0)
    if not value:
        raise RuntimeError(f"There is no {name} in Secrets Manager.")
    is_recent = now_ms - since_ms < limits.KEY_OVERLAP_S * 1000
    previous = stored(name, "AWSPREVIOUS") if is_recent else None
    return _Kept(value, since_ms, previous[0] if previous else None, now_ms)


def stored(name: str, stage: str) -> tuple[str, int] | None:
    """One version of a key in Secrets Manager, and since when it is there, in ms; None if there is none."""
    try:
        answer = _client().get_secret_value(SecretId=settings.key_arn(name), VersionStage=stage)
    except _client().exceptions.ResourceNotFoundException:
        return None
    return answer["SecretString"], int(answer["CreatedDate"].timestamp() * 1000)


@cache
def _client() -> "SecretsManagerClient":
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 4})
    return boto3.client("secretsmanager", config=config)
