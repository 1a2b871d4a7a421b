"""Members: one row for each stay of a user in a conversation, and the transactions that open and close them.

A segment of 80 has a partition of its own, so that reading all of a large group is spread, and no one partition bounds
it. In a group they write the same into Stays, by user.

Every transaction changes the conversation's item too, on the condition that it still is as it was read: so joinings,
leavings and sent messages of one conversation have one order; `joinedSeq`, `leftSeq` and `memberCount` agree with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Any

from botocore.exceptions import ClientError

from chalicelib import settings
from chalicelib.core.audience import Membership, memberships_in_c2c
from chalicelib.core.conversation import SEPARATOR, Conversation
from chalicelib.core.tiles import first_ordinal_of, segment_of
from chalicelib.store import conversations, dynamo, stays
from chalicelib.store.conversations import State

TABLE = "Members"
MEMBER_OF = "MemberOf"  # the conversations a user is in now; global, and without the memberships that have ended

# TransactWriteItems takes 100 actions: one is the conversation's, and each who joins makes two.
JOINED_PER_TRANSACTION_MAX = 49


def of_user(conversation: Conversation, user_id: str) -> list[Membership]:
    """All stays of a user in a conversation, as of now, by ordinal. For C2C they follow from its ID."""
    return of_users((conversation, user_id))[conversation, user_id]


def of_users(*asked: tuple[Conversation, str]) -> dict[tuple[Conversation, str], list[Membership]]:
    """All stays of each of these users in each of these conversations, as of now."""
    in_groups = dict.fromkeys(each for each in asked if each[0].is_group)
    (rows,) = dynamo.look_up(stays.lookup(*in_groups))
    return among(asked, rows)


def among(
    asked: Iterable[tuple[Conversation, str]], rows: list[dynamo.Row]
) -> dict[tuple[Conversation, str], list[Membership]]:
    """All stays of each of these, from the rows of Stays that were found for the groups among them."""
    found = stays.by_key(rows)
    return {
        (conversation, user_id): found.get((conversation, user_id), [])
        if conversation.is_group
        else [stay for stay in memberships_in_c2c(conversation) if stay.user_id == user_id]
        for conversation, user_id in asked
    }


def in_order(
    conversation: Conversation, first: int, last: int | None = None, *, consistent: bool = True
) -> Iterator[Membership]:
    """All stays in a conversation from ordinal `first` (to `last`, inclusive), read as they are asked for.

    A request for each segment; ordinals have no gaps, so the first segment that is not full is the last.
    """
    for segment in count(segment_of(first)):
        end = first_ordinal_of(segment + 1)
        upper = end - 1 if last is None else min(last, end - 1)
        if upper < first:
            return
        found = -1
        rows = dynamo.query(
            TABLE,
            "conversationSegment = :segment AND ordinal BETWEEN :first AND :last",
            {":segment": _segment(conversation, segment), ":first": first, ":last": upper},
            ConsistentRead=consistent,
        )
        for row in rows:
            found = row["ordinal"]
            yield _membership(row)
        if found < end - 1:
            return
        first = end


def conversations_of(user_id: str, after: str, limit: int) -> dict[Conversation, int]:
    """The conversations a user is in, by canonical conversationID, after `after`; and since which seq."""
    condition, values = "memberOf = :user", {":user": user_id}
    if after:
        condition, values = condition + " AND conversationID > :after", {**values, ":after": after}
    rows = dynamo.query(TABLE, condition, values, IndexName=MEMBER_OF, Limit=limit)
    return {Conversation(row["conversationID"]): row["joinedSeq"] for row in islice(rows, limit)}


def open_c2c(conversation: Conversation) -> None:
    """Make a C2C conversation with its two users. If it exists by now, nothing happens."""
    state = State(conversation, seq=0, member_count=2, next_ordinal=2)
    _create(state, memberships_in_c2c(conversation))


def open_group(state: State) -> bool:
    """Make a group whose only member is its owner. False if the groupID is taken, and nothing changed."""
    return _create(state, [Membership(ordinal=0, user_id=state.owner, joined_seq=0)])


def join(state: State, user_ids: Sequence[str]) -> State | None:
    """Add these users, at most 49 and none of them a member, in one transaction.

    Returns the conversation as it is then; None if it was no longer in this state, and nothing changed.
    """
    joined = [
        Membership(ordinal, user_id, joined_seq=state.seq)
        for ordinal, user_id in enumerate(user_ids, start=state.next_ordinal)
    ]
    counted = _update_conversation(
        state, "REMOVE wayUntilMs ADD memberCount :count, nextOrdinal :count", {":count": len(joined)}
    )
    if not _transact([counted, *_begin(state.conversation, joined)]):
        return None
    return replace(state, member_count=state.member_count + len(joined), next_ordinal=state.next_ordinal + len(joined))


def leave(state: State, membership: Membership) -> bool:
    """End a stay at the conversation's present seq; an owner who leaves owns it no more.

    False if the conversation was no longer in this state, and nothing changed.
    """
    gives_up = ", #owner" if membership.user_id == state.owner else ""
    counted = _update_conversation(state, f"REMOVE wayUntilMs{gives_up} ADD memberCount :minus", {":minus": -1})
    if gives_up:
        counted["Update"]["ExpressionAttributeNames"] = {"#owner": "owner"}  # a reserved word
    end = {
        "Update": {
            "TableName": settings.table(TABLE),
            "Key": _key(state.conversation, membership.ordinal),
            "UpdateExpression": "SET leftSeq = :seq REMOVE memberOf",
            "ConditionExpression": "attribute_exists(ordinal) AND attribute_not_exists(leftSeq)",
            "ExpressionAttributeValues": dynamo.item({":seq": state.seq}),
        }
    }
    return _transact([counted, end, stays.end(state.conversation, membership, state.seq)])


def _create(state: State, memberships: Sequence[Membership]) -> bool:
    conversation = {
        "Put": {
            "TableName": settings.table(conversations.TABLE),
            "Item": conversations.item_of(state),
            "ConditionExpression": "attribute_not_exists(conversationID)",
        }
    }
    return _transact([conversation, *_begin(state.conversation, memberships)])


def _begin(conversation: Conversation, memberships: Sequence[Membership]) -> Iterator[dict[str, Any]]:
    for membership in memberships:
        yield _put(conversation, membership)
        if conversation.is_group:  # those of C2C follow from its ID
            yield stays.begin(conversation, membership)


def _put(conversation: Conversation, membership: Membership) -> dict[str, Any]:
    row = {
        "conversationSegment": _segment(conversation, segment_of(membership.ordinal)),
        "ordinal": membership.ordinal,
        "conversationID": conversation.conversation_id,
        "userID": membership.user_id,
        "joinedSeq": membership.joined_seq,
        "memberOf": membership.user_id,
    }
    return {
        "Put": {
            "TableName": settings.table(TABLE),
            "Item": dynamo.item(row),
            "ConditionExpression": "attribute_not_exists(ordinal)",
        }
    }


def _update_conversation(state: State, update: str, values: dict[str, dynamo.Value]) -> dict[str, Any]:
    """The half of a transaction that changes the conversation, if nobody sent, joined or left since it was read."""
    unchanged = "seq = :seq AND memberCount = :members AND nextOrdinal = :ordinals"
    read = {":seq": state.seq, ":members": state.member_count, ":ordinals": state.next_ordinal}
    return {
        "Update": {
            "TableName": settings.table(conversations.TABLE),
            "Key": dynamo.item({"conversationID": state.conversation.conversation_id}),
            "UpdateExpression": update,
            "ConditionExpression": unchanged,
            "ExpressionAttributeValues": dynamo.item({**read, **values}),
        }
    }


def _transact(actions: list[Any]) -> bool:
    """Do all of it or nothing. False if something had changed, so that nothing was done.

    The SDK's own retries carry one token, so an answer that was lost does not make it happen twice.
    """
    try:
        dynamo.client().transact_write_items(TransactItems=actions)
    except ClientError as error:
        if dynamo.lost_race(error):
            return False
        raise
    return True


def _key(conversation: Conversation, ordinal: int) -> dict[str, Any]:
    return dynamo.item({"conversationSegment": _segment(conversation, segment_of(ordinal)), "ordinal": ordinal})


def _segment(conversation: Conversation, segment: int) -> str:
    return SEPARATOR.join((conversation.conversation_id, str(segment)))


def _membership(row: dynamo.Row) -> Membership:
    return Membership(row["ordinal"], row["userID"], row["joinedSeq"], row.get("leftSeq"))
