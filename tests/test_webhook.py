"""Webhooks: what the product's back end is told, when, how it is signed, how often it is tried, and where it may be."""

import http.server
import json
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import trustme
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from chalicelib import clock, limits, queue, settings, webhook
from chalicelib.core import webhook as core
from chalicelib.store import console
from tests.fakes import FakeKeys
from tests.world import Json, World

KEY = "an example of a webhook key, for tests only"


@dataclass
class Post:
    """What a receiver was sent."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Json:
        body: Json = json.loads(self.raw)
        return body

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


@dataclass
class Receiver:
    """A back end that listens on this machine, and answers each post with the next of its statuses, or the last."""

    posts: list[Post] = field(default_factory=list)
    statuses: list[int] = field(default_factory=lambda: [200])
    stalls: threading.Event | None = None
    port: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def commands(self) -> list[str]:
        return [post.body["CallbackCommand"] for post in self.posts]

    @property
    def ids(self) -> list[str]:
        return [post.headers["webhook-id"] for post in self.posts]

    def has_again(self, number: int) -> bool:
        """Whether the event of a post has come once more."""
        return self.ids.count(self.ids[number]) > 1

    def wait_until(self, come: Callable[[], bool]) -> None:
        """Until what has been posted is what is waited for."""
        with self.changed:
            assert self.changed.wait_for(come, timeout=60), self.commands

    @contextmanager
    def listening(self, tls: ssl.SSLContext | None = None) -> Iterator["Receiver"]:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                with receiver.changed:
                    receiver.posts.append(Post(self.path, {k.lower(): v for k, v in self.headers.items()}, raw))
                    receiver.changed.notify_all()
                if receiver.stalls:
                    receiver.stalls.wait(30)
                status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
                self.send_response(status)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            if self.stalls:
                self.stalls.set()
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def queued(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The queue, as the stack makes it."""
    queue.client.cache_clear()
    url = boto3.client("sqs").create_queue(QueueName="Webhooks")["QueueUrl"]
    monkeypatch.setenv("WEBHOOK_QUEUE", url)
    yield url
    queue.client.cache_clear()


