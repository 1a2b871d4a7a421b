"""How long to wait before the next attempt."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Pauses that double up to a maximum, each a random part of that ("full jitter").

    After an outage everybody comes back: at random times, so that they do not all come at the same one.
    """

    first_s: float = 0.5
    max_s: float = 30.0

    def pause_s(self, attempt: int) -> float:
        """The pause after the attempt with this number, from 0."""
        # The exponent is bounded, as a device may be away for days.
        return random.uniform(0, min(self.max_s, self.first_s * 2.0 ** min(attempt, 16)))
