"""The handlers in this process, on a local DynamoDB: where calls, bytes, units and processor time are exact.

Users, groups and sockets are the tests' (`tests.world`), so that the service is driven as they drive it. Frames to
sockets are counted and go nowhere; the tables' streams are read and handed to the triggers in batches of a chosen size.
"""

import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from chalice.test import Client

from bench import baseline
from bench.meter import Meter
from bench.prices import SOCKET_MESSAGE_BYTES, Usage
from chalicelib import kept, keys, push
from chalicelib.core.conversation import Conversation
from chalicelib.store import console, dynamo
from stack.local_aws import CREDENTIALS, LocalAWS
from tests.tables import TABLES, create_tables
from tests.world import TRIGGERS, Json, User, World

ENVIRONMENT = {
    **CREDENTIALS,
    "PUSH_ENDPOINT": "https://sockets.execute-api.us-east-1.amazonaws.com/api",
    **{f"{name.upper()}_TABLE": name for name in TABLES},
    **baseline.VARIABLES,
}


@dataclass
class Used:
    """What some work took."""

    invocations: int = 0
    http_calls: int = 0
    requests: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    write_units: float = 0
    read_units: float = 0
    stream_records: int = 0
    pushes: int = 0
    push_bytes: int = 0
    cpu_ms: float = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def usage(self) -> Usage:
        """The same in what AWS bills. None of the frames here is as long as API Gateway counts as one."""
        assert self.push_bytes <= self.pushes * SOCKET_MESSAGE_BYTES
        return Usage(
            write_units=self.write_units,
            read_units=self.read_units,
            invocations=self.invocations,
            http_calls=self.http_calls,
            socket_messages=self.pushes,
            requests=self.requests,
            cpu_ms=self.cpu_ms,
        )


class Tap:
    """A table's stream, read on from where it was left."""

    def __init__(self, table: str) -> None:
        self._client = boto3.client("dynamodbstreams")
        arn = boto3.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
        shards = self._client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self._iterators = [
            self._client.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
                "ShardIterator"
            ]
            for shard in shards
        ]

    def take(self) -> list[Json]:
        """Everything that is new, as a trigger gets it."""
        records: list[Any] = []
        for index, iterator in enumerate(self._iterators):
            while True:
                answer = self._client.get_records(ShardIterator=iterator)
                iterator = self._iterators[index] = answer["NextShardIterator"]
                records += answer["Records"]
                if not answer["Records"]:
                    break
        for record in records:
            record["dynamodb"].pop("ApproximateCreationDateTime", None)
        return records


