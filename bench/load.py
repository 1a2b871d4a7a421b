"""A steady mixed load on the deployed stack, with the Python client, checked against a model.

    python -m bench.load --minutes 5 --rate 4

Users write to one another and to groups at a steady rate; whoever hears of a message reads it soon, or late, or never.
Some read twice, some look at counts and lists while they grow, some lose their connection and come back. The generator
keeps a model of who has read what. At no time may a count be larger than the number of those who have begun to read; at
the end every count, as pushed and as asked for, and every list must be what the model says; every message must have
been heard by every member; and no call may have failed. The functions' memory is sampled all the while.
"""

import argparse
import asyncio
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench import report
from bench.latency import CALLS_AT_ONCE, FewAtOnce, percentile
from chalicelib import tokens
from receipts_client import Client, Listener, Message, Receipt
from stack.local_stack import LocalStack, local_stack

Progress = Callable[[str], None]
Row = dict[str, Any]

USERS = 12
GROUPS = 3
GROUP_SIZE = 8

# What users do on hearing of a message, and beside that. The rest of the messages stays unread.
READ_SHARE = 0.8
READ_AGAIN_SHARE = 0.1
LOOK_SHARE = 0.1
RECONNECT_EVERY_S = 15.0
READ_WITHIN_S = 2.0

# How long the last pushes may take on a busy machine.
PATIENCE_S = 60.0
SAMPLE_EVERY_S = 2.0


@dataclass
class Sent:
    """A message and what the model knows of it."""

    message: Message
    audience: set[str]
    begun: set[str] = field(default_factory=set)  # readers whose call has begun
    read: set[str] = field(default_factory=set)  # readers whose call has been answered
    called_at: dict[str, float] = field(default_factory=dict)


class Model:
    """What must be true."""

    def __init__(self) -> None:
        self.sent: dict[str, Sent] = {}
        self.heard: dict[str, set[str]] = defaultdict(set)  # who has heard of each message
        self.wrong: list[str] = []
        self.errors: list[str] = []
        self.calls: Counter[str] = Counter()
        self.whole_s: list[float] = []  # from the receipt call to the frame, of C2C messages

    def check_count(self, receipt: Receipt) -> None:
        """Counts may lag, but never run ahead."""
        sent = self.sent.get(receipt["msgID"])
        if sent and receipt["readCount"] > len(sent.begun):
            self.wrong.append(
                f"{receipt['readCount']} have read {receipt['msgID']}, but {len(sent.begun)} have begun to"
            )


class Person(Listener):
    """A user with one device."""

    def __init__(self, user_id: str, client: Client, model: Model, tasks: "Tasks") -> None:
        self.user_id, self.client, self._model, self._tasks = user_id, client, model, tasks
        self._random = random.Random(user_id)
        client.add_listener(self)

    def on_recv_new_message(self, message: Message) -> None:
        self._model.heard[message["msgID"]].add(self.user_id)
        if not message["isSelf"] and self._random.random() < READ_SHARE:
            self._tasks.begin(self._read(message))

    def on_recv_message_read_receipts(self, receipts: list[Receipt]) -> None:
        for receipt in receipts:
            self._model.check_count(receipt)
            sent = self._model.sent.get(receipt["msgID"])
            if sent and receipt["userID"] in sent.called_at:
                self._model.whole_s.append(time.monotonic() - sent.called_at[receipt["userID"]])

    async def send(self, to: str, audience: set[str]) -> None:
        where = {"group_id": to} if len(audience) > 1 else {"user_id": to}
        message = await self.client.send_message(**where, text=f"to {to}", need_read_receipt=True)  # type: ignore[arg-type]  # one of both
        self._model.calls["send_message"] += 1
        # Who is quick may have heard of it already.
        self._model.sent.setdefault(message["msgID"], Sent(message, audience)).audience = audience

    async def _read(self, message: Message) -> None:
        await asyncio.sleep(self._random.uniform(0, READ_WITHIN_S))
        for _ in range(2 if self._random.random() < READ_AGAIN_SHARE else 1):
            sent = self._model.sent.setdefault(message["msgID"], Sent(message, set()))
            sent.begun.add(self.user_id)
            sent.called_at.setdefault(self.user_id, time.monotonic())
            answer = await self.client.send_message_read_receipts([message])
            self._model.calls["send_message_read_receipts"] += 1
            codes = [result["code"] for result in answer["resultList"]]
            if codes != [0]:
                self._model.errors.append(f"{self.user_id} reads: {codes}")
            sent.read.add(self.user_id)

    async def look(self, sent: Sent) -> None:
        """Ask how far an own message has been read, and by whom."""
        self._model.calls["get_message_read_receipts"] += 1
        for receipt in (await self.client.get_message_read_receipts([sent.message]))["receiptList"]:
            self._model.check_count(receipt)
        if "groupID" in sent.message:
            self._model.calls["get_group_message_read_member_list"] += 1
            found = await self.client.get_group_message_read_member_list(sent.message, "read")
            strangers = {member["userID"] for member in found["members"]} - sent.begun
            if strangers:
                self._model.wrong.append(f"{strangers} are said to have read {sent.message['msgID']}")

    async def reconnect(self) -> None:
        self._model.calls["login"] += 1
        await self.client.logout()
        await self.client.login()


