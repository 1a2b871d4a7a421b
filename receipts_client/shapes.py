"""What the service says, spelt as it spells it. Times are in seconds, in milliseconds where the name says so."""

from typing import Any, Literal, NotRequired, TypedDict

Json = dict[str, Any]

Filter = Literal["read", "unread"]


class Message(TypedDict):
    """A message as one user sees it. `userID` is the peer of a C2C conversation."""

    msgID: str
    seq: int
    timestamp: int
    sender: str
    isSelf: bool
    needReadReceipt: bool
    userID: NotRequired[str]
    groupID: NotRequired[str]
    text: NotRequired[str]
    data: NotRequired[Json]
    isPeerRead: NotRequired[bool]
    withheld: NotRequired[bool]


class Receipt(TypedDict):
    """How far an own message has been read."""

    msgID: str
    userID: str
    isPeerRead: bool
    groupID: str
    readCount: int
    unreadCount: int
    timestamp: NotRequired[int]


class MessageResult(TypedDict):
    """What became of one message of a call; code 0: done."""

    msgID: str
    code: int
    desc: str


class ReceiptsSent(TypedDict):
    """For each message in the order given, whether its receipt was taken. `withheld`: receipts are turned off."""

    resultList: list[MessageResult]
    withheld: bool


class ReceiptsFound(TypedDict):
    """The receipts, and for each message that has none for this user, why."""

    receiptList: list[Receipt]
    resultList: list[MessageResult]


class ReadMember(TypedDict):
    """Somebody who has, or has not, read a message."""

    userID: str
    readAtMs: NotRequired[int]


class ReadMembers(TypedDict):
    """A page, which may be short, even empty, with more to come."""

    members: list[ReadMember]
    nextSeq: int
    isFinished: bool


class UserResult(TypedDict):
    """What became of one user of an invitation."""

    userID: str
    code: int
    desc: str


class Group(TypedDict):
    """A group; after it was made, with what became of those it was to be made with."""

    groupID: str
    groupType: str
    name: str
    owner: str
    memberCount: int
    resultList: NotRequired[list[UserResult]]


class Member(TypedDict):
    """A member of a group."""

    userID: str
    role: str


class Members(TypedDict):
    """A page of members."""

    memberList: list[Member]
    nextSeq: int
    isFinished: bool


class Conversation(TypedDict):
    """A conversation as one user sees it; `type` 1: C2C, 2: a group. 100 unread are 100 or more."""

    conversationID: str
    type: int
    showName: str
    unreadCount: int
    userID: NotRequired[str]
    groupID: NotRequired[str]
    groupType: NotRequired[str]
    memberCount: NotRequired[int]


class Conversations(TypedDict):
    """A page of conversations."""

    conversationList: list[Conversation]
    nextSeq: str
    isFinished: bool


class History(TypedDict):
    """Messages of a conversation, newest first."""

    messageList: list[Message]
    isFinished: bool


def conversation_id_of(shape: Message | Receipt) -> str:
    """The conversation that a message or receipt belongs to."""
    group_id = shape.get("groupID")
    return f"group_{group_id}" if group_id else f"c2c_{shape.get('userID', '')}"
