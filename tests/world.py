"""The service on moto, in the domain's verbs: users who send and read, sockets that hear, streams that are pumped."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlencode

import boto3
from chalice.test import Client, TestLambdaClient
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

import app as ways_in
from chalicelib import clock, kept, push, throttle, tokens
from chalicelib.store import console, dynamo, users
from tests.fakes import FakeSockets
from tests.tables import TABLES, create_tables

Json = dict[str, Any]
Record = dict[str, Any]

# What GetRecords answers with at most.
_RECORDS_PER_PAGE = 1000

# The function that each table's stream triggers.
TRIGGERS = {"Reads": "push_receipts", "Messages": "push_messages", "Marks": "push_marks"}


@dataclass(frozen=True)
class Answer:
    """What an HTTP call answered."""

    status: int
    body: Json

    @property
    def ok(self) -> Json:
        """The body of an answer that was no refusal."""
        assert self.status == 200, (self.status, self.body)
        return self.body

    @property
    def refusal(self) -> tuple[int, int]:
        """Status and code of a refusal, which must be of the shape all refusals have."""
        assert self.status != 200, self.body
        assert self.body.keys() == {"code", "desc"}, self.body
        assert self.body["desc"]
        return self.status, self.body["code"]


@cache
def _streams() -> Any:
    return boto3.client("dynamodbstreams")


@dataclass
class Streams:
    """The tables' streams, delivered only when asked: everything new since the last time, as Lambda would."""

    functions: TestLambdaClient
    places: dict[str, str] = field(default_factory=dict)  # a shard iterator for each table

    def new(self, table: str) -> list[Record]:
        """The records of a table's stream that have not been taken yet, as Lambda's events have them."""
        if table not in self.places:
            self.places[table] = self._beginning(table)
        records = page = self._page(table)
        while len(page) == _RECORDS_PER_PAGE:
            page = self._page(table)
            records += page
        return records

    def deliver(self, table: str, records: Sequence[Record]) -> list[str]:
        """Call a table's trigger with these records, and return the sequence numbers it reports as failed."""
        answer = self.functions.invoke(TRIGGERS[table], {"Records": list(records)}).payload
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def pump(self, tries: int = 3) -> None:
        """Deliver all that is new, and what failed again, until both streams are drained."""
        for table in TRIGGERS:
            records = self.new(table)
            for _ in range(tries):
                failed = self.deliver(table, records) if records else []
                if not failed:
                    break
                lowest = min(map(int, failed))
                records = [record for record in records if int(record["dynamodb"]["SequenceNumber"]) >= lowest]
            else:
                raise AssertionError(f"{table}: {len(records)} records fail again and again")

    def _page(self, table: str) -> list[Record]:
        answer = _streams().get_records(ShardIterator=self.places[table])
        self.places[table] = answer["NextShardIterator"]
        for record in answer["Records"]:
            record["dynamodb"].pop("ApproximateCreationDateTime", None)
        records: list[Record] = answer["Records"]
        return records

    @staticmethod
    def _beginning(table: str) -> str:
        """The beginning of a table's stream; on moto it has one shard, which never ends."""
        arn = dynamo.client().describe_table(TableName=table)["Table"]["LatestStreamArn"]
        (shard,) = _streams().describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        place: str = _streams().get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return place