class Tasks:
    """What is under way; what fails is an error of the run."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._noting(doing))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        while self._under_way:
            await asyncio.gather(*self._under_way)

    async def _noting(self, doing: Coroutine[Any, Any, None]) -> None:
        try:
            await doing
        except Exception as error:  # noqa: BLE001  # the run goes on, and says so at the end
            self._model.errors.append(f"{type(error).__name__}: {error}")


async def run(stack: LocalStack, seconds: float, rate: float, progress: Progress) -> Row:
    """The load, and what came of it."""
    model, prefix = Model(), f"load{secrets.token_hex(3)}"
    tasks, chance, memory = Tasks(model), random.Random(prefix), Memory(stack)
    names = [f"{prefix}-{number}" for number in range(USERS)]
    turn = asyncio.Semaphore(CALLS_AT_ONCE)
    async with AsyncExitStack() as open_:
        people: dict[str, Person] = {}
        for name in names:
            token = tokens.mint(name, 24 * 3600, stack.token_key)
            client = await open_.enter_async_context(
                Client(stack.http, stack.websocket, token, transport=FewAtOnce(turn))
            )
            people[name] = Person(name, client, model, tasks)
            await client.login()
        groups = {f"{prefix}-group{number}": set(chance.sample(names, GROUP_SIZE)) for number in range(GROUPS)}
        for group_id, members in groups.items():
            owner, *others = sorted(members)
            await people[owner].client.create_group(group_id, others)
        started = time.monotonic()
        sampling = asyncio.create_task(memory.sample(started, seconds))
        number, next_reconnect = 0, RECONNECT_EVERY_S
        while (now := time.monotonic() - started) < seconds:
            sender = people[chance.choice(names)]
            theirs = [group_id for group_id, members in groups.items() if sender.user_id in members]
            if theirs and chance.random() < 0.6:
                to = chance.choice(theirs)
                tasks.begin(sender.send(to, groups[to] - {sender.user_id}))
            else:
                to = chance.choice([name for name in names if name != sender.user_id])
                tasks.begin(sender.send(to, {to}))
            if model.sent and chance.random() < LOOK_SHARE:
                sent = chance.choice(list(model.sent.values()))
                tasks.begin(people[sent.message["sender"]].look(sent))
            if now > next_reconnect:
                next_reconnect += RECONNECT_EVERY_S
                tasks.begin(people[chance.choice(names)].reconnect())
            number += 1
            if number % max(1, int(rate * 10)) == 0:
                progress(
                    f"{now:5.0f} s  {len(model.sent)} messages, {sum(model.calls.values())} calls, "
                    f"{len(model.errors)} errors, {memory.now()}"
                )
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
        progress("the load has ended; waiting for what is on its way")
        await tasks.finish()
        await _settle(model, people)
        sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling
        await _check(model, people)
    return _row(model, memory, time.monotonic() - started, rate)


async def _settle(model: Model, people: dict[str, Person]) -> None:
    """Wait until every count that the model knows has been pushed, and every message been heard."""
    deadline = time.monotonic() + PATIENCE_S
    while (_unpushed(model, people) or _unheard(model)) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)


def _unpushed(model: Model, people: dict[str, Person]) -> list[str]:
    found = []
    for msg_id, sent in model.sent.items():
        receipt = people[sent.message["sender"]].client.receipts.get(msg_id)
        if len(sent.read) != (receipt["readCount"] if receipt else 0):
            found.append(f"{msg_id} was read by {len(sent.read)}, and its sender heard {receipt}")
    return found


def _unheard(model: Model) -> list[str]:
    return [
        f"{missing} never heard of {msg_id}"
        for msg_id, sent in model.sent.items()
        if (missing := (sent.audience | {sent.message["sender"]}) - model.heard[msg_id])
    ]


async def _check(model: Model, people: dict[str, Person]) -> None:
    """Everything once more, as asked for."""
    model.wrong += _unpushed(model, people) + _unheard(model)
    by_sender: dict[str, list[Sent]] = defaultdict(list)
    for sent in model.sent.values():
        by_sender[sent.message["sender"]].append(sent)
    for sender, theirs in by_sender.items():
        found = await people[sender].client.get_message_read_receipts([sent.message for sent in theirs])
        counts = {receipt["msgID"]: (receipt["readCount"], receipt["unreadCount"]) for receipt in found["receiptList"]}
        for sent in theirs:
            is_group = "groupID" in sent.message
            expected = len(sent.read), len(sent.audience) - len(sent.read)
            if counts.get(sent.message["msgID"]) != expected:
                model.wrong.append(f"{sent.message['msgID']}: {counts.get(sent.message['msgID'])}, not {expected}")
            if is_group:
                lists = people[sender].client.group_message_read_members(sent.message, "read")
                listed = {member["userID"] async for member in lists}
                if listed != sent.read:
                    model.wrong.append(f"{sent.message['msgID']} lists {listed}, not {sent.read}")


class Memory:
    """The memory of the functions: the local AWS runs each in a process of its own."""

    def __init__(self, stack: LocalStack) -> None:
        self._aws = psutil.Process(stack.aws.pid)
        self.samples: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)

    async def sample(self, started: float, seconds: float) -> None:
        while True:
            for worker in self._aws.children(recursive=True):
                with suppress(psutil.Error):
                    name = worker.environ().get("AWS_LAMBDA_FUNCTION_NAME")
                    if name:
                        at = (time.monotonic() - started) / seconds
                        self.samples[_short(name), worker.pid].append((at, worker.memory_info().rss / 2**20))
            await asyncio.sleep(SAMPLE_EVERY_S)

    def now(self) -> str:
        workers = Counter(name for name, _ in self.samples)
        total = sum(mb[-1][1] for mb in self.samples.values())
        return f"{total:.0f} MB in " + ", ".join(f"{count} {name}" for name, count in sorted(workers.items()))

    def growth(self) -> dict[str, dict[str, float]]:
        """For each function the MB in the second fifth of the time and in the last, of the workers that were there."""
        found: dict[str, dict[str, float]] = {}
        for (name, _), samples in sorted(self.samples.items()):
            early = [mb for at, mb in samples if 0.2 <= at < 0.4]
            late = [mb for at, mb in samples if at >= 0.8]
            if early and late:
                was, is_ = statistics.median(early), statistics.median(late)
                if name not in found or is_ - was > found[name]["late_mb"] - found[name]["early_mb"]:
                    found[name] = {"early_mb": was, "late_mb": is_}
        return found


def _short(name: str) -> str:
    """A function's own name, out of the one that the stack gave it."""
    return name.removeprefix("read-receipts-").rsplit("-", 1)[0]