@pytest.fixture
def receiver(queued: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("IS_LOCAL", "1")
    with Receiver().listening() as receiver:
        yield receiver


def waiting() -> list[Json]:
    """The messages in the queue that are to be seen now, as Lambda hands them on."""
    found = queue.client().receive_message(
        QueueUrl=settings.webhook_queue(), MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"]
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


def pump(world: World) -> list[str]:
    """Deliver the streams, then all that is queued, as Lambda would; the IDs of what must come again."""
    world.pump()
    failed: list[str] = []
    while records := waiting():
        answer = world.functions.invoke("deliver_webhooks", {"Records": records}).payload
        again = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        for record in records:
            if record["messageId"] not in again:
                queue.client().delete_message(QueueUrl=settings.webhook_queue(), ReceiptHandle=record["receiptHandle"])
        failed += again
    return failed


def test_a_groups_receipts_are_told_with_tims_fields(world: World, receiver: Receiver) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    world.admin().sets(webhookURL=receiver.url + "?a=b")
    alice.creates("team", bob, carol, group_type="Public")
    first, second = alice.sends("team"), alice.sends("team")
    bob.reads(first, second)
    assert pump(world) == []

    (post,) = receiver.posts
    assert post.body.pop("EventTime").isdecimal()
    assert {**post.body, "EventTime": ""} == {
        "CallbackCommand": "Group.CallbackAfterReadReceipt",
        "GroupId": "team",
        "Type": "Public",
        "GroupMsgReceiptList": [
            {
                "MsgSeq": message["seq"],
                "ReadNum": 1,
                "UnreadNum": 1,
                "ReadReceiptMembers": [{"Member_Account": "bob"}],
            }
            for message in (first, second)
        ],
        "EventTime": "",
    }
    assert post.query == {"a": ["b"], "CallbackCommand": ["Group.CallbackAfterReadReceipt"], "contenttype": ["json"]}
    assert post.headers["content-type"] == "application/json"
    assert post.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_all_read_is_told_when_nobody_is_left_to_read(world: World, receiver: Receiver) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    world.admin().sets(webhookURL=receiver.url)
    alice.creates("team", bob, carol)
    message = alice.sends("team")
    bob.reads(message)
    pump(world)
    assert receiver.commands == ["Group.CallbackAfterReadReceipt"]
    carol.reads(message)
    pump(world)

    assert sorted(receiver.commands[1:]) == ["Group.CallbackAfterReadReceipt", "allRead"]
    (told,) = (post.body for post in receiver.posts if post.body["CallbackCommand"] == "allRead")
    assert (told["GroupId"], told["Type"]) == ("team", "Work")
    assert told["MsgList"] == [{"MsgKey": message["msgID"], "MsgSeq": message["seq"], "From_Account": "alice"}]


def test_all_read_is_told_of_c2c_messages_which_tim_tells_nothing_of(world: World, receiver: Receiver) -> None:
    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    message = alice.sends(bob)
    bob.reads(message)
    pump(world)

    (post,) = receiver.posts
    assert post.body["CallbackCommand"] == "allRead"
    assert post.body["MsgList"] == [
        {"MsgKey": message["msgID"], "MsgSeq": message["seq"], "From_Account": "alice", "To_Account": "bob"}
    ]


def test_it_is_told_too_when_the_sender_has_left_or_sees_no_receipts(world: World, receiver: Receiver) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    world.admin().sets(webhookURL=receiver.url)
    bob.creates("team", alice, carol)
    message = alice.sends("team")
    alice.quits("team")
    bob.reads(message)
    carol.reads(message)
    pump(world)

    assert sorted(receiver.commands) == ["Group.CallbackAfterReadReceipt", "allRead"]


def test_who_turned_receipts_off_is_not_told_of(world: World, receiver: Receiver) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    world.admin().sets(webhookURL=receiver.url)
    alice.creates("team", bob, carol)
    message = alice.sends("team")
    bob.turns_receipts(False)
    bob.reads(message)
    carol.reads(message)
    pump(world)

    (post,) = receiver.posts
    (listed,) = post.body["GroupMsgReceiptList"]
    assert listed["ReadReceiptMembers"] == [{"Member_Account": "carol"}]
    assert (listed["ReadNum"], listed["UnreadNum"]) == (1, 1)


def test_without_a_url_nothing_is_queued_and_null_takes_it_away(world: World, receiver: Receiver) -> None:
    alice, bob = world.users("alice", "bob")
    assert world.admin().sets(webhookURL=receiver.url)["webhookURL"] == receiver.url
    assert world.admin().sets(webhookURL=None)["webhookURL"] is None
    bob.reads(alice.sends(bob))
    pump(world)

    assert receiver.posts == []
    assert waiting() == []


def test_what_is_queued_when_the_url_is_taken_away_is_dropped(world: World, receiver: Receiver) -> None:
    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    bob.reads(alice.sends(bob))
    world.pump()
    world.admin().sets(webhookURL=None)

    assert pump(world) == []
    assert receiver.posts == []


def verified(post: Post, key: str = KEY, *, body: bytes | None = None) -> bool:
    """What the library of Standard Webhooks says of a post."""
    try:
        Webhook(b64encode(key.encode()).decode()).verify(post.raw if body is None else body, post.headers)
    except WebhookVerificationError:
        return False
    return True


def test_the_official_library_verifies_the_signature(world: World, receiver: Receiver) -> None:
    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    bob.reads(alice.sends(bob))
    pump(world)

    (post,) = receiver.posts
    assert verified(post)
    assert not verified(post, "another key")
    assert not verified(post, body=post.raw + b" ")
    at = datetime.fromtimestamp(int(post.headers["webhook-timestamp"]), UTC)
    assert abs((datetime.now(UTC) - at).total_seconds()) < 300
    post.headers["webhook-timestamp"] = str(int(post.headers["webhook-timestamp"]) + 1)
    assert not verified(post)


def test_after_a_rotation_both_keys_sign_for_a_day(world: World, receiver: Receiver, keys: FakeKeys) -> None:
    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    keys.rotate("WEBHOOK_KEY", "a new key")
    bob.reads(alice.sends(bob))
    pump(world)
    world.waits(limits.KEY_OVERLAP_S + 1)
    bob.reads(alice.sends(bob))
    pump(world)

    both, new = receiver.posts
    assert (verified(both), verified(both, "a new key")) == (True, True)
    signatures = new.headers["webhook-signature"].split()
    assert len(signatures) == 1
    at_s = int(new.headers["webhook-timestamp"])
    assert signatures == [core.signature(new.headers["webhook-id"], at_s, new.raw, ["a new key"])]


def test_the_id_is_the_same_when_the_same_is_told_again_and_different_otherwise(
    world: World, receiver: Receiver
) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    world.admin().sets(webhookURL=receiver.url)
    alice.creates("team", bob, carol)
    message = alice.sends("team")
    bob.reads(message)
    records = world.streams.new("Reads")
    assert world.streams.deliver("Reads", records) == []
    assert world.streams.deliver("Reads", records) == []
    carol.reads(message)
    pump(world)

    ids = receiver.ids  # in whatever order: they are posted at once
    assert sorted(map(ids.count, set(ids))) == [1, 1, 2]


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500, 503])
def test_what_is_not_taken_comes_again(world: World, receiver: Receiver, status: int) -> None:
    """A redirect is not followed: it would lead past all checks of the address."""
    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    receiver.statuses = [status]
    bob.reads(alice.sends(bob))
    (failed,) = pump(world)

    assert len(receiver.posts) == 1
    assert failed


