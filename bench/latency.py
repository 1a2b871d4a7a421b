"""From the receipt call to the frame on the sender's socket, on the deployed stack, with the Python client.

The baseline is deployed beside ours: the same code package, another function, its own API, the same sockets. All times
are of one clock, as clients, functions and the local AWS run on one machine. The hops, by the functions' own log lines
(when they ended, and how long they took):

- gateway: from the call until the handler begins.
- write: from there until the trigger begins: the checks, the write, the stream.
- trigger: from there until the frame is on the sender's socket: fold, count, push.

The baseline has no trigger: its handler pushes before it answers. Locally a stream's trigger is called at once, even
before the handler has answered; on AWS Lambda asks a stream four times a second, which adds up to 250 ms to ours.
"""

import asyncio
import io
import json
import secrets
import statistics
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench import baseline
from chalicelib import tokens
from receipts_client import Client, Listener, Message, Options, Receipt
from stack.local_stack import LocalStack
from stack.template import PROJECT, package

Report = Callable[[str], None]
Row = dict[str, Any]

_AT_ONCE = Options(gather_s=0)
PATIENCE_S = 60.0

# Of all clients together: see FewAtOnce.
CALLS_AT_ONCE = 6

# A steady load that two busy processors can carry, beside all that plays AWS.
CALLS_PER_S = 5.0


class FewAtOnce(httpx.AsyncHTTPTransport):
    """Lets so many calls be under way at once, of all clients together.

    Locally every call under way at once is another process on the same few processors; AWS has more of them.
    """

    def __init__(self, turn: asyncio.Semaphore) -> None:
        super().__init__()
        self._turn = turn

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with self._turn:
            return await super().handle_async_request(request)


@dataclass
class Clock(Listener):
    """When the sender's socket heard of each message that it was read."""

    heard_at: dict[str, float] = field(default_factory=dict)
    frames: int = 0

    def on_recv_message_read_receipts(self, receipts: list[Receipt]) -> None:
        now = time.time()
        self.frames += 1
        for receipt in receipts:
            self.heard_at.setdefault(receipt["msgID"], now)


@dataclass
class Read:
    """One receipt call, by the client's clock."""

    msg_id: str
    called_at: float
    answered_at: float


def deploy_baseline(stack: LocalStack) -> str:
    """Put the baseline beside the stack, and return the base of its calls."""
    functions, gateway = stack.aws.client("lambda"), stack.aws.client("apigateway")
    theirs = next(each for each in functions.list_functions()["Functions"] if "-APIHandler-" in each["FunctionName"])
    baseline.create_tables(stack.aws.client("dynamodb"))
    variables = {**theirs["Environment"]["Variables"], **baseline.VARIABLES}
    function = functions.create_function(
        FunctionName="baseline",
        Runtime=theirs["Runtime"],
        Role=_role(stack),
        Handler="bench.baseline.app",
        Timeout=29,
        MemorySize=theirs["MemorySize"],
        Environment={"Variables": variables},
        Code={"ZipFile": _code()},
    )
    api = gateway.create_rest_api(name="baseline")["id"]
    parent = gateway.get_resources(restApiId=api)["items"][0]["id"]
    for part in ("v1", "read-receipts"):
        parent = gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)["id"]
    gateway.put_method(restApiId=api, resourceId=parent, httpMethod="POST", authorizationType="NONE")
    path = f"2015-03-31/functions/{function['FunctionArn']}/invocations"
    gateway.put_integration(
        restApiId=api,
        resourceId=parent,
        httpMethod="POST",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/{path}",
    )
    gateway.create_deployment(restApiId=api, stageName="api")
    return f"{stack.aws.execute_api}/{api}/api/v1"


def _role(stack: LocalStack) -> str:
    """A role that may use both designs' tables, the sockets and the key."""
    iam = stack.aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    actions = ["dynamodb:*", "execute-api:ManageConnections", "secretsmanager:GetSecretValue", "logs:*"]
    allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    role = iam.create_role(RoleName="baseline", AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="baseline", PolicyName="baseline", PolicyDocument=_policy(allowed))
    return str(role)


def _policy(statement: Row) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _code() -> bytes:
    """The stack's own package, and the baseline in it."""
    with tempfile.TemporaryDirectory() as folder:
        package(Path(folder))
        packed = io.BytesIO((Path(folder) / "deployment.zip").read_bytes())
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in ("__init__.py", "baseline.py"):
            archive.write(PROJECT / "bench" / name, f"bench/{name}")
    return packed.getvalue()


@asynccontextmanager
async def _people(
    stack: LocalStack, prefix: str, base: str, readers: int
) -> AsyncIterator[tuple[Client, Clock, list[Client]]]:
    """A sender who is connected, and readers, who make their calls to this base."""
    turn = asyncio.Semaphore(CALLS_AT_ONCE)
    async with AsyncExitStack() as open_:

        async def someone(name: str, http: str) -> Client:
            token = tokens.mint(f"{prefix}-{name}", 3600, stack.token_key)
            return await open_.enter_async_context(
                Client(http, stack.websocket, token, options=_AT_ONCE, transport=FewAtOnce(turn))
            )

        sender, clock = await someone("sender", stack.http), Clock()
        sender.add_listener(clock)
        await sender.login()
        yield sender, clock, [await someone(f"reader{number}", base) for number in range(readers)]


