"""Connections: one row for each socket, which says whose it is.

`$disconnect` is best effort, so a row may outlive its socket: it expires, and a push that finds it gone forgets it.
"""

from botocore.exceptions import ClientError

from chalicelib import clock, limits, settings
from chalicelib.core.caller import SDKVersion
from chalicelib.store import dynamo, users
from chalicelib.store.users import Connection

TABLE = "Connections"


def find(connection_id: str) -> Connection | None:
    """A connection by its ID, consistently read."""
    row = dynamo.get(TABLE, _key(connection_id), consistent=True)
    return _connection(row) if row else None


def add(connection: Connection) -> bool:
    """Remember a socket. False, and nothing is remembered, if its user has 20 of them already.

    The row comes first: with it, whatever happens next, the socket can be forgotten again.
    """
    now_s = clock.now_ms() // 1000
    row = {
        "connectionID": connection.connection_id,
        "userID": connection.user_id,
        "tokenExpiresAt": connection.token_expires_at_s,
        "sdkVersion": connection.sdk_version.text or None,
        "connectedAt": now_s,
        "expiresAt": now_s + limits.CONNECTION_LIFETIME_S,
    }
    dynamo.client().put_item(TableName=settings.table(TABLE), Item=dynamo.item(row))
    if users.add_connection(connection, limits.CONNECTIONS_PER_USER_MAX):
        return True
    dynamo.client().delete_item(TableName=settings.table(TABLE), Key=dynamo.item(_key(connection.connection_id)))
    return False


def forget(connection_id: str) -> None:
    """Forget exactly this socket; nothing happens if it is forgotten already."""
    answer = dynamo.client().delete_item(
        TableName=settings.table(TABLE), Key=dynamo.item(_key(connection_id)), ReturnValues="ALL_OLD"
    )
    if "Attributes" in answer:
        users.remove_connection(_connection(dynamo.plain(answer["Attributes"])))


def forget_gone(connection: Connection) -> bool:
    """Forget a socket that API Gateway calls gone, even if its own row has expired. False if it may be only coming.

    Until $connect has answered, API Gateway calls a new socket gone too. So one that connected within the last seconds
    is left alone: if it really is gone, the next push will find it so.
    """
    try:
        dynamo.client().delete_item(
            TableName=settings.table(TABLE),
            Key=dynamo.item(_key(connection.connection_id)),
            ConditionExpression="attribute_not_exists(connectedAt) OR connectedAt < :settled",
            ExpressionAttributeValues=dynamo.item({":settled": clock.now_ms() // 1000 - limits.CONNECTING_S}),
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        return False
    users.remove_connection(connection)
    return True


def _key(connection_id: str) -> dict[str, str]:
    return {"connectionID": connection_id}


def _connection(row: dynamo.Row) -> Connection:
    version = SDKVersion(row.get("sdkVersion", ""))
    return Connection(row["connectionID"], row["userID"], row["tokenExpiresAt"], version)
