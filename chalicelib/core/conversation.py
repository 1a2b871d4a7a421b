"""Conversations and the names they go by: one canonical ID in the store, V2TIM's IDs for clients, and msgIDs."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from chalicelib.limits import GROUP_ID_LENGTH_MAX, ID_PATTERN, SEQ_MAX, USER_ID_LENGTH_MAX

# Parts of stored IDs are joined by a character that no userID or groupID may contain, so they always come apart again.
SEPARATOR = "~"

_C2C = "c2c_"
_GROUP = "group_"
_id_pattern = re.compile(ID_PATTERN)


def is_user_id(text: str) -> bool:
    """1-32 characters of letters, digits and `_ - . @ #`."""
    return len(text) <= USER_ID_LENGTH_MAX and _id_pattern.match(text) is not None


def is_group_id(text: str) -> bool:
    """1-48 characters of letters, digits and `_ - . @ #`."""
    return len(text) <= GROUP_ID_LENGTH_MAX and _id_pattern.match(text) is not None


@dataclass(frozen=True)
class Conversation:
    """A conversation's identity: a group, or two users in alphabetical order.

    `conversation_id` is the canonical form, the same for everybody: `group_<groupID>` or `c2c_<userID>~<userID>`.
    Clients see `c2c_<peer's userID>` instead, as in V2TIM.
    """

    conversation_id: str

    @classmethod
    def of_group(cls, group_id: str) -> "Conversation":
        return cls(_GROUP + group_id)

    @classmethod
    def between(cls, one: str, other: str) -> "Conversation":
        return cls(_C2C + SEPARATOR.join(sorted((one, other))))

    @classmethod
    def parse(cls, conversation_id: str) -> "Conversation":
        """From the canonical form. ValueError if it is not exactly that."""
        if conversation_id.startswith(_GROUP) and is_group_id(conversation_id[len(_GROUP) :]):
            return cls(conversation_id)
        if conversation_id.startswith(_C2C):
            users = conversation_id[len(_C2C) :].split(SEPARATOR)
            if len(users) == 2 and users[0] < users[1] and all(map(is_user_id, users)):
                return cls(conversation_id)
        raise ValueError(f"not a conversationID: {conversation_id!r}")

    @classmethod
    def named_by(cls, user_id: str, client_conversation_id: str) -> "Conversation":
        """From what a client calls it: `group_<groupID>` or `c2c_<peer>`. ValueError if it is neither."""
        if client_conversation_id.startswith(_GROUP):
            return cls.parse(client_conversation_id)
        peer = client_conversation_id.removeprefix(_C2C)
        if not client_conversation_id.startswith(_C2C) or not is_user_id(peer) or peer == user_id:
            raise ValueError(f"not a conversationID: {client_conversation_id!r}")
        return cls.between(user_id, peer)

    @property
    def is_group(self) -> bool:
        return self.conversation_id.startswith(_GROUP)

    @property
    def group_id(self) -> str:
        """The group's ID; empty for C2C, as in V2TIM's receipts."""
        return self.conversation_id[len(_GROUP) :] if self.is_group else ""

    @property
    def users(self) -> tuple[str, ...]:
        """The two users of a C2C conversation, by ordinal; nobody for a group, whose members are in a table."""
        return () if self.is_group else tuple(self.conversation_id[len(_C2C) :].split(SEPARATOR))

    def peer_of(self, user_id: str) -> str:
        """The other user of a C2C conversation; empty for a group, as in V2TIM."""
        return next((user for user in self.users if user != user_id), "")

    def named_for(self, user_id: str) -> str:
        """What this user's clients call it."""
        return self.conversation_id if self.is_group else _C2C + self.peer_of(user_id)


def encode_msg_id(conversation: Conversation, seq: int) -> str:
    """A msgID: opaque to clients, safe in a URL, and all that is needed to find the message."""
    plain = f"{conversation.conversation_id}{SEPARATOR}{seq}"
    return urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def decode_msg_id(msg_id: str) -> tuple[Conversation, int]:
    """The conversation and seq of a msgID. ValueError unless it is exactly what `encode_msg_id` makes."""
    try:
        plain = urlsafe_b64decode(msg_id + "=" * (-len(msg_id) % 4)).decode()
        conversation_id, _, digits = plain.rpartition(SEPARATOR)
        conversation, seq = Conversation.parse(conversation_id), int(digits)
    except ValueError as error:
        raise ValueError(f"not a msgID: {msg_id!r}") from error
    if not 0 < seq <= SEQ_MAX or encode_msg_id(conversation, seq) != msg_id:
        raise ValueError(f"not a msgID: {msg_id!r}")
    return conversation, seq
