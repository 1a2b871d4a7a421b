"""Many at once, on the deployed stack: on one message, one conversation item, one tile; and exact when it is quiet."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any

import boto3
import pytest

from chalicelib import audit, counting
from chalicelib.audit import Difference, Mending
from chalicelib.core.conversation import Conversation
from chalicelib.core.sums import NodeKey
from chalicelib.core.tiles import Tile, TileKey
from chalicelib.store import dynamo, receipts, sums
from receipts_client import Refused
from stack.local_stack import STACK_NAME, LocalStack
from tests.e2e.people import User
from tests.reliability import guarantees
from tests.tables import TABLES

Json = dict[str, Any]
MakeUser = Callable[[str], User]

AT_ONCE = 8
_tags = map(str, count())


@pytest.fixture
def tables(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets this process write to the deployed stack's tables, beside its functions."""
    for name, value in stack.aws.environment.items():
        monkeypatch.setenv(name, value)
    resources = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    for page in resources:
        for each in page["StackResourceSummaries"]:
            if each["LogicalResourceId"] in TABLES:
                monkeypatch.setenv(f"{each['LogicalResourceId'].upper()}_TABLE", each.get("PhysicalResourceId", ""))
    dynamo.client.cache_clear()
    yield
    dynamo.client.cache_clear()


