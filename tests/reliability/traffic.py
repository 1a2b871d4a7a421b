"""What users do, each thing ready to be interrupted anywhere, done again, and looked at.

A flow makes what it needs under names of its own, so that hundreds of them fit into one world. `act` does it and says
whether the caller was told that it is done; `look` checks what must be true whenever the streams have drained. Callers
who were not told do it again, and so do some who were.
"""

import os
from collections.abc import Collection
from typing import ClassVar
from unittest.mock import patch

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import limits, tokens, webhook
from chalicelib.core.console import NEVER_S
from chalicelib.core.conversation import Conversation
from chalicelib.core.tiles import BLOCK_SIZE
from chalicelib.core.webhook import Event
from chalicelib.store import conversations, dynamo, reads
from tests.reliability import guarantees
from tests.world import Answer, Json, Record, Socket, User, World

# What a caller may be told instead of success: that the server failed, or is too busy, and to try again.
RETRIABLE = {(500, 10002), (429, 7008)}

_YEARS_S = 10 * 365 * 24 * 3600


class Flow:
    """One thing that is done. `tag` keeps its names apart from all others'."""

    # Whether nothing is written, so that one scene does for any number of attempts.
    only_asks: ClassVar[bool] = False

    def __init__(self, world: World, tag: str) -> None:
        self.world, self.tag = world, tag
        self.told = False  # that it is done, at the last attempt
        self.struck = ""  # the call that a fault struck then, if any

    def act(self) -> bool:
        """Do it. True if the caller is told that it is done, False if that it failed and may be tried again."""
        raise NotImplementedError

    def look(self) -> None:
        """Check what holds once the streams have drained."""
        raise NotImplementedError

    def person(self, name: str) -> User:
        """A user, with a token that outlasts the time that passes in this world."""
        return person(self.world, f"{name}-{self.tag}")

    @property
    def group(self) -> str:
        return f"team-{self.tag}"


def person(world: World, user_id: str) -> User:
    """A user, with a token that is good for years."""
    user = world.user(user_id)
    user.token = tokens.mint(user_id, _YEARS_S)
    return user


def is_done(answer: Answer, *as_good: tuple[int, int]) -> bool:
    """Whether a call was done; if not, the caller must have been told clearly, and that they may try again.

    `as_good` are the refusals that a repetition may meet because the first attempt was done after all.
    """
    if answer.status == 200 or answer.refusal in as_good:
        return True
    assert answer.refusal in RETRIABLE, answer
    return False


def passes_over(conversation: Conversation, seqs: int) -> None:
    """Leave a gap in a conversation's seqs, as sends that were refused would."""
    dynamo.client().update_item(
        TableName=conversations.TABLE,
        Key=dynamo.item({"conversationID": conversation.conversation_id}),
        UpdateExpression="ADD seq :seqs",
        ExpressionAttributeValues=dynamo.item({":seqs": seqs}),
    )


class SendInC2C(Flow):
    """The first message to a user, under a clientMsgID."""

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.sent: Json | None = None

    @property
    def conversation_id(self) -> str:
        return f"c2c_{self.bob.user_id}"

    def addressee(self) -> User | str:
        return self.bob

    def act(self) -> bool:
        answer = self.alice.tries_to_send(self.addressee(), "hello", clientMsgID="mine")
        if is_done(answer):
            assert self.sent in (None, answer.body), "a repeated send answers with the first message"
            self.sent = answer.body
        return answer.status == 200

    def look(self) -> None:
        listed = self.alice.history(self.conversation_id)["messageList"] if self.is_open() else []
        assert len(listed) <= 1, "a message is never there twice"
        if self.told:
            assert self.sent
            assert [message["msgID"] for message in listed] == [self.sent["msgID"]]
        for message in listed:
            self.bob.reads(message)
            guarantees.check_receipts(self.world, self.alice, message, self.audience, {self.bob.user_id})

    def is_open(self) -> bool:
        """Whether there is a conversation to look into: who was not told cannot know."""
        return self.told or self.alice.calls("GET", f"/conversations/{self.conversation_id}/messages").status == 200

    @property
    def audience(self) -> set[str]:
        return {self.bob.user_id}


