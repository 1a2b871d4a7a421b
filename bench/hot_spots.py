"""How evenly the keys spread the writes: ours and the usual design, by a simulation of hashed partitions.

DynamoDB places an item by a hash of its partition key, and one partition takes 1,000 write units a second. Here every
write of a scenario is made with the key that the code makes (of Reads and Receipts, from `chalicelib.store`), its hash
chooses one of the partitions, and the units are summed up. What is asked: how much does the busiest partition get, and
the busiest single key, compared with what even spreading would give? It is assumed that partitions are equal shares of
the hash's range, and that none splits for heat while the scenario lasts.
"""

import hashlib
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from bench.meter import item_bytes
from chalicelib.core.conversation import Conversation, encode_msg_id
from chalicelib.core.sums import FAN_OUT, NodeKey, level_of, pack
from chalicelib.core.tiles import TileKey, block_of, segment_of
from chalicelib.store import dynamo, reads, receipts, sums
from tests.tables import TABLES

Row = dict[str, Any]
T = TypeVar("T")

PARTITIONS = 64

# What one partition takes in a second.
PARTITION_WRITE_UNITS = 1000

# A write: its table, the value of its partition key, and its units.
Write = tuple[str, str, float]


@dataclass(frozen=True)
class Scenario:
    """Who reads what: (conversation, ordinal, seqs of one call), in the order in which it happens."""

    name: str
    members: int  # of each conversation
    calls: Callable[[int], Iterator[tuple[Conversation, int, list[int]]]]
    stream_batch: int = 100


def _shuffled(all_of_them: Sequence[T]) -> list[T]:
    """In any order, as members read when they like; the same one in every run."""
    return random.Random(1).sample(all_of_them, len(all_of_them))