class Workbench:
    """The service and the baseline, metered."""

    def __init__(self) -> None:
        self.world = World()
        self.meter = Meter(boto3.client("dynamodb"))
        self.meter.attach(dynamo.client())
        self._baseline = Client(baseline.app)
        self._taps = {table: Tap(table) for table in TRIGGERS}

    def user(self, user_id: str) -> User:
        return self.world.user(user_id)

    def group(self, group_id: str, size: int) -> tuple[User, list[User]]:
        """A group of so many: its owner, who is connected with one device, and the others, by ordinal."""
        owner = self.user(f"{group_id}-owner")
        owner.connects()
        others = [self.user(f"{group_id}-{number:06}") for number in range(size - 1)]
        owner.creates(group_id, *others[:5000])
        for start in range(5000, len(others), 5000):
            assert owner.invites(group_id, *others[start : start + 5000]).status == 200
        self.settle()
        return owner, others

    def peers(self, prefix: str, count: int) -> tuple[User, list[User]]:
        """Somebody who is connected with one device, and others to talk to one by one."""
        sender = self.user(f"{prefix}-sender")
        sender.connects()
        return sender, [self.user(f"{prefix}-{number:03}") for number in range(count)]

    def messages(self, sender: User, to: User | str, count: int, at: int = 1) -> list[Json]:
        """So many messages, the first of them `at` this place of a new block of 64, so that runs can be compared."""
        conversation = (
            Conversation.of_group(to) if isinstance(to, str) else Conversation.between(sender.user_id, to.user_id)
        )
        seq = sender.sends(to)["seq"]
        dynamo.client().update_item(
            TableName=os.environ["CONVERSATIONS_TABLE"],
            Key=dynamo.item({"conversationID": conversation.conversation_id}),
            UpdateExpression="ADD seq :gap",
            ExpressionAttributeValues=dynamo.item({":gap": 63 - seq % 64 + at}),
        )
        return [sender.sends(to, f"message {number}") for number in range(count)]

    def settle(self) -> None:
        """Let go of all that has been written: no trigger hears of it, and nobody counts it."""
        for tap in self._taps.values():
            tap.take()
        self.meter.take()
        self.world.sockets.sizes.clear()
        self.world.sockets.frames.clear()

    def reads(self, reader: User, messages: list[Json], design: str, *, is_fresh: bool = True) -> Used:
        """One receipt call."""
        body = {"msgIDs": [message["msgID"] for message in messages]}
        call = self.world.http if design == "ours" else self._baseline.http
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {reader.token}"}
        raw = json.dumps(body).encode()

        def ask() -> None:
            answer = call.request("POST", "/v1/read-receipts", headers=headers, body=raw)
            assert answer.status_code == 200, answer.body

        return self.used(ask, is_fresh=is_fresh) + Used(http_calls=1)

    def records(self, table: str) -> list[Json]:
        """All that is new in a table's stream."""
        return self._taps[table].take()

    def trigger(self, table: str, batch_size: int, *, is_fresh: bool = True) -> Used:
        """Hand all that is new in a table's stream to its trigger, in batches."""
        records = self.records(table)
        total = Used(stream_records=len(records))
        for start in range(0, len(records), batch_size):
            event = {"Records": records[start : start + batch_size]}
            total += self.used(lambda event=event: self._trigger(table, event), is_fresh=is_fresh)  # type: ignore[misc]  # a default binds it
        return total

    def _trigger(self, table: str, event: Json) -> None:
        answer = self.world.functions.invoke(TRIGGERS[table], event).payload
        assert answer["batchItemFailures"] == [], answer

    def used(self, invoke: Callable[[], object], *, is_fresh: bool = True) -> Used:
        """What one invocation takes; a fresh function keeps nothing in memory of what was read before."""
        if is_fresh:
            kept.forget_all()
        self.meter.take()
        self.world.sockets.sizes.clear()
        started = time.process_time()
        invoke()
        cpu_s = time.process_time() - started
        reading, sizes = self.meter.take(), self.world.sockets.sizes
        return Used(
            invocations=1,
            requests=reading.requests,
            request_bytes=reading.request_bytes,
            response_bytes=reading.response_bytes,
            write_units=reading.write_units,
            read_units=reading.read_units,
            pushes=len(sizes),
            push_bytes=sum(sizes),
            cpu_ms=(cpu_s - reading.own_cpu_s) * 1000,
        )


@contextmanager
def workbench() -> Iterator[Workbench]:
    """A workbench on a local DynamoDB, both gone at the end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalAWS(Path(folder) / "ministack.log") as aws,
        patch.dict(os.environ, {**ENVIRONMENT, "AWS_ENDPOINT_URL": aws.url}),
        Path(os.devnull).open("w") as nowhere,
        patch("sys.stderr", nowhere),  # writing logs costs time as it does in Lambda; nobody reads them here
    ):
        keys.forget()
        console.forget()
        dynamo.client.cache_clear()
        push.client.cache_clear()
        secret = boto3.client("secretsmanager").create_secret(Name="token", SecretString=secrets.token_urlsafe(32))
        os.environ["TOKEN_KEY_ARN"] = secret["ARN"]
        create_tables()
        baseline.create_tables(boto3.client("dynamodb"))
        yield Workbench()