class SendInGroup(SendInC2C):
    """A message to a group, under a clientMsgID."""

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.alice.creates(self.group, self.bob, f"carol-{tag}")

    @property
    def conversation_id(self) -> str:
        return f"group_{self.group}"

    def addressee(self) -> str:
        return self.group

    @property
    def audience(self) -> set[str]:
        return {self.bob.user_id, f"carol-{self.tag}"}


class ReceiptsInGroup(Flow):
    """Receipts for messages of two blocks, so that two rows are written."""

    also_mark_read = False

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.accepted: set[str] = set()
        self.sent = self.sends()

    def sends(self) -> list[Json]:
        self.alice.creates(self.group, self.bob, f"carol-{self.tag}")
        first = self.alice.sends(self.group)
        passes_over(Conversation.of_group(self.group), BLOCK_SIZE)
        return [first, self.alice.sends(self.group)]

    @property
    def audience(self) -> set[str]:
        return {self.bob.user_id, f"carol-{self.tag}"}

    def act(self) -> bool:
        body = {"msgIDs": [message["msgID"] for message in self.sent], "alsoMarkRead": self.also_mark_read}
        answer = self.bob.calls("POST", "/read-receipts", body)
        if not is_done(answer):
            return False
        return self.heard(answer.body["resultList"])

    def heard(self, results: list[Json]) -> bool:
        codes = {result["msgID"]: result["code"] for result in results}
        assert codes.keys() == {message["msgID"] for message in self.sent}
        assert set(codes.values()) <= {0, 10002}, "each receipt is taken, or refused aloud and may be sent again"
        self.accepted |= {msg_id for msg_id, code in codes.items() if code == 0}
        return set(codes.values()) == {0}

    def look(self) -> None:
        for message in self.sent:
            maybe = {self.bob.user_id}
            certain = maybe if message["msgID"] in self.accepted else set[str]()
            guarantees.check_receipts(self.world, self.alice, message, self.audience, certain, maybe)


class ReceiptsInC2C(ReceiptsInGroup):
    """A receipt to a C2C peer that also marks the conversation read."""

    also_mark_read = True

    def sends(self) -> list[Json]:
        return [self.alice.sends(self.bob)]

    @property
    def audience(self) -> set[str]:
        return {self.bob.user_id}

    def look(self) -> None:
        super().look()
        if self.told:
            assert self.bob.unread() == {f"c2c_{self.alice.user_id}": 0}


class ReceiptThatPutsOff(ReceiptsInGroup):
    """A receipt for a message that is kept for ever, by a reader whose row would have expired."""

    def sends(self) -> list[Json]:
        self.alice.creates(self.group, self.bob, f"carol-{self.tag}")
        self.world.admin().sets(retentionDays=1)
        passing = self.alice.sends(self.group)
        self.world.admin().sets(retentionDays=None)
        self.bob.reads(passing)
        return [self.alice.sends(self.group)]

    def look(self) -> None:
        super().look()
        if self.told:
            rows = dynamo.query(
                reads.TABLE,
                "conversationSegment = :segment",
                {":segment": f"group_{self.group}~0"},
            )
            assert [row["expiresAt"] for row in rows] == [NEVER_S]


class ReceiptsBySocket(ReceiptsInGroup):
    """A receipt sent in a frame; the socket may end before the answer comes."""

    def sends(self) -> list[Json]:
        self.socket = self.bob.connects()
        return super().sends()

    def act(self) -> bool:
        before = len(self.socket.frames)
        frame = {
            "action": "sendMessageReadReceipts",
            "requestID": "1",
            "msgIDs": [message["msgID"] for message in self.sent],
        }
        self.socket.tries_to_say(frame)
        for answer in self.socket.frames[before:]:
            if answer.get("requestID") == "1":
                assert answer["code"] in (0, 10002)
                return answer["code"] == 0 and self.heard(answer["resultList"])
        return False


class Query(Flow):
    """All that a sender can ask about receipts: the answers are right or refused."""

    only_asks = True

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.alice.creates(self.group, self.bob)
        self.sent = [self.alice.sends(self.group), self.alice.sends(self.bob)]
        for message in self.sent:
            self.bob.reads(message)
        world.pump()

    def act(self) -> bool:
        in_group, in_c2c = ({"msgIDs": [message["msgID"]]} for message in self.sent)
        answers = [
            self.alice.calls("POST", "/read-receipts/query", in_group),
            self.alice.calls("POST", "/read-receipts/query", in_c2c),
            self.alice.calls("GET", f"/messages/{self.sent[0]['msgID']}/read-members"),
            self.alice.calls("GET", "/conversations"),
        ]
        if not all(is_done(answer) for answer in answers):
            return False
        assert [answer.body["receiptList"][0]["readCount"] for answer in answers[:2]] == [1, 1]
        assert [member["userID"] for member in answers[2].body["members"]] == [self.bob.user_id]
        assert len(answers[3].body["conversationList"]) == 2
        return True

    def look(self) -> None:
        """There is nothing to see: what was asked has been checked."""