def test_only_what_was_not_taken_comes_again_and_ever_later(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    world.admin().sets(webhookURL=receiver.url)
    for reader in (bob, carol):
        reader.reads(alice.sends(reader))
    world.pump()
    records = sorted(waiting(), key=lambda record: record["messageId"])
    assert len(records) == 2
    records[1]["body"] = "not an event"
    for attempts in (1, 4):
        asked: list[dict[str, Any]] = []
        for record in records:
            record["attributes"]["ApproximateReceiveCount"] = str(attempts)
        with monkeypatch.context() as patch:
            patch.setattr(queue.client(), "change_message_visibility", lambda asked=asked, **how: asked.append(how))
            assert webhook.handle(records) == [records[1]["messageId"]]
        (how,) = asked
        assert 2**attempts / 2 <= how["VisibilityTimeout"] <= 2**attempts


def test_pauses_grow_to_a_quarter_of_an_hour() -> None:
    pauses = [core.retry_after_s(attempts) for attempts in range(1, 101)]

    assert pauses[:5] == [2, 4, 8, 16, 32]
    assert set(pauses[9:]) == {900}
    assert 20 * 3600 < sum(pauses) < 26 * 3600


def test_if_it_cannot_be_put_off_it_comes_again_after_the_usual_time(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise ConnectionError("no")

    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    receiver.statuses = [500]
    bob.reads(alice.sends(bob))
    world.pump()
    records = waiting()
    monkeypatch.setattr(queue.client(), "change_message_visibility", broken)

    assert webhook.handle(records) == [records[0]["messageId"]]


def test_a_receiver_that_never_answers_delays_no_receipt(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WEBHOOK_BATCH_S", 0.2)
    receiver.stalls = threading.Event()
    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    socket_ = alice.connects()
    message = alice.sends(bob)
    bob.reads(message)
    world.pump()

    assert socket_.receipts[message["msgID"]]["isPeerRead"]
    assert receiver.posts == []
    (failed,) = pump(world)
    assert failed
    assert alice.counts(message) == (1, 0)


def test_if_the_queue_does_not_take_an_event_its_records_come_again(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: Any) -> None:
        raise ConnectionError("the queue takes nothing")

    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    message = alice.sends(bob)
    bob.reads(message)
    records = world.streams.new("Reads")
    with monkeypatch.context() as patch:
        patch.setattr(queue.client(), "send_message", full)
        assert world.streams.deliver("Reads", records) == [records[-1]["dynamodb"]["SequenceNumber"]]
    assert world.streams.deliver("Reads", records) == []
    pump(world)

    assert receiver.commands == ["allRead"]


def test_many_readers_are_told_of_in_events_that_fit_the_queue(world: World, receiver: Receiver) -> None:
    readers = [world.user(f"{number:03}" + "x" * 29) for number in range(130)]
    alice = world.user("alice")
    world.admin().sets(webhookURL=receiver.url)
    alice.creates("team", *readers)
    message = alice.sends("team")
    for reader in readers:
        reader.reads(message)
    pump(world)

    events = [post for post in receiver.posts if post.body["CallbackCommand"] != "allRead"]
    told = [
        member["Member_Account"]
        for post in events
        for listed in post.body["GroupMsgReceiptList"]
        for member in listed["ReadReceiptMembers"]
    ]
    assert sorted(told) == sorted(reader.user_id for reader in readers)
    assert all(len(post.raw) < 25_000 for post in receiver.posts)
    assert receiver.commands.count("allRead") == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "hooks.example",
        "https://",
        "https:///path",
        "https://user@hooks.example/",
        "https://user:password@hooks.example/",
        "https://hooks.example/#fragment",
        "https://hooks.example:0/",
        "https://hooks.example:99999/",
        "https://hooks.example:x/",
        "https://hooks.example/ space",
        "https://hooks.example\\@other.example/",
        "https://hooks.example/é",
        "https://hooks.example/\r\nX: y",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[not-an-address]/",
        "",
    ],
)
def test_urls_that_are_none_or_lead_inside_are_no_webhooks(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        core.check_url(url, is_local=False)


@pytest.mark.parametrize("url", ["", "https://" + "x" * 2000, "https://10.0.0.1/", "http://hooks.example", 1])
def test_the_console_refuses_such_urls_with_a_reason(world: World, url: Any) -> None:
    answer = world.admin().calls("PUT", "/admin/settings", {"webhookURL": url})

    assert answer.refusal == (400, 6017)
    assert console.current().webhook_url is None


@pytest.mark.parametrize("url", ["https://hooks.example", "https://hooks.example:8443/a/b?c=d", "https://8.8.8.8/"])
def test_an_https_url_in_the_open_is_taken(world: World, url: str) -> None:
    assert world.admin().sets(webhookURL=url)["webhookURL"] == url


def resolver(addresses: list[str]) -> Callable[..., Any]:
    """A name server that says so of every name."""
    return lambda _host, port, **_: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
    ]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], ["10.1.2.3"], ["8.8.8.8", "10.1.2.3"], ["0.0.0.0"], ["224.0.0.1"], []],
)
def test_a_name_that_leads_inside_is_never_called(
    world: World, queued: str, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    called: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        called.append(address)
        raise ConnectionError("no connection is to be made")

    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL="https://hooks.example/")
    bob.reads(alice.sends(bob))
    world.pump()
    records = waiting()
    monkeypatch.setattr(socket, "getaddrinfo", resolver(addresses))
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    monkeypatch.setattr(webhook, "_put_off", lambda _: None)

    assert webhook.handle(records) == [records[0]["messageId"]]
    assert called == []


