"""The environment of all tests that run in this process: the service's settings, and an AWS that is not there."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from stack.local_aws import CREDENTIALS
from tests.tables import TABLES

# Before anything of the service is imported. The keys are examples and open nothing.
os.environ.update(
    {
        **CREDENTIALS,  # those of the local AWS for moto too: boto3's session keeps the first it sees
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # moto does not know the account-based hosts
        "PUSH_ENDPOINT": "https://sockets.execute-api.us-east-1.amazonaws.com/api",
        **{f"{name.upper()}_TABLE": name for name in TABLES},
    }
)
os.environ.pop("AWS_ENDPOINT_URL", None)

# No example is too slow on a busy machine; in CI every run tries the same examples.
settings.register_profile("any machine", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("any machine")

from chalicelib import keys as stack_keys  # noqa: E402  # after the environment is set
from chalicelib import limits  # noqa: E402
from tests.deployed import stack, user  # noqa: E402, F401  # fixtures
from tests.fakes import EXAMPLE_KEYS, FakeKeys  # noqa: E402
from tests.world import World  # noqa: E402


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> FakeKeys:
    """The stack's keys: examples that open nothing."""
    fake = FakeKeys(**EXAMPLE_KEYS)
    monkeypatch.setattr(stack_keys, "stored", fake.stored)
    stack_keys.forget()
    return fake


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The whole service on moto: empty tables, no sockets, streams that wait to be pumped."""
    monkeypatch.setattr(limits, "INVITE_DEADLINE_S", 600)  # moto is slow on a busy machine, and no client waits here
    with World.on_moto() as world:
        yield world
