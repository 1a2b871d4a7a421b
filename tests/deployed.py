"""The packaged stack, deployed by its own template to a local AWS, once for all tests that ask for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chalicelib import tokens
from stack.local_stack import LocalStack, local_stack
from tests.e2e.people import User


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    log: Path = tmp_path_factory.mktemp("stack") / "ministack.log"
    with local_stack(log) as stack:
        yield stack


@pytest.fixture
def user(stack: LocalStack) -> Iterator[Callable[[str], User]]:
    """Somebody with a token, by userID."""
    with ExitStack() as open_:

        def make(user_id: str) -> User:
            token = tokens.mint(user_id, 3600, stack.token_key)
            return open_.enter_context(User(stack.http, stack.websocket, user_id, token))

        yield make
