"""What can go wrong with a call to AWS, and the means to let it go wrong with any one of them.

A fault strikes one call of what is under way, as seen by the code that made it: the SDK's own attempts are over, unless
they are what the fault is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from enum import Enum
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from chalicelib import kept, keys
from chalicelib.store import console


class Fault(Enum):
    """What happens to a call."""

    NEVER_ARRIVED = "never arrived"  # and nor did the SDK's further attempts
    ANSWER_LOST = "arrived, answer lost"
    THROTTLED = "throttled"
    FAILED = "500"  # though it was done
    TIMED_OUT = "timed out"  # though it was done; the SDK tried again, so it was done twice
    KILLED_BEFORE = "process killed before"
    KILLED_AFTER = "process killed after"

    @property
    def kills(self) -> bool:
        return self in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)


class Killed(BaseException):
    """The process has ended. Not an Exception, so that nothing which catches those goes on as if it had not."""


class Calls:
    """The calls to AWS of some clients: counted, listed, and struck."""

    def __init__(self, *clients: BaseClient) -> None:
        self.made: list[str] = []
        self.struck = ""
        self._fault: Fault | None = None
        self._number = 0
        self._meanwhile: Callable[[], None] | None = None
        self._is_counting = False
        self._is_dead = False
        self._is_this = False
        self._attempts = 0
        for client in clients:
            client.meta.events.register_first("before-call", self._before)  # type: ignore[arg-type]  # a hook may answer
            client.meta.events.register_last("before-send", self._sent)
            client.meta.events.register_first("after-call", self._after)

    @contextmanager
    def counted(
        self, number: int = 0, fault: Fault | None = None, meanwhile: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """Count calls of a new process, from 1, as long as this lasts; the call with that number meets the fault.

        `made` then lists them, and `struck` is the one that was struck, empty if there were not so many. `meanwhile` is
        what another process does right before that call.
        """
        self.made, self.struck = [], ""
        self._meanwhile = meanwhile
        self._number, self._fault = number, fault
        self._is_counting = True
        self._is_dead = self._is_this = False
        restart()
        try:
            with _one_thread(), patch("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None)):
                yield
        finally:
            self._is_counting = False
            if self._is_dead:
                restart()

    def _before(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        self._is_this = False
        if not self._is_counting:
            return None
        if self._is_dead:
            raise Killed  # a dead process does nothing more, not even in a `finally`
        self.made.append(model.name)
        is_this = len(self.made) == self._number
        if is_this and self._meanwhile:
            self._is_counting = False
            self._meanwhile()
            self._is_counting = True
        self._is_this = is_this and self._fault is not None
        if not self._is_this:
            return None
        self.struck, self._attempts = model.name, 0
        match self._fault:
            case Fault.KILLED_BEFORE:
                self._is_dead = True
                raise Killed
            case Fault.NEVER_ARRIVED:
                raise ConnectTimeoutError(endpoint_url="https://nowhere")
            case Fault.THROTTLED:
                return _throttled(model)
        return None

    def _sent(self, **_: Any) -> None:
        """Behind moto, which has done what was asked."""
        if self._is_this and self._fault is Fault.TIMED_OUT:
            self._attempts += 1
            if self._attempts == 1:
                raise ReadTimeoutError(endpoint_url="https://somewhere")

    def _after(self, http_response: AWSResponse, parsed: dict[str, Any], **_: Any) -> None:
        if not self._is_this:
            return
        match self._fault:
            case Fault.KILLED_AFTER:
                self._is_dead = True
                raise Killed
            case Fault.ANSWER_LOST:
                raise ReadTimeoutError(endpoint_url="https://somewhere")
            case Fault.FAILED:
                http_response.status_code = 500
                parsed.clear()
                parsed.update(_error("InternalServerError", 500))


def restart() -> None:
    """A new process: nothing of what the last one kept in memory. The clients may stay, they know nothing."""
    console.forget()
    kept.forget_all()
    keys.forget()


def _throttled(model: Any) -> tuple[AWSResponse, dict[str, Any]]:
    if model.service_model.service_name == "dynamodb":
        code, status = "ProvisionedThroughputExceededException", 400
    else:
        code, status = "LimitExceededException", 429
    return AWSResponse("", status, HTTPHeaders(), None), _error(code, status)


def _error(code: str, status: int) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": "injected"}, "ResponseMetadata": {"HTTPStatusCode": status}}


@contextmanager
def _one_thread() -> Iterator[None]:
    """Pools do what they are given at once, so that the calls of a run have one order."""

    def submit(_: Any, deed: Any, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(deed(*arguments, **named))
        except BaseException as error:  # noqa: BLE001  # as a pool does
            future.set_exception(error)
        return future

    with patch.object(ThreadPoolExecutor, "submit", submit):
        yield
