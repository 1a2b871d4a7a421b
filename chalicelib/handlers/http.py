"""HTTP calls: `/v1`, TIM's server API under `/v4`, and whatever else is asked for."""

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import answers, catch_up, chat, codes, groups, preferences, read_receipts, requests
from chalicelib import http as edge
from chalicelib.codes import Refusal
from chalicelib.core.caller import Caller

http = Blueprint(__name__)
answering = edge.edge(http)

# Groups and who is in them.


@http.route("/v1/groups", methods=["POST"])
@answering(body=requests.CreateGroup)
def create_group(caller: Caller, request: requests.CreateGroup) -> answers.Group:
    return groups.create(caller.user_id, request)


@http.route("/v1/groups/{group_id}", methods=["GET"])
@answering()
def get_group(caller: Caller, group_id: str) -> answers.Group:
    return groups.look_up(caller.user_id, group_id)


@http.route("/v1/groups/{group_id}/members", methods=["POST"])
@answering(body=requests.InviteMembers)
def invite_members(caller: Caller, group_id: str, request: requests.InviteMembers) -> answers.Invited:
    return groups.invite(caller.user_id, group_id, request)


@http.route("/v1/groups/{group_id}/members/{user_id}", methods=["DELETE"])
@answering()
def remove_member(caller: Caller, group_id: str, user_id: str) -> answers.Outcome:
    return groups.remove(caller.user_id, group_id, user_id)


@http.route("/v1/groups/{group_id}/members", methods=["GET"])
@answering(query=requests.MemberPage)
def list_members(caller: Caller, group_id: str, request: requests.MemberPage) -> answers.Members:
    return groups.list_members(caller.user_id, group_id, request)


# Conversations and messages.


@http.route("/v1/conversations", methods=["GET"])
@answering(query=requests.ConversationPage)
def list_conversations(caller: Caller, request: requests.ConversationPage) -> answers.Conversations:
    return chat.list_conversations(caller.user_id, request)


@http.route("/v1/conversations/{conversation_id}/messages", methods=["GET"])
@answering(query=requests.HistoryPage)
def get_history(caller: Caller, conversation_id: str, request: requests.HistoryPage) -> answers.History:
    return chat.history(caller.user_id, conversation_id, request)


@http.route("/v1/conversations/{conversation_id}/read", methods=["POST"])
@answering(body=requests.MarkRead)
def mark_conversation_read(caller: Caller, conversation_id: str, request: requests.MarkRead) -> answers.Outcome:
    return chat.mark_read(caller.user_id, conversation_id, request)


@http.route("/v1/messages", methods=["POST"])
@answering(body=requests.SendMessage)
def send_message(caller: Caller, request: requests.SendMessage) -> answers.MessageShape:
    return chat.send(caller, request)


# Read receipts.


@http.route("/v1/read-receipts", methods=["POST"])
@answering(body=requests.ReadReceipts)
def send_read_receipts(caller: Caller, request: requests.ReadReceipts) -> answers.ReceiptsSent:
    return read_receipts.send(caller, request)


@http.route("/v1/read-receipts/query", methods=["POST"])
@answering(body=requests.MessageIDs)
def query_read_receipts(caller: Caller, request: requests.MessageIDs) -> answers.ReceiptsFound:
    return read_receipts.query(caller, request)


@http.route("/v1/read-receipts/changes", methods=["GET"])
@answering(query=requests.ChangesSince)
def get_read_receipt_changes(caller: Caller, request: requests.ChangesSince) -> answers.Changes:
    return catch_up.changes_since(caller, request)


@http.route("/v1/messages/{msg_id}/read-members", methods=["GET"])
@answering(query=requests.ReadMemberPage)
def list_read_members(caller: Caller, msg_id: str, request: requests.ReadMemberPage) -> answers.ReadMembers:
    return read_receipts.read_members(caller, msg_id, request)


# The user's switch, and the administrators' console.


@http.route("/v1/settings", methods=["GET"])
@answering()
def get_settings(caller: Caller) -> answers.Settings:
    return preferences.read(caller.user_id)


@http.route("/v1/settings", methods=["PUT"])
@answering(body=requests.ChangeSettings)
def put_settings(caller: Caller, request: requests.ChangeSettings) -> answers.Settings:
    return preferences.write(caller.user_id, request)


@http.route("/v1/admin/settings", methods=["GET"])
@answering()
def get_admin_settings(caller: Caller) -> answers.AdminSettings:
    return preferences.read_console(caller)


@http.route("/v1/admin/settings", methods=["PUT"])
@answering(body=requests.ChangeAdminSettings)
def put_admin_settings(caller: Caller, request: requests.ChangeAdminSettings) -> answers.AdminSettings:
    return preferences.write_console(caller, request)


# What TIM's server API calls, for back ends that call it today.


@http.route("/v4/{service}/{command}", methods=["POST"])
def tim_rest(service: str, command: str) -> Response:
    from chalicelib import tim_rest  # only those who call it wait for it

    return tim_rest.answer(http.current_request, service, command)


# What needs no token.


@http.route("/v1/health", methods=["GET"])
@answering(public=True)
def health() -> answers.Health:
    return answers.Health("ok")


@http.route("/v1/openapi.json", methods=["GET"])
@answering(public=True)
def get_openapi() -> dict[str, Any]:
    from chalicelib import documents  # only those who ask for it wait for it

    return documents.openapi(http.current_app.routes)


@http.route("/v1/asyncapi.json", methods=["GET"])
@answering(public=True)
def get_asyncapi() -> dict[str, Any]:
    from chalicelib import documents

    return documents.asyncapi()


@http.route("/{proxy+}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
@answering(public=True)
def unknown_route() -> answers.Outcome:
    raise Refusal(codes.UNKNOWN_ROUTE)