class CatchUp(Query):
    """A sender who was away asks what has changed."""

    def __init__(self, world: World, tag: str) -> None:
        self.since = person(world, f"alice-{tag}").calls("GET", "/read-receipts/changes").ok["cursor"]
        super().__init__(world, tag)

    def act(self) -> bool:
        answer = self.alice.calls("GET", "/read-receipts/changes", since=self.since)
        if not is_done(answer):
            return False
        changed = {receipt["msgID"]: receipt["readCount"] for receipt in answer.body["receiptList"]}
        assert changed == {message["msgID"]: 1 for message in self.sent}
        return True


class StreamFlow(Flow):
    """What follows from a write: the caller is Lambda, which comes again with what failed."""

    table: ClassVar[str]

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.world.pump()
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.alice.creates(self.group, self.bob, f"carol-{tag}")
        self.phone, self.laptop, self.gone = (self.alice.connects() for _ in range(3))
        world.sockets.gone.add(self.gone.connection_id)
        self.records: list[Record] = []
        self.prepares()
        self.records = world.streams.new(self.table) or self.records

    def prepares(self) -> None:
        raise NotImplementedError

    def act(self) -> bool:
        return not self.world.streams.deliver(self.table, self.records)

    def hears(self, heard: list[bool]) -> None:
        """A push that failed for good missed one device, and no other; all else has been heard."""
        if self.told:
            assert sum(heard) >= len(heard) - (self.struck == "PostToConnection")
            guarantees.checked("Heard", sum(heard))


class Fold(StreamFlow):
    """Receipts of a group in two blocks, and of a C2C conversation, are folded, noted and pushed."""

    table = "Reads"

    def prepares(self) -> None:
        self.sent = [self.alice.sends(self.group)]
        passes_over(Conversation.of_group(self.group), BLOCK_SIZE)
        self.sent += [self.alice.sends(self.group), self.alice.sends(self.bob)]
        self.since = f"{self.world.now_ms() - 1:015}~00000000"
        for message in self.sent:
            self.bob.reads(message)

    def look(self) -> None:
        if not self.told:
            return
        for message, audience in zip(self.sent, (2, 2, 1), strict=True):
            assert self.alice.counts(message) == (1, audience - 1)
        guarantees.checked("Counted once", len(self.sent))
        ids = {message["msgID"] for message in self.sent}
        self.hears([socket.receipts.keys() == ids for socket in (self.phone, self.laptop)])
        changed = self.alice.calls("GET", "/read-receipts/changes", since=self.since).ok["receiptList"]
        assert {receipt["msgID"] for receipt in changed} == ids


class PushMessages(StreamFlow):
    """A new message is pushed to all its members' devices."""

    table = "Messages"

    def prepares(self) -> None:
        self.bobs = self.bob.connects()
        self.sent = self.alice.sends(self.group)

    def look(self) -> None:
        devices = (self.phone, self.laptop, self.bobs)
        ids = ({event["message"]["msgID"] for event in socket.events("onRecvNewMessage")} for socket in devices)
        self.hears([each == {self.sent["msgID"]} for each in ids])


class FanOut(PushMessages):
    """A new message of a large group is queued for ranges of its members, and told to them."""

    def prepares(self) -> None:
        self.queue = Queue("FAN_OUT_QUEUE", self.tag)
        super().prepares()

    def act(self) -> bool:
        with patch.object(limits, "TOLD_BY_ONE_MAX", 2):
            if not super().act():
                return False
        answers = [
            self.world.functions.invoke("tell_members", {"Records": [record]}).payload
            for record in self.queue.waiting()
        ]
        return not any(answer["batchItemFailures"] for answer in answers)


