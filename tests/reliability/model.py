"""What the service should be, as simply as it can be said: sets of people, in one memory, where nothing fails.

A receipt that somebody was told is taken is `taken`. One that was sent and not answered is `unknown`: it may have been
taken or not, and once it has been seen it stays.
"""

from dataclasses import dataclass, field

from chalicelib.core.console import PREMIUM


@dataclass
class Said:
    """A message: who sent it, to whom it was sent, and whose receipts there are."""

    msg_id: str
    talk: str
    seq: int
    sender: str
    audience: frozenset[str]
    asks: bool
    is_private: bool
    expires_at_ms: int | None
    sockets: frozenset[str] = frozenset()  # the sender's, when it was sent
    taken: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    seen_count: int = 0
    seen_times: dict[str, int] = field(default_factory=dict)

    @property
    def perhaps(self) -> set[str]:
        """Who at most has read it."""
        return self.taken | self.unknown


@dataclass
class Model:
    """Users, one group, what was said in it and between any two, and the console."""

    users: tuple[str, ...]
    members: set[str] = field(default_factory=set)
    ever_members: set[str] = field(default_factory=set)
    off: set[str] = field(default_factory=set)
    ever_off: set[str] = field(default_factory=set)
    edition: str = PREMIUM
    group_size_max: int | None = None
    retention_days: int | None = None
    said: list[Said] = field(default_factory=list)
    shown: dict[tuple[str, str], int] = field(default_factory=dict)  # (talk, reader): surely marked up to this seq
    perhaps_shown: dict[tuple[str, str], int] = field(default_factory=dict)

    GROUP = "group"

    def is_in(self, user: str, talk: str) -> bool:
        return user in (self.members if talk == self.GROUP else talk.split("+"))

    def was_sent(self, user: str, said: Said) -> bool:
        """Whether a message was sent while this user was in the conversation, by them or to them."""
        return user in said.audience or user == said.sender

    def why_not_send(self, sender: str, talk: str, *, asks: bool) -> int:
        """The code that a send is refused with; 0: it is not."""
        if not self.is_in(sender, talk):
            return 10010
        if asks and self.edition != PREMIUM:
            return 7013
        if asks and talk == self.GROUP and self.group_size_max and len(self.members) > self.group_size_max:
            return 45005
        return 0

    def audience_of(self, sender: str, talk: str) -> frozenset[str]:
        return frozenset((self.members if talk == self.GROUP else set(talk.split("+"))) - {sender})

    def verdict(self, reader: str, said: Said) -> int:
        """The code that a receipt is answered with."""
        is_known = reader in self.ever_members if said.talk == self.GROUP else reader in said.talk.split("+")
        if not is_known:
            return 45001
        if not self.was_sent(reader, said):
            return 45002
        if reader == said.sender:
            return 7014
        return 0 if said.asks else 10062

    def why_not_see(self, asker: str, said: Said) -> int:
        """The code that asking for one message's receipt is answered with; 0: one is told."""
        if asker != said.sender or not self.is_in(asker, said.talk):
            return 45001
        return 0 if said.asks else 10062

    def why_not_ask(self, asker: str) -> int:
        """The code that asking for receipts at all is refused with."""
        if self.edition != PREMIUM:
            return 7013
        return 45006 if asker in self.off else 0

    def mark(self, talk: str, reader: str, seq: int, *, is_sure: bool) -> None:
        """A conversation was marked read up to this seq, and the peer may know."""
        of = talk, reader
        self.perhaps_shown[of] = max(seq, self.perhaps_shown.get(of, 0))
        if is_sure:
            self.shown[of] = max(seq, self.shown.get(of, 0))

    def forget_expired(self, now_ms: int) -> None:
        """Messages that have expired are no longer spoken of."""
        self.said = [said for said in self.said if said.expires_at_ms is None or said.expires_at_ms > now_ms]
