"""Units, requests, bytes, pushes and money of read receipts: ours beside the usual design, by the same reads.

Every invocation is that of a function that keeps nothing in memory (`Workbench.used`), so these are upper bounds; what
a warm one saves is in `compute`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.prices import MILLION
from bench.workbench import Used, Workbench
from chalicelib.core.tiles import SEGMENT_SIZE
from tests.world import Json, User

MESSAGES = 30

DESIGNS = ("ours", "baseline")

Report = Callable[[str], None]
Row = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """Readers who read the same messages. Group size 2 is C2C: each reader has a conversation with the sender."""

    name: str
    section: str
    group_size: int
    readers: int
    messages: int = MESSAGES
    per_call: int = MESSAGES
    stream_batch: int = 10
    first_offset: int = 1  # of the messages in their block of 64
    x: int = 0  # where on its plot

    @property
    def is_c2c(self) -> bool:
        return self.group_size == 2


@dataclass
class Audience:
    """A sender and the readers of a scenario, and what the sender writes to."""

    sender: User
    readers: list[User]
    to: list[User | str]


class Stage:
    """The groups of all scenarios: made once, as making the large ones takes longest."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self._groups: dict[int, tuple[User, list[User]]] = {}
        self._played = 0

    def play(self, scenario: Scenario, design: str) -> Row:
        """Let all of it happen, and say what it took."""
        self._played += 1
        readers, written = self._prepare(scenario)
        used = Used()
        for start in range(0, scenario.messages, scenario.per_call):
            for reader, messages in zip(readers, written, strict=True):
                used += self.bench.reads(reader, messages[start : start + scenario.per_call], design)
        if design == "ours":
            used += self.bench.trigger("Reads", scenario.stream_batch)
        return row(scenario, design, scenario.messages * len(readers), used)

    def _prepare(self, scenario: Scenario) -> tuple[list[User], list[list[Json]]]:
        """The readers, and for each the messages to read."""
        bench, count, offset = self.bench, scenario.messages, scenario.first_offset
        if scenario.is_c2c:
            sender, readers = bench.peers(f"c{self._played}", scenario.readers)
            written = [bench.messages(sender, reader, count, offset) for reader in readers]
        else:
            group_id = f"g{scenario.group_size}"
            if scenario.group_size not in self._groups:
                self._groups[scenario.group_size] = bench.group(group_id, scenario.group_size)
            sender, others = self._groups[scenario.group_size]
            readers = spread(others, scenario.readers)
            messages = bench.messages(sender, group_id, count, offset)
            self._fill(others, readers, messages)
            written = [messages] * len(readers)
        bench.settle()
        return readers, written

    def _fill(self, others: Sequence[User], readers: Sequence[User], messages: list[Json]) -> None:
        """Let the last member of every segment read first, so that all tiles are there, as large as they ever get."""
        last_of_segments = others[SEGMENT_SIZE - 2 :: SEGMENT_SIZE]  # the owner has ordinal 0
        for member in last_of_segments:
            if member not in readers:
                self.bench.reads(member, messages, "ours")
        self.bench.trigger("Reads", 1000)


def spread(members: Sequence[User], count: int) -> list[User]:
    """So many of these members, evenly over all of them."""
    wanted = min(count, len(members))
    return [members[index * len(members) // wanted] for index in range(wanted)]


def row(scenario: Scenario, design: str, receipts: int, used: Used) -> Row:
    """What is written into results.json."""
    usage = used.usage
    return {
        "section": scenario.section,
        "scenario": scenario.name,
        "design": design,
        "x": scenario.x,
        "group_size": scenario.group_size,
        "messages_per_call": scenario.per_call,
        "stream_batch": scenario.stream_batch if design == "ours" else 0,
        "receipts": receipts,
        **asdict(used),
        "usd_per_million": usage.usd / receipts * MILLION,
        "usd_per_million_by": {name: usd / receipts * MILLION for name, usd in usage.bill.items()},
    }


def scenarios(*, is_quick: bool) -> Iterator[Scenario]:
    """C2C and groups of 5 to 10,000; one message a call or 30; triggers that get 1, 10 or up to 1,000 records."""
    sizes = (2, 5) if is_quick else (2, 5, 50, 500, 10_000)
    for size in sizes:
        for per_call in (MESSAGES, 1):
            for stream_batch in (10,) if is_quick else (1, 10, 1000):
                readers = {1: 10, 10: 30, 1000: 150} if per_call > 1 else {1: 2, 10: 4, 1000: 10}
                who = "C2C" if size == 2 else f"group of {size:,}"
                how = "30 at once" if per_call > 1 else "one by one"
                # Of C2C there are fewer, as each reader needs messages of their own.
                count = min(readers[stream_batch], 1 if is_quick else 20 if size == 2 else 300)
                yield Scenario(f"{who}, {how}", "capacity", size, count, per_call=per_call, stream_batch=stream_batch)
    if not is_quick:
        yield Scenario("group of 50, 30 at once, across two blocks", "capacity", 50, 40, first_offset=49)


def growth(*, is_quick: bool) -> Iterator[Scenario]:
    """The same for growing groups, more messages a call, and more conversations in one batch of records."""
    for size in (2, 5) if is_quick else (2, 5, 20, 80, 300, 1000, 3000, 10_000):
        yield Scenario("group size", "growth", size, 1 if is_quick else 20, x=size)
    for count in (1, 4) if is_quick else (1, 2, 5, 10, 20, 40, 62, 100):
        yield Scenario("messages per call", "growth", 5, 1 if is_quick else 4, messages=count, per_call=count, x=count)
    for count in (1, 2) if is_quick else (1, 2, 5, 10, 30, 100):
        yield Scenario(
            "conversations in a batch", "growth", 2, count, messages=5, per_call=5, stream_batch=100, x=count
        )


# The baseline does the same whatever the batch, and each of its receipts is like the other: fewer will do.
_BASELINE_READERS = 10


def measure(bench: Workbench, report: Report, *, is_quick: bool) -> list[Row]:
    """All rows."""
    stage = Stage(bench)
    stage.play(Scenario("warm-up", "", 5, 4), "ours")
    stage.play(Scenario("warm-up", "", 5, 4), "baseline")
    asked = [*scenarios(is_quick=is_quick), *growth(is_quick=is_quick)]
    rows = []
    for number, scenario in enumerate(asked, start=1):
        batch = f", batches of {scenario.stream_batch}" if scenario.section == "capacity" else f" {scenario.x:,}"
        report(f"{scenario.section} {number}/{len(asked)}: {scenario.name}{batch}")
        rows.append(stage.play(scenario, "ours"))
        if scenario.section == "growth" or scenario.stream_batch == 10:
            fewer = Scenario(**{**asdict(scenario), "readers": min(scenario.readers, _BASELINE_READERS)})
            rows.append(stage.play(fewer, "baseline"))
    return rows
