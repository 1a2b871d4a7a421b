"""What callers and sockets are told: one class for each answer and event, in V2TIM's spelling."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from chalicelib.codes import Code
from chalicelib.core.caller import SDKVersion
from chalicelib.core.console import Console
from chalicelib.core.message import Message
from chalicelib.core.receipt import Receipt
from chalicelib.limits import FRAME_BYTES_MAX
from chalicelib.store.conversations import State


class Outcome(Struct, frozen=True):
    """A code and its sentence: 0 where it was done, and every refusal."""

    code: int
    desc: str


class UserResult(Struct, frozen=True):
    """What became of one user of an invitation."""

    userID: str
    code: int
    desc: str


class MessageResult(Struct, frozen=True):
    """What became of one message of a call."""

    msgID: str
    code: int
    desc: str


class Group(Struct, frozen=True):
    """A group. `resultList` says what became of those it was to be made with."""

    groupID: str
    groupType: str
    name: str
    owner: str
    memberCount: int
    resultList: list[UserResult] | UnsetType = UNSET


class Invited(Struct, frozen=True):
    resultList: list[UserResult]


class Member(Struct, frozen=True):
    userID: str
    role: str


class Members(Struct, frozen=True):
    """`nextSeq` is where the next page begins; 0 when this was the last."""

    memberList: list[Member]
    nextSeq: int
    isFinished: bool


class Conversation(Struct, frozen=True):
    """A conversation as one user sees it. `type` is V2TIM's: 1 for C2C, 2 for a group. 100 unread are 100 or more.

    `lastMessage` is there if it was asked for, and there is one.
    """

    conversationID: str
    type: int
    showName: str
    unreadCount: int
    userID: str | UnsetType = UNSET
    groupID: str | UnsetType = UNSET
    groupType: str | UnsetType = UNSET
    memberCount: int | UnsetType = UNSET
    lastMessage: "MessageShape | UnsetType" = UNSET


class Conversations(Struct, frozen=True):
    conversationList: list[Conversation]
    nextSeq: str
    isFinished: bool


class MessageShape(Struct, frozen=True):
    """A message as one user sees it. `timestamp` in seconds; `userID` is the peer, `sender` who wrote it.

    In a history, own C2C messages say whether the peer has marked the conversation read since (`isPeerRead`). What was
    sent asking for a receipt by somebody who has them turned off says so when it is sent (`withheld`).
    """

    msgID: str
    seq: int
    timestamp: int
    sender: str
    isSelf: bool
    needReadReceipt: bool
    userID: str | UnsetType = UNSET
    groupID: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    isPeerRead: bool | UnsetType = UNSET
    withheld: bool | UnsetType = UNSET


class History(Struct, frozen=True):
    messageList: list[MessageShape]
    isFinished: bool


class ReceiptShape(Struct, frozen=True):
    """V2TIMMessageReceipt. `timestamp` in seconds; clients older than 8.1 get it only where the msgID is empty."""

    msgID: str
    userID: str
    isPeerRead: bool
    groupID: str
    readCount: int
    unreadCount: int
    timestamp: int | UnsetType = UNSET


class ReceiptsSent(Struct, frozen=True):
    """For each msgID of the call, in its order, whether the receipt was taken (0) or why not.

    `withheld` is there, and true, if the caller has read receipts turned off: then nothing was written down.
    """

    resultList: list[MessageResult]
    withheld: bool | UnsetType = UNSET


class ReceiptsFound(Struct, frozen=True):
    """The receipts, in the order asked, and for each msgID that has none for this caller, why."""

    receiptList: list[ReceiptShape]
    resultList: list[MessageResult]


class Changes(Struct, frozen=True):
    """Receipts that changed. Go on with `cursor` until `isFinished`, and keep it for the next time.

    Something may come twice. Where `isComplete` is false the cursor was older than what is kept: ask for all you show.
    """

    receiptList: list[ReceiptShape]
    cursor: str
    isFinished: bool
    isComplete: bool


class ReadMember(Struct, frozen=True):
    userID: str
    readAtMs: int | UnsetType = UNSET


class ReadMembers(Struct, frozen=True):
    """A page may be short, even empty, with more to come: go on until `isFinished`."""

    members: list[ReadMember]
    nextSeq: int
    isFinished: bool


class Settings(Struct, frozen=True):
    """The user's read-receipt switch, and whether the administrator lets it be turned off."""

    readReceipts: bool
    mayTurnReceiptsOff: bool


class AdminSettings(Struct, frozen=True):
    """The console. `receiptGroupSizeMax` and `retentionDays` are null without limit, `webhookURL` without webhook."""

    receiptGroupTypes: list[str]
    edition: str
    receiptGroupSizeMax: int | None
    mayTurnReceiptsOff: bool
    retentionDays: int | None
    webhookURL: str | None


class Health(Struct, frozen=True):
    status: str


