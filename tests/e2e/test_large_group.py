"""Large groups: invited in bulk, everybody reads, and every number is exact."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from bench import large_group
from stack.local_stack import LocalStack
from tests.e2e.people import User

MEMBERS = 299
MESSAGES = 30


def test_three_hundred_members_read_thirty_messages_and_every_number_is_exact(user: Callable[[str], User]) -> None:
    owner = user("big-owner")
    names = [f"big-{number:03}" for number in range(MEMBERS)]
    owner.create_group("big", [])
    results = owner.call("POST", "/groups/big/members", {"userList": names})["resultList"]
    assert [(each["userID"], each["code"]) for each in results] == [(name, 0) for name in names]
    messages = [owner.send(f"{number}", group="big") for number in range(MESSAGES)]
    readers = [name for number, name in enumerate(names) if number % 10]  # one in ten does not read the last one
    clients = [user(name) for name in names]

    def read(client: User) -> list[int]:
        return client.read(*(messages if client.user_id in set(readers) else messages[:-1]))

    with owner.device() as device:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(read, clients))
        assert {code for answer in answers for code in answer} == {0}
        for message in messages[:-1]:
            assert device.wait_for_count(message["msgID"], MEMBERS)["unreadCount"] == 0
        last = device.wait_for_count(messages[-1]["msgID"], len(readers))

    assert (last["readCount"], last["unreadCount"]) == (len(readers), MEMBERS - len(readers))
    counts = [(each["readCount"], each["unreadCount"]) for each in owner.receipts(*messages)]
    assert counts == [(MEMBERS, 0)] * (MESSAGES - 1) + [(len(readers), MEMBERS - len(readers))]
    assert owner.read_members(messages[0], "read") == names
    assert owner.read_members(messages[0], "unread") == []
    assert owner.read_members(messages[-1], "read") == readers
    assert owner.read_members(messages[-1], "unread") == [name for name in names if name not in set(readers)]


def test_thousands_are_invited_by_one_call_and_told_of_a_message_range_by_range(user: Callable[[str], User]) -> None:
    owner = user("crowd-owner")
    owner.create_group("crowd", [])
    names = [f"crowd-{number:04}" for number in range(3000)]

    results = owner.call("POST", "/groups/crowd/members", {"userList": names})["resultList"]

    assert [(each["userID"], each["code"]) for each in results] == [(name, 0) for name in names]
    assert owner.call("GET", "/groups/crowd")["memberCount"] == 3001
    last = user(names[-1])
    with last.device() as device:
        message = owner.send("hello", group="crowd")
        assert device.wait_for_message(message["msgID"])["text"] == "hello"


def test_four_thousand_members_read_a_message_but_one_and_then_the_last(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enough for two levels of sums. With 100,000 it is `python -m bench.large_group`."""
    for name, value in large_group.tables_of(stack).items():
        monkeypatch.setenv(name, value)

    with closing(large_group.Service(stack)) as service:
        large_group.play(service, 4000)
