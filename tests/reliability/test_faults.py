"""Every flow, with every fault at every one of its calls to AWS: the caller hears the truth, and trying again helps.

Each flow is run once to list its calls, and then once for each of them and each kind of fault.
"""

import os
from collections.abc import Iterator
from itertools import count
from unittest.mock import patch

import pytest

from chalicelib import push, queue
from chalicelib.store import dynamo
from tests.reliability import guarantees, profile
from tests.reliability.faults import Calls, Fault, Killed
from tests.reliability.traffic import FLOWS, Flow
from tests.world import World

# In the short profile each call meets one kind of fault, its neighbours the next ones.
_EVERY = len(Fault)

# Attempts of a caller who is told to try again. The first comes right after the fault.
_TRIES = 3

_tags = map("{:x}".format, count())


@pytest.fixture(scope="module")
def one_world() -> Iterator[World]:
    """One world for all of this: each run has names of its own in it."""
    queue.client.cache_clear()
    with World.on_moto() as world, patch.dict(os.environ):
        yield world
    queue.client.cache_clear()


@pytest.fixture(scope="module")
def calls(one_world: World) -> Calls:
    return Calls(dynamo.client(), push.client(), queue.client())


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_a_fault_at_any_call_is_survived(one_world: World, calls: Calls, flow: type[Flow]) -> None:
    """No fault loses an accepted receipt or counts one twice, and whoever tries again ends in the right state."""
    run = _prepared(flow, one_world)
    with calls.counted():
        run.told = run.act()
    assert run.told, "without a fault it is simply done"
    made = list(calls.made)
    assert made
    run.look()
    for number, fault in _strikes(len(made)):
        if not run.only_asks:
            run = _prepared(flow, one_world)
        try:
            _survives(run, calls, number, fault)
        except Exception as error:
            error.add_note(f"{flow.__name__}, call {number} ({made[number - 1]}) of {made}: {fault.value}")
            raise
        guarantees.survived[fault.value, "each call of each flow"] += 1


def _prepared(flow: type[Flow], world: World) -> Flow:
    world.begins_anew()
    return flow(world, next(_tags))


def _strikes(calls_made: int) -> list[tuple[int, Fault]]:
    """Which calls meet which faults: all meet all in the long profile, and else each meets one, in turn."""
    every = 1 if profile.is_long() else _EVERY
    return [
        (number, fault)
        for number in range(1, calls_made + 1)
        for index, fault in enumerate(Fault)
        if (number + index) % every == 0
    ]


def _survives(run: Flow, calls: Calls, number: int, fault: Fault) -> None:
    run.told = False
    try:
        with calls.counted(number, fault):
            run.told = run.act()
    except Killed:
        assert fault.kills
    run.struck = calls.struck
    assert run.struck
    run.look()
    run.struck = ""
    run.told = any(run.act() for _ in range(_TRIES))  # also if the caller was told: the answer may be lost behind us
    assert run.told, "trying again does not help"
    run.look()
