"""Conversations: one item each, and that item is the conversation's only clock."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import clock, settings
from chalicelib.core.conversation import Conversation
from chalicelib.store import dynamo

TABLE = "Conversations"

# Attempts that a joining or leaving may lose to senders before they wait for it, and how long they do.
_LOST_BEFORE_WAY = 3
_WAY_MS = 300


@dataclass(frozen=True)
class State:
    """A conversation as it stood at one moment."""

    conversation: Conversation
    seq: int
    member_count: int
    next_ordinal: int
    group_type: str = ""
    name: str = ""
    owner: str = ""

    @property
    def membership(self) -> tuple[int, int]:
        """Changes with every joining and leaving, and never takes a value twice.

        A joining adds one to both numbers and a leaving takes one from the first, so the second counts the joinings and
        the difference the leavings, and neither count ever goes back.
        """
        return self.member_count, self.next_ordinal


@dataclass(frozen=True)
class Draw:
    """A fresh seq, the number of members and the next ordinal at the very moment it was drawn, and the group's type
    (empty for C2C)."""

    seq: int
    member_count: int
    next_ordinal: int
    group_type: str


def find(conversation: Conversation, *, consistent: bool = False) -> State | None:
    """The conversation's item, or None if there is no such conversation."""
    row = dynamo.get(TABLE, {"conversationID": conversation.conversation_id}, consistent=consistent)
    return _state(row) if row else None


def find_many(conversations: Iterable[Conversation]) -> Iterator[State]:
    """The items of those that exist, in no order."""
    keys = ({"conversationID": conversation.conversation_id} for conversation in conversations)
    return map(_state, dynamo.get_many(TABLE, keys))


def all_after(conversation_id: str) -> Iterator[State]:
    """All conversations behind this one, in the order in which the table is scanned; from the first if it is empty."""
    request: Any = {"TableName": settings.table(TABLE), "ConsistentRead": True}
    if conversation_id:
        request["ExclusiveStartKey"] = dynamo.item({"conversationID": conversation_id})
    while True:
        answer = dynamo.client().scan(**request)
        yield from map(_state, map(dynamo.plain, answer["Items"]))
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def draw_seq(conversation: Conversation) -> Draw | None:
    """The next seq of the conversation, or None if there is no such conversation.

    One write both advances the clock and reports the member count of that moment, so no joining or leaving can fall
    between the two. A retry whose first answer was lost draws another seq, and the gap is harmless. While somebody who
    is joining or leaving has asked for way, it waits.
    """
    for _ in dynamo.tries():
        now_ms = clock.now_ms()
        try:
            answer = dynamo.client().update_item(
                TableName=settings.table(TABLE),
                Key=dynamo.item({"conversationID": conversation.conversation_id}),
                UpdateExpression="ADD seq :one",
                ConditionExpression=(
                    "attribute_exists(conversationID) AND (attribute_not_exists(wayUntilMs) "
                    "OR NOT wayUntilMs BETWEEN :now AND :soon)"
                ),
                ExpressionAttributeValues=dynamo.item({":one": 1, ":now": now_ms, ":soon": now_ms + _WAY_MS}),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if dynamo.lost_condition(error) and "Item" not in error.response:
                return None
            if not dynamo.lost_race(error):
                raise
        else:
            row = dynamo.plain(answer["Attributes"])
            return Draw(row["seq"], row["memberCount"], row["nextOrdinal"], row.get("groupType", ""))
    raise AssertionError("tries() ends by refusing")


def make_way(conversation: Conversation, attempt: int) -> None:
    """After some attempts at joining or leaving that lost to senders, let the senders wait for a moment.

    A joining or leaving must find the conversation as it was read, so in a busy group it would lose again and again;
    and nobody may keep themselves from being removed by sending. It ends with the joining or leaving, or by the clock;
    a clock that is far ahead holds up nobody.
    """
    if attempt < _LOST_BEFORE_WAY:
        return
    try:
        dynamo.client().update_item(
            TableName=settings.table(TABLE),
            Key=dynamo.item({"conversationID": conversation.conversation_id}),
            UpdateExpression="SET wayUntilMs = :until",
            ConditionExpression="attribute_exists(conversationID)",
            ExpressionAttributeValues=dynamo.item({":until": clock.now_ms() + _WAY_MS}),
        )
    except ClientError as error:
        if not dynamo.lost_race(error):
            raise


def item_of(state: State) -> dict[str, dict[str, str]]:
    """The item of a new conversation, for the transaction that also writes its first members."""
    return dynamo.item(
        {
            "conversationID": state.conversation.conversation_id,
            "seq": state.seq,
            "memberCount": state.member_count,
            "nextOrdinal": state.next_ordinal,
            "groupType": state.group_type or None,
            "name": state.name or None,
            "owner": state.owner or None,
        }
    )


def _state(row: dynamo.Row) -> State:
    return State(
        conversation=Conversation(row["conversationID"]),
        seq=row["seq"],
        member_count=row["memberCount"],
        next_ordinal=row["nextOrdinal"],
        group_type=row.get("groupType", ""),
        name=row.get("name", ""),
        owner=row.get("owner", ""),
    )
