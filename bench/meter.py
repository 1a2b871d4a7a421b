"""What handlers ask of AWS: requests, bytes and capacity, by hooks on botocore's clients.

Writes are counted as the local DynamoDB counts them (ReturnConsumedCapacity): by the size of the item before and after,
and of every index entry that changes. A write that its own condition refuses costs a unit as well.

Reads are counted here, because MiniStack says half a unit for any Query. AWS's rule: the sizes of the items that are
read, before a filter or projection takes anything away, rounded up to 4 KB, once for a Query and for each item of a
GetItem or BatchGetItem; half for reads that are not consistent. To know the sizes, a read with a projection or filter
is repeated without them, off the record.
"""

import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

READ_UNIT_BYTES = 4096

_READS = ("GetItem", "BatchGetItem", "Query")
_NARROWING = ("ProjectionExpression", "FilterExpression", "ExpressionAttributeNames", "ReturnConsumedCapacity")


@dataclass
class Reading:
    """What has been used since the last look."""

    requests: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    write_units: float = 0
    read_units: float = 0
    operations: Counter[str] = field(default_factory=Counter)
    own_cpu_s: float = 0  # what the measuring itself took, to be taken off


class Meter:
    """Counts what a DynamoDB client does, from `attach` on. `calls` keeps what was asked, while it is a list."""

    def __init__(self, plain_client: Any) -> None:
        self.reading = Reading()
        self.calls: list[tuple[str, dict[str, Any]]] | None = None
        self._plain_client = plain_client
        self._lock = Lock()

    def attach(self, client: Any) -> None:
        hooks = client.meta.events
        hooks.register("before-parameter-build.dynamodb.*", self._asked)
        hooks.register("before-send.dynamodb.*", self._sent)
        hooks.register("after-call.dynamodb.*", self._answered)

    def take(self) -> Reading:
        """What has been used since the last look."""
        with self._lock:
            taken, self.reading = self.reading, Reading()
        return taken

    def _asked(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        started = time.thread_time()
        if self.calls is not None:
            self.calls.append((model.name, dict(params)))
        context["asked"] = dict(params)
        if model.name not in _READS:
            params["ReturnConsumedCapacity"] = "TOTAL"
        self._note(own_cpu_s=time.thread_time() - started)

    def _sent(self, request: Any, **_: Any) -> None:
        self._note(requests=1, request_bytes=len(request.body or b""))

    def _answered(self, http_response: Any, parsed: dict[str, Any], model: Any, context: Any, **_: Any) -> None:
        started = time.thread_time()
        read = self._read_units(model.name, context["asked"], parsed) if model.name in _READS else 0.0
        written = 0.0 if model.name in _READS else _write_units(parsed)
        with self._lock:
            self.reading.operations[model.name] += 1
        self._note(
            response_bytes=len(http_response.content),
            read_units=read,
            write_units=written,
            own_cpu_s=time.thread_time() - started,
        )

    def _note(self, **used: float) -> None:
        with self._lock:
            for name, amount in used.items():
                setattr(self.reading, name, getattr(self.reading, name) + amount)

    def _read_units(self, operation: str, asked: Mapping[str, Any], parsed: Mapping[str, Any]) -> float:
        if "Error" in parsed:
            return 0.0
        match operation:
            case "GetItem":
                whole = self._plain_client.get_item(**_whole(asked)) if "ProjectionExpression" in asked else parsed
                item = whole.get("Item")
                return read_units([item_bytes(item) if item else 0], consistent=bool(asked.get("ConsistentRead")))
            case "BatchGetItem":
                tables = asked["RequestItems"].items()
                return sum(self._batch_units(table, wanted, parsed) for table, wanted in tables)
            case _:
                is_narrowed = "ProjectionExpression" in asked or "FilterExpression" in asked
                items = self._plain_client.query(**_whole(asked))["Items"] if is_narrowed else parsed["Items"]
                size = sum(map(item_bytes, items))
                return read_units([size], consistent=bool(asked.get("ConsistentRead")))

    def _batch_units(self, table: str, wanted: Mapping[str, Any], parsed: Mapping[str, Any]) -> float:
        """A key without an item costs as much as the smallest item."""
        whole = parsed
        if "ProjectionExpression" in wanted:
            whole = self._plain_client.batch_get_item(RequestItems={table: _whole(wanted)})
        found = whole["Responses"].get(table, [])
        missing = [0] * (len(wanted["Keys"]) - len(found))
        return read_units([*map(item_bytes, found), *missing], consistent=bool(wanted.get("ConsistentRead")))


def read_units(sizes: Iterable[int], *, consistent: bool) -> float:
    """The units of reads that each return so many bytes."""
    whole = sum(max(1, math.ceil(size / READ_UNIT_BYTES)) for size in sizes)
    return whole if consistent else whole / 2


def item_bytes(item: Mapping[str, Any]) -> int:
    """An item's size by AWS's rule: its attributes' names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return _number_bytes(value)
        case "B":
            return len(value)
        case "SS":
            return sum(len(each.encode()) for each in value)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + _value_bytes(each) for each in value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(each) for name, each in value.items())
        case _:
            raise ValueError(f"no table here has attributes of type {kind}")


def _number_bytes(text: str) -> int:
    """A byte for every two significant digits, and one more; another for the sign."""
    digits = text.lstrip("-0").replace(".", "").rstrip("0")
    return (len(digits) + 1) // 2 + 1 + text.startswith("-")


def _write_units(parsed: Mapping[str, Any]) -> float:
    if "Error" in parsed:
        return 1.0 if parsed["Error"]["Code"] == "ConditionalCheckFailedException" else 0.0
    used = parsed["ConsumedCapacity"]
    return float(sum(each["CapacityUnits"] for each in (used if isinstance(used, list) else [used])))


def _whole(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The same read without what takes something away from its answer. Names are only used by projections here."""
    return {name: value for name, value in asked.items() if name not in _NARROWING}
