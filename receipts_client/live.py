"""A socket that stays: whenever it ends it is opened again, until it is closed."""

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from receipts_client.backoff import Backoff
from receipts_client.refusal import Refused
from receipts_client.shapes import Json

log = logging.getLogger("receipts_client")

# What ends an attempt, or a connection, and may be over in a moment.
PASSING = (OSError, TimeoutError, WebSocketException)


@dataclass(frozen=True)
class Ears:
    """Whom a connection asks, and whom it tells."""

    url: Callable[[], Awaitable[str]]  # where to connect, with a token that is good now
    why_refused: Callable[[], Awaitable[Refused | None]]  # a handshake cannot say it; None: it may pass
    catch_up: Callable[[], Coroutine[Any, Any, None]]  # if it raises, the connection is given up and opened again
    heard: Callable[[Json], None]  # an event
    connecting: Callable[[], None]
    connected: Callable[[], None]
    failed: Callable[[Exception], None]  # with a Refused there will be no other attempt


class Live:
    """The connection of one device."""

    def __init__(self, ears: Ears, backoff: Backoff, timeout_s: float, ping_every_s: float) -> None:
        self._ears, self._backoff = ears, backoff
        self._timeout_s, self._ping_every_s = timeout_s, ping_every_s
        self._socket: ClientConnection | None = None
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._request_ids = map(str, itertools.count(1))
        self._running: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection just now."""
        return self._socket is not None

    async def open(self) -> None:
        """Connect, and stay so. Raises what the first attempt fails with: Refused, OSError or WebSocketException."""
        if self._running and not self._running.done():
            return
        socket = await self._connect()
        self._socket = socket
        self._running = asyncio.create_task(self._run(socket))

    async def close(self) -> None:
        """End the connection for good."""
        if self._running:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None

    async def ask(self, action: str, **fields: Any) -> Json:
        """Send a frame and wait for its answer. Raises Refused, ConnectionError without a connection, TimeoutError."""
        if self._socket is None:
            raise ConnectionError("not connected just now")
        request_id = next(self._request_ids)
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps({"action": action, "requestID": request_id, **fields}))
            said: Json = await asyncio.wait_for(answer, self._timeout_s)
        except ConnectionClosed as error:
            raise ConnectionError("the connection was lost") from error
        finally:
            del self._answers[request_id]
        if said["code"]:
            raise Refused(said["code"], said["desc"])
        return said

    async def _connect(self) -> ClientConnection:
        self._ears.connecting()
        try:
            socket = await connect(await self._ears.url(), open_timeout=self._timeout_s)
        except InvalidStatus as error:
            refused = await self._ears.why_refused() if error.response.status_code in (401, 403) else None
            self._ears.failed(refused or error)
            if refused:
                raise refused from error
            raise
        except PASSING as error:
            self._ears.failed(error)
            raise
        self._ears.connected()
        return socket

    async def _run(self, socket: ClientConnection) -> None:
        """Listen, and connect again whenever the connection ends."""
        while True:
            await self._listen(socket)
            for attempt in itertools.count():
                await asyncio.sleep(self._backoff.pause_s(attempt))
                try:
                    socket = self._socket = await self._connect()
                except Refused:
                    return
                except Exception as error:  # noqa: BLE001  # whatever it was, the next attempt may succeed
                    log.info("could not connect: %r", error)
                else:
                    break

    async def _listen(self, socket: ClientConnection) -> None:
        """Hear what comes until the connection ends, and meanwhile catch up and keep it alive."""
        beside = [
            asyncio.create_task(self._or_end(socket, self._ears.catch_up())),
            asyncio.create_task(self._or_end(socket, self._keep_alive())),
        ]
        try:
            async with socket:
                async for text in socket:
                    self._hear(text)
        except ConnectionClosed:
            pass
        finally:
            self._socket = None
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the connection was lost"))

    def _hear(self, text: str | bytes) -> None:
        """An event, or the answer to a frame. One that makes no sense is passed over."""
        try:
            frame: Json = json.loads(text)
            if "event" in frame:
                self._ears.heard(frame)
                return
            answer = self._answers.get(str(frame["requestID"]))
        except Exception:
            log.exception("a frame made no sense")
            return
        if answer and not answer.done():
            answer.set_result(frame)

    async def _keep_alive(self) -> None:
        """Say something now and then: API Gateway ends sockets that are silent for ten minutes."""
        while True:
            await asyncio.sleep(self._ping_every_s)
            await self.ask("ping")

    @staticmethod
    async def _or_end(socket: ClientConnection, doing: Coroutine[Any, Any, None]) -> None:
        """Do this, and if it cannot be done, end the connection, so that it begins anew."""
        try:
            await doing
        except Exception as error:  # noqa: BLE001  # whatever it was, a new connection is what helps
            log.info("the connection is opened again: %r", error)
            await socket.close()
