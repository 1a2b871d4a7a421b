"""Who is calling, and with which client."""

import re
from dataclasses import dataclass

# The page's gates ("仅增强版 SDK … 及以上版本支持"), and since when a receipt with a msgID carries its time.
GROUP_RECEIPTS_SINCE = (6, 1, 2155)
C2C_RECEIPTS_SINCE = (6, 2, 2363)
RECEIPT_TIME_SINCE = (8, 1)

_VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,3}", re.ASCII)


@dataclass(frozen=True)
class SDKVersion:
    """A client's version, compared as numbers: 6.10 is later than 6.9, and 8.1 is 8.1.0."""

    text: str = ""

    @classmethod
    def parse(cls, text: str) -> "SDKVersion":
        """From one to four numbers with dots between. Empty means a current client. ValueError if it is neither."""
        if text and not _VERSION.fullmatch(text):
            raise ValueError(f"not a version: {text!r}")
        return cls(text)

    def is_at_least(self, since: tuple[int, ...]) -> bool:
        """Whether this client has what came with that version."""
        if not self.text:
            return True
        numbers = tuple(map(int, self.text.split(".")))
        length = max(len(numbers), len(since))
        return numbers + (0,) * (length - len(numbers)) >= since + (0,) * (length - len(since))

    def has_receipts(self, *, in_group: bool) -> bool:
        """Whether this client knows read receipts of group messages, or of C2C messages."""
        return self.is_at_least(GROUP_RECEIPTS_SINCE if in_group else C2C_RECEIPTS_SINCE)

    @property
    def has_receipt_time(self) -> bool:
        """Whether this client knows the time in a receipt that has a msgID."""
        return self.is_at_least(RECEIPT_TIME_SINCE)


@dataclass(frozen=True)
class Caller:
    """A verified user, until when their token vouches for them, and their client's version, if it said one."""

    user_id: str
    expires_at_s: int = 0
    is_admin: bool = False
    sdk_version: SDKVersion = SDKVersion()
