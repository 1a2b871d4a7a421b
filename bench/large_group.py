"""Large groups on the local AWS: thousands join, one message, all but one read it, and then the last one does.

    python -m bench.large_group [members …]      10000 and 100000 where none is named

Members join by the ordinary invitation, 5,000 to a call; the message, the last receipt, the counts and the lists are
ordinary calls of the deployed stack. Only the other receipts go past the API: their rows are written into Reads as the
API would write them, 25 to a request and segment by segment, because the local AWS answers only some hundred requests
a second. From there on it is the deployed stack again: the stream's records, the fold, the sums, the pushes.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from chalicelib import clock, settings, tokens
from chalicelib.core.console import NEVER_S
from chalicelib.core.conversation import Conversation, decode_msg_id
from chalicelib.core.tiles import block_of, offset_of, segment_of
from chalicelib.limits import INVITED_PER_CALL_MAX
from chalicelib.store import dynamo, reads
from stack.local_stack import STACK_NAME, LocalStack, local_stack

Json = dict[str, Any]

OWNER = "owner"

# Rows of one BatchWriteItem, and requests under way at once: the local AWS is one process.
_ROWS_AT_ONCE = 25
_REQUESTS_AT_ONCE = 4

# Nothing here may take longer than this.
_PATIENCE_S = 900


class Service:
    """The deployed stack, as its HTTP clients see it."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self._http = httpx.Client(timeout=120)
        self.tried_again = 0

    def close(self) -> None:
        self._http.close()

    def call(self, user_id: str, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        token = tokens.mint(user_id, 3600, self._stack.token_key)
        headers = {"Authorization": f"Bearer {token}"}
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            answer = self._http.request(method, f"{self._stack.http}{path}", json=body, params=query, headers=headers)
            found: Json = answer.json()
            if answer.status_code == 200:
                return found
            # The local AWS is one process: where it lets a call wait longer than our functions wait for it, they ask to
            # be tried again.
            if answer.status_code != 500 or (method == "POST" and path == "/messages") or time.monotonic() > deadline:
                raise RuntimeError(f"{method} {path}: {answer.status_code} {found}")
            self.tried_again += 1
            time.sleep(1)

    def counts(self, message: Json) -> tuple[int, int]:
        (receipt,) = self.call(OWNER, "POST", "/read-receipts/query", {"msgIDs": [message["msgID"]]})["receiptList"]
        return receipt["readCount"], receipt["unreadCount"]

    def listed(self, message: Json, filter_: str) -> Iterator[Json]:
        """The pages of a list."""
        page: Json = {"nextSeq": 0, "isFinished": False}
        while not page["isFinished"]:
            path = f"/messages/{message['msgID']}/read-members"
            page = self.call(OWNER, "GET", path, filter=filter_, nextSeq=page["nextSeq"], count=100)
            yield page


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:8.1f} s  {what}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.large_group")
    parser.add_argument("members", type=int, nargs="*", default=[10_000, 100_000])
    sizes = parser.parse_args().members
    with tempfile.TemporaryDirectory() as folder, local_stack(Path(folder) / "ministack.log") as stack:
        os.environ.update(tables_of(stack))
        for members in sizes:
            print(f"A group of {members:,}:")
            with closing(Service(stack)) as service:
                play(service, members)