def test_the_address_that_was_checked_is_called_whatever_the_name_leads_to_a_moment_later(
    world: World, queued: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        called.append(address)
        raise ConnectionError("nothing is really called")

    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL="https://hooks.example/")
    bob.reads(alice.sends(bob))
    world.pump()
    records = waiting()
    monkeypatch.setattr(socket, "getaddrinfo", resolver(["8.8.8.8"]))
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    monkeypatch.setattr(webhook, "_put_off", lambda _: None)

    assert webhook.handle(records) == [records[0]["messageId"]]
    assert called == [("8.8.8.8", 443)]


def test_a_local_stack_calls_nothing_but_its_own_machine() -> None:
    assert core.may_be_called("127.0.0.1", is_local=True)
    assert not core.may_be_called("8.8.8.8", is_local=True)
    assert not core.may_be_called("10.0.0.1", is_local=True)
    assert core.may_be_called("8.8.8.8", is_local=False)
    assert not core.may_be_called("::ffff:8.8.8.8", is_local=False)
    core.check_url("http://127.0.0.1:8000/", is_local=True)
    core.check_url("http://localhost:8000/", is_local=True)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Somebody whose certificates are trusted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


@pytest.mark.parametrize(("name", "is_taken"), [("hooks.example", True), ("other.example", False)])
def test_the_certificate_must_be_that_of_the_name_not_of_the_address(
    world: World,
    queued: str,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    is_taken: bool,
) -> None:
    """The address is looked up and checked by us, and TLS then speaks to it by its name."""
    monkeypatch.setenv("IS_LOCAL", "1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(tls)
    alice, bob = world.users("alice", "bob")
    with Receiver().listening(tls) as receiver:
        world.admin().sets(webhookURL=f"https://hooks.example:{receiver.port}/hook")
        bob.reads(alice.sends(bob))
        world.pump()
        records = waiting()
        real = socket.getaddrinfo
        theirs = resolver(["127.0.0.1"])
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *rest, **more: (theirs if host == "hooks.example" else real)(host, *rest, **more),
        )

        assert (webhook.handle(records) == []) is is_taken
        assert [post.headers["host"] for post in receiver.posts] == [f"hooks.example:{receiver.port}"] * is_taken


def test_the_app_id_is_told_where_there_is_one(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USERSIG_APP_ID", "1400000001")
    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    bob.reads(alice.sends(bob))
    pump(world)

    assert receiver.posts[0].query["SdkAppid"] == ["1400000001"]


def test_event_time_is_in_milliseconds_and_a_string(world: World, receiver: Receiver) -> None:
    alice, bob = world.users("alice", "bob")
    world.admin().sets(webhookURL=receiver.url)
    bob.reads(alice.sends(bob))
    before = clock.now_ms()
    pump(world)

    assert before <= int(receiver.posts[0].body["EventTime"]) <= clock.now_ms()
