"""TIM's server API for read receipts, for back ends that call it today: each command is a translation onto our own.

As in TIM: `POST /v4/<service>/<command>?sdkappid=…&identifier=…&usersig=…` by an administrator, always HTTP 200
with `ActionStatus`, `ErrorCode` and `ErrorInfo`, and where a call is about many messages a `Code` for each of them. A
message's `MsgSeq` is its seq, and its `MsgKey` in C2C is its msgID.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from chalice.app import Request, Response
from msgspec import Meta, Struct

from chalicelib import chat, codes, entitlement, http, limits, log, read_receipts, requests, settings, tokens
from chalicelib.codes import Code, Refusal
from chalicelib.core.caller import Caller
from chalicelib.core.conversation import Conversation, encode_msg_id
from chalicelib.core.message import Header
from chalicelib.requests import GroupID, UserID
from chalicelib.store import conversations, messages

Answer = dict[str, Any]
Seq = Annotated[int, Meta(ge=1, le=limits.SEQ_MAX)]

# TIM's own bounds: messages in one call, and members in one page.
_MESSAGES_MAX = 50
_PAGE_MAX = 200

# Messages that are looked at to find the one that was the last at some time.
_EXAMINED_MAX = 500


class MsgSeq(Struct, frozen=True):
    MsgSeq: Seq


MsgSeqList = Annotated[list[MsgSeq], Meta(min_length=1, max_length=_MESSAGES_MAX)]


class GetGroupMsgReceipt(Struct, frozen=True):
    GroupId: GroupID
    MsgSeqList: MsgSeqList


class GetGroupMsgReceiptDetail(Struct, frozen=True):
    """`Filter` 0 for those who have read, 1 for those who have not; `Cursor` is empty to begin with."""

    GroupId: GroupID
    MsgSeq: Seq
    Filter: Literal[0, 1] = 0
    Cursor: Annotated[str, Meta(pattern=r"^[0-9]{0,15}$(?!\n)")] = ""
    Count: Annotated[int, Meta(ge=1, le=_PAGE_MAX)] = 100


class GroupMsgReceipt(Struct, frozen=True):
    GroupId: GroupID
    From_Account: UserID
    MsgSeqList: MsgSeqList


class C2CMsg(Struct, frozen=True):
    From_Account: UserID
    To_Account: UserID
    MsgKey: requests.MsgID


class C2CMsgReadReceipt(Struct, frozen=True):
    """The operator has read messages of the peer."""

    Operator_Account: UserID
    Peer_Account: UserID
    C2CMsgInfo: Annotated[list[C2CMsg], Meta(min_length=1, max_length=_MESSAGES_MAX)]


class AdminSetMsgRead(Struct, frozen=True):
    """`MsgReadTime` in seconds; without it, all there is by now."""

    Report_Account: UserID
    Peer_Account: UserID
    MsgReadTime: Annotated[int, Meta(ge=0, le=limits.TOKEN_EXPIRY_MAX_S)] | None = None


def answer(request: Request, service: str, command: str) -> Response:
    """Do what TIM's server API would, and answer as it would."""
    try:
        done = _do(request, f"{service}/{command}")
        body = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, **done}
    except Refusal as refusal:
        code = _tims(refusal.code, f"{service}/{command}")
        body = {"ActionStatus": "FAIL", "ErrorInfo": refusal.desc, "ErrorCode": code}
    except Exception as error:  # noqa: BLE001  # the edge: nothing may pass it but an answer
        log.failure("tim", error, command=f"{service}/{command}")
        code = codes.SERVER_ERROR.number
        body = {"ActionStatus": "FAIL", "ErrorInfo": codes.SERVER_ERROR.desc, "ErrorCode": code}
    if body["ErrorCode"]:
        log.count("Refused", 1, str(body["ErrorCode"]))
    log.line("tim", command=f"{service}/{command}", code=body["ErrorCode"])
    return Response(msgspec.json.encode(body).decode(), headers={"Content-Type": "application/json"})


def _do(request: Request, name: str) -> Answer:
    query = dict(request.query_params or {})
    _check_admin(query)
    if name not in _COMMANDS:
        raise Refusal(codes.UNKNOWN_ROUTE)
    shape, command = _COMMANDS[name]
    return command(requests.body(http.raw_body(request), shape))


def _check_admin(query: Mapping[str, str]) -> None:
    """Let in whom a token shows to be the identifier, if that is an administrator. Refuses with 60010 or 7xxxx.

    A name makes an administrator only in a UserSig, which has no dots: in a JWT it is the role, as users of a product
    may be called what they like.
    """
    token = query.get("usersig", "")
    caller = tokens.verify(token, query.get("identifier", ""))
    app_id = settings.usersig_app_id()
    if app_id is not None and query.get("sdkappid", str(app_id)) != str(app_id):
        raise Refusal(codes.TOKEN_OTHER_APP)
    is_named = "." not in token and caller.user_id in settings.usersig_admins()
    if not (caller.is_admin or is_named):
        raise Refusal(codes.NOT_ADMIN)


