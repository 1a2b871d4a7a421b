"""Processor time, AWS calls and memory of each handler: warm, in this process; and cold, each in a fresh one.

The bare calls are the same requests to DynamoDB, with the same parameters, by boto3 alone: what no code can save.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from bench.capacity import Report, Row
from bench.workbench import Used, Workbench
from chalicelib.store import dynamo
from stack.template import PROJECT
from tests.world import Json, User

MESSAGES = 30
GROUP_SIZE = 50


class Handlers:
    """Each handler with work for it, on one group of 50."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.owner, self.others = bench.group("compute", GROUP_SIZE)

    def warm(self, design: str, times: int) -> Iterator[Row]:
        """A row for each handler: what one invocation takes, the median of so many."""
        for count in (1, MESSAGES):
            yield self._receipts(design, count, times)
        if design == "baseline":
            return
        written = self._written(MESSAGES)
        ids = {"msgIDs": [message["msgID"] for message in written]}
        path = f"/messages/{written[0]['msgID']}/read-members"
        yield self._row("POST /v1/messages", times, lambda _: self.owner.sends("compute"), bare=False)
        yield self._row(
            f"POST /v1/read-receipts/query, {MESSAGES} messages",
            times,
            lambda _: self.owner.calls("POST", "/read-receipts/query", ids).ok,
        )
        yield self._row("GET …/read-members", times, lambda _: self.owner.calls("GET", path).ok)
        yield self._row("GET /v1/conversations", times, lambda _: self.owner.calls("GET", "/conversations").ok)
        devices = [self.others[0].connects() for _ in range(1)]
        yield self._row("socket_heard, ping", times, lambda _: devices[0].says({"action": "ping"}), bare=False)
        users = [self.bench.user(f"newcomer-{number}") for number in range(times)]
        yield self._row("socket_connected", times, lambda number: users[number].connects(), bare=False)
        yield self._trigger("push_receipts, 10 records of one conversation", "Reads", times)
        yield self._trigger("push_messages, a group of 50 with 2 devices", "Messages", times)

    def _receipts(self, design: str, count: int, times: int) -> Row:
        written = self._written(count)
        used, bare = [], []
        for number in range(times):
            if number % (GROUP_SIZE - 1) == 0:
                written = self._written(count)
            self.bench.meter.calls = []
            reader = self.others[number % (GROUP_SIZE - 1)]
            used.append(self.bench.reads(reader, written, design, is_fresh=False))
            calls, self.bench.meter.calls = self.bench.meter.calls, None
            bare.append(self._bare(calls))
        name = f"POST /v1/read-receipts, {count} message{'s' if count > 1 else ''}"
        return _row(name, design, used, bare)

    def _row(self, name: str, times: int, invoke: Callable[[int], object], *, bare: bool = True) -> Row:
        """Of handlers whose calls can be made again with the same effect, the bare calls too."""
        used, bares = [], []
        for number in range(times):
            self.bench.meter.calls = []
            used.append(self.bench.used(lambda number=number: invoke(number), is_fresh=False))  # type: ignore[misc]  # a default binds it
            calls, self.bench.meter.calls = self.bench.meter.calls, None
            if bare:
                bares.append(self._bare(calls))
        return _row(name, "ours", used, bares)

    def _trigger(self, name: str, table: str, times: int) -> Row:
        used = []
        for _ in range(times):
            self.cause(table, readers=10)
            used.append(self.bench.trigger(table, 10, is_fresh=False))
        return _row(name, "ours", used, [])

    def cause(self, table: str, readers: int) -> None:
        """Let something happen that a table's trigger hears of: a message, or reads of one by so many."""
        written = self._written(1)
        if table == "Messages":
            self.owner.sends("compute")
        else:
            for reader in self.others[:readers]:
                self.bench.reads(reader, written, "ours", is_fresh=False)

    def _written(self, count: int) -> list[Json]:
        """Messages of the owner that no trigger will hear of."""
        written = self.bench.messages(self.owner, "compute", count)
        self.bench.settle()
        return written

    def _bare(self, calls: Sequence[tuple[str, Json]]) -> float:
        """The processor time of these calls by boto3 alone, in ms."""
        client = dynamo.client()
        self.bench.meter.take()
        started = time.process_time()
        for operation, asked in calls:
            with suppress(ClientError):  # what is conditional may be refused the second time
                getattr(client, xform_name(operation))(**asked)
        cpu_s = time.process_time() - started
        return (cpu_s - self.bench.meter.take().own_cpu_s) * 1000