class Socket:
    """One connected device."""

    def __init__(self, world: "World", connection_id: str, handshake: Json) -> None:
        self.world, self.connection_id = world, connection_id
        self.status: int = handshake["statusCode"]
        self.code: int = json.loads(handshake["body"])["code"] if handshake.get("body") else 0

    @property
    def frames(self) -> list[Json]:
        return self.world.sockets.frames[self.connection_id]

    def events(self, event: str) -> list[Json]:
        """All events of one kind that this socket has heard."""
        return [frame for frame in self.frames if frame.get("event") == event]

    @property
    def receipts(self) -> dict[str, Json]:
        """The receipts this socket has heard of, by msgID, the larger count winning, as a client would keep them."""
        kept: dict[str, Json] = {}
        for frame in self.events("onRecvMessageReadReceipts"):
            for receipt in frame["receiptList"]:
                known = kept.get(receipt["msgID"])
                if known is None or receipt["readCount"] >= known["readCount"]:
                    kept[receipt["msgID"]] = receipt
        return kept

    def says(self, body: str | Json) -> Json:
        """Send a frame, and return what is answered."""
        before = len(self.frames)
        self.tries_to_say(body)
        (answer,) = self.frames[before:]
        return answer

    def tries_to_say(self, body: str | Json) -> None:
        """Send a frame, whether or not there will be an answer."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.world.functions.invoke("socket_heard", self.world.socket_event(self.connection_id, "MESSAGE", body=text))

    def closes(self) -> None:
        self.world.functions.invoke("socket_closed", self.world.socket_event(self.connection_id, "DISCONNECT"))


class User:
    """Somebody with a token."""

    def __init__(self, world: "World", user_id: str, role: str = "", sdk_version: str = "") -> None:
        self.world, self.user_id, self.sdk_version = world, user_id, sdk_version
        self.token = tokens.mint(user_id, lifetime_s=3600, role=role)

    def calls(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        headers = {"X-SDK-Version": self.sdk_version} if self.sdk_version else {}
        return self.world.call(method, path, body, token=self.token, headers=headers, **query)

    def creates(self, group_id: str, *members: "User | str", group_type: str = "Work") -> Json:
        names = [member if isinstance(member, str) else member.user_id for member in members]
        group = {"groupID": group_id, "groupType": group_type, "memberList": names}
        return self.calls("POST", "/groups", group).ok

    def invites(self, group_id: str, *members: "User | str") -> Answer:
        names = [member if isinstance(member, str) else member.user_id for member in members]
        return self.calls("POST", f"/groups/{quote(group_id, safe='')}/members", {"userList": names})

    def removes(self, group_id: str, member: "User") -> Answer:
        return self.calls("DELETE", f"/groups/{quote(group_id, safe='')}/members/{quote(member.user_id, safe='')}")

    def quits(self, group_id: str) -> Answer:
        return self.removes(group_id, self)

    def sends(self, to: "User | str", text: str = "hello", *, receipt: bool = True, **more: Any) -> Json:
        """Send to a user or, by its ID, to a group; return the message."""
        return self.tries_to_send(to, text, receipt=receipt, **more).ok

    def tries_to_send(self, to: "User | str", text: str = "hello", *, receipt: bool = True, **more: Any) -> Answer:
        whom = {"groupID": to} if isinstance(to, str) else {"userID": to.user_id}
        return self.calls("POST", "/messages", {**whom, "text": text, "needReadReceipt": receipt, **more})

    def reads(self, *messages: Json) -> list[int]:
        """Send read receipts, and return each message's code."""
        answer = self.calls("POST", "/read-receipts", {"msgIDs": [message["msgID"] for message in messages]}).ok
        assert [each["msgID"] for each in answer["resultList"]] == [message["msgID"] for message in messages]
        return [each["code"] for each in answer["resultList"]]

    def asks(self, *messages: Json) -> Json:
        """Ask for the receipts of own messages."""
        return self.calls("POST", "/read-receipts/query", {"msgIDs": [message["msgID"] for message in messages]}).ok

    def counts(self, message: Json) -> tuple[int, int]:
        """(readCount, unreadCount) of an own message, as pulled."""
        (receipt,) = self.asks(message)["receiptList"]
        return receipt["readCount"], receipt["unreadCount"]

    def members_who(self, filter_: str, message: Json, page: int = 100) -> list[Json]:
        """All pages of a message's read or unread list."""
        found: list[Json] = []
        next_seq = 0
        while True:
            answer = self.calls(
                "GET", f"/messages/{message['msgID']}/read-members", filter=filter_, nextSeq=next_seq, count=page
            ).ok
            assert len(answer["members"]) <= page
            found += answer["members"]
            if answer["isFinished"]:
                return found
            assert answer["nextSeq"] > next_seq
            next_seq = answer["nextSeq"]

    def readers(self, message: Json) -> list[str]:
        return [member["userID"] for member in self.members_who("read", message)]

    def non_readers(self, message: Json) -> list[str]:
        return [member["userID"] for member in self.members_who("unread", message)]

    def history(self, conversation_id: str, **query: Any) -> Json:
        return self.calls("GET", f"/conversations/{quote(conversation_id, safe='')}/messages", **query).ok

    def turns_receipts(self, on: bool) -> Json:
        """Turn the read-receipt switch."""
        return self.calls("PUT", "/settings", {"readReceipts": on}).ok

    def marks_read(self, conversation_id: str, message: Json | None = None, **more: Any) -> Answer:
        """Mark a conversation read, up to a message or all of it."""
        body = {"msgID": message["msgID"]} if message else None
        return self.calls("POST", f"/conversations/{quote(conversation_id, safe='')}/read", body, **more)

    def unread(self) -> dict[str, int]:
        """The unread count of each conversation."""
        listed = self.calls("GET", "/conversations").ok["conversationList"]
        return {each["conversationID"]: each["unreadCount"] for each in listed}

    def sets(self, **console: Any) -> Json:
        """Change the console, as an administrator."""
        return self.calls("PUT", "/admin/settings", console).ok

    def connects(self, token: str | None = None, **query: str) -> Socket:
        version = {"sdkVersion": self.sdk_version} if self.sdk_version else {}
        return self.world.connect(self.token if token is None else token, **{**version, **query})


