"""Frames to connected sockets, through API Gateway's management API.

A push is a courtesy: everything in it can be asked for as well. So a socket that cannot be reached is logged and passed
over, one that is gone is forgotten, and neither stops the others.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import clock, log, settings, together
from chalicelib.core.caller import SDKVersion
from chalicelib.store import connections, users
from chalicelib.store.users import Connection, User

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi.client import ApiGatewayManagementApiClient

_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=together.AT_ONCE,
)


@dataclass(frozen=True)
class Delivery:
    """What became of the sockets that were pushed to: how many were sent to, found gone, or not reached."""

    sent: int = 0
    gone: int = 0
    failed: int = 0

    def __add__(self, other: "Delivery") -> "Delivery":
        return Delivery(self.sent + other.sent, self.gone + other.gone, self.failed + other.failed)


@cache
def client() -> "ApiGatewayManagementApiClient":
    """The process's one client, made at its first use."""
    import boto3

    return boto3.client("apigatewaymanagementapi", endpoint_url=settings.push_endpoint(), config=_CONFIG)


# What a user's device is told, in order: it may depend on who they are, on their switch, and on their client's version.
FramesFor = Callable[[User, SDKVersion], Sequence[bytes]]


def deliver(user_ids: Iterable[str], frames_for: FramesFor) -> Delivery:
    """Send each of these users, on every device they are connected with, the frames that are for it."""
    return deliver_to(users.find_many(user_ids), frames_for)


def deliver_to(told: Iterable[User], frames_for: FramesFor) -> Delivery:
    """The same, for users who have just been looked up."""
    posts = [
        (connection, frames)
        for user in told
        for connection in user.connections
        if (frames := frames_for(user, connection.sdk_version))
    ]
    delivery = sum(together.each(lambda post: _send(*post), posts), start=Delivery())
    log.count("PushesSent", delivery.sent)
    log.count("PushesGone", delivery.gone)
    log.count("PushesFailed", delivery.failed)
    return delivery


def reply(connection_id: str, frame: bytes) -> None:
    """Answer on the socket a frame came from. If that fails there is nobody to tell; $disconnect will come."""
    try:
        client().post_to_connection(ConnectionId=connection_id, Data=frame)
    except (BotoCoreError, ClientError) as error:
        log.failure("reply", error, connection=connection_id)


def end_if_dead(connection: Connection) -> bool:
    """Forget a socket that is gone, end one whose token has expired, and say whether it was either.

    When nothing can be found out, it counts as alive.
    """
    try:
        if _has_expired(connection):
            _end(connection)
            return True
        client().get_connection(ConnectionId=connection.connection_id)
    except ClientError as error:
        return _is_gone(error) and connections.forget_gone(connection)
    except BotoCoreError:
        return False
    return False


def _send(connection: Connection, frames: Sequence[bytes]) -> Delivery:
    """Send frames to one socket. One that is gone is forgotten, one whose token has expired is ended."""
    try:
        if _has_expired(connection):
            _end(connection)
            return Delivery(gone=1)
        for frame in frames:
            client().post_to_connection(ConnectionId=connection.connection_id, Data=frame)
    except (BotoCoreError, ClientError) as error:
        return _unsent(connection, error)
    return Delivery(sent=1)


def _has_expired(connection: Connection) -> bool:
    return connection.token_expires_at_s <= clock.now_ms() // 1000


def _end(connection: Connection) -> None:
    client().delete_connection(ConnectionId=connection.connection_id)
    connections.forget_gone(connection)


def _unsent(connection: Connection, error: BotoCoreError | ClientError) -> Delivery:
    """What to make of a socket that could not be sent to. Whatever it is, it concerns no other socket."""
    try:
        if isinstance(error, ClientError) and _is_gone(error) and connections.forget_gone(connection):
            return Delivery(gone=1)
    except (BotoCoreError, ClientError) as second:
        log.failure("forget", second, connection=connection.connection_id)
    log.failure("push", error, connection=connection.connection_id)
    return Delivery(failed=1)


def _is_gone(error: ClientError) -> bool:
    return error.response["ResponseMetadata"]["HTTPStatusCode"] == 410
