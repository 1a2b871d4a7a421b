"""Frames to connected sockets, through API Gateway's management API.

A push is a courtesy: everything in it can be asked for as well. So a socket that cannot be reached is logged and passed
over, one that is gone is forgotten, and neither stops the others.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import log, settings
from chalicelib.store import connections

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


def deliver(frames_for: Mapping[str, Sequence[bytes]]) -> Delivery:
    """Send each of these users their frames, in order, on every device they are connected with."""
    posts = [
        (user_id, connection_id)
        for user_id, connection_ids in connections.of_users(frames_for).items()
        for connection_id in sorted(connection_ids)
    ]
    if len(posts) == 1:
        ((user_id, connection_id),) = posts
        return _send(user_id, connection_id, frames_for[user_id])
    with ThreadPoolExecutor(_POSTS_AT_ONCE) as pool:
        return sum(pool.map(lambda post: _send(post[0], post[1], frames_for[post[0]]), posts), start=Delivery())


def reply(connection_id: str, frame: bytes) -> None:
    """Answer on the socket a frame came from. One that is gone is forgotten."""
    _send(None, connection_id, [frame])


def is_connected(connection_id: str) -> bool:
    """Whether a socket is still there. When nothing can be found out, it counts as there."""
    try:
        client().get_connection(ConnectionId=connection_id)
    except ClientError as error:
        return not _is_gone(error)
    except BotoCoreError:
        return True
    return True


def _send(user_id: str | None, connection_id: str, frames: Sequence[bytes]) -> Delivery:
    """Send frames to one socket, and forget it if it is gone."""
    try:
        for frame in frames:
            client().post_to_connection(ConnectionId=connection_id, Data=frame)
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and _is_gone(error):
            connections.forget(connection_id, user_id)
            return Delivery(gone=1)
        log.failure("push", error, connection=connection_id)
        return Delivery(failed=1)
    return Delivery(sent=1)


def _is_gone(error: ClientError) -> bool:
    return error.response["ResponseMetadata"]["HTTPStatusCode"] == 410
