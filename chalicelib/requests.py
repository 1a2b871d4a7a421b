"""What clients may say: one class for each request and frame, checked by msgspec while it reads the JSON.

Every field has its type and its bound; a field that is not listed is refused, so that a misspelt one is not lost.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from chalicelib import codes, limits
from chalicelib.codes import Refusal
from chalicelib.core.caller import SDKVersion

UserID = Annotated[str, Meta(min_length=1, max_length=limits.USER_ID_LENGTH_MAX, pattern=limits.ID_PATTERN)]
GroupID = Annotated[str, Meta(min_length=1, max_length=limits.GROUP_ID_LENGTH_MAX, pattern=limits.ID_PATTERN)]
ClientMsgID = Annotated[str, Meta(min_length=1, max_length=limits.CLIENT_MSG_ID_LENGTH_MAX, pattern=limits.ID_PATTERN)]
# The longest: a C2C conversation of two 32-character users and a 16-digit seq, in base64.
MsgID = Annotated[str, Meta(min_length=1, max_length=128)]
MsgIDs = Annotated[list[MsgID], Meta(min_length=1, max_length=limits.MSG_IDS_PER_CALL_MAX)]
PageSize = Annotated[int, Meta(ge=1, le=limits.PAGE_SIZE_MAX)]
# V2TIM's cursor in lists of members: 0 to begin with, then what the page before said.
Ordinal = Annotated[int, Meta(ge=0, le=limits.SEQ_MAX)]
Invited = Annotated[list[UserID], Meta(max_length=limits.INVITED_PER_CALL_MAX)]
RequestID = (
    Annotated[str, Meta(max_length=limits.REQUEST_ID_LENGTH_MAX)] | Annotated[int, Meta(ge=0, le=limits.SEQ_MAX)]
)

GroupType = Literal["Work", "Public", "Meeting", "Community", "AVChatRoom"]
# AVChatRoom can never have receipts: its messages go to whoever is watching, not to an audience.
ReceiptGroupTypes = list[Literal["Work", "Public", "Meeting", "Community"]]
Edition = Literal["standard", "premium"]


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """What all requests have in common: nothing may be in them that is not in their class."""


class Nothing(Request, frozen=True):
    """A request with no body and no query parameters."""


class CreateGroup(Request, frozen=True):
    """createGroup. A groupID is made up where none is given; the name is the groupID where none is given."""

    groupType: GroupType
    groupID: GroupID | None = None
    name: Annotated[str, Meta(max_length=limits.GROUP_NAME_LENGTH_MAX)] = ""
    memberList: Invited = []


class InviteMembers(Request, frozen=True):
    """inviteUserToGroup; with oneself as the only user, joinGroup."""

    userList: Annotated[Invited, Meta(min_length=1)]


class MemberPage(Request, frozen=True):
    """getGroupMemberList: a page of the current members."""

    nextSeq: Ordinal = 0
    count: PageSize = limits.PAGE_SIZE_MAX


class ConversationPage(Request, frozen=True):
    """getConversationList. `nextSeq` is what the page before said, empty to begin with.

    `withLastMessage` costs a query more for each conversation.
    """

    nextSeq: Annotated[str, Meta(max_length=128)] = ""
    count: PageSize = limits.PAGE_SIZE_MAX
    withLastMessage: bool = False


class SendMessage(Request, frozen=True):
    """sendMessage, to a user or to a group: a text, a JSON object, or both."""

    userID: UserID | None = None
    groupID: GroupID | None = None
    text: str | None = None
    data: dict[str, Any] | None = None
    needReadReceipt: bool = False
    clientMsgID: ClientMsgID | None = None

    def __post_init__(self) -> None:
        if (self.userID is None) == (self.groupID is None):
            raise ValueError("Name either a `userID` or a `groupID`")
        if not self.text and self.data is None:
            raise ValueError("Say something: `text` or `data`")


class HistoryPage(Request, frozen=True):
    """getC2CHistoryMessageList and getGroupHistoryMessageList: the messages before `lastMsgID`, newest first."""

    count: PageSize = 20
    lastMsgID: MsgID | None = None


class MessageIDs(Request, frozen=True):
    """getMessageReadReceipts: 1-100 messages of one conversation."""

    msgIDs: MsgIDs


class ReadReceipts(MessageIDs, frozen=True):
    """sendMessageReadReceipts; with `alsoMarkRead` the conversation's unread count changes too."""

    alsoMarkRead: bool = False


class MarkRead(Request, frozen=True):
    """cleanConversationUnreadMessageCount: up to a message, or all of it where none is named."""

    msgID: MsgID | None = None


