"""Stays: one row for each user and group, with all of the user's memberships in it, so that one key finds them.

Members has the same memberships in the order of joining, for lists. Both are written by the same transactions (see
`members`), so they always agree. This table is for what every call asks first: may this user? Its keys spread over all
partitions, so that the question costs one read unit however large the group, and however many of it ask at once.
"""

from typing import Any

from chalicelib import settings
from chalicelib.core.audience import Membership
from chalicelib.core.conversation import SEPARATOR, Conversation
from chalicelib.store import dynamo
from chalicelib.store.dynamo import Lookup

TABLE = "Stays"

# A stay is two attributes, named by its ordinal: the seq at which it began, and the one at which it ended.
_JOINED, _LEFT = "j", "l"


def lookup(*of: tuple[Conversation, str]) -> Lookup:
    """What to ask for, to know all stays of each of these users in each of these groups; consistently."""
    return Lookup(TABLE, [_key(conversation, user_id) for conversation, user_id in of])


def by_key(rows: list[dynamo.Row]) -> dict[tuple[Conversation, str], list[Membership]]:
    """The stays that were found, by ordinal. Who has never been a member is not there."""
    found: dict[tuple[Conversation, str], list[Membership]] = {}
    for row in rows:
        conversation_id, _, user_id = row["conversationUser"].rpartition(SEPARATOR)
        found[Conversation(conversation_id), user_id] = _stays(user_id, row)
    return found


def begin(conversation: Conversation, membership: Membership) -> dict[str, Any]:
    """The part of a transaction that writes a new stay."""
    return _update(
        conversation,
        membership,
        f"SET {_JOINED}{membership.ordinal} = :seq",
        f"attribute_not_exists({_JOINED}{membership.ordinal})",
        membership.joined_seq,
    )


def end(conversation: Conversation, membership: Membership, left_seq: int) -> dict[str, Any]:
    """The part of a transaction that ends a stay."""
    joined, left = f"{_JOINED}{membership.ordinal}", f"{_LEFT}{membership.ordinal}"
    condition = f"attribute_exists({joined}) AND attribute_not_exists({left})"
    return _update(conversation, membership, f"SET {left} = :seq", condition, left_seq)


def _update(
    conversation: Conversation, membership: Membership, update: str, condition: str, seq: int
) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": settings.table(TABLE),
            "Key": dynamo.item(_key(conversation, membership.user_id)),
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": dynamo.item({":seq": seq}),
        }
    }


def _stays(user_id: str, row: dynamo.Row) -> list[Membership]:
    ordinals = sorted(int(name[1:]) for name in row if name[0] == _JOINED and name[1:].isdecimal())
    return [
        Membership(ordinal, user_id, row[f"{_JOINED}{ordinal}"], row.get(f"{_LEFT}{ordinal}")) for ordinal in ordinals
    ]


def _key(conversation: Conversation, user_id: str) -> dict[str, str]:
    return {"conversationUser": SEPARATOR.join((conversation.conversation_id, user_id))}
