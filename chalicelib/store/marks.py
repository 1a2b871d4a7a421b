"""Marks: up to which message a user has read a conversation.

`readSeq` is the user's own business: it makes the unread count. `shownSeq` and `shownAtMs` are what a C2C peer is told
of it, and stay behind while the user has read receipts turned off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core.conversation import Conversation
from chalicelib.store import dynamo

TABLE = "Marks"


@dataclass(frozen=True)
class Mark:
    """How far a user has read a conversation, how far the peer may know, and the time the peer is told, in ms."""

    conversation: Conversation
    user_id: str
    read_seq: int = 0
    shown_seq: int = 0
    shown_at_ms: int = 0


def find(conversation: Conversation, user_id: str) -> Mark:
    """A user's mark, consistently read; at the beginning if they have made none."""
    row = dynamo.get(TABLE, _key(conversation, user_id), consistent=True)
    return _mark(row) if row else Mark(conversation, user_id)


def find_many(conversations: Iterable[Conversation], user_id: str) -> dict[Conversation, Mark]:
    """A user's marks in those of these conversations where they have made one."""
    rows = dynamo.get_many(TABLE, (_key(conversation, user_id) for conversation in conversations), consistent=True)
    return {mark.conversation: mark for mark in map(_mark, rows)}


def advance(conversation: Conversation, user_id: str, seq: int) -> None:
    """Mark a conversation read up to this seq, for the user alone. A mark never goes back."""
    _write(conversation, user_id, "SET readSeq = :seq", _ahead_of("readSeq"), {":seq": seq})


def advance_and_show(conversation: Conversation, user_id: str, seq: int, at_ms: int) -> None:
    """Mark a conversation read up to this seq, and let the peer know. Neither mark, nor the time, ever goes back.

    What is shown is never ahead of what is read. So if the read mark moves both do, and if it was ahead already, from a
    time when nothing was shown, the other one follows alone. Where clocks differ the later time stays.
    """
    shown, not_back = "shownSeq = :seq, shownAtMs = :at", "(attribute_not_exists(shownAtMs) OR shownAtMs <= :at)"
    for _ in dynamo.tries():
        mark = find(conversation, user_id)
        values = {":seq": seq, ":at": max(at_ms, mark.shown_at_ms)}
        if mark.read_seq < seq:
            update, condition = f"SET readSeq = :seq, {shown}", f"({_ahead_of('readSeq')}) AND {not_back}"
        elif mark.shown_seq < seq:
            update, condition = f"SET {shown}", f"({_ahead_of('shownSeq')}) AND {not_back}"
        else:
            return
        if _write(conversation, user_id, update, condition, values):
            return


def changes(change: Mapping[str, Any]) -> tuple[Mark, Mark]:
    """The mark before and after one stream record's `dynamodb` part.

    KeyError, TypeError or ValueError if it is not the image of a row that this module writes.
    """
    after = _mark(dynamo.plain(change["NewImage"]))
    before = dynamo.plain(change.get("OldImage", {}))
    return (_mark(before) if before else Mark(after.conversation, after.user_id)), after


def _ahead_of(attribute: str) -> str:
    return f"attribute_not_exists({attribute}) OR {attribute} < :seq"


def _write(conversation: Conversation, user_id: str, update: str, condition: str, values: dict[str, int]) -> bool:
    """Whether the mark was moved. False: it is there or ahead already, which is as good."""
    try:
        dynamo.client().update_item(
            TableName=settings.table(TABLE),
            Key=dynamo.item(_key(conversation, user_id)),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=dynamo.item(values),
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        return False
    return True


def _key(conversation: Conversation, user_id: str) -> dict[str, str]:
    return {"conversationID": conversation.conversation_id, "userID": user_id}


def _mark(row: dynamo.Row) -> Mark:
    return Mark(
        conversation=Conversation.parse(row["conversationID"]),
        user_id=row["userID"],
        read_seq=row.get("readSeq", 0),
        shown_seq=row.get("shownSeq", 0),
        shown_at_ms=row.get("shownAtMs", 0),
    )
