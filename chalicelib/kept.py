"""What a warm function keeps in memory of what it has read: bounded in entries and in age.

Only what can never change is kept so; each place that keeps something says why it is safe there.
"""

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

from chalicelib import clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_all: list["Kept[object, object]"] = []


class Kept(Generic[K, V]):
    """A map that forgets: what is older than `age_ms`, and beyond `entries` what came first. Safe among threads."""

    def __init__(self, entries: int, age_ms: int) -> None:
        self._entries, self._age_ms = entries, age_ms
        self._values: dict[K, tuple[int, V]] = {}
        self._lock = threading.Lock()
        _all.append(self)  # type: ignore[arg-type]  # only to be forgotten

    def get(self, key: K) -> V | None:
        """What is kept under this key, or None."""
        at_ms, value = self._values.get(key, (0, None))
        return value if value is not None and 0 <= clock.now_ms() - at_ms < self._age_ms else None

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._values.pop(key, None)
            self._values[key] = clock.now_ms(), value
            while len(self._values) > self._entries:
                del self._values[next(iter(self._values))]

    def forget(self) -> None:
        with self._lock:
            self._values.clear()


def forget_all() -> None:
    """Forget everything that is kept, as a function that has just started."""
    for kept in _all:
        kept.forget()
