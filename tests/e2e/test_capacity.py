"""What DynamoDB charges, by its own account: ReturnConsumedCapacity of the very writes that the service makes."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import counting
from chalicelib.core.audience import Membership
from chalicelib.core.console import NEVER_S
from chalicelib.core.conversation import Conversation
from chalicelib.core.message import Header
from chalicelib.core.sums import NodeKey
from chalicelib.core.tiles import BLOCK_SIZE, SEGMENT_SIZE, Tile, TileKey
from chalicelib.store import dynamo, reads, receipts, sums
from stack.local_stack import LocalStack
from tests.tables import create_tables

# The longest names that are allowed, so that no other row is larger.
GROUP = Conversation.of_group("g" * 48)
USER = "u" * 32
NOW_MS = 1_795_413_950_123


class Bill:
    """The units of each request since the last look."""

    def __init__(self) -> None:
        self._written: list[tuple[str, float]] = []
        self._read: list[tuple[str, float]] = []

    def add(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if "ConsumedCapacity" not in parsed:
            return
        consumed = parsed["ConsumedCapacity"]
        units = sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed]))
        (self._written if model.name in ("UpdateItem", "PutItem") else self._read).append((model.name, units))

    def since_last_look(self) -> list[tuple[str, float]]:
        units, self._written = self._written, []
        self._read.clear()
        return units

    def reads_since_last_look(self) -> list[tuple[str, float]]:
        units, self._read = self._read, []
        return units


@pytest.fixture
def bill(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bill]:
    """The tables on the local AWS under their plain names, and an account of what is written to them."""
    for name, value in stack.aws.environment.items():
        monkeypatch.setenv(name, value)
    dynamo.client.cache_clear()
    create_tables()
    bill = Bill()
    hooks = dynamo.client().meta.events
    hooks.register("provide-client-params.dynamodb.*", _ask_for_capacity)  # type: ignore[arg-type]  # a hook may answer
    hooks.register("after-call.dynamodb.*", bill.add)
    yield bill
    for table in dynamo.client().list_tables()["TableNames"]:
        if "-" not in table:
            dynamo.client().delete_table(TableName=table)
    dynamo.client.cache_clear()


def _ask_for_capacity(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
    if "ReturnConsumedCapacity" in model.input_shape.members:
        return {**params, "ReturnConsumedCapacity": "TOTAL"}
    return params


@pytest.mark.parametrize("count", [1, 2, 30, BLOCK_SIZE])
def test_receipts_for_up_to_64_messages_of_a_block_cost_one_write_unit(bill: Bill, count: int) -> None:
    reader = Membership(ordinal=10**9 + count, user_id=USER, joined_seq=0)

    reads.record(GROUP, reader, 10**9, range(count), NOW_MS)
    reads.record(GROUP, reader, 10**9, range(count), NOW_MS + 1)

    assert bill.since_last_look() == [("UpdateItem", 1), ("UpdateItem", 1)]


def test_putting_a_row_off_for_its_retention_costs_one_more_write_and_only_when_it_is_due(bill: Bill) -> None:
    reader = Membership(ordinal=8, user_id=USER, joined_seq=0)

    reads.record(GROUP, reader, 0, [1], NOW_MS, expires_at_s=1000)
    reads.record(GROUP, reader, 0, [2], NOW_MS, expires_at_s=1000)
    reads.record(GROUP, reader, 0, [3], NOW_MS, expires_at_s=2000)
    reads.record(GROUP, reader, 0, [1], NOW_MS, expires_at_s=1000)

    assert bill.since_last_look() == [("UpdateItem", 1)] * 5


def test_64_receipts_one_by_one_cost_one_write_unit_each(bill: Bill) -> None:
    reader = Membership(ordinal=7, user_id=USER, joined_seq=0)

    for offset in range(BLOCK_SIZE):
        reads.record(GROUP, reader, 0, [offset], NOW_MS)

    assert bill.since_last_look() == [("UpdateItem", 1)] * BLOCK_SIZE


def test_a_tile_update_in_a_group_of_80_costs_one_write_unit(bill: Bill) -> None:
    key = TileKey(GROUP, block=10**9, segment=10**6)

    for ordinal in range(SEGMENT_SIZE):
        receipts.add(key, Tile(0, dict.fromkeys(range(BLOCK_SIZE), 1 << ordinal), NEVER_S))

    assert bill.since_last_look() == [("PutItem", 1)] * SEGMENT_SIZE
    full = receipts.of_block(GROUP, 10**9)[0]
    assert all(full.bits[offset] == 2**SEGMENT_SIZE - 1 for offset in range(BLOCK_SIZE))


@pytest.mark.parametrize(("messages", "units"), [(1, [1, 1]), (BLOCK_SIZE, [4, 5])])
def test_a_fold_in_a_group_of_100_000_writes_two_nodes_of_a_few_kb(bill: Bill, messages: int, units: list[int]) -> None:
    """However many of them have read it, and in the worst case: all 64 messages of the block, all read by everybody."""
    offsets = range(BLOCK_SIZE - messages, BLOCK_SIZE)
    everybody = 2**SEGMENT_SIZE - 1
    tiles = {
        TileKey(GROUP, 10**9, segment): Tile(SEGMENT_SIZE, dict.fromkeys(offsets, everybody), NEVER_S)
        for segment in range(100_000 // SEGMENT_SIZE)
    }
    filled = counting.carry_up(tiles, {10**9: 2})
    assert filled[NodeKey(GROUP, 10**9, 2, 0)] == dict.fromkeys(offsets, 100_000)
    bill.since_last_look()

    last = TileKey(GROUP, 10**9, 100_000 // SEGMENT_SIZE)
    counting.carry_up({last: Tile(1, dict.fromkeys(offsets, 1), NEVER_S)}, {10**9: 2})
    counting.carry_up(
        {next(iter(tiles)): Tile(SEGMENT_SIZE + 1, dict.fromkeys(offsets, everybody), NEVER_S)}, {10**9: 2}
    )

    assert bill.since_last_look()[2:] == [("UpdateItem", each) for each in units]


def test_the_count_of_a_message_in_a_group_of_100_000_is_one_small_item_to_read(bill: Bill) -> None:
    header = Header(GROUP, BLOCK_SIZE, USER, 0, 99_999, True, NOW_MS, next_ordinal=100_000)
    tiles = {TileKey(GROUP, 1, segment): Tile(1, {0: 1}, NEVER_S) for segment in range(100_000 // SEGMENT_SIZE)}
    counting.carry_up(tiles, {1: 2})
    place = counting.place_of(header)
    assert place
    bill.since_last_look()

    assert counting.counts(GROUP, [header]) == {BLOCK_SIZE: 1250}
    dynamo.get(sums.TABLE, sums.lookup([place]).keys[0], consistent=True)  # it does not say what a batch has cost
    assert bill.reads_since_last_look() == [("GetItem", 1)]
