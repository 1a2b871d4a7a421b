"""Settings: one row for each scope. There is one scope so far, the app."""

from typing import Any

from chalicelib import clock, settings
from chalicelib.core.console import Console
from chalicelib.store import dynamo

TABLE = "Settings"
_APP = {"scope": "app"}

# How long a running function goes by what it has read: a change applies within so many milliseconds.
_KEPT_MS = 2000

# The attribute of each field. A list of types is one string, as DynamoDB has no empty sets.
_ATTRIBUTES = {
    "receipt_group_types": "receiptGroupTypes",
    "edition": "edition",
    "group_size_max": "receiptGroupSizeMax",
    "may_turn_receipts_off": "mayTurnReceiptsOff",
    "retention_days": "retentionDays",
    "webhook_url": "webhookURL",
}

_kept: tuple[int, Console] | None = None


def current() -> Console:
    """The administrator's settings, as they were at most two seconds ago."""
    global _kept
    now = clock.now_ms()
    if _kept is None or not 0 <= now - _kept[0] < _KEPT_MS:
        _kept = now, _console(dynamo.get(TABLE, _APP, consistent=True) or {})
    return _kept[1]


def change(**named: Any) -> None:
    """Set what is named, by the names of `Console`'s fields, for every function within two seconds; the rest stays.

    Only what is named is written, so two administrators who change different things do not undo each other.
    """
    sets, removes, values = [], [], {}
    for field, value in named.items():
        attribute = _ATTRIBUTES[field]
        if value is None:
            removes.append(attribute)
        else:
            sets.append(f"{attribute} = :{attribute}")
            values[f":{attribute}"] = ",".join(value) if field == "receipt_group_types" else value
    clauses = [f"{verb} {', '.join(parts)}" for verb, parts in (("SET", sets), ("REMOVE", removes)) if parts]
    if clauses:
        request: Any = {"ExpressionAttributeValues": dynamo.item(values)} if values else {}
        dynamo.client().update_item(
            TableName=settings.table(TABLE), Key=dynamo.item(_APP), UpdateExpression=" ".join(clauses), **request
        )
    forget()


def forget() -> None:
    """Read them again the next time."""
    global _kept
    _kept = None


def _console(row: dynamo.Row) -> Console:
    default = Console()
    types = row.get("receiptGroupTypes")
    return Console(
        receipt_group_types=default.receipt_group_types if types is None else tuple(filter(None, types.split(","))),
        edition=row.get("edition", default.edition),
        group_size_max=row.get("receiptGroupSizeMax"),
        may_turn_receipts_off=row.get("mayTurnReceiptsOff", default.may_turn_receipts_off),
        retention_days=row.get("retentionDays"),
        webhook_url=row.get("webhookURL"),
    )
