"""One scene for each module of tests, put back after every test."""

import json
from collections.abc import Iterator

import pytest

from tests.attackers.scene import SECRETS, Scene


@pytest.fixture(scope="module")
def _set_up() -> Iterator[Scene]:
    with Scene.set_up() as scene:
        yield scene


@pytest.fixture
def scene(_set_up: Scene, capfd: pytest.CaptureFixture[str]) -> Iterator[Scene]:
    """The scene; and whatever was done to it, its log has neither secrets nor tokens nor failures in it."""
    yield _set_up
    _set_up.restore()
    log = capfd.readouterr().err
    assert all(isinstance(json.loads(line), dict) for line in log.splitlines())
    assert "Traceback" not in log
    assert not [secret for secret in (*SECRETS[:2], *(user.token for user in _set_up.people.values())) if secret in log]
