"""Receipts that are sent shortly after one another, gathered into one call for each conversation."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from receipts_client.shapes import MessageResult, ReceiptsSent

# What one call takes.
MSG_IDS_PER_CALL_MAX = 100

# A conversation, and whether it is to be marked read as well: what one call can say.
Target = tuple[str, bool]


@dataclass
class _Batch:
    msg_ids: dict[str, None] = field(default_factory=dict)  # a set that keeps its order
    sending: "asyncio.Task[_Sent] | None" = None


@dataclass
class _Sent:
    results: dict[str, MessageResult] = field(default_factory=dict)
    withheld: bool = False


class Gatherer:
    """Holds back what is sent for a moment. Everybody who waits is told what became of their own messages."""

    def __init__(self, send: Callable[[list[str], bool], Awaitable[ReceiptsSent]], gather_s: float) -> None:
        self._send, self._gather_s = send, gather_s
        self._batches: dict[Target, _Batch] = {}
        self._hurry = asyncio.Event()

    async def add(self, target: Target, msg_ids: Sequence[str]) -> ReceiptsSent:
        """Send these messages' receipts with whatever else there is for this conversation within the time."""
        batch = self._batches.setdefault(target, _Batch())
        batch.msg_ids.update(dict.fromkeys(msg_ids))
        if batch.sending is None:
            batch.sending = asyncio.create_task(self._send_later(target, batch))
        sent = await asyncio.shield(batch.sending)  # who gives up waiting gives up for themselves alone
        return {"resultList": [sent.results[msg_id] for msg_id in msg_ids], "withheld": sent.withheld}

    async def flush(self) -> None:
        """Send all that is held back, at once."""
        self._hurry.set()
        under_way = [batch.sending for batch in self._batches.values() if batch.sending]
        await asyncio.gather(*under_way, return_exceptions=True)  # who waits for them is told
        self._hurry.clear()

    async def _send_later(self, target: Target, batch: _Batch) -> _Sent:
        if self._gather_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self._gather_s)
        del self._batches[target]
        msg_ids, sent = list(batch.msg_ids), _Sent()
        for start in range(0, len(msg_ids), MSG_IDS_PER_CALL_MAX):
            answer = await self._send(msg_ids[start : start + MSG_IDS_PER_CALL_MAX], target[1])
            sent.results.update((result["msgID"], result) for result in answer["resultList"])
            sent.withheld = sent.withheld or answer.get("withheld", False)
        return sent
