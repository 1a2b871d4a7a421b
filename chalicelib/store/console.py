"""Settings: one row for each scope. There is one scope so far, the app."""

from chalicelib import clock, settings
from chalicelib.core.console import Console
from chalicelib.store import dynamo

TABLE = "Settings"
_APP = {"scope": "app"}

# How long a running function goes by what it has read: a change applies within so many milliseconds.
_KEPT_MS = 2000

_kept: tuple[int, Console] | None = None


def current() -> Console:
    """The administrator's settings, as they were at most two seconds ago."""
    global _kept
    now = clock.now_ms()
    if _kept is None or not 0 <= now - _kept[0] < _KEPT_MS:
        _kept = now, _console(dynamo.get(TABLE, _APP, consistent=True) or {})
    return _kept[1]


def save(console: Console) -> None:
    """Set them, for every function within two seconds."""
    row = {
        **_APP,
        "receiptGroupTypes": set(console.receipt_group_types) or None,
        "edition": console.edition,
        "groupSizeMax": console.group_size_max,
        "mayTurnReceiptsOff": console.may_turn_receipts_off,
        "retentionDays": console.retention_days,
    }
    dynamo.client().put_item(TableName=settings.table(TABLE), Item=dynamo.item(row))
    forget()


def forget() -> None:
    """Read them again the next time."""
    global _kept
    _kept = None


def _console(row: dynamo.Row) -> Console:
    if not row:
        return Console()
    return Console(
        receipt_group_types=tuple(sorted(row.get("receiptGroupTypes", ()))),
        edition=row["edition"],
        group_size_max=row.get("groupSizeMax"),
        may_turn_receipts_off=row["mayTurnReceiptsOff"],
        retention_days=row.get("retentionDays"),
    )
