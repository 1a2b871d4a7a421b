"""How often one user may call: a bucket of calls that fills up again, in the memory of each running function.

The stack says how fast (UserCallsPerSecond, UserCallsBurst). A function answers one call at a time, so a user who comes
through several functions at once gets the rate of each; a count in a table would be exact, and cost every call a write.
What all users may do together is API Gateway's to limit, exactly and for nothing.
"""

from collections import OrderedDict
from dataclasses import dataclass

from chalicelib import clock, codes, settings
from chalicelib.codes import Refusal
from chalicelib.limits import THROTTLED_USERS_MAX


@dataclass
class _Bucket:
    calls_left: float
    at_ms: int


_buckets: OrderedDict[str, _Bucket] = OrderedDict()


def check(user_id: str) -> None:
    """Count one call of this user. Refuses with 7008 if there have been too many."""
    per_second, burst = settings.user_calls()
    if not per_second:
        return
    now_ms = clock.now_ms()
    bucket = _buckets.setdefault(user_id, _Bucket(burst, now_ms))
    _buckets.move_to_end(user_id)
    if len(_buckets) > THROTTLED_USERS_MAX:
        _buckets.popitem(last=False)
    refilled = bucket.calls_left + max(0, now_ms - bucket.at_ms) / 1000 * per_second
    bucket.calls_left, bucket.at_ms = min(burst, refilled), now_ms
    if bucket.calls_left < 1:
        raise Refusal(codes.TOO_OFTEN)
    bucket.calls_left -= 1


def forget() -> None:
    """Begin anew."""
    _buckets.clear()
