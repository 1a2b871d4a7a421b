"""Connections: one row for each socket, which says whose it is.

`$disconnect` is best effort, so a row may outlive its socket: it expires, and a push that finds it gone forgets it.
"""

from dataclasses import dataclass

from chalicelib import settings
from chalicelib.core.caller import SDKVersion
from chalicelib.store import dynamo, users

TABLE = "Connections"


@dataclass(frozen=True)
class Connection:
    """One live socket of a user, its client's version, and until when the token it was opened with is good."""

    connection_id: str
    user_id: str
    token_expires_at_s: int
    sdk_version: SDKVersion


def find(connection_id: str) -> Connection | None:
    """A connection by its ID, consistently read."""
    row = dynamo.get(TABLE, {"connectionID": connection_id}, consistent=True)
    return _connection(row) if row else None


def add(connection: Connection, expires_at_s: int, limit: int) -> bool:
    """Remember a socket. False, and nothing is remembered, if its user has `limit` of them already.

    The row comes first: with it, whatever happens next, the socket can be forgotten again.
    """
    row = {
        "connectionID": connection.connection_id,
        "userID": connection.user_id,
        "tokenExpiresAt": connection.token_expires_at_s,
        "sdkVersion": connection.sdk_version.text or None,
        "expiresAt": expires_at_s,
    }
    dynamo.client().put_item(TableName=settings.table(TABLE), Item=dynamo.item(row))
    if users.add_connection(connection.user_id, connection.connection_id, connection.sdk_version, limit):
        return True
    _delete(connection.connection_id)
    return False


def forget(connection_id: str) -> None:
    """Forget exactly this socket; nothing happens if it is forgotten already."""
    connection = _delete(connection_id)
    if connection:
        users.remove_connection(connection.user_id, connection_id, connection.sdk_version)


def forget_of(user_id: str, connection_id: str, version: SDKVersion) -> None:
    """Forget a socket that was found in its user's set, even if its own row has expired."""
    _delete(connection_id)
    users.remove_connection(user_id, connection_id, version)


def _delete(connection_id: str) -> Connection | None:
    answer = dynamo.client().delete_item(
        TableName=settings.table(TABLE), Key=dynamo.item({"connectionID": connection_id}), ReturnValues="ALL_OLD"
    )
    return _connection(dynamo.plain(answer["Attributes"])) if "Attributes" in answer else None


def _connection(row: dynamo.Row) -> Connection:
    version = SDKVersion(row.get("sdkVersion", ""))
    return Connection(row["connectionID"], row["userID"], row["tokenExpiresAt"], version)
