"""Whom a message was sent to: the rule that makes the numbers always add up.

- The conversation's seq is the only clock: `joined_seq` and `left_seq` are its value at the moment of joining and
  leaving.
- The audience of message m: the memberships with `joined_seq < m <= left_seq`, minus the sender's.
- Who joins later is not counted, and does not see the message.
- Who leaves stays in the audience, read or unread; a receipt that arrives after leaving still counts.
- Who rejoins is a new membership with a new ordinal, and still counts, once, for messages of the earlier one.
- Several devices of one user are one member.
- Only current members are shown anything: a member who left sees neither messages nor counts, not even of own messages.
- Only the sender of a message sees its counts and its lists.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.core.conversation import Conversation


@dataclass(frozen=True)
class Membership:
    """One stay of a user in a conversation. `left_seq` is None while it lasts."""

    ordinal: int
    user_id: str
    joined_seq: int
    left_seq: int | None = None

    @property
    def is_current(self) -> bool:
        return self.left_seq is None

    def covers(self, seq: int) -> bool:
        """Whether a message with this seq was sent during this stay."""
        sent_after_joining = self.joined_seq < seq
        sent_before_leaving = self.left_seq is None or seq <= self.left_seq
        return sent_after_joining and sent_before_leaving


def memberships_in_c2c(conversation: Conversation) -> list[Membership]:
    """The two users of a C2C conversation: members from before its first message, for ever."""
    return [Membership(ordinal, user_id, joined_seq=0) for ordinal, user_id in enumerate(conversation.users)]


def covering(memberships: Iterable[Membership], seq: int) -> Membership | None:
    """The one of a user's memberships during which this message was sent; a user's memberships never overlap."""
    return next((membership for membership in memberships if membership.covers(seq)), None)


def is_member(memberships: Iterable[Membership]) -> bool:
    """Whether a user with these memberships is in the conversation now."""
    return any(membership.is_current for membership in memberships)


def may_see(memberships: Iterable[Membership], seq: int) -> bool:
    """Whether a user with these memberships is shown a message: a member now, and when it was sent."""
    memberships = list(memberships)
    return is_member(memberships) and covering(memberships, seq) is not None


def audience_size(member_count: int) -> int:
    """The number of people a message is sent to, from the number of members at its seq, sender included."""
    return member_count - 1
