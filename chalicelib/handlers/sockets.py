"""Sockets: `wss://…?token=…` to connect, then frames `{"action", "requestID", …}`."""

from chalice.app import Blueprint, Response, WebsocketAPI, WebsocketEvent

from chalicelib import sockets as edge

sockets = Blueprint(__name__)
# Without it Chalice leaves a Blueprint's socket handlers unwrapped. We post to sockets by `push`, not by this.
sockets.websocket_api = WebsocketAPI()


@sockets.on_ws_connect()
def socket_connected(event: WebsocketEvent) -> Response:
    return edge.connect(event.connection_id, event.to_dict().get("queryStringParameters") or {})


@sockets.on_ws_message()
def socket_heard(event: WebsocketEvent) -> None:
    edge.hear(event.connection_id, event.body)


@sockets.on_ws_disconnect()
def socket_closed(event: WebsocketEvent) -> None:
    edge.close(event.connection_id)