def at_once(deeds: list[Callable[[], Any]]) -> list[Any]:
    """Do all of this, several at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda deed: deed(), deeds))


def test_many_read_one_message_at_once_from_two_devices_each(user: MakeUser) -> None:
    tag = next(_tags)
    owner, readers = user(f"owner{tag}"), [user(f"reader{tag}-{number}") for number in range(40)]
    owner.create_group(f"one{tag}", [reader.user_id for reader in readers])
    message = owner.send("hello", group=f"one{tag}")
    with owner.device() as device:
        codes = at_once([partial(reader.read, message) for reader in (*readers, *readers)])
        last = device.wait_for_count(message["msgID"], len(readers))

    assert codes == [[0]] * 2 * len(readers)
    assert (last["readCount"], last["unreadCount"]) == (len(readers), 0)
    assert owner.receipts(message)[0]["readCount"] == len(readers)
    assert sorted(owner.read_members(message, "read")) == sorted(reader.user_id for reader in readers)
    guarantees.checked("Counted once")
    guarantees.checked("Heard")


def test_many_send_at_once_and_each_message_has_a_seq_of_its_own(user: MakeUser) -> None:
    tag = next(_tags)
    senders = [user(f"sender{tag}-{number}") for number in range(AT_ONCE)]
    senders[0].create_group(f"all{tag}", [sender.user_id for sender in senders[1:]])

    sent = at_once([partial(sender.send, "hello", group=f"all{tag}") for sender in senders * 4])

    assert sorted(message["seq"] for message in sent) == list(range(1, len(sent) + 1))
    counts = [sender.receipts(*sent[number::AT_ONCE]) for number, sender in enumerate(senders)]
    assert {(each["readCount"], each["unreadCount"]) for found in counts for each in found} == {(0, AT_ONCE - 1)}


def test_joining_and_leaving_race_with_sending_and_reading_and_every_number_adds_up(user: MakeUser) -> None:
    tag = next(_tags)
    group = f"race{tag}"
    owner, *others = (user(f"racer{tag}-{number}") for number in range(12))
    staying, moving = others[:3], others[3:]
    owner.create_group(group, [each.user_id for each in staying], group_type="Public")
    sent: list[Json] = []
    accepted: set[tuple[str, str]] = set()
    refused: set[tuple[str, str]] = set()

    def sends() -> None:
        for _ in range(4):
            sent.append(owner.send("hello", group=group))

    def moves(mover: User) -> None:
        mover.call("POST", f"/groups/{group}/members", {"userList": [mover.user_id]})
        reads(mover)
        mover.call("DELETE", f"/groups/{group}/members/{mover.user_id}")
        reads(mover)

    def reads(reader: User) -> None:
        for message in list(sent):
            try:
                (code,) = reader.read(message)
            except Refused as error:
                raise AssertionError(f"{error} instead of a code") from error
            (accepted if code == 0 else refused).add((reader.user_id, message["msgID"]))
            assert code in (0, 45001, 45002)

    deeds = [partial(moves, mover) for mover in moving]
    at_once([sends, *deeds[:4], partial(reads, staying[0]), sends, *deeds[4:], partial(reads, staying[1]), sends])

    assert len({message["seq"] for message in sent}) == len(sent) == 12
    with owner.device() as device:
        for message in sent:
            staying[2].read(message)
            accepted.add((staying[2].user_id, message["msgID"]))
        for message in sent:
            read = {user_id for user_id, msg_id in accepted if msg_id == message["msgID"]}
            if owner.receipts(message)[0]["readCount"] < len(read):
                device.wait_for_count(message["msgID"], len(read))
            found, unread = owner.read_members(message, "read"), owner.read_members(message, "unread")
            assert set(found) == read
            assert not {(user_id, message["msgID"]) for user_id in found + unread} & (refused - accepted)
            assert {each.user_id for each in staying} <= set(found + unread)
            (receipt,) = owner.receipts(message)
            assert (receipt["readCount"], receipt["unreadCount"]) == (len(found), len(unread))
            guarantees.checked("Adds up")
            guarantees.checked("Counted once")


@pytest.mark.usefixtures("tables")
def test_many_folds_of_one_tile_and_two_tiles_under_one_sum_lose_nothing() -> None:
    conversation = Conversation.of_group(f"folded{next(_tags)}")
    keys = [TileKey(conversation, 0, segment) for segment in (0, 1)]
    bits = [(key, 1 << number) for number in range(20) for key in keys]

    def fold(key: TileKey, readers: int) -> None:
        counting.carry_up({key: receipts.add(key, Tile(0, {1: readers}, 2**33))}, {0: 1})

    at_once([partial(fold, key, readers) for key, readers in bits])

    assert [tile.bits for tile in receipts.find_many(keys).values()] == [{1: 2**20 - 1}] * 2
    (root,) = sums.find_many([NodeKey(conversation, 0, 1, 0)]).values()
    assert root.counts == {1: 40}
    guarantees.checked("Counted once")


def command(stack: LocalStack, *arguments: str) -> tuple[int, list[Json]]:
    """The audit command's exit code, and the differences it prints."""
    run = subprocess.run(
        [sys.executable, "-m", "stack.audit", "--read-units", "1000", *arguments],
        env={**os.environ, **stack.aws.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode in (0, 1), run.stderr
    return run.returncode, [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.usefixtures("tables")
def test_the_audit_finds_nothing_until_something_is_wrong(
    stack: LocalStack, user: MakeUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After all that other tests did at once; and the command mends what is broken here."""
    tag = next(_tags)
    owner, reader = user(f"audited{tag}"), user(f"auditor{tag}")
    owner.create_group(f"audit{tag}", [reader.user_id])
    message = owner.send("hello", group=f"audit{tag}")
    with owner.device() as device:
        reader.read(message)
        device.wait_for_count(message["msgID"], 1)
    monkeypatch.setattr(audit, "SETTLED_MS", -60_000)  # nothing is on its way any more
    assert [each for each in audit.audit_all(Mending()) if isinstance(each, Difference)] == []
    key = TileKey(Conversation.of_group(f"audit{tag}"), 0, 0)
    right = receipts.find_many([key])[key]
    assert receipts.replace(key, right, Tile(0, {1: 0b110}, right.expires_at_s))
    only = ("--conversation", f"group_audit{tag}")

    exit_code, differences = command(stack, *only)
    assert (exit_code, [each["kind"] for each in differences]) == (1, [audit.EXTRA])
    assert [each["is_mended"] for each in command(stack, *only, "--remove")[1]] == [True]
    assert command(stack, *only) == (0, [])
    assert owner.receipts(message)[0]["readCount"] == 1