class PushMarks(StreamFlow):
    """A C2C conversation is marked read: the peer hears of it, and the reader's other devices do."""

    table = "Marks"

    def prepares(self) -> None:
        self.bobs = self.bob.connects()
        sent = self.alice.sends(self.bob)
        assert self.bob.marks_read(f"c2c_{self.alice.user_id}", sent).status == 200

    def look(self) -> None:
        heard = [bool(socket.events("onRecvC2CReadReceipt")) for socket in (self.phone, self.laptop)]
        self.hears([*heard, bool(self.bobs.events("onConversationRead"))])


class QueueWebhooks(StreamFlow):
    """Receipts are queued for the product's back end."""

    table = "Reads"

    def prepares(self) -> None:
        self.queue = Queue("WEBHOOK_QUEUE", self.tag)
        self.world.admin().sets(webhookURL="https://example.org/receipts")
        self.sent = self.alice.sends(self.group)
        self.bob.reads(self.sent)

    def look(self) -> None:
        if self.told:
            assert self.queue.waiting()
            guarantees.checked("Heard")


class Queue:
    """One of the stack's queues, made anew, and seen from outside."""

    def __init__(self, setting: str, tag: str) -> None:
        self._client = boto3.client("sqs")
        self._url = os.environ[setting] = self._client.create_queue(QueueName=f"{setting}-{tag}")["QueueUrl"]

    def waiting(self) -> list[Json]:
        """The messages in it, as Lambda hands them on; they stay."""
        found = self._client.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, VisibilityTimeout=0, AttributeNames=["ApproximateReceiveCount"]
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in found.get("Messages", [])
        ]


class PostWebhooks(QueueWebhooks):
    """What is queued is posted to the product's back end, which takes it only at the second time."""

    def prepares(self) -> None:
        super().prepares()
        self.world.pump()
        self.events = self.queue.waiting()
        self.posted: list[str] = []

    def act(self) -> bool:
        def status(_: str, event: Event) -> int:
            self.posted.append(event.event_id)
            return 200 if len(self.posted) > 1 else 503

        try:
            with patch.object(webhook, "_status", status):
                for _ in range(2):
                    answer = self.world.functions.invoke("deliver_webhooks", {"Records": self.events}).payload
                    if not answer["batchItemFailures"]:
                        return True
        except (BotoCoreError, ClientError):
            return False  # the function fails, and all that it was given comes again
        return False

    def look(self) -> None:
        if self.told:
            assert len(self.posted) > 1
            assert len(set(self.posted)) == 1, "whenever it comes, it has the same ID"
            guarantees.checked("Heard")


class MembershipFlow(Flow):
    """Whoever comes or goes: audience, lists and counts of what is sent next agree, whatever happened on the way."""

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.alice, self.bob, self.carol = self.person("alice"), self.person("bob"), self.person("carol")
        self.alice.creates(self.group, self.bob, group_type="Public")
        self.before = self.alice.sends(self.group)

    def expected(self) -> set[str]:
        """Who is in the group when it is done, besides alice."""
        raise NotImplementedError

    def look(self) -> None:
        listed = self.alice.calls("GET", f"/groups/{self.group}/members").ok["memberList"]
        members = {member["userID"] for member in listed} - {self.alice.user_id}
        assert len(listed) == len(members) + 1 == self.alice.calls("GET", f"/groups/{self.group}").ok["memberCount"]
        assert members in (self.expected(), {self.bob.user_id})
        assert not self.told or members == self.expected()
        guarantees.check_receipts(self.world, self.alice, self.alice.sends(self.group), members, set())
        guarantees.check_receipts(self.world, self.alice, self.before, {self.bob.user_id}, set())


class Invite(MembershipFlow):
    """Two users are invited, one of whom is a member."""

    def act(self) -> bool:
        answer = self.alice.invites(self.group, self.bob, self.carol)
        if not is_done(answer):
            return False
        codes = {result["userID"]: result["code"] for result in answer.body["resultList"]}
        assert codes.keys() == {self.bob.user_id, self.carol.user_id}
        assert set(codes.values()) <= {0, 10013, 10002, 7008}
        return set(codes.values()) <= {0, 10013}

    def expected(self) -> set[str]:
        return {self.bob.user_id, self.carol.user_id}


class Join(Invite):
    """A user joins by themselves."""

    def act(self) -> bool:
        answer = self.carol.invites(self.group, self.carol)
        return is_done(answer) and answer.body["resultList"][0]["code"] in (0, 10013)


