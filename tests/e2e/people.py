"""Users and their devices on the deployed stack, in the domain's verbs: the Python client, without `await`.

The client runs on one event loop in a thread of its own, so that tests read from top to bottom.
"""

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from types import TracebackType
from typing import Any, TypeVar, cast

from receipts_client import Client, Heard, Message, Options, Receipt, Refused
from receipts_client.shapes import Filter

__all__ = ["Device", "Json", "Refused", "User"]

Json = dict[str, Any]
T = TypeVar("T")

# Every read is a call of its own: what is gathered is tested where that is the claim.
_AT_ONCE = Options(gather_s=0)


class User:
    """A user's calls."""

    def __init__(self, http: str, websocket: str, user_id: str, token: str) -> None:
        self.user_id, self.token = user_id, token
        self._bases = http, websocket
        self._client = Client(http, websocket, token, options=_AT_ONCE)

    def __enter__(self) -> "User":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _done(self._client.close())

    def call(self, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """Any call. Raises Refused for whatever is not a 200."""
        return _done(self._client.call(method, path, body, **query))

    def create_group(self, group_id: str, members: list[str], group_type: str = "Work", name: str = "") -> Json:
        return cast(Json, _done(self._client.create_group(group_id, members, group_type=group_type, name=name)))

    def send(self, text: str, *, user: str = "", group: str = "") -> Json:
        """Send a text that asks for a read receipt, to a user or a group."""
        sending = self._client.send_message(user_id=user, group_id=group, text=text, need_read_receipt=True)
        return cast(Json, _done(sending))

    def history(self, conversation_id: str) -> Json:
        return cast(Json, _done(self._client.get_history_message_list(conversation_id)))

    def read(self, *messages: Json) -> list[int]:
        """Send read receipts; the code of each."""
        sent = _done(self._client.send_message_read_receipts(cast(list[Message], messages)))
        return [each["code"] for each in sent["resultList"]]

    def receipts(self, *messages: Json) -> list[Json]:
        """Ask for the receipts of own messages."""
        found = _done(self._client.get_message_read_receipts(cast(list[Message], messages)))
        return cast(list[Json], found["receiptList"])

    def read_members(self, message: Json, filter_: Filter) -> list[str]:
        """The userIDs of all who have, or have not, read an own message."""

        async def members() -> list[str]:
            found = self._client.group_message_read_members(cast(Message, message), filter_)
            return [member["userID"] async for member in found]

        return _done(members())

    def device(self, sdk_version: str = "") -> "Device":
        """Another device of this user, connected for as long as a `with` lasts."""
        return Device(Client(*self._bases, self.token, sdk_version=sdk_version, options=_AT_ONCE))


class Device:
    """A live connection, for as long as a `with` lasts."""

    def __init__(self, client: Client) -> None:
        self._client, self._heard = client, Heard()
        client.add_listener(self._heard)

    def __enter__(self) -> "Device":
        _done(self._client.login())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _done(self._client.close())

    @property
    def events(self) -> list[Json]:
        """What the service told, in order."""
        return [event for event in self._heard.events if not event["event"].startswith("onConnect")]

    @property
    def receipts(self) -> dict[str, Receipt]:
        """The latest receipt of each msgID that was pushed."""
        return self._heard.receipts

    def say(self, action: str, **fields: Any) -> Json:
        """Send a frame and wait for its answer."""
        return _done(self._client.say(action, **fields))

    def wait_for_message(self, msg_id: str) -> Json:
        """A message, once it has been pushed."""
        return cast(Json, _done(self._heard.message(msg_id)))

    def wait_for_count(self, msg_id: str, read_count: int) -> Json:
        """The receipt of a message, once it says that so many have read it."""
        return cast(Json, _done(self._heard.count(msg_id, read_count)))

    def wait_for_event(self, event: str) -> Json:
        """The last event of this kind, once there has been one."""
        return _done(self._heard.event(event))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of all clients, which ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="clients").start()
    return loop


def _done(doing: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(doing, _loop()).result()
