"""V2TIMMessageReceipt, with its seven fields as the page lists them."""

from dataclasses import dataclass

from chalicelib.core.message import Header


@dataclass(frozen=True)
class Receipt:
    """How far one message has been read.

    C2C: `user_id` is the peer, `is_peer_read` whether they read it and `timestamp` when, in seconds (0: not yet).
    Group: `group_id` and the counts. The counts hold for C2C too: one of one. Counts are absolute and only grow,
    so of two receipts for one message the one with the larger `read_count` is the newer.
    """

    msg_id: str
    user_id: str
    is_peer_read: bool
    timestamp: int
    group_id: str
    read_count: int
    unread_count: int


def group_receipt(header: Header, read_count: int) -> Receipt:
    """The receipt of a group message."""
    return Receipt(
        msg_id=header.msg_id,
        user_id="",
        is_peer_read=False,
        timestamp=0,
        group_id=header.conversation.group_id,
        read_count=read_count,
        unread_count=header.audience - read_count,
    )


def c2c_receipt(msg_id: str, peer: str, read_at_ms: int | None) -> Receipt:
    """The receipt of a C2C message that the peer read at this time, or has not read yet (None)."""
    is_read = read_at_ms is not None
    return Receipt(
        msg_id=msg_id,
        user_id=peer,
        is_peer_read=is_read,
        timestamp=(read_at_ms or 0) // 1000,
        group_id="",
        read_count=int(is_read),
        unread_count=int(not is_read),
    )


def conversation_receipt(reader: str, marked_at_ms: int) -> Receipt:
    """What a C2C peer is told when the reader has marked the conversation read: no msgID, and when that was."""
    return Receipt(
        msg_id="",
        user_id=reader,
        is_peer_read=True,
        timestamp=marked_at_ms // 1000,
        group_id="",
        read_count=0,
        unread_count=0,
    )
