"""Two things at once, exactly: the one begins and ends before the nth call to AWS of the other, for every n.

Threads may or may not meet at a certain point; here each pair meets at every point there is. Whatever the order comes
to be, the group's numbers agree with each other afterwards, and nobody was told what is not so.
"""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from chalicelib import push
from chalicelib.store import dynamo
from tests.reliability import guarantees, profile
from tests.reliability.faults import Calls
from tests.reliability.traffic import person
from tests.world import Answer, Json, User, World

# In the short profile a pair meets at every sixth point only, another one for each pair.
_EVERY = 6

_tags = map(str, count())


@pytest.fixture(scope="module")
def one_world() -> Iterator[World]:
    with World.on_moto() as world:
        yield world


@pytest.fixture(scope="module")
def calls(one_world: World) -> Calls:
    return Calls(dynamo.client(), push.client())


class Team:
    """A group of alice, bob and carol, with a message that bob has not read; dave is outside."""

    def __init__(self, world: World) -> None:
        world.begins_anew()
        tag = next(_tags)
        self.world = world
        self.group = f"team-{tag}"
        names = [f"{name}-{tag}" for name in ("alice", "bob", "carol", "dave")]
        self.alice, self.bob, self.carol, self.dave = (person(world, name) for name in names)
        self.alice.creates(self.group, self.bob, self.carol, group_type="Public")
        self.sent: list[Json] = [self.alice.sends(self.group)]
        self.accepted: set[tuple[str, str]] = set()

    def sends(self) -> None:
        self.sent.append(self.alice.sends(self.group))

    def bob_sends(self) -> None:
        answer = self.bob.tries_to_send(self.group)
        assert answer.status == 200 or answer.refusal == (404, 10010)

    def reads(self) -> None:
        self._read_by(self.bob, {0})

    def joins(self) -> None:
        assert self._one(self.dave.invites(self.group, self.dave)) in (0, 10013)

    def is_invited(self) -> None:
        assert self._one(self.alice.invites(self.group, self.dave)) in (0, 10013)

    def quits(self) -> None:
        answer = self.bob.quits(self.group)
        assert answer.status == 200 or answer.refusal in ((404, 10010), (404, 10019))

    def is_removed(self) -> None:
        answer = self.alice.removes(self.group, self.bob)
        assert answer.status == 200 or answer.refusal == (404, 10019)

    def folds(self) -> None:
        self.world.pump()

    def check(self) -> None:
        """All numbers agree: members and their count, audiences and lists, lists and counts, counts and answers."""
        listed = self.alice.calls("GET", f"/groups/{self.group}/members").ok["memberList"]
        members = {each["userID"] for each in listed}
        assert len(listed) == len(members) == self.alice.calls("GET", f"/groups/{self.group}").ok["memberCount"]
        self.sends()
        present = members - {self.alice.user_id}
        assert set(self.alice.non_readers(self.sent[-1])) == present
        for reader in (self.bob, self.carol, self.dave):
            self._read_by(reader, {0, 45001, 45002})
        self.world.pump()
        for message in self.sent:
            read, unread = self.alice.readers(message), self.alice.non_readers(message)
            assert {(each, message["msgID"]) for each in read} == {
                each for each in self.accepted if each[1] == message["msgID"]
            }
            assert unread == [], "whoever is in the audience was let in as a reader"
            assert self.alice.counts(message) == (len(set(read)), 0)
            guarantees.checked("Counted once")
            guarantees.checked("Adds up")

    def _read_by(self, reader: User, codes: set[int]) -> None:
        for message in list(self.sent):
            (code,) = reader.reads(message)
            assert code in codes
            if code == 0:
                self.accepted.add((reader.user_id, message["msgID"]))

    @staticmethod
    def _one(answer: Answer) -> int:
        (result,) = answer.ok["resultList"]
        code: int = result["code"]
        return code


Deed = Callable[[Team], None]
DEEDS: list[Deed] = [
    Team.sends,
    Team.bob_sends,
    Team.reads,
    Team.joins,
    Team.is_invited,
    Team.quits,
    Team.is_removed,
    Team.folds,
]


@pytest.mark.parametrize("other", DEEDS, ids=lambda deed: deed.__name__)
@pytest.mark.parametrize("one", DEEDS, ids=lambda deed: deed.__name__)
def test_two_at_once_meet_at_every_point(one_world: World, calls: Calls, one: Deed, other: Deed) -> None:
    team = Team(one_world)
    if one is Team.folds:
        team.reads()
    with calls.counted():
        one(team)
    every = 1 if profile.is_long() else _EVERY
    first = 1 if profile.is_long() else 1 + (DEEDS.index(one) + DEEDS.index(other)) % every
    for number in range(first, len(calls.made) + 1, every):
        team = Team(one_world)
        if one is Team.folds:
            team.reads()
        try:
            with calls.counted(number, None, lambda team=team: other(team)):  # type: ignore[misc]  # of no arguments
                one(team)
            team.check()
        except Exception as error:
            error.add_note(f"before call {number} of {calls.made}")
            raise
