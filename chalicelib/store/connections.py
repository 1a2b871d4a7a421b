"""Connections: one row for each socket, and in Users the set of each user's sockets, so that a push needs one read.

`$disconnect` is best effort, so a row may outlive its socket: it expires, and a push that finds it gone forgets it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.store import dynamo

TABLE = "Connections"
USERS = "Users"


@dataclass(frozen=True)
class Connection:
    """One live socket of a user, and until when the token it was opened with vouches for the user."""

    connection_id: str
    user_id: str
    token_expires_at_s: int
    sdk_version: str = ""


def find(connection_id: str) -> Connection | None:
    """A connection by its ID, consistently read."""
    row = dynamo.get(TABLE, {"connectionID": connection_id}, consistent=True)
    if row is None:
        return None
    return Connection(connection_id, row["userID"], row["tokenExpiresAt"], row.get("sdkVersion", ""))


def of_user(user_id: str) -> set[str]:
    """The IDs of a user's connections, consistently read."""
    row = dynamo.get(USERS, {"userID": user_id}, consistent=True) or {}
    return set(row.get("connections", ()))


def of_users(user_ids: Iterable[str]) -> dict[str, set[str]]:
    """The IDs of the connections of those users who have any. Consistent: who has connected will be pushed to."""
    keys = [{"userID": user_id} for user_id in sorted(set(user_ids))]
    rows = dynamo.get_many(USERS, keys, consistent=True, attributes="userID, connections")
    return {row["userID"]: row["connections"] for row in rows if "connections" in row}


def add(connection: Connection, expires_at_s: int, limit: int) -> bool:
    """Remember a socket. False, and nothing is remembered, if its user has `limit` of them already.

    The row comes first: with it, whatever happens next, the socket can be forgotten again.
    """
    row = {
        "connectionID": connection.connection_id,
        "userID": connection.user_id,
        "tokenExpiresAt": connection.token_expires_at_s,
        "sdkVersion": connection.sdk_version or None,
        "expiresAt": expires_at_s,
    }
    dynamo.client().put_item(TableName=settings.table(TABLE), Item=dynamo.item(row))
    try:
        dynamo.client().update_item(
            TableName=settings.table(USERS),
            Key=dynamo.item({"userID": connection.user_id}),
            UpdateExpression="ADD connections :this",
            ConditionExpression=(
                "attribute_not_exists(connections) OR contains(connections, :id) OR size(connections) < :limit"
            ),
            ExpressionAttributeValues=dynamo.item(
                {":this": {connection.connection_id}, ":id": connection.connection_id, ":limit": limit}
            ),
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        _delete(connection.connection_id)
        return False
    return True


def forget(connection_id: str, user_id: str | None = None) -> None:
    """Forget exactly this socket; nothing happens if it is forgotten already.

    The row tells whose it was; `user_id` does where the row has expired before.
    """
    owner = _delete(connection_id) or user_id
    if owner:
        dynamo.client().update_item(
            TableName=settings.table(USERS),
            Key=dynamo.item({"userID": owner}),
            UpdateExpression="DELETE connections :this",
            ExpressionAttributeValues=dynamo.item({":this": {connection_id}}),
        )


def _delete(connection_id: str) -> str | None:
    answer = dynamo.client().delete_item(
        TableName=settings.table(TABLE), Key=dynamo.item({"connectionID": connection_id}), ReturnValues="ALL_OLD"
    )
    return str(dynamo.plain(answer["Attributes"])["userID"]) if "Attributes" in answer else None
