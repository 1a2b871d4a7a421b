"""The DynamoDB client and the little that all tables share: attribute values, pages, batches, contention."""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from chalicelib import codes, settings
from chalicelib.codes import Refusal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

# What a row's attributes are in Python: S, N, BOOL, B and SS. Numbers here are always whole.
Value = str | int | bool | bytes | set[str]
Row = dict[str, Any]

# A call that is not answered in two seconds is worth another try; four tries stay inside API Gateway's 29 seconds. The
# store modules are typed, and DynamoDB checks what it is sent: botocore need not check it as well, which takes a third
# of the processor time of a BatchGetItem.
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=32,
    parameter_validation=False,
)

# BatchGetItem takes 100 keys.
_BATCH_GET_MAX = 100

# How often a write that depends on a fresh read is tried again when others got in between.
_CONTENTION_TRIES = 30

# Why one action of a transaction was not done, when it is nobody's fault. "None": this action was not the reason.
_RACES_WITHIN_A_TRANSACTION = ("None", "ConditionalCheckFailed", "TransactionConflict")


@cache
def client() -> "DynamoDBClient":
    """The process's one client, made at its first use: making one costs tens of milliseconds."""
    import boto3

    return boto3.client("dynamodb", config=_CONFIG)


def attribute(value: Value) -> dict[str, Any]:
    """One value in DynamoDB's notation."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case set():
            return {"SS": sorted(value)}
        case _:
            return {"S": value}


def item(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in DynamoDB's notation, without the attributes that are None."""
    return {name: attribute(value) for name, value in row.items() if value is not None}


def plain(item: Mapping[str, Any]) -> Row:
    """A row from DynamoDB's notation."""
    row: Row = {}
    for name, typed in item.items():
        ((kind, value),) = typed.items()
        row[name] = int(value) if kind == "N" else set(value) if kind == "SS" else value
    return row


def get(table: str, key: Mapping[str, Any], *, consistent: bool = False) -> Row | None:
    """One row by its key, or None."""
    answer = client().get_item(TableName=settings.table(table), Key=item(key), ConsistentRead=consistent)
    return plain(answer["Item"]) if "Item" in answer else None


@dataclass(frozen=True)
class Lookup:
    """Rows of one table to be asked for by their keys, each key once; or only some of their attributes."""

    table: str
    keys: Sequence[Mapping[str, Any]]
    consistent: bool = True
    attributes: str = ""


def look_up(*lookups: Lookup) -> list[list[Row]]:
    """For each of these, of a table each, the rows that exist, in no order. One request for each 100 keys of all."""
    rows: list[list[Row]] = [[] for _ in lookups]
    names = [settings.table(each.table) for each in lookups]
    wanted = [(index, key) for index, each in enumerate(lookups) for key in each.keys]
    for start in range(0, len(wanted), _BATCH_GET_MAX):
        batch: dict[str, Any] = {}
        for index, key in wanted[start : start + _BATCH_GET_MAX]:
            if names[index] not in batch:
                each = lookups[index]
                projection = {"ProjectionExpression": each.attributes} if each.attributes else {}
                batch[names[index]] = {"Keys": [], "ConsistentRead": each.consistent, **projection}
            batch[names[index]]["Keys"].append(item(key))
        for _ in tries():
            answer = client().batch_get_item(RequestItems=batch)
            for name, found in answer["Responses"].items():
                rows[names.index(name)] += map(plain, found)
            batch = dict(answer.get("UnprocessedKeys", {}))
            if not batch:
                break
    return rows


def get_many(
    table: str, keys: Iterable[Mapping[str, Any]], *, consistent: bool = False, attributes: str = ""
) -> list[Row]:
    """The rows that exist among these keys, in no order, or only some of their attributes. A request for 100 keys."""
    (rows,) = look_up(Lookup(table, list(keys), consistent, attributes))
    return rows


def query(table: str, condition: str, values: Mapping[str, Value], **options: Any) -> Iterator[Row]:
    """The rows that meet a key condition, page after page, as long as the caller goes on asking."""
    request = {
        "TableName": settings.table(table),
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": item(values),
        **options,
    }
    while True:
        answer = client().query(**request)
        yield from map(plain, answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def lost_condition(error: ClientError) -> bool:
    """Whether a write was refused by its own condition."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def lost_race(error: ClientError) -> bool:
    """Whether a write was refused because another one, or a transaction, got in between: read again and try again."""
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        reasons: Any = error.response.get("CancellationReasons", [])
        return all(reason.get("Code") in _RACES_WITHIN_A_TRANSACTION for reason in reasons)
    return code in ("ConditionalCheckFailedException", "TransactionConflictException", "TransactionInProgressException")


def tries() -> Iterator[int]:
    """Attempts at a contended write, with growing random pauses between. Refuses with 7008 when they are used up."""
    for attempt in range(_CONTENTION_TRIES):
        if attempt:
            time.sleep(random.uniform(0, min(0.25, 0.004 * 2**attempt)))
        yield attempt
    raise Refusal(codes.TOO_OFTEN)
