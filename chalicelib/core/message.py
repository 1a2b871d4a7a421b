"""A message as it is stored. What was said never changes, so a header that has been read once stays true."""

from dataclasses import dataclass

from chalicelib.core.conversation import Conversation, encode_msg_id


@dataclass(frozen=True)
class Header:
    """All of a message but its content.

    `audience` is the number of people it was sent to, fixed by the very write that drew its seq. `is_private` is true
    of what was sent while its sender had read receipts turned off: its sender is never told that it was read.
    `next_ordinal` is the ordinal that the next to join would have got when it was sent: those of the audience are below
    it. None: it was sent before that was noted.
    `expires_at_s` follows from the retention that was set when it was sent; None is never.
    """

    conversation: Conversation
    seq: int
    sender: str
    sender_ordinal: int
    audience: int
    need_read_receipt: bool
    sent_at_ms: int
    is_private: bool = False
    expires_at_s: int | None = None
    next_ordinal: int | None = None

    @property
    def msg_id(self) -> str:
        return encode_msg_id(self.conversation, self.seq)


@dataclass(frozen=True)
class Message:
    """A header and what was said: a text, a JSON object (in compact form), or both."""

    header: Header
    text: str | None = None
    data_json: str | None = None