def one_huge_group(scale: int) -> Iterator[tuple[Conversation, int, list[int]]]:
    """All members of one group read the latest 30 messages, each with one call."""
    group = Conversation.of_group("huge")
    for ordinal in _shuffled(range(1, 100_000 // scale)):
        yield group, ordinal, list(range(1, 31))


def many_small_groups(scale: int) -> Iterator[tuple[Conversation, int, list[int]]]:
    """Four members of each of many groups read 30 messages."""
    groups = [Conversation.of_group(f"small-{number}") for number in range(25_000 // scale)]
    for ordinal in range(1, 5):
        for group in _shuffled(groups):
            yield group, ordinal, list(range(1, 31))


def one_message_read_by_all(scale: int) -> Iterator[tuple[Conversation, int, list[int]]]:
    """One message to a huge group, which all members read at once."""
    group = Conversation.of_group("announcements")
    for ordinal in _shuffled(range(1, 100_000 // scale)):
        yield group, ordinal, [77]


SCENARIOS = (
    Scenario("one huge group", 100_000, one_huge_group),
    Scenario("many small groups", 5, many_small_groups),
    Scenario("one message read by all", 100_000, one_message_read_by_all),
    Scenario("the same, in batches of 1,000", 100_000, one_message_read_by_all, stream_batch=1000),
)


def ours(scenario: Scenario, scale: int) -> Iterator[Write]:
    """A row of Reads for each call and block; and the tiles and sums of each batch of stream records.

    Records of one partition key come in one shard, so a batch is made of the records of few keys.
    """
    waiting: dict[int, list[tuple[TileKey, int]]] = {}
    for conversation, ordinal, seqs in scenario.calls(scale):
        for block in {block_of(seq) for seq in seqs}:
            key = _partition_key(reads.TABLE, reads._key(conversation, ordinal, block))
            yield reads.TABLE, key, 1
            shard = _partition_of(reads.TABLE, key)
            batch = waiting.setdefault(shard, [])
            batch.append((TileKey(conversation, block, segment_of(ordinal)), len(seqs)))
            if len(batch) == scenario.stream_batch:
                yield from _fold(waiting.pop(shard), scenario.members)
    for batch in waiting.values():
        yield from _fold(batch, scenario.members)


def _fold(batch: list[tuple[TileKey, int]], members: int) -> Iterator[Write]:
    """A write for each tile of a batch, and for each node above them up to the topmost.

    A node is taken to have all its slots, which makes it as large as it gets.
    """
    tiles = dict(batch)
    for key in tiles:
        yield receipts.TABLE, _partition_key(receipts.TABLE, receipts._key(key)), 1
    children = {NodeKey(key.conversation, key.block, 0, key.segment): count for key, count in tiles.items()}
    for _ in range(level_of(members)):
        children = {child.parent: count for child, count in children.items()}
        for node, count in children.items():
            units = _node_units(node.level, count)
            yield sums.TABLE, _partition_key(sums.TABLE, sums._key(node)), units


@cache
def _node_units(level: int, messages: int) -> int:
    """The write units of a node that counts so many messages of a block."""
    slot = pack(dict.fromkeys(range(messages), 1), level)
    row = {
        **{f"s{number}": slot for number in range(FAN_OUT)},
        **{f"v{number}": 1_795_413_950_123 for number in range(FAN_OUT)},
    }
    return math.ceil(item_bytes(dynamo.item(row)) / 1024)


def baseline(scenario: Scenario, scale: int) -> Iterator[Write]:
    """A row and a counter for each receipt, both under the message's ID."""
    for conversation, _, seqs in scenario.calls(scale):
        for seq in seqs:
            msg_id = _msg_id(conversation, seq)
            yield "BaselineReads", msg_id, 1
            yield "BaselineCounts", msg_id, 1


DESIGNS = {"ours": ours, "baseline": baseline}


def _partition_key(table: str, key: dict[str, Any]) -> str:
    """The value by which DynamoDB spreads the rows of a table, out of a row's whole key."""
    return str(key[TABLES[table]["KeySchema"][0]["AttributeName"]])


_msg_id = cache(encode_msg_id)


@cache
def _partition_of(table: str, key: str) -> int:
    digest = hashlib.md5(f"{table}\0{key}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") * PARTITIONS >> 64


def simulate(scenario: Scenario, design: str, scale: int = 1) -> Row:
    """What each table's busiest partition and key get, and how long the scenario takes at the very least."""
    by_key: Counter[tuple[str, str]] = Counter()
    for table, key, units in DESIGNS[design](scenario, scale):
        by_key[table, key] += int(units)
    by_partition: Counter[tuple[str, int]] = Counter()
    total: Counter[str] = Counter()
    for (table, key), units in by_key.items():
        by_partition[table, _partition_of(table, key)] += units
        total[table] += units
    (busiest_table, _), most = by_partition.most_common(1)[0]
    (_, busiest_key), most_of_a_key = by_key.most_common(1)[0]
    receipts_written = sum(len(seqs) for _, _, seqs in scenario.calls(scale))
    return {
        "section": "hot spots",
        "scenario": scenario.name,
        "design": design,
        "receipts": receipts_written,
        "write_units": float(sum(total.values())),
        "keys": len(by_key),
        "partitions": PARTITIONS,
        "busiest_table": busiest_table,
        "busiest_partition_units": most,
        # 1: as even as can be; PARTITIONS: all in one.
        "unevenness": most / (total[busiest_table] / PARTITIONS),
        "busiest_key": busiest_key,
        "busiest_key_units": most_of_a_key,
        "seconds_at_least": most / PARTITION_WRITE_UNITS,
        "units_by_partition": {
            table: sorted((by_partition[table, number] for number in range(PARTITIONS)), reverse=True)
            for table in sorted(total)
        },
    }


def measure(*, is_quick: bool) -> list[Row]:
    """All scenarios in both designs."""
    scale = 100 if is_quick else 1
    return [simulate(scenario, design, scale) for scenario in SCENARIOS for design in DESIGNS]
