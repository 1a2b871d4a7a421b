"""Who is connected: sockets that come, speak and go."""

from chalicelib import clock, codes, log, push, requests, tokens
from chalicelib.codes import Refusal
from chalicelib.core.caller import Caller
from chalicelib.store import connections, users
from chalicelib.store.users import Connection


def connect(connection_id: str, token: str, stated_user_id: str = "", sdk_version: str = "") -> None:
    """Remember a new socket of the token's user. Refuses with 6017, 45003, or what a token is refused with.

    A user at the limit may have dead sockets in the count, as nobody is told for certain when one ends: those, and
    those whose tokens have expired, are ended before anybody is refused.
    """
    caller = tokens.verify(token, stated_user_id)
    connection = Connection(connection_id, caller.user_id, caller.expires_at_s, requests.sdk_version(sdk_version))
    if not connections.add(connection):
        others = users.find(caller.user_id).connections
        dead = [other for other in others if push.end_if_dead(other)]
        if not dead or not connections.add(connection):
            raise Refusal(codes.TOO_MANY_CONNECTIONS)
    log.line("connected", connection=connection_id)


def disconnect(connection_id: str) -> None:
    """Forget exactly this socket."""
    connections.forget(connection_id)
    log.line("disconnected", connection=connection_id)


def speaker(connection_id: str) -> Caller:
    """The user behind a socket. Refuses with 70001 once the token it was opened with has expired, or with 70003."""
    connection = connections.find(connection_id)
    if connection is None:
        raise Refusal(codes.TOKEN_BAD, "This connection is not known any more; connect again.")
    if connection.token_expires_at_s <= clock.now_ms() // 1000:
        raise Refusal(codes.TOKEN_EXPIRED)
    return Caller(connection.user_id, connection.token_expires_at_s, sdk_version=connection.sdk_version)
