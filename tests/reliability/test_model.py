"""Random traffic against the model: after every step, and at rest, the service is what the model says.

hypothesis chooses what users do, how the streams are delivered (late, twice, in parts, shards interleaved), where
processes die, and what happens in the middle of what. The same seed makes the same choices.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from typing import Any, ClassVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from chalicelib import push
from chalicelib.store import dynamo
from tests.reliability import guarantees, profile
from tests.reliability.faults import Calls, Fault, Killed
from tests.reliability.model import Model, Said
from tests.reliability.traffic import RETRIABLE, person
from tests.world import TRIGGERS, Answer, Json, Record, Socket, User, World

GROUP = Model.GROUP
NAMES = ("alice", "bob", "carol", "dave")
TALKS = (GROUP, GROUP, GROUP, "alice+bob", "bob+carol")

_DAY_S = 24 * 3600
_tags = map("{:x}".format, count())

users = st.sampled_from(NAMES)
talks = st.sampled_from(TALKS)
# Which call of what is done is struck, and by what; mostly none is. Calls beyond the last are not.
strikes = st.none() | st.tuples(st.integers(1, 8), st.sampled_from(Fault))
# In the middle of what is done, before which call, something else happens.
meanwhiles = st.none() | st.none() | st.integers(1, 10)
picks = st.lists(st.integers(0, 4), min_size=1, max_size=4)

Strike = tuple[int, Fault] | None


class Traffic(RuleBasedStateMachine):
    """The real handlers on moto, one after another or one within another, beside the model."""

    world: ClassVar[World]
    calls: ClassVar[Calls]

    @initialize()
    def begins(self) -> None:
        self.world.begins_anew()
        self.tag = next(_tags)
        self.group = f"team-{self.tag}"
        self.people = {name: person(self.world, f"{name}-{self.tag}") for name in NAMES}
        self.names = {user.user_id: name for name, user in self.people.items()}
        self.model = Model(NAMES, members={"alice", "bob"}, ever_members={"alice", "bob"})
        self.queues: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.past: dict[str, list[Record]] = defaultdict(list)
        self.sockets: dict[str, list[Socket]] = defaultdict(list)
        self.excused: set[str] = set()  # sockets that need not have heard all
        self.frames_seen: dict[str, int] = defaultdict(int)
        self.sends = 0
        created = self.people["alice"].creates(self.group, self.people["bob"], group_type="Public")
        assert created["memberCount"] == 2
        for name in ("carol", "dave"):
            self.joins_or_is_invited("alice", name, None)
        self.cursors = {
            name: user.calls("GET", "/read-receipts/changes").ok["cursor"] for name, user in self.people.items()
        }
        for name in ("alice", "alice", "bob"):
            self.connects(name, None)
        for name, talk in (("alice", GROUP), ("bob", GROUP), ("alice", "alice+bob")):
            self.sends_a_message(name, talk, True, None, False)

    # What users do.

    @rule(name=users, talk=talks, asks=st.booleans() | st.just(True), strike=strikes, again=st.booleans())
    def sends_a_message(self, name: str, talk: str, asks: bool, strike: Strike, again: bool) -> None:
        self.sends += 1
        mine, to = f"mine-{self.sends}", self.addressee(name, talk)
        refusal = self.model.why_not_send(name, talk, asks=asks) if to else 10010
        if not to:
            return
        answer = self.attempts(
            lambda: self.people[name].tries_to_send(to, "hello", receipt=asks, clientMsgID=mine), strike, again=again
        )
        if answer is None:
            return
        assert (answer.body.get("code", 0) if answer.status != 200 else 0) == refusal, (answer, refusal)
        if answer.status != 200:
            guarantees.checked("Loud")
            return
        is_private = name in self.model.off
        assert answer.body["needReadReceipt"] == (asks and not is_private)
        kept_s = self.model.retention_days and self.model.retention_days * _DAY_S
        self.model.said.append(
            Said(
                answer.body["msgID"],
                talk,
                answer.body["seq"],
                name,
                self.model.audience_of(name, talk),
                asks and not is_private,
                is_private,
                self.world.now_ms() + kept_s * 1000 if kept_s else None,
                frozenset(socket.connection_id for socket in self.sockets[name]),
            )
        )
        self.looks(talk)

    @rule(name=users, talk=talks, which=picks, by_socket=st.booleans(), strike=strikes, again=st.booleans())
    def reads_messages(
        self, name: str, talk: str, which: list[int], by_socket: bool, strike: Strike, again: bool
    ) -> None:
        said = self.picked(talk, which)
        if said:
            self.reads(name, said, by_socket, strike, again)
            self.looks(talk, said[0])

    @rule(
        name=users,
        talk=talks,
        which=picks,
        at=st.integers(1, 8),
        other=users,
        table=st.sampled_from(sorted(TRIGGERS)),
        reads_first=st.booleans(),
    )
    def reads_while_another_reads_or_the_stream_comes(
        self, name: str, talk: str, which: list[int], at: int, other: str, table: str, reads_first: bool
    ) -> None:
        said = self.picked(talk, which)
        if not said:
            return

        def meanwhile() -> None:
            if reads_first:
                self.reads(other, said, by_socket=False, strike=None, again=False)
            self.deliver(table, 0, 100, None)

        self.reads(name, said, by_socket=False, strike=None, again=False, meanwhile=(at, meanwhile))
        self.looks(talk, said[0])

    @rule(name=users, other=users, strike=strikes)
    def joins_or_is_invited(self, name: str, other: str, strike: Strike) -> None:
        if name not in self.model.members and name != other:
            return  # who is no member invites nobody; see test_groups
        answer = self.attempts(lambda: self.people[name].invites(self.group, self.people[other]), strike, again=True)
        assert answer
        (result,) = answer.ok["resultList"]
        if result["code"] in (7008, 10002):
            (result,) = self.people[name].invites(self.group, self.people[other]).ok["resultList"]
        assert result["code"] in (0, 10013), result
        self.model.members.add(other)
        self.model.ever_members.add(other)
        self.looks(GROUP)

    @rule(name=st.sampled_from(NAMES[1:]), kicked=st.booleans(), strike=strikes)
    def leaves_or_is_removed(self, name: str, kicked: bool, strike: Strike) -> None:
        by = "alice" if kicked else name
        answer = self.attempts(lambda: self.people[by].removes(self.group, self.people[name]), strike, again=True)
        assert answer
        was_member = name in self.model.members
        expected = {200} if was_member and strike is None else {404} if not was_member else {200, 404}
        assert answer.status in expected, answer
        self.model.members.discard(name)
        self.excused |= {socket.connection_id for socket in self.sockets[name]}
        self.looks(GROUP)

    @rule(name=users, on=st.booleans(), strike=strikes)
    def turns_receipts(self, name: str, on: bool, strike: Strike) -> None:
        answer = self.attempts(
            lambda: self.people[name].calls("PUT", "/settings", {"readReceipts": on}), strike, again=True
        )
        assert answer
        assert answer.ok["readReceipts"] == on
        if on:
            self.model.off.discard(name)
        else:
            self.model.off.add(name)
            self.model.ever_off.add(name)
            self.excused |= {socket.connection_id for socket in self.sockets[name]}

    @rule(name=users, talk=talks, which=picks, strike=strikes, again=st.booleans())
    def marks_read(self, name: str, talk: str, which: list[int], strike: Strike, again: bool) -> None:
        said = [each for each in self.picked(talk, which) if self.model.was_sent(name, each)]
        if not said or not self.model.is_in(name, talk):
            return
        conversation = self.conversation_id(name, talk)
        answer = self.attempts(
            lambda: self.people[name].calls("POST", f"/conversations/{conversation}/read", {"msgID": said[0].msg_id}),
            strike,
            again=again,
        )
        assert answer is None or answer.status == 200, answer
        if talk != GROUP and name not in self.model.off:
            self.model.mark(talk, name, said[0].seq, is_sure=answer is not None)
        self.looks(talk)

    @rule(names=st.lists(users, min_size=2, max_size=4), talk=talks, which=picks, strike=strikes)
    def several_read_the_same(self, names: list[str], talk: str, which: list[int], strike: Strike) -> None:
        said = self.picked(talk, which)
        for name in names:
            if said:
                self.reads(name, said, by_socket=False, strike=strike, again=True)

    # The console and the clock.

    @rule(
        edition=st.sampled_from(["premium", "premium", "premium", "standard"]),
        size=st.sampled_from([None, None, 2]),
        days=st.sampled_from([None, None, 1]),
    )
    def changes_the_console(self, edition: str, size: int | None, days: int | None) -> None:
        self.world.admin().sets(edition=edition, receiptGroupSizeMax=size, retentionDays=days)
        self.model.edition, self.model.group_size_max, self.model.retention_days = edition, size, days

    @rule(expired=st.sets(st.sampled_from(["Reads", "Receipts", "Sums"])))
    def days_pass(self, expired: set[str]) -> None:
        self.world.waits(10 * _DAY_S)
        self.world.expires("Messages", *expired)
        self.model.forget_expired(self.world.now_ms())

    # Devices.

    @rule(name=users, strike=strikes)
    def connects(self, name: str, strike: Strike) -> None:
        if len(self.sockets[name]) >= 3:
            return
        connection_id = self.world.next_connection_id
        found: list[Socket] = []
        self.attempt(lambda: found.append(self.people[name].connects()), strike)
        if found and found[0].status == 200:
            self.sockets[name].append(found[0])
        else:
            assert strike
            self.world.sockets.gone.add(connection_id)

    @rule(name=users, strike=strikes)
    def disconnects(self, name: str, strike: Strike) -> None:
        if self.sockets[name]:
            socket = self.sockets[name].pop()
            self.world.sockets.gone.add(socket.connection_id)
            self.attempt(socket.closes, strike)

    # The streams.

    @rule(
        table=st.sampled_from(sorted(TRIGGERS)),
        shard=st.integers(0, 1),
        records=st.integers(1, 6) | st.just(100),
        strike=strikes,
        within=meanwhiles,
    )
    def a_batch_comes(self, table: str, shard: int, records: int, strike: Strike, within: int | None) -> None:
        """Perhaps a second delivery of the same records, or the other shard's, begins and ends in the middle of it."""
        others = [lambda: self.deliver(table, 1 - shard, 100, None), lambda: self.deliver_again(table, 0, 100)]
        meanwhile = (within, others[within % 2]) if within and not strike else None
        self.deliver(table, shard, records, strike, meanwhile)
        self.looks(GROUP)

    @rule(table=st.sampled_from(sorted(TRIGGERS)), first=st.integers(0, 20), records=st.integers(1, 8))
    def records_come_again(self, table: str, first: int, records: int) -> None:
        self.deliver_again(table, first, records)
        self.looks(GROUP)

    # At the end all comes to rest, and everything is looked at by everybody who may.

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        self.changes_the_console("premium", None, None)
        for name in list(self.model.off):
            self.turns_receipts(name, True, None)
        self.take_records()
        for table, shard in list(self.queues):
            while self.queues[table, shard]:
                self.deliver(table, shard, 5, None)
        for said in self.model.said:
            self.check_at_rest(said)
        for name in NAMES:
            self.check_catching_up(name)
        for talk in set(TALKS) - {GROUP}:
            self.check_marks(talk)
        self.hears()

    # How it is done.

    def addressee(self, name: str, talk: str) -> User | str | None:
        if talk == GROUP:
            return self.group
        others = [other for other in talk.split("+") if other != name]
        return self.people[others[0]] if len(others) == 1 else None

    def conversation_id(self, name: str, talk: str) -> str:
        if talk == GROUP:
            return f"group_{self.group}"
        (peer,) = set(talk.split("+")) - {name}
        return f"c2c_{self.people[peer].user_id}"

    def picked(self, talk: str, which: list[int]) -> list[Said]:
        """Some of the latest messages of a conversation, each once."""
        latest = [said for said in self.model.said if said.talk == talk][-8:][::-1]
        return [latest[index] for index in dict.fromkeys(which) if index < len(latest)]

    def attempt(
        self, do: Callable[[], Any], strike: Strike, meanwhile: tuple[int, Callable[[], None]] | None = None
    ) -> Any:
        """Do it once, with whatever happens to it. None if the process was killed."""
        number, fault = strike or (0, None)
        between = None
        if meanwhile:
            number, between = meanwhile
        try:
            with self.calls.counted(number, fault, between):
                result = do()
        except Killed:
            result = None
        except Exception:
            if not self.calls.struck:
                raise
            result = None
        if fault and self.calls.struck:
            guarantees.survived[fault.value, "the model's traffic"] += 1
            if self.calls.struck == "PostToConnection":
                self.excused |= {socket.connection_id for sockets in self.sockets.values() for socket in sockets}
        return result

    def attempts(self, do: Callable[[], Answer], strike: Strike, *, again: bool) -> Answer | None:
        """The answer that says what became of it; None if there was none and nobody asked again."""
        answer: Answer | None = self.attempt(do, strike)
        if answer is not None and (answer.status == 200 or answer.refusal not in RETRIABLE):
            return answer
        assert strike, answer
        return do() if again else None

    def reads(
        self,
        name: str,
        said: list[Said],
        by_socket: bool,
        strike: Strike,
        again: bool,
        meanwhile: tuple[int, Callable[[], None]] | None = None,
    ) -> None:
        """Send receipts, and let the model know what became of them."""
        ids = [each.msg_id for each in said]
        expected = {each.msg_id: self.model.verdict(name, each) for each in said}
        is_withheld = name in self.model.off
        for each in said:
            if expected[each.msg_id] == 0 and not is_withheld and self.model.edition == "premium":
                each.unknown.add(name)
        socket = self.sockets[name][-1] if by_socket and self.sockets[name] else None

        def do() -> Json | None:
            if socket is None:
                answer = self.people[name].calls("POST", "/read-receipts", {"msgIDs": ids})
                return answer.body
            before = len(socket.frames)
            socket.tries_to_say({"action": "sendMessageReadReceipts", "requestID": "r", "msgIDs": ids})
            return next((frame for frame in socket.frames[before:] if frame.get("requestID") == "r"), None)

        for struck in (strike, None) if again else (strike,):
            answer = self.attempt(do, struck, meanwhile)
            if self.model.edition != "premium":
                assert answer is None or answer["code"] in (7013, 10002, 7008), answer
                continue
            if answer is None or answer.get("code") in (10002, 7008):
                assert struck, answer
                continue
            codes = {result["msgID"]: result["code"] for result in answer["resultList"]}
            for each in said:
                code = codes.pop(each.msg_id)
                assert code == expected[each.msg_id] or (struck and code == 10002), (code, expected[each.msg_id])
                if code == 0 and not is_withheld:
                    each.taken.add(name)
            assert not codes
            guarantees.checked("Loud", len(said))

    def take_records(self) -> None:
        """Sort what is new in the streams into shards. All of one partition key is in one shard, in order."""
        for table in TRIGGERS:
            for record in self.world.streams.new(table):
                partition = sorted(record["dynamodb"]["Keys"].items())[-1 if table == "Reads" else 0]
                self.queues[table, zlib.crc32(repr(partition).encode()) % 2].append(record)

    def deliver(
        self,
        table: str,
        shard: int,
        records: int,
        strike: Strike,
        meanwhile: tuple[int, Callable[[], None]] | None = None,
    ) -> None:
        """Deliver the next records of a shard, and go on behind them, or at the first that failed."""
        if not self.calls_are_nested:
            self.take_records()
        batch = self.queues[table, shard][:records]
        if not batch:
            return
        failed = self.attempt_delivery(table, batch, strike, meanwhile)
        numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in batch]
        done = {
            number for number in numbers if failed is not None and number < min(map(int, failed), default=number + 1)
        }
        self.past[table] += [record for record in batch if int(record["dynamodb"]["SequenceNumber"]) in done]
        self.queues[table, shard] = [
            record for record in self.queues[table, shard] if int(record["dynamodb"]["SequenceNumber"]) not in done
        ]

    calls_are_nested = False

    def attempt_delivery(
        self,
        table: str,
        batch: list[Record],
        strike: Strike,
        meanwhile: tuple[int, Callable[[], None]] | None = None,
    ) -> list[str] | None:
        """The records that failed; None: all of them, as the process died."""
        if self.calls_are_nested:
            return self.world.streams.deliver(table, batch)

        def nested(do: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                self.calls_are_nested = True
                try:
                    do()
                finally:
                    self.calls_are_nested = False

            return run

        within = (meanwhile[0], nested(meanwhile[1])) if meanwhile else None
        failed: list[str] | None = self.attempt(lambda: self.world.streams.deliver(table, batch), strike, within)
        assert strike or failed == [], failed
        return failed

    def deliver_again(self, table: str, first: int, records: int) -> None:
        """Records that were delivered before come once more."""
        again = self.past[table][first : first + records]
        if again:
            self.attempt_delivery(table, again, None)

    # What is checked.

    def looks(self, talk: str, closely: Said | None = None) -> None:
        """What senders are told of a conversation now, and of one message in detail; and what sockets have heard."""
        for name in NAMES:
            self.check_counts(name, [said for said in self.model.said if said.talk == talk])
        if closely:
            self.check_lists(closely)
        self.hears()

    def check_counts(self, asker: str, all_said: list[Said]) -> None:
        """Counted once, Forward and Loud, at any moment: counts may lag, and never run ahead or go back."""
        asked = [said for said in all_said if said.sender == asker][-10:]
        if not asked:
            return
        answer = self.people[asker].calls("POST", "/read-receipts/query", {"msgIDs": [each.msg_id for each in asked]})
        refusal = self.model.why_not_ask(asker)
        if refusal:
            assert answer.refusal[1] == refusal
            guarantees.checked("Private")
            return
        receipts = {receipt["msgID"]: receipt for receipt in answer.ok["receiptList"]}
        refused = {result["msgID"]: result["code"] for result in answer.ok["resultList"]}
        for said in asked:
            code = self.model.why_not_see(asker, said)
            assert refused.get(said.msg_id, 0) == code
            guarantees.checked("Loud")
            if code == 0:
                self.check_receipt(said, receipts[said.msg_id])

    def check_receipt(self, said: Said, receipt: Json) -> None:
        read, unread = receipt["readCount"], receipt["unreadCount"]
        assert read + unread == len(said.audience), (receipt, said)
        assert said.seen_count <= read <= len(said.perhaps), (receipt, said)
        said.seen_count = read
        guarantees.checked("Counted once")
        guarantees.checked("Forward")

    def check_lists(self, said: Said) -> tuple[set[str], set[str]] | None:
        """Adds up, and Forward for the times: the lists are exact as soon as a call has answered."""
        may = not self.model.why_not_ask(said.sender) and not self.model.why_not_see(said.sender, said)
        if said.talk != GROUP or not may:
            return None
        message = {"msgID": said.msg_id}
        sender = self.people[said.sender]
        times = {self.names[each["userID"]]: each["readAtMs"] for each in sender.members_who("read", message, page=2)}
        unread = [self.names[each["userID"]] for each in sender.members_who("unread", message, page=2)]
        assert said.taken <= times.keys() <= said.perhaps, (times, said)
        assert sorted([*times, *unread]) == sorted(said.audience), (times, unread, said)
        assert said.seen_times.items() <= times.items(), (times, said)
        said.seen_times = times
        said.taken |= times.keys()  # seen once, so there for good
        guarantees.checked("Adds up")
        guarantees.checked("Forward")
        return set(times), set(unread)

    def hears(self) -> None:
        """Private: sockets hear of what is theirs, and nothing else."""
        by_id = {said.msg_id: said for said in self.model.said}
        for name, sockets in self.sockets.items():
            for socket in sockets:
                fresh = socket.frames[self.frames_seen[socket.connection_id] :]
                self.frames_seen[socket.connection_id] += len(fresh)
                for frame in fresh:
                    self.check_frame(name, frame, by_id)

    def check_frame(self, name: str, frame: Json, by_id: dict[str, Said]) -> None:
        match frame.get("event"):
            case "onRecvMessageReadReceipts":
                for receipt in frame["receiptList"]:
                    said = by_id.get(receipt["msgID"])
                    if said:
                        assert said.sender == name
                        assert said.asks
                        assert receipt["readCount"] <= len(said.perhaps), (receipt, said)
                        assert receipt["readCount"] + receipt["unreadCount"] == len(said.audience)
            case "onRecvNewMessage":
                said = by_id.get(frame["message"]["msgID"])
                assert said is None or self.model.was_sent(name, said)
            case "onRecvC2CReadReceipt":
                (receipt,) = frame["receiptList"]
                talk = "+".join(sorted([name, self.names[receipt["userID"]]]))
                assert (talk, self.names[receipt["userID"]]) in self.model.perhaps_shown
        guarantees.checked("Private")

    def check_at_rest(self, said: Said) -> None:
        """Counted once, Adds up and Heard, when the streams have drained: all of it is exact."""
        if self.model.why_not_see(said.sender, said):
            return
        answer = self.people[said.sender].asks({"msgID": said.msg_id})
        (receipt,) = answer["receiptList"]
        self.check_receipt(said, receipt)
        lists = self.check_lists(said)
        if lists:
            assert receipt["readCount"] == len(lists[0]), (receipt, lists, said)
        assert len(said.taken) <= receipt["readCount"]
        for socket in self.sockets[said.sender]:
            if socket.connection_id in said.sockets - self.excused and receipt["readCount"]:
                assert socket.receipts[said.msg_id]["readCount"] == receipt["readCount"], (socket.receipts, said)
                guarantees.checked("Heard")

    def check_catching_up(self, name: str) -> None:
        """Heard: whoever was away all the while misses nothing."""
        told: dict[str, int] = {}
        since, is_finished, is_complete = self.cursors[name], False, True
        self.world.waits(61)
        while not is_finished:
            page = self.people[name].calls("GET", "/read-receipts/changes", since=since).ok
            told.update({receipt["msgID"]: receipt["readCount"] for receipt in page["receiptList"]})
            since, is_finished = page["cursor"], page["isFinished"]
            is_complete = is_complete and page["isComplete"]
        for said in self.model.said:
            if is_complete and said.sender == name and said.seen_count and not self.model.why_not_see(name, said):
                assert told.get(said.msg_id) == said.seen_count, (told, said)
                guarantees.checked("Heard")

    def check_marks(self, talk: str) -> None:
        """Private and Heard: what the history says that the peer has marked read."""
        for name in talk.split("+"):
            (peer,) = set(talk.split("+")) - {name}
            own = {said.msg_id: said for said in self.model.said if said.talk == talk and said.sender == name}
            if not own:
                continue
            for message in self.people[name].history(self.conversation_id(name, talk), count=100)["messageList"]:
                said = own.get(message["msgID"])
                if said:
                    surely = self.model.shown.get((talk, peer), 0) >= said.seq and not said.is_private
                    perhaps = self.model.perhaps_shown.get((talk, peer), 0) >= said.seq and not said.is_private
                    assert surely <= message["isPeerRead"] <= perhaps, (message, said)
                    guarantees.checked("Private")


def test_the_service_is_what_the_model_says() -> None:
    """Counted once, Adds up, Forward, Heard, Private and Loud, under whatever happens."""
    examples, steps = (300, 60) if profile.is_long() else (12, 40)
    with World.on_moto() as world:
        calls = Calls(dynamo.client(), push.client())
        machine = seed(profile.seed())(type("Run", (Traffic,), {"world": world, "calls": calls}))
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                derandomize=False,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            ),
        )
