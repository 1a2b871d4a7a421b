"""Every way into the read-receipt service: HTTP calls, socket frames, and what the tables' streams report.

    a reader's client ── POST /v1/read-receipts ──▶ Reads ── stream ──▶ push_receipts ──▶ Receipts (tiles of bits)
                                                                           └──▶ the sender's sockets: "3 have read it"

A read is written down once, as a fact (`read_receipts.send`). Its stream record is what is new about it; the trigger
folds that into tiles, counts, and pushes the counts to the sender. Each handler here is one sentence; what it says is
in `chalicelib/`, whose `__init__` is the map.
"""

from typing import Any

from chalice.app import Chalice, DynamoDBEvent, Response, WebsocketEvent

from chalicelib import (
    answers,
    catch_up,
    chat,
    codes,
    groups,
    http,
    mark_stream,
    message_stream,
    preferences,
    read_receipts,
    read_stream,
    requests,
    sockets,
)
from chalicelib.codes import Refusal
from chalicelib.core.caller import Caller

app = Chalice(app_name="read-receipts")
app.experimental_feature_flags.add("WEBSOCKETS")
answering = http.edge(app)

# Groups and who is in them.


@app.route("/v1/groups", methods=["POST"])
@answering(body=requests.CreateGroup)
def create_group(caller: Caller, request: requests.CreateGroup) -> answers.Group:
    return groups.create(caller.user_id, request)


@app.route("/v1/groups/{group_id}", methods=["GET"])
@answering()
def get_group(caller: Caller, group_id: str) -> answers.Group:
    return groups.look_up(caller.user_id, group_id)


@app.route("/v1/groups/{group_id}/members", methods=["POST"])
@answering(body=requests.InviteMembers)
def invite_members(caller: Caller, group_id: str, request: requests.InviteMembers) -> answers.Invited:
    return groups.invite(caller.user_id, group_id, request)


@app.route("/v1/groups/{group_id}/members/{user_id}", methods=["DELETE"])
@answering()
def remove_member(caller: Caller, group_id: str, user_id: str) -> answers.Outcome:
    return groups.remove(caller.user_id, group_id, user_id)


@app.route("/v1/groups/{group_id}/members", methods=["GET"])
@answering(query=requests.MemberPage)
def list_members(caller: Caller, group_id: str, request: requests.MemberPage) -> answers.Members:
    return groups.list_members(caller.user_id, group_id, request)


# Conversations and messages.


@app.route("/v1/conversations", methods=["GET"])
@answering(query=requests.ConversationPage)
def list_conversations(caller: Caller, request: requests.ConversationPage) -> answers.Conversations:
    return chat.list_conversations(caller.user_id, request)


@app.route("/v1/conversations/{conversation_id}/messages", methods=["GET"])
@answering(query=requests.HistoryPage)
def get_history(caller: Caller, conversation_id: str, request: requests.HistoryPage) -> answers.History:
    return chat.history(caller.user_id, conversation_id, request)


@app.route("/v1/conversations/{conversation_id}/read", methods=["POST"])
@answering(body=requests.MarkRead)
def mark_conversation_read(caller: Caller, conversation_id: str, request: requests.MarkRead) -> answers.Outcome:
    return chat.mark_read(caller.user_id, conversation_id, request)


@app.route("/v1/messages", methods=["POST"])
@answering(body=requests.SendMessage)
def send_message(caller: Caller, request: requests.SendMessage) -> answers.MessageShape:
    return chat.send(caller, request)


# Read receipts.


@app.route("/v1/read-receipts", methods=["POST"])
@answering(body=requests.ReadReceipts)
def send_read_receipts(caller: Caller, request: requests.ReadReceipts) -> answers.ReceiptsSent:
    return read_receipts.send(caller, request)


@app.route("/v1/read-receipts/query", methods=["POST"])
@answering(body=requests.MessageIDs)
def query_read_receipts(caller: Caller, request: requests.MessageIDs) -> answers.ReceiptsFound:
    return read_receipts.query(caller, request)