class ChangeSettings(Request, frozen=True):
    """The user's own switch."""

    readReceipts: bool


class ChangeAdminSettings(Request, frozen=True):
    """The console: what is not named stays as it is; null takes a limit, or the webhook, away."""

    receiptGroupTypes: ReceiptGroupTypes | UnsetType = UNSET
    edition: Edition | UnsetType = UNSET
    receiptGroupSizeMax: Annotated[int, Meta(ge=1, le=limits.SEQ_MAX)] | UnsetType | None = UNSET
    mayTurnReceiptsOff: bool | UnsetType = UNSET
    retentionDays: Annotated[int, Meta(ge=1, le=limits.RETENTION_DAYS_MAX)] | UnsetType | None = UNSET
    webhookURL: Annotated[str, Meta(min_length=1, max_length=limits.WEBHOOK_URL_LENGTH_MAX)] | UnsetType | None = UNSET


class ChangesSince(Request, frozen=True):
    """What changed since a cursor that this call gave before; without one, the cursor to begin with."""

    since: Annotated[str, Meta(max_length=32, extra_json_schema={"pattern": "^([0-9]{15}~[0-9a-f]{8})?$"})] = ""
    count: Annotated[int, Meta(ge=1, le=limits.CHANGES_PER_PAGE_MAX)] = limits.CHANGES_PER_PAGE_MAX


class ReadMemberPage(Request, frozen=True):
    """getGroupMessageReadMemberList: a page of those who have, or have not, read a message."""

    filter: Literal["read", "unread"] = "read"
    nextSeq: Ordinal = 0
    count: PageSize = limits.PAGE_SIZE_MAX


class Addressed(Struct, frozen=True):
    """The one thing an answer needs of a frame, however wrong the rest of it is."""

    requestID: RequestID | None = None


class SendMessageFrame(SendMessage, frozen=True, tag_field="action", tag="sendMessage"):
    """A message sent over the socket."""

    requestID: RequestID | None = None


class SendReadReceiptsFrame(ReadReceipts, frozen=True, tag_field="action", tag="sendMessageReadReceipts"):
    """Read receipts sent over the socket."""

    requestID: RequestID | None = None


class PingFrame(Request, frozen=True, tag_field="action", tag="ping"):
    """A sign of life, answered with one: API Gateway ends sockets that are silent for ten minutes."""

    requestID: RequestID | None = None


Frame = SendMessageFrame | SendReadReceiptsFrame | PingFrame

_Shape = TypeVar("_Shape", bound=Struct)


def body(raw: bytes, shape: type[_Shape]) -> _Shape:
    """A request from the bytes of its body. Refuses with 6017, and with 80002 where it is too long."""
    if len(raw) > limits.BODY_BYTES_MAX:
        raise Refusal(codes.CONTENT_TOO_LONG, f"A body has at most {limits.BODY_BYTES_MAX} bytes.")
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(codes.BAD_PARAMETERS, _sentence(error)) from error


def query(parameters: dict[str, str], shape: type[_Shape]) -> _Shape:
    """A request from its query parameters. Refuses with 6017."""
    try:
        return msgspec.convert(parameters, type=shape, strict=False)
    except msgspec.ValidationError as error:
        raise Refusal(codes.BAD_PARAMETERS, _sentence(error)) from error


def frame(raw: bytes) -> Frame:
    """A frame that a client sent. Refuses with 6017, and with 80002 where it is too long."""
    if len(raw) > limits.FRAME_BYTES_MAX:
        raise Refusal(codes.CONTENT_TOO_LONG, f"A frame has at most {limits.FRAME_BYTES_MAX} bytes.")
    try:
        spoken: Frame = msgspec.json.decode(raw, type=Frame)
        return spoken
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(codes.BAD_PARAMETERS, _sentence(error)) from error


def request_id(raw: bytes) -> RequestID | None:
    """The requestID of a frame that could not be understood otherwise; None if not even that."""
    try:
        return msgspec.json.decode(raw, type=Addressed).requestID
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def sdk_version(text: str) -> SDKVersion:
    """The version that a client states. Refuses with 6017."""
    try:
        return SDKVersion.parse(text)
    except ValueError as error:
        raise Refusal(
            codes.BAD_PARAMETERS, "The SDK version is numbers with dots between, such as 8.1.6116."
        ) from error


def _sentence(error: Exception) -> str:
    """What was wrong, for the developer: msgspec says what it expected and where."""
    return f"{error}." if isinstance(error, msgspec.ValidationError) else "This is not JSON in UTF-8."
