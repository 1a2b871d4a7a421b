"""Users: each user's live sockets, and their read-receipt switch."""

from collections.abc import Iterable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core.caller import SDKVersion
from chalicelib.core.conversation import SEPARATOR
from chalicelib.store import dynamo
from chalicelib.store.dynamo import Lookup

TABLE = "Users"


@dataclass(frozen=True)
class Connection:
    """One live socket of a user, until when the token it was opened with is good, and its client's version."""

    connection_id: str
    user_id: str
    token_expires_at_s: int
    sdk_version: SDKVersion


@dataclass(frozen=True)
class User:
    """A user's sockets, whether they have read receipts turned on, and whether they ever turned that switch."""

    user_id: str
    connections: tuple[Connection, ...] = ()
    read_receipts: bool = True
    has_turned_receipts: bool = False


def find(user_id: str) -> User:
    """A user as of now. Who has never been heard of has no sockets, and read receipts on."""
    row = dynamo.get(TABLE, key(user_id), consistent=True)
    return user_of(row) if row else User(user_id)


def find_many(user_ids: Iterable[str]) -> list[User]:
    """Those of these users who have been heard of, as of now: who has connected will be pushed to."""
    (rows,) = dynamo.look_up(lookup(*user_ids))
    return list(map(user_of, rows))


def lookup(*user_ids: str) -> Lookup:
    """What to ask for, to know these users as of now."""
    return Lookup(TABLE, list(map(key, sorted(set(user_ids)))))


def one_of(user_id: str, rows: Iterable[dynamo.Row]) -> User:
    """The user, from their row if there is one among these."""
    return next((user_of(row) for row in rows if row["userID"] == user_id), User(user_id))


def turn_read_receipts(user_id: str, on: bool) -> None:
    """Turn a user's switch."""
    dynamo.client().update_item(
        TableName=settings.table(TABLE),
        Key=dynamo.item(key(user_id)),
        UpdateExpression="SET readReceipts = :on",
        ExpressionAttributeValues=dynamo.item({":on": on}),
    )


def add_connection(connection: Connection, limit: int) -> bool:
    """Add a socket. False, and nothing is added, if there are `limit` already; adding one again is no change."""
    this = _entry(connection)
    try:
        dynamo.client().update_item(
            TableName=settings.table(TABLE),
            Key=dynamo.item(key(connection.user_id)),
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


def remove_connection(connection: Connection) -> None:
    """Remove exactly this socket; nothing happens if it is not there."""
    dynamo.client().update_item(
        TableName=settings.table(TABLE),
        Key=dynamo.item(key(connection.user_id)),
        UpdateExpression="DELETE connections :this",
        ExpressionAttributeValues=dynamo.item({":this": {_entry(connection)}}),
    )


def key(user_id: str) -> dict[str, str]:
    return {"userID": user_id}


def user_of(row: dynamo.Row) -> User:
    """A user from their row."""
    connections = tuple(_connection(row["userID"], entry) for entry in sorted(row.get("connections", ())))
    return User(row["userID"], connections, row.get("readReceipts", True), "readReceipts" in row)


def _entry(connection: Connection) -> str:
    """How a socket is remembered here: with all that a push needs to know, so that it reads no more than this."""
    parts = connection.connection_id, str(connection.token_expires_at_s), connection.sdk_version.text
    return SEPARATOR.join(parts)


def _connection(user_id: str, entry: str) -> Connection:
    connection_id, expires_at_s, version = entry.split(SEPARATOR)
    return Connection(connection_id, user_id, int(expires_at_s), SDKVersion(version))