async def measure_one(stack: LocalStack, design: str, base: str, *, in_group: bool, count: int, rate: float) -> Row:
    """So many calls, each for a message that nobody else reads; one after the other, or (rate > 0) so many a second."""
    prefix = f"lat{secrets.token_hex(3)}"
    async with _people(stack, prefix, base, 4) as (sender, clock, readers):
        reader_ids = [f"{prefix}-reader{number}" for number in range(len(readers))]
        if in_group:
            await sender.create_group(prefix, reader_ids)
        warm_up = 2 * len(readers)
        messages: list[Message] = []
        for number in range(warm_up + count):
            to = {"group_id": prefix} if in_group else {"user_id": reader_ids[number % len(readers)]}
            messages.append(await sender.send_message(**to, text="hello", need_read_receipt=True))  # type: ignore[arg-type]  # one of both

        async def read(number: int) -> Read:
            message, reader = messages[number], readers[number % len(readers)]
            called_at = time.time()
            await reader.send_message_read_receipts([message])
            return Read(message["msgID"], called_at, time.time())

        for number in range(warm_up):
            await _heard(clock, (await read(number)).msg_id)
        frames, started_ms = clock.frames, time.time() * 1000
        done: list[Read] = []
        if rate:
            begun = time.monotonic()

            async def at(number: int) -> Read:
                await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
                return await read(warm_up + number)

            done = await asyncio.gather(*(at(number) for number in range(count)))
            for each in done:
                await _heard(clock, each.msg_id)
        else:
            for number in range(count):
                done.append(await read(warm_up + number))
                await _heard(clock, done[-1].msg_id)
        handlers = _begins(stack, "APIHandler" if design == "ours" else "baseline", "http", started_ms)
        triggers = _begins(stack, "PushReceipts", "reads", started_ms) if design == "ours" else []
        name = f"{'group of 5' if in_group else 'C2C'}, {f'{rate:g} calls/s' if rate else 'one at a time'}"
        return _row(name, design, clock, done, handlers, triggers, pushes=clock.frames - frames)


async def _heard(clock: Clock, msg_id: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while msg_id not in clock.heard_at:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing was heard in {PATIENCE_S:g} s")
        await asyncio.sleep(0.001)


def _begins(stack: LocalStack, function: str, event_name: str, since_ms: float) -> list[float]:
    """When the invocations of a function began, by the lines that it logged when they ended."""
    logs = stack.aws.client("logs")
    begins = []
    for group in logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]:
        if function not in group["logGroupName"]:
            continue
        for page in logs.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"], startTime=int(since_ms)
        ):
            lines = [(event["timestamp"], _json(event["message"])) for event in page["events"]]
            begins += [(at - line["ms"]) / 1000 for at, line in lines if line.get("event") == event_name]
    return sorted(begins)


def _json(message: str) -> Row:
    return json.loads(message) if message.startswith("{") else {}


def _row(
    name: str,
    design: str,
    clock: Clock,
    done: list[Read],
    handlers: list[float],
    triggers: list[float],
    *,
    pushes: int,
) -> Row:
    whole = [clock.heard_at[each.msg_id] - each.called_at for each in done]
    hops: dict[str, list[float]] = (
        {"gateway": [], "write": [], "trigger": []} if triggers else {"gateway": [], "handler": []}
    )
    for each in done:
        heard = clock.heard_at[each.msg_id]
        began = next((at for at in handlers if at >= each.called_at), each.called_at)
        hops["gateway"].append(began - each.called_at)
        if triggers:
            triggered = max((at for at in triggers if began <= at <= heard), default=heard)
            hops["write"].append(triggered - began)
            hops["trigger"].append(heard - triggered)
        else:
            hops["handler"].append(heard - began)
    return {
        "section": "latency",
        "scenario": name,
        "design": design,
        "receipts": len(done),
        "pushes": pushes,
        "p50_ms": percentile(whole, 50),
        "p99_ms": percentile(whole, 99),
        "max_ms": max(whole) * 1000,
        "answered_p50_ms": percentile([each.answered_at - each.called_at for each in done], 50),
        "hops_p50_ms": {hop: percentile(times, 50) for hop, times in hops.items()},
        "hops_share": {hop: statistics.fmean(times) / statistics.fmean(whole) for hop, times in hops.items()},
    }


def percentile(seconds: list[float], percent: int) -> float:
    """In ms, of times in seconds: the smallest that so many per cent do not exceed."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] * 1000


def measure(stack: LocalStack, report: Report, *, is_quick: bool) -> list[Row]:
    """One at a time and at a steady load, C2C and group, both designs."""
    bases = {"ours": stack.http, "baseline": deploy_baseline(stack)}
    rows = []
    for rate, count in ((0.0, 5), (CALLS_PER_S, 10)) if is_quick else ((0.0, 100), (CALLS_PER_S, 150)):
        for in_group in (False, True):
            for design, base in bases.items():
                report(f"latency: {'group' if in_group else 'C2C'}, {rate:g} calls/s, {design}")
                rows.append(asyncio.run(measure_one(stack, design, base, in_group=in_group, count=count, rate=rate)))
    return rows
