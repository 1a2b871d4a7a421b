"""Things that wait for the network, done together by a few threads."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Each waits for the network, not for the processor; more would only wait for a connection.
AT_ONCE = 16


def each(do: Callable[[T], R], things: Iterable[T], at_once: int = AT_ONCE) -> list[R]:
    """What `do` gives for each of these, in their order; the first exception, if there is one.

    One alone, as nearly always, is done right here: a thread costs more than the wait is worth.
    """
    all_ = list(things)
    if len(all_) <= 1:
        return [do(thing) for thing in all_]
    with ThreadPoolExecutor(min(at_once, len(all_))) as pool:
        return list(pool.map(do, all_))
