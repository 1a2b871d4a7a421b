"""How long the reliability tests may take: short, as part of `make test`, or long (`make test-long`).

`RELIABILITY_SEED` chooses the examples; each run prints the one it used.
"""

import os

# What the short profile tries if nothing else is said: the same every time, so that a change is what makes it fail.
_SEED = 1


def is_long() -> bool:
    """Whether this is `make test-long`."""
    return os.environ.get("RELIABILITY") == "long"


def seed() -> int:
    """What the examples follow from."""
    return int(os.environ.get("RELIABILITY_SEED") or _SEED)
