"""What DynamoDB charges, by its own account: ReturnConsumedCapacity of the very writes that the service makes."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.core.audience import Membership
from chalicelib.core.console import NEVER_S
from chalicelib.core.conversation import Conversation
from chalicelib.core.tiles import BLOCK_SIZE, SEGMENT_SIZE, Tile, TileKey
from chalicelib.store import dynamo, reads, receipts
from stack.local_stack import LocalStack
from tests.tables import create_tables

# The longest names that are allowed, so that no other row is larger.
GROUP = Conversation.of_group("g" * 48)
USER = "u" * 32
NOW_MS = 1_795_413_950_123


class Bill:
    """The write units of each request since the last look."""

    def __init__(self) -> None:
        self._units: list[tuple[str, float]] = []

    def add(self, model: Any, parsed: dict[str, Any], **_: Any) -> None:
        if "ConsumedCapacity" in parsed and model.name in ("UpdateItem", "PutItem"):
            self._units.append((model.name, parsed["ConsumedCapacity"]["CapacityUnits"]))

    def since_last_look(self) -> list[tuple[str, float]]:
        units, self._units = self._units, []
        return units


@pytest.fixture
def bill(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bill]:
    """The tables on the local AWS under their plain names, and an account of what is written to them."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.aws.url)
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