class World:
    """All of it. Make one with `World.on_moto()`."""

    def __init__(self) -> None:
        client = Client(ways_in.app)
        self.http, self.functions = client.http, client.lambda_
        self.sockets = FakeSockets(push.client().meta.events)
        self.streams = Streams(self.functions)
        self._connections = 0
        self._ahead_ms = 0

    @classmethod
    @contextmanager
    def on_moto(cls) -> Iterator["World"]:
        with mock_aws():
            dynamo.client.cache_clear()
            push.client.cache_clear()
            _streams.cache_clear()
            console.forget()
            throttle.forget()
            kept.forget_all()
            create_tables()
            world = cls()
            with patch.object(clock, "now_ms", world.now_ms):
                yield world

    def user(self, user_id: str, sdk_version: str = "") -> User:
        return User(self, user_id, sdk_version=sdk_version)

    def admin(self) -> User:
        """Somebody who may use the console."""
        return User(self, "admin", role="admin")

    def users(self, *user_ids: str) -> list[User]:
        return [User(self, user_id) for user_id in user_ids]

    def pump(self) -> None:
        self.streams.pump()

    def begins_anew(self) -> None:
        """Empty all tables and streams: as another world, without the time it takes to make one."""
        backend = dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
        for table in backend.tables.values():
            table.items.clear()
            if table.stream_shard:
                table.stream_shard.items.clear()
        self.streams.places.clear()
        self.sockets.frames.clear()
        self._ahead_ms = 0
        console.forget()
        kept.forget_all()

    @staticmethod
    def expires(*tables: str) -> None:
        """Delete what has expired by now from these tables, as DynamoDB does sooner or later, and in no order."""
        now_s = clock.now_ms() // 1000
        for table in tables:
            key = [part["AttributeName"] for part in TABLES[table]["KeySchema"]]
            for row in dynamo.client().scan(TableName=table, ConsistentRead=True)["Items"]:
                if int(row["expiresAt"]["N"] if "expiresAt" in row else now_s) < now_s:
                    dynamo.client().delete_item(TableName=table, Key={name: row[name] for name in key})

    def waits(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_ms += int(seconds * 1000)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    @staticmethod
    def connections_of(user_id: str) -> set[str]:
        """The sockets that are remembered of a user."""
        return {connection.connection_id for connection in users.find(user_id).connections}

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> Answer:
        """An HTTP call to `/v1` + path. A body of bytes is sent as it is, any other as JSON."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        url = f"/v1{path}" + (f"?{urlencode(query)}" if query else "")
        response = self.http.request(method, url, headers=sent, body=raw)
        return Answer(response.status_code, json.loads(response.body))

    def call_unknown_route(self, method: str) -> Answer:
        """What API Gateway hands to the catch-all: whatever no other route takes."""
        event = {
            "requestContext": {"resourcePath": "/{proxy+}", "httpMethod": method},
            "pathParameters": {"proxy": "v2/nothing"},
            "multiValueQueryStringParameters": None,
            "headers": {},
            "body": "",
            "stageVariables": None,
        }
        answer = ways_in.app(event, None)
        return Answer(answer["statusCode"], json.loads(answer["body"]))

    @property
    def next_connection_id(self) -> str:
        """What the next connection will be called."""
        return f"socket-{self._connections + 1}="

    def connect(self, token: str | None, **query: str) -> Socket:
        connection_id = self.next_connection_id
        self._connections += 1
        parameters = query if token is None else {"token": token, **query}
        event = self.socket_event(connection_id, "CONNECT", query=parameters)
        return Socket(self, connection_id, self.functions.invoke("socket_connected", event).payload)

    @staticmethod
    def socket_event(
        connection_id: str, kind: str, *, body: str | None = None, query: dict[str, str] | None = None
    ) -> Json:
        """What API Gateway tells a function of a socket."""
        context = {
            "routeKey": {"CONNECT": "$connect", "DISCONNECT": "$disconnect"}.get(kind, "$default"),
            "eventType": kind,
            "connectionId": connection_id,
            "apiId": "sockets",
            "domainName": "sockets.execute-api.us-east-1.amazonaws.com",
            "stage": "api",
            "requestTimeEpoch": int(time.time() * 1000),
        }
        event: Json = {"requestContext": context, "isBase64Encoded": False}
        if body is not None:
            event["body"] = body
        if query:
            event["queryStringParameters"] = query
        return event
