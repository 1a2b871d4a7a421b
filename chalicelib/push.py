"""Frames to connected sockets, through API Gateway's management API.

A push is a courtesy: everything in it can be asked for as well. So a socket that cannot be reached is logged and passed
over, one that is gone is forgotten, and neither stops the others.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import log, settings
from chalicelib.core.caller import SDKVersion
from chalicelib.store import connections, users
from chalicelib.store.users import User

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi.client import ApiGatewayManagementApiClient

# Posts under way at once. Each waits for the network, not for the processor.
_POSTS_AT_ONCE = 16

_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=_POSTS_AT_ONCE,
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
    posts = [
        (user.user_id, connection_id, version, frames)
        for user in users.find_many(user_ids)
        for connection_id, version in sorted(user.connections.items(), key=lambda each: each[0])
        if (frames := frames_for(user, version))
    ]
    if len(posts) == 1:
        return _send(*posts[0])
    with ThreadPoolExecutor(_POSTS_AT_ONCE) as pool:
        return sum(pool.map(lambda post: _send(*post), posts), start=Delivery())


def reply(connection_id: str, frame: bytes) -> None:
    """Answer on the socket a frame came from. One that is gone is forgotten."""
    try:
        client().post_to_connection(ConnectionId=connection_id, Data=frame)
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and _is_gone(error):
            connections.forget(connection_id)
        else:
            log.failure("reply", error, connection=connection_id)


def is_connected(connection_id: str) -> bool:
    """Whether a socket is still there. When nothing can be found out, it counts as there."""
    try:
        client().get_connection(ConnectionId=connection_id)
    except ClientError as error:
        return not _is_gone(error)
    except BotoCoreError:
        return True
    return True


def _send(user_id: str, connection_id: str, version: SDKVersion, frames: Sequence[bytes]) -> Delivery:
    """Send frames to one socket, and forget it if it is gone."""
    try:
        for frame in frames:
            client().post_to_connection(ConnectionId=connection_id, Data=frame)
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and _is_gone(error):
            connections.forget_of(user_id, connection_id, version)
            return Delivery(gone=1)
        log.failure("push", error, connection=connection_id)
        return Delivery(failed=1)
    return Delivery(sent=1)


def _is_gone(error: ClientError) -> bool:
    return error.response["ResponseMetadata"]["HTTPStatusCode"] == 410
