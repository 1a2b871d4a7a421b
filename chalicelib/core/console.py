"""What an administrator has set, for all of the app."""

from dataclasses import dataclass

PREMIUM = "premium"

# By default; Community can be switched on.
RECEIPT_GROUP_TYPES = ("Work", "Public", "Meeting")

_DAY_S = 24 * 3600

# When what is kept for ever expires: at the end of the year 9999.
NEVER_S = 253_402_300_799

# Reads and tiles outlive the messages they are about, so that no count goes back while DynamoDB, which takes some days
# for it, has not yet deleted a message that expired.
_GRACE_DAYS = 7


def receipt_expires_at_s(message_expires_at_s: int | None) -> int:
    """When what is written about a message may expire, in seconds, from when the message itself does (None: never).

    It follows from the message alone, so repeating a receipt writes the same. Rounded up to a midnight, so that a row
    which is about many messages has to be put off once a day at most.
    """
    if message_expires_at_s is None:
        return NEVER_S
    return (-(-message_expires_at_s // _DAY_S) + _GRACE_DAYS) * _DAY_S


@dataclass(frozen=True)
class Console:
    """The settings. They say what happens from now on: a message that was sent keeps what it was sent with.

    `group_size_max` is the largest number of members with which a group message gets receipts, None for any.
    `retention_days` is how long messages and their receipts are kept, None for ever. `webhook_url` is
    where the product's back end wants to hear of receipts, None if it does not.
    """

    receipt_group_types: tuple[str, ...] = RECEIPT_GROUP_TYPES
    edition: str = PREMIUM
    group_size_max: int | None = None
    may_turn_receipts_off: bool = True
    retention_days: int | None = None
    webhook_url: str | None = None

    @property
    def has_receipts(self) -> bool:
        """Only the premium edition has read receipts."""
        return self.edition == PREMIUM

    def message_expires_at_s(self, sent_at_ms: int) -> int | None:
        """When a message sent at this time expires, in seconds; None if never."""
        return None if self.retention_days is None else sent_at_ms // 1000 + self.retention_days * _DAY_S
