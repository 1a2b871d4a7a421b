"""Users: each user's live sockets, and their read-receipt switch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core.caller import SDKVersion
from chalicelib.core.conversation import SEPARATOR
from chalicelib.store import dynamo

TABLE = "Users"


@dataclass(frozen=True)
class User:
    """A user's sockets, with the version each of them stated, and whether they have read receipts turned on."""

    user_id: str
    connections: Mapping[str, SDKVersion] = field(default_factory=dict)
    read_receipts: bool = True


def find(user_id: str) -> User:
    """A user as of now. Who has never been heard of has no sockets, and read receipts on."""
    row = dynamo.get(TABLE, key(user_id), consistent=True)
    return user_of(row) if row else User(user_id)


def find_many(user_ids: Iterable[str]) -> list[User]:
    """Those of these users who have been heard of, as of now: who has connected will be pushed to."""
    return [user_of(row) for row in dynamo.get_many(TABLE, map(key, sorted(set(user_ids))), consistent=True)]


def turn_read_receipts(user_id: str, on: bool) -> None:
    """Turn a user's switch."""
    dynamo.client().update_item(
        TableName=settings.table(TABLE),
        Key=dynamo.item(key(user_id)),
        UpdateExpression="SET readReceipts = :on",
        ExpressionAttributeValues=dynamo.item({":on": on}),
    )


def add_connection(user_id: str, connection_id: str, version: SDKVersion, limit: int) -> bool:
    """Add a socket. False, and nothing is added, if there are `limit` already; adding one again is no change."""
    this = _entry(connection_id, version)
    try:
        dynamo.client().update_item(
            TableName=settings.table(TABLE),
            Key=dynamo.item(key(user_id)),
            UpdateExpression="ADD connections :this",
            ConditionExpression=(
                "attribute_not_exists(connections) OR contains(connections, :entry) OR size(connections) < :limit"
            ),
            ExpressionAttributeValues=dynamo.item({":this": {this}, ":entry": this, ":limit": limit}),
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        return False
    return True


def remove_connection(user_id: str, connection_id: str, version: SDKVersion) -> None:
    """Remove exactly this socket; nothing happens if it is not there."""
    dynamo.client().update_item(
        TableName=settings.table(TABLE),
        Key=dynamo.item(key(user_id)),
        UpdateExpression="DELETE connections :this",
        ExpressionAttributeValues=dynamo.item({":this": {_entry(connection_id, version)}}),
    )


def key(user_id: str) -> dict[str, str]:
    return {"userID": user_id}


def user_of(row: dynamo.Row) -> User:
    """A user from their row."""
    entries = (entry.partition(SEPARATOR) for entry in row.get("connections", ()))
    connections = {connection_id: SDKVersion(version) for connection_id, _, version in entries}
    return User(row["userID"], connections, row.get("readReceipts", True))


def _entry(connection_id: str, version: SDKVersion) -> str:
    """How a socket is remembered: its ID and the version it stated, so that a push needs to read no more than this."""
    return f"{connection_id}{SEPARATOR}{version.text}" if version.text else connection_id