def _row(model: Model, memory: Memory, seconds: float, rate: float) -> Row:
    return {
        "section": "load",
        "scenario": f"{rate:g} messages/s, {USERS} users, {GROUPS} groups of {GROUP_SIZE}",
        "design": "ours",
        "seconds": seconds,
        "messages": len(model.sent),
        "receipts": sum(len(sent.read) for sent in model.sent.values()),
        "calls": dict(model.calls),
        "errors": model.errors,
        "wrong": model.wrong,
        "c2c_p50_ms": percentile(model.whole_s, 50) if model.whole_s else None,
        "c2c_p99_ms": percentile(model.whole_s, 99) if model.whole_s else None,
        "memory": memory.growth(),
    }


def main() -> int:
    """Run it on a stack of its own; 0 if nothing failed and nothing was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.load", description="A steady mixed load on the deployed stack, checked against a model."
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default 5)")
    parser.add_argument("--rate", type=float, default=4.0, help="messages a second (default 4)")
    parser.add_argument("--record", action="store_true", help="put the figures into bench/results.json and its README")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, local_stack(Path(folder) / "ministack.log", report=print) as stack:
        row = asyncio.run(run(stack, options.minutes * 60, options.rate, lambda line: print(line, flush=True)))
    show(row)
    if options.record:
        report.save([row])
        report.publish(report.load())
    return 1 if row["errors"] or row["wrong"] else 0


def show(row: Row) -> None:
    """The figures on the screen."""
    print(f"\n{row['scenario']}, {row['seconds']:.0f} s: {row['messages']} messages, {row['receipts']} receipts")
    print("calls: " + ", ".join(f"{count} {name}" for name, count in sorted(row["calls"].items())))
    if row["c2c_p50_ms"] is not None:
        print(
            f"C2C, from read to told (gathering 200 ms): p50 {row['c2c_p50_ms']:.0f} ms, p99 {row['c2c_p99_ms']:.0f} ms"
        )
    for name, mb in row["memory"].items():
        print(f"{name}: {mb['early_mb']:.1f} MB, at the end {mb['late_mb']:.1f} MB")
    for kind in ("errors", "wrong"):
        print(f"{kind}: {len(row[kind])}")
        for each in row[kind][:20]:
            print(f"  {each}")


if __name__ == "__main__":
    sys.exit(main())
