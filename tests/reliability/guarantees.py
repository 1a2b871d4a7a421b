"""The six guarantees as checks, and the record of how often each was made and which faults were survived."""

from collections import Counter
from collections.abc import Set

from tests.world import Json, User, World

# How often each guarantee was checked, and how many faults of each kind were survived, by where they were injected.
checks: Counter[str] = Counter()
survived: Counter[tuple[str, str]] = Counter()


def checked(guarantee: str, times: int = 1) -> None:
    """Note that a guarantee was found kept."""
    checks[guarantee] += times


def check_receipts(
    world: World, sender: User, message: Json, audience: Set[str], certain: Set[str], maybe: Set[str] = frozenset()
) -> None:
    """Counted once and Adds up, at rest: what a sender is told of a message that was sent to this audience.

    Those in `certain` were told that their receipt was taken; those in `maybe` sent one and were not told.
    """
    world.pump()
    counts = sender.counts(message)
    if not message.get("groupID"):
        assert len(certain) <= counts[0] <= len(certain | maybe), (counts, certain, maybe)
        assert sum(counts) == 1
    else:
        read, unread = sender.readers(message), sender.non_readers(message)
        assert certain <= set(read) <= certain | maybe, (read, certain, maybe)
        assert sorted(read + unread) == sorted(audience), (read, unread, audience)
        assert counts == (len(read), len(unread)), (counts, read, unread)
    checked("Counted once")
    checked("Adds up")