def play(service: Service, members: int) -> None:
    """All of it for one group, each claim checked: SystemExit with the first that does not hold."""
    group_id = f"crowd-{members}"
    names = [f"{group_id}-{number:07}" for number in range(1, members)]
    service.call(OWNER, "POST", "/groups", {"groupID": group_id, "groupType": "Public"})
    with timed(f"{members - 1:,} join, {INVITED_PER_CALL_MAX:,} to a call"):
        for start in range(0, len(names), INVITED_PER_CALL_MAX):
            invited = {"userList": names[start : start + INVITED_PER_CALL_MAX]}
            results = service.call(OWNER, "POST", f"/groups/{group_id}/members", invited)["resultList"]
            _check({each["code"] for each in results} == {0}, "everybody has joined")
    body = {"groupID": group_id, "text": "hello", "needReadReceipt": True}
    message = service.call(OWNER, "POST", "/messages", body)
    with timed("the message is told, range by range, until the first count is answered"):
        _check(service.counts(message) == (0, members - 1), "nobody has read it")
    last = names[len(names) * 7 // 9]

    with timed(f"{members - 2:,} receipts are written and counted"):
        with timed("of that, written"):
            _write_reads(message, [(ordinal, name) for ordinal, name in enumerate(names, start=1) if name != last])
        _wait_for(service, message, members - 2)
    with timed("the unread list, in which one is left"):
        pages = list(service.listed(message, "unread"))
    _check([each["userID"] for page in pages for each in page["members"]] == [last], f"it is {last}")
    print(f"            in {len(pages)} page(s)")
    with timed("the first page of the read list"):
        _check(len(next(service.listed(message, "read"))["members"]) == 100, "a full page")

    with timed("the last one's receipt, from the call until it is counted"):
        with timed("of that, the call"):
            read = service.call(last, "POST", "/read-receipts", {"msgIDs": [message["msgID"]]})
        _check(read["resultList"][0]["code"] == 0, "it was taken")
        _wait_for(service, message, members - 1)
    with timed("the unread list, in which nobody is left"):
        pages = list(service.listed(message, "unread"))
    _check(not any(page["members"] for page in pages), "nobody")
    print(f"            in {len(pages)} page(s); {service.tried_again} calls were to be tried again")


def _write_reads(message: Json, readers: Sequence[tuple[int, str]]) -> None:
    conversation, seq = decode_msg_id(message["msgID"])
    client = boto3.client("dynamodb", config=Config(read_timeout=120))
    now_ms = clock.now_ms()

    def write(some: Sequence[tuple[int, str]]) -> None:
        puts: Any = [
            {"PutRequest": {"Item": dynamo.item(_row(conversation, seq, ordinal, user_id, now_ms))}}
            for ordinal, user_id in some
        ]
        while puts:
            answer: Any = client.batch_write_item(RequestItems={settings.table(reads.TABLE): puts})
            puts = answer.get("UnprocessedItems", {}).get(settings.table(reads.TABLE))

    with closing(client), ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        list(pool.map(write, (readers[at : at + _ROWS_AT_ONCE] for at in range(0, len(readers), _ROWS_AT_ONCE))))


def _row(conversation: Conversation, seq: int, ordinal: int, user_id: str, now_ms: int) -> Json:
    """What `reads.record` leaves behind for one message."""
    return {
        "conversationSegment": f"{conversation.conversation_id}~{segment_of(ordinal)}",
        "blockOrdinal": f"{block_of(seq)}~{ordinal}",
        "userID": user_id,
        "expiresAt": NEVER_S,
        f"r{offset_of(seq)}": now_ms,
    }


def _wait_for(service: Service, message: Json, read_count: int) -> None:
    """Until so many are counted. Never more, and never fewer than before."""
    deadline = time.monotonic() + _PATIENCE_S
    before = 0
    while True:
        read, unread = service.counts(message)
        _check(before <= read <= read_count, f"counts go forward and not too far: {before}, {read}")
        if read == read_count:
            return
        _check(time.monotonic() < deadline, f"{read:,} of {read_count:,} are counted in time, {unread:,} are not")
        before = read
        time.sleep(0.5)


def tables_of(stack: LocalStack) -> dict[str, str]:
    """The environment in which this process uses the stack's tables."""
    resources = stack.aws.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    tables = {
        f"{each['LogicalResourceId'].upper()}_TABLE": each["PhysicalResourceId"]
        for each in resources
        if each["ResourceType"] == "AWS::DynamoDB::Table"
    }
    return {**stack.aws.environment, **tables}


def _check(holds: bool, what: str) -> None:
    if not holds:
        sys.exit(f"Not so: {what}.")


if __name__ == "__main__":
    main()