def _row(name: str, design: str, used: list[Used], bare: list[float]) -> Row:
    cpu_ms = statistics.median(each.cpu_ms for each in used)
    bare_cpu_ms = statistics.median(bare) if bare else None
    return {
        "section": "handlers",
        "scenario": name,
        "design": design,
        **{
            field: statistics.fmean(getattr(each, field) for each in used)
            for field in ("requests", "write_units", "read_units", "pushes", "request_bytes", "response_bytes")
        },
        "invocations": len(used),
        "cpu_ms": cpu_ms,
        "bare_cpu_ms": bare_cpu_ms,
        "cpu_over_bare": cpu_ms / bare_cpu_ms if bare_cpu_ms else None,
    }


class _Sockets(BaseHTTPRequestHandler):
    """Takes every frame."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _sockets() -> Iterator[str]:
    """Somewhere to send frames to from another process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sockets)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def cold(handlers: Handlers, report: Report, times: int) -> Iterator[Row]:
    """A row for each function: import, first request, the requests after it, and memory, in fresh processes."""
    bench = handlers.bench
    functions = {
        ("APIHandler, POST /v1/read-receipts", "ours"): ("app", "app", "http"),
        ("APIHandler, POST /v1/read-receipts", "baseline"): ("bench.baseline", "app", "http"),
        ("SocketConnected", "ours"): ("chalicelib.handlers.sockets", "socket_connected", "connect"),
        ("SocketHeard, sendMessageReadReceipts", "ours"): ("chalicelib.handlers.sockets", "socket_heard", "hear"),
        ("PushReceipts", "ours"): ("chalicelib.handlers.streams", "push_receipts", "Reads"),
        ("PushMessages", "ours"): ("chalicelib.handlers.streams", "push_messages", "Messages"),
    }
    with _sockets() as push_endpoint:
        for (name, design), (module, handler, kind) in functions.items():
            report(f"cold: {name}, {design}")
            figures = []
            for _ in range(times):
                events = _events(handlers, kind)
                bench.settle()
                process = subprocess.run(
                    [sys.executable, "-m", "bench.cold", module, handler],
                    input=json.dumps(events),
                    env={**os.environ, "PUSH_ENDPOINT": push_endpoint},
                    cwd=PROJECT,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if process.returncode:
                    raise RuntimeError(f"{name}: {process.stderr}")
                figures.append(json.loads(process.stdout))
            medians = {field: statistics.median(each[field] for each in figures) for field in figures[0]}
            yield {"section": "cold", "scenario": name, "design": design, "invocations": times, **medians}


def _events(handlers: Handlers, kind: str) -> list[Json]:
    """Three events of a kind, as AWS sends them."""
    bench, reader = handlers.bench, handlers.others[0]
    written = [handlers._written(1)[0] for _ in range(3)]
    match kind:
        case "http":
            return [_http_event(reader, {"msgIDs": [message["msgID"]]}) for message in written]
        case "connect":
            query = {"token": reader.token}
            return [bench.world.socket_event(f"cold-{number}", "CONNECT", query=query) for number in range(3)]
        case "hear":
            device = reader.connects()
            frames = [{"action": "sendMessageReadReceipts", "msgIDs": [message["msgID"]]} for message in written]
            return [
                bench.world.socket_event(device.connection_id, "MESSAGE", body=json.dumps(frame)) for frame in frames
            ]
        case table:
            events = []
            for _ in range(3):
                handlers.cause(table, readers=1)
                events.append({"Records": bench.records(table)})
            return events


def _http_event(user: User, body: Json) -> Json:
    return {
        "requestContext": {
            "resourcePath": "/v1/read-receipts",
            "path": "/api/v1/read-receipts",
            "httpMethod": "POST",
            "identity": {},
        },
        "pathParameters": {},
        "multiValueQueryStringParameters": None,
        "headers": {"content-type": "application/json", "authorization": f"Bearer {user.token}"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
        "stageVariables": None,
    }


def measure(bench: Workbench, report: Report, *, is_quick: bool) -> list[Row]:
    """All rows."""
    handlers = Handlers(bench)
    times = 5 if is_quick else 100
    rows = []
    for design in ("ours", "baseline"):
        for row in handlers.warm(design, times):
            report(f"handlers: {row['scenario']}, {design}")
            rows.append(row)
    rows += cold(handlers, report, 1 if is_quick else 5)
    return rows