def _get_group_msg_receipt(asked: GetGroupMsgReceipt) -> Answer:
    conversation = _group(asked.GroupId)
    seqs = [each.MsgSeq for each in asked.MsgSeqList]
    headers = _with_receipts(conversation, seqs)
    found = {receipt.msg_id: receipt for receipt in read_receipts.receipts_of(conversation, headers)}
    listed = []
    for seq in seqs:
        receipt = found.get(encode_msg_id(conversation, seq))
        if receipt:
            listed.append({"Code": 0, "MsgSeq": seq, "ReadNum": receipt.read_count, "UnreadNum": receipt.unread_count})
        else:
            listed.append({"Code": codes.NO_RECEIPT.number, "MsgSeq": seq, "ReadNum": 0, "UnreadNum": 0})
    return {"GroupMsgReceiptList": listed}


def _get_group_msg_receipt_detail(asked: GetGroupMsgReceiptDetail) -> Answer:
    header = _with_receipts(_group(asked.GroupId), [asked.MsgSeq]).get(asked.MsgSeq)
    if header is None:
        raise Refusal(codes.NO_RECEIPT)
    filter_: Literal["read", "unread"] = "unread" if asked.Filter else "read"
    page = read_receipts.read_members_of(header, requests.ReadMemberPage(filter_, int(asked.Cursor or 0), asked.Count))
    return {
        "Cursor": "" if page.isFinished else str(page.nextSeq),
        "IsFinish": int(page.isFinished),
        "UnreadList" if asked.Filter else "ReadList": [{"Member_Account": member.userID} for member in page.members],
    }


def _group_msg_receipt(asked: GroupMsgReceipt) -> Answer:
    conversation = _group(asked.GroupId)
    seqs = [each.MsgSeq for each in asked.MsgSeqList]
    sent = _send(asked.From_Account, [encode_msg_id(conversation, seq) for seq in seqs])
    return {"GroupMsgReceiptList": [{"MsgSeq": seq, "Code": code} for seq, code in zip(seqs, sent, strict=True)]}


def _c2c_msg_read_receipt(asked: C2CMsgReadReceipt) -> Answer:
    if any(
        (each.From_Account, each.To_Account) != (asked.Peer_Account, asked.Operator_Account)
        for each in asked.C2CMsgInfo
    ):
        raise Refusal(codes.BAD_PARAMETERS, "Every message must be from Peer_Account to Operator_Account.")
    keys = [each.MsgKey for each in asked.C2CMsgInfo]
    sent = _send(asked.Operator_Account, keys)
    return {"C2CMsgInfo": [{"MsgKey": key, "Code": code} for key, code in zip(keys, sent, strict=True)]}


def _admin_set_msg_read(asked: AdminSetMsgRead) -> Answer:
    if asked.Report_Account == asked.Peer_Account:
        raise Refusal(codes.BAD_PARAMETERS, "Report_Account and Peer_Account are the same.")
    conversation = Conversation.between(asked.Report_Account, asked.Peer_Account)
    if asked.MsgReadTime is None:
        chat.mark_read_up_to(asked.Report_Account, conversation, None)
        return {}
    for message in messages.newest_first(conversation, 1, limits.SEQ_MAX, _EXAMINED_MAX):
        if message.header.sent_at_ms // 1000 <= asked.MsgReadTime:
            chat.mark_read_up_to(asked.Report_Account, conversation, message.header)
            break
    return {}


def _group(group_id: str) -> Conversation:
    """A group that there is, in an edition that has receipts. Refuses with 7013 or 10010."""
    conversation = Conversation.of_group(group_id)
    entitlement.check_client(Caller(""), conversation)
    if conversations.find(conversation) is None:
        raise Refusal(codes.NO_SUCH_GROUP)
    return conversation


def _with_receipts(conversation: Conversation, seqs: list[int]) -> dict[int, Header]:
    headers = messages.headers(conversation, seqs)
    return {seq: header for seq, header in headers.items() if header.need_read_receipt}


def _send(reader: str, msg_ids: list[str]) -> list[int]:
    """Send receipts for a reader, and return each message's code."""
    sent = read_receipts.send(Caller(reader), requests.ReadReceipts(msg_ids))
    return [each.code for each in sent.resultList]


def _tims(code: Code, name: str) -> int:
    """The number TIM's server has for one of V2TIM's: its client and its server number some things differently."""
    if code is codes.NOT_SUPPORTED:
        return 10059
    if code is codes.BAD_PARAMETERS:
        return {"openim/c2c_msg_read_receipt": 20001, "openim/admin_set_msg_read": 90001}.get(name, 10004)
    return code.number


_COMMANDS: dict[str, tuple[type[Struct], Callable[[Any], Answer]]] = {
    "group_open_http_svc/get_group_msg_receipt": (GetGroupMsgReceipt, _get_group_msg_receipt),
    "group_open_http_svc/get_group_msg_receipt_detail": (GetGroupMsgReceiptDetail, _get_group_msg_receipt_detail),
    "group_open_http_svc/group_msg_receipt": (GroupMsgReceipt, _group_msg_receipt),
    "openim/c2c_msg_read_receipt": (C2CMsgReadReceipt, _c2c_msg_read_receipt),
    "openim/admin_set_msg_read": (AdminSetMsgRead, _admin_set_msg_read),
}