@app.route("/v1/read-receipts/changes", methods=["GET"])
@answering(query=requests.ChangesSince)
def get_read_receipt_changes(caller: Caller, request: requests.ChangesSince) -> answers.Changes:
    return catch_up.changes_since(caller, request)


@app.route("/v1/messages/{msg_id}/read-members", methods=["GET"])
@answering(query=requests.ReadMemberPage)
def list_read_members(caller: Caller, msg_id: str, request: requests.ReadMemberPage) -> answers.ReadMembers:
    return read_receipts.read_members(caller, msg_id, request)


# The user's switch, and the administrators' console.


@app.route("/v1/settings", methods=["GET"])
@answering()
def get_settings(caller: Caller) -> answers.Settings:
    return preferences.read(caller.user_id)


@app.route("/v1/settings", methods=["PUT"])
@answering(body=requests.ChangeSettings)
def put_settings(caller: Caller, request: requests.ChangeSettings) -> answers.Settings:
    return preferences.write(caller.user_id, request)


@app.route("/v1/admin/settings", methods=["GET"])
@answering()
def get_admin_settings(caller: Caller) -> answers.AdminSettings:
    return preferences.read_console(caller)


@app.route("/v1/admin/settings", methods=["PUT"])
@answering(body=requests.ChangeAdminSettings)
def put_admin_settings(caller: Caller, request: requests.ChangeAdminSettings) -> answers.AdminSettings:
    return preferences.write_console(caller, request)


# What TIM's server API calls, for back ends that call it today.


@app.route("/v4/{service}/{command}", methods=["POST"])
def tim_rest(service: str, command: str) -> Response:
    from chalicelib import tim_rest  # only those who call it wait for it

    assert app.current_request is not None, "Chalice sets it before it calls a view"
    return tim_rest.answer(app.current_request, service, command)


# What needs no token.


@app.route("/v1/health", methods=["GET"])
@answering(public=True)
def health() -> answers.Health:
    return answers.Health("ok")


@app.route("/v1/openapi.json", methods=["GET"])
@answering(public=True)
def get_openapi() -> dict[str, Any]:
    from chalicelib import documents  # only those who ask for it wait for it

    return documents.openapi(app.routes)


@app.route("/v1/asyncapi.json", methods=["GET"])
@answering(public=True)
def get_asyncapi() -> dict[str, Any]:
    from chalicelib import documents

    return documents.asyncapi()


@app.route("/{proxy+}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@answering(public=True)
def unknown_route() -> answers.Outcome:
    raise Refusal(codes.UNKNOWN_ROUTE)


# Sockets: `wss://…?token=…` to connect, then frames `{"action", "requestID", …}`.


@app.on_ws_connect()
def socket_connected(event: WebsocketEvent) -> Response:
    return sockets.connect(event.connection_id, event.to_dict().get("queryStringParameters") or {})


@app.on_ws_message()
def socket_heard(event: WebsocketEvent) -> None:
    sockets.hear(event.connection_id, event.body)


@app.on_ws_disconnect()
def socket_closed(event: WebsocketEvent) -> None:
    sockets.close(event.connection_id)


# Streams: what follows from what was written. The ARNs stand in for the tables of the stack (.chalice/resources.yaml).


@app.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Reads/stream/label", batch_size=100)
def push_receipts(event: DynamoDBEvent) -> dict[str, Any]:
    return _failures(read_stream.handle(event.to_dict()["Records"]))


@app.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Messages/stream/label", batch_size=100)
def push_messages(event: DynamoDBEvent) -> dict[str, Any]:
    return _failures(message_stream.handle(event.to_dict()["Records"]))


@app.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Marks/stream/label", batch_size=100)
def push_marks(event: DynamoDBEvent) -> dict[str, Any]:
    return _failures(mark_stream.handle(event.to_dict()["Records"]))


def _failures(sequence_numbers: list[str]) -> dict[str, Any]:
    """What Lambda wants to hear of a batch (ReportBatchItemFailures): which records must come again."""
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sequence_numbers]}