class FrameAnswer(Struct, frozen=True):
    """The answer to a frame: its requestID, a code, and what the HTTP call would answer."""

    requestID: str | int | None
    code: int
    desc: str
    message: MessageShape | UnsetType = UNSET
    resultList: list[MessageResult] | UnsetType = UNSET
    withheld: bool | UnsetType = UNSET


class NewMessage(Struct, frozen=True, tag_field="event", tag="onRecvNewMessage"):
    """A message has come, or was sent from one of the user's own devices."""

    message: MessageShape


class NewReadReceipts(Struct, frozen=True, tag_field="event", tag="onRecvMessageReadReceipts"):
    """How far own messages have been read. Counts are absolute and only grow: keep the larger."""

    receiptList: list[ReceiptShape]


class NewC2CReadReceipt(Struct, frozen=True, tag_field="event", tag="onRecvC2CReadReceipt"):
    """The peer has marked the conversation read: the msgID is empty, and the time is that of the marking."""

    receiptList: list[ReceiptShape]


class ConversationRead(Struct, frozen=True, tag_field="event", tag="onConversationRead"):
    """The user has marked a conversation read, on this or another device, up to the message with this seq."""

    conversationID: str
    lastReadSeq: int


def outcome(code: Code, desc: str = "") -> Outcome:
    return Outcome(code.number, desc or code.desc)


def message_result(msg_id: str, code: Code) -> MessageResult:
    return MessageResult(msg_id, code.number, code.desc)


def user_result(user_id: str, code: Code) -> UserResult:
    return UserResult(user_id, code.number, code.desc)


def group(state: State, results: list[UserResult] | UnsetType = UNSET) -> Group:
    return Group(
        groupID=state.conversation.group_id,
        groupType=state.group_type,
        name=state.name,
        owner=state.owner,
        memberCount=state.member_count,
        resultList=results,
    )


def admin_settings(console: Console) -> AdminSettings:
    return AdminSettings(
        receiptGroupTypes=sorted(console.receipt_group_types),
        edition=console.edition,
        receiptGroupSizeMax=console.group_size_max,
        mayTurnReceiptsOff=console.may_turn_receipts_off,
        retentionDays=console.retention_days,
        webhookURL=console.webhook_url,
    )


def conversation(
    state: State, viewer: str, unread_count: int, last_message: MessageShape | UnsetType = UNSET
) -> Conversation:
    if state.conversation.is_group:
        return Conversation(
            conversationID=state.conversation.conversation_id,
            type=2,
            showName=state.name,
            unreadCount=unread_count,
            groupID=state.conversation.group_id,
            groupType=state.group_type,
            memberCount=state.member_count,
            lastMessage=last_message,
        )
    peer = state.conversation.peer_of(viewer)
    return Conversation(
        state.conversation.named_for(viewer),
        type=1,
        showName=peer,
        unreadCount=unread_count,
        userID=peer,
        lastMessage=last_message,
    )


def message(
    message: Message, viewer: str, *, is_peer_read: bool | UnsetType = UNSET, withheld: bool | UnsetType = UNSET
) -> MessageShape:
    header = message.header
    return MessageShape(
        msgID=header.msg_id,
        seq=header.seq,
        timestamp=header.sent_at_ms // 1000,
        sender=header.sender,
        isSelf=header.sender == viewer,
        needReadReceipt=header.need_read_receipt,
        userID=header.conversation.peer_of(viewer) or UNSET,
        groupID=header.conversation.group_id or UNSET,
        text=UNSET if message.text is None else message.text,
        data=UNSET if message.data_json is None else Raw(message.data_json.encode()),
        isPeerRead=is_peer_read,
        withheld=withheld,
    )


def receipt(receipt: Receipt, version: SDKVersion) -> ReceiptShape:
    """A receipt as a client of this version knows it."""
    shows_time = not receipt.msg_id or version.has_receipt_time
    return ReceiptShape(
        msgID=receipt.msg_id,
        userID=receipt.user_id,
        isPeerRead=receipt.is_peer_read,
        timestamp=receipt.timestamp if shows_time else UNSET,
        groupID=receipt.group_id,
        readCount=receipt.read_count,
        unreadCount=receipt.unread_count,
    )


def receipt_frames(receipts: Sequence[Receipt], version: SDKVersion) -> list[bytes]:
    """One frame with all of these receipts that a client of this version knows, or as few as stay within 32 KB each."""
    known = [receipt for receipt in receipts if version.has_receipts(in_group=bool(receipt.group_id))]
    return _frames([receipt(each, version) for each in known]) if known else []


def _frames(shapes: list[ReceiptShape]) -> list[bytes]:
    frame = encode(NewReadReceipts(shapes))
    if len(frame) <= FRAME_BYTES_MAX or len(shapes) == 1:
        return [frame]
    middle = len(shapes) // 2
    return _frames(shapes[:middle]) + _frames(shapes[middle:])


_encoder = msgspec.json.Encoder()


def encode(answer: Any) -> bytes:
    """The bytes of an answer or event."""
    return _encoder.encode(answer)