class Quit(MembershipFlow):
    """A member quits. Who asks again is told that there is no such group to them."""

    def act(self) -> bool:
        return is_done(self.bob.quits(self.group), (404, 10010))

    def expected(self) -> set[str]:
        return set()


class Kick(Quit):
    """The owner removes a member."""

    def act(self) -> bool:
        return is_done(self.alice.removes(self.group, self.bob), (404, 10019))


class Connect(Flow):
    """A device connects. A handshake that failed is made again, as another connection."""

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.live: list[Socket] = []

    def act(self) -> bool:
        self.world.sockets.gone.add(self.world.next_connection_id)  # unless we are let in
        socket = self.bob.connects()
        if socket.status != 200:
            assert (socket.status, socket.code) in RETRIABLE
            return False
        self.world.sockets.gone.discard(socket.connection_id)
        self.live.append(socket)
        return True

    def look(self) -> None:
        self.world.waits(limits.CONNECTING_S + 1)
        message = self.alice.sends(self.bob)
        self.world.pump()
        for socket in self.live:
            assert message["msgID"] in {event["message"]["msgID"] for event in socket.events("onRecvNewMessage")}
        assert self.world.connections_of(self.bob.user_id) == {socket.connection_id for socket in self.live}
        guarantees.checked("Heard", len(self.live))


class ConnectAtTheLimit(Connect):
    """A device connects where dead sockets fill the limit: they are found out, and it is let in."""

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        for _ in range(3):
            world.sockets.gone.add(self.bob.connects().connection_id)
        world.waits(limits.CONNECTING_S + 1)

    def act(self) -> bool:
        # 45003 may be met only while others' handshakes, which came to nothing, are in the count for some seconds.
        with patch.object(limits, "CONNECTIONS_PER_USER_MAX", 3):
            return super().act()


class Disconnect(Connect):
    """One of two devices disconnects. API Gateway says so once; if nobody hears it, the next push finds out."""

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.phone, laptop = self.bob.connects(), self.bob.connects()
        self.live.append(laptop)

    def act(self) -> bool:
        self.world.sockets.gone.add(self.phone.connection_id)
        try:
            self.phone.closes()
        except Exception:  # noqa: BLE001  # nobody is waiting for an answer
            return False
        return True


class MarkRead(Flow):
    """A C2C conversation is marked read up to a message, with a later one behind it."""

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.phone = self.alice.connects()
        self.sent = [self.alice.sends(self.bob) for _ in range(3)]

    def act(self) -> bool:
        return is_done(self.bob.marks_read(f"c2c_{self.alice.user_id}", self.sent[1]))

    def look(self) -> None:
        self.world.pump()
        unread = self.bob.unread()[f"c2c_{self.alice.user_id}"]
        listed = self.alice.history(f"c2c_{self.bob.user_id}")["messageList"]
        shown = [message["isPeerRead"] for message in reversed(listed)]
        heard = self.phone.events("onRecvC2CReadReceipt")
        marked = (1, [True, True, False], True)
        assert (unread, shown, bool(heard)) in (marked, (3, [False, False, False], False))
        assert not self.told or (unread, shown, bool(heard)) == marked
        guarantees.checked("Heard", len(heard))


class TurnReceiptsOff(Flow):
    """A user turns read receipts off."""

    def __init__(self, world: World, tag: str) -> None:
        super().__init__(world, tag)
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.sent = self.alice.sends(self.bob)

    def act(self) -> bool:
        return is_done(self.bob.calls("PUT", "/settings", {"readReceipts": False}))

    def look(self) -> None:
        if self.told:
            self.bob.reads(self.sent)
            guarantees.check_receipts(self.world, self.alice, self.sent, {self.bob.user_id}, set())
            guarantees.checked("Private")


FLOWS: Collection[type[Flow]] = (
    SendInC2C,
    SendInGroup,
    ReceiptsInGroup,
    ReceiptsInC2C,
    ReceiptThatPutsOff,
    ReceiptsBySocket,
    Query,
    CatchUp,
    Fold,
    PushMessages,
    FanOut,
    PushMarks,
    QueueWebhooks,
    PostWebhooks,
    Invite,
    Join,
    Quit,
    Kick,
    Connect,
    ConnectAtTheLimit,
    Disconnect,
    MarkRead,
    TurnReceiptsOff,
)
