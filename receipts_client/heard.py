"""A listener that remembers what it heard and can be waited on, for scripts and tests."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from receipts_client.client import Listener
from receipts_client.shapes import Json, Message, Receipt

T = TypeVar("T")

# What a push may take on a busy machine before a script gives up.
PATIENCE_S = 30.0


class Heard(Listener):
    """All that was heard, in order: `events` as the service spells them, and messages and receipts by msgID."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self.messages: dict[str, Message] = {}
        self.receipts: dict[str, Receipt] = {}
        self._more = asyncio.Event()

    def on_recv_new_message(self, message: Message) -> None:
        self.messages[message["msgID"]] = message
        self._note("onRecvNewMessage", message=message)

    def on_recv_message_read_receipts(self, receipts: list[Receipt]) -> None:
        self.receipts.update((receipt["msgID"], receipt) for receipt in receipts)
        self._note("onRecvMessageReadReceipts", receiptList=receipts)

    def on_recv_c2c_read_receipt(self, receipts: list[Receipt]) -> None:
        self._note("onRecvC2CReadReceipt", receiptList=receipts)

    def on_conversation_read(self, conversation_id: str, last_read_seq: int) -> None:
        self._note("onConversationRead", conversationID=conversation_id, lastReadSeq=last_read_seq)

    def on_connect_success(self) -> None:
        self._note("onConnectSuccess")

    def on_connect_failed(self, error: Exception) -> None:
        self._note("onConnectFailed", error=error)

    def on_user_sig_expired(self) -> None:
        self._note("onUserSigExpired")

    def on_sync_server_finish(self) -> None:
        self._note("onSyncServerFinish")

    async def message(self, msg_id: str) -> Message:
        """A message, once it has come."""
        return await self.wait_for(lambda: self.messages.get(msg_id))

    async def count(self, msg_id: str, read_count: int) -> Receipt:
        """The receipt of a message, once it says that so many have read it."""

        def told() -> Receipt | None:
            receipt = self.receipts.get(msg_id)
            return receipt if receipt and receipt["readCount"] >= read_count else None

        return await self.wait_for(told)

    async def event(self, name: str, times: int = 1) -> Json:
        """The last event of this name, once there have been so many."""

        def told() -> Json | None:
            found = [event for event in self.events if event["event"] == name]
            return found[-1] if len(found) >= times else None

        return await self.wait_for(told)

    async def wait_for(self, wanted: Callable[[], T | None], patience_s: float = PATIENCE_S) -> T:
        """What is wanted, once it has been heard. TimeoutError if it does not come in time."""
        async with asyncio.timeout(patience_s):
            while (found := wanted()) is None:
                await self._more.wait()
        return found

    def _note(self, event: str, **carried: object) -> None:
        self.events.append({"event": event, **carried})
        waited_for, self._more = self._more, asyncio.Event()
        waited_for.set()
