"""`make demo`: a scripted conversation over the real endpoints, and the sender's live view of it.

    python -m stack.demo

Joins `make run` if that is active, else starts a stack of its own. Exits with 1 if anything differs from what it should
be.
"""

import argparse
import asyncio
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from httpx import HTTPError
from websockets import WebSocketException

from chalicelib import tokens
from receipts_client import Client, Heard, Message, Options, Receipt, Refused
from stack.local_stack import local_stack
from stack.run import running_stack

USERS = ("alice", "bob", "carol", "dave", "erin")

# Each receipt is to be seen to arrive, so none waits for others.
_AT_ONCE = Options(gather_s=0)


class Differs(Exception):
    """Something is not as it should be."""


def main() -> int:
    """Play the demo; 0 if everything is as it should be."""
    argparse.ArgumentParser(
        prog="make demo", description="A scripted conversation over the real endpoints, checked as it goes."
    ).parse_args()
    try:
        with _stack() as (http, websocket, minted):
            asyncio.run(_play(http, websocket, minted))
    except Differs as error:
        print(f"\n✗ {error}", file=sys.stderr)
        return 1
    except (OSError, TimeoutError, Refused, HTTPError, WebSocketException) as error:
        print(f"\n✗ The stack did not do its part: {type(error).__name__} {error}", file=sys.stderr)
        return 1
    print("\n✓ All of it is as it should be.")
    return 0


@dataclass
class Person:
    """A user, and the devices they can connect with."""

    user_id: str
    client: Client
    http: str
    websocket: str
    token: str

    @asynccontextmanager
    async def device(self) -> AsyncIterator["Device"]:
        """Another device, connected for as long as an `async with` lasts."""
        async with Client(self.http, self.websocket, self.token, options=_AT_ONCE) as client:
            heard = Heard()
            client.add_listener(heard)
            await client.login()
            yield Device(client, heard)

    async def send(self, text: str, *, user_id: str = "", group_id: str = "") -> Message:
        return await self.client.send_message(user_id=user_id, group_id=group_id, text=text, need_read_receipt=True)

    async def read(self, *messages: Message) -> list[int]:
        """Send read receipts; the code of each."""
        sent = await self.client.send_message_read_receipts(messages)
        return [each["code"] for each in sent["resultList"]]

    async def receipt(self, message: Message) -> Receipt:
        return (await self.client.get_message_read_receipts([message]))["receiptList"][0]


@dataclass
class Device:
    """A connected device, and what it has heard."""

    client: Client
    heard: Heard


async def _play(http: str, websocket: str, minted: dict[str, str]) -> None:
    async with AsyncExitStack() as open_:
        users: dict[str, Person] = {}
        for name in USERS:
            client = await open_.enter_async_context(Client(http, websocket, minted[name], options=_AT_ONCE))
            users[name] = Person(name, client, http, websocket, minted[name])
        phone, laptop = [await open_.enter_async_context(users["alice"].device()) for _ in range(2)]
        await _c2c(users, phone, laptop)
        await _group(users, phone, laptop)


@contextmanager
def _stack() -> Iterator[tuple[str, str, dict[str, str]]]:
    """The running stack, or one for the time being: its HTTP and WebSocket bases, and the users' tokens."""
    if running := running_stack():
        print(f"Joining the stack at {running['http']}")
        yield running["http"], running["websocket"], running["tokens"]
        return
    with tempfile.TemporaryDirectory() as folder, local_stack(Path(folder) / "ministack.log", report=print) as stack:
        yield stack.http, stack.websocket, {user: tokens.mint(user, 3600, stack.token_key) for user in USERS}


async def _c2c(users: dict[str, Person], phone: Device, laptop: Device) -> None:
    """A message to one user, read once."""
    alice, bob = users["alice"], users["bob"]
    print("\nC2C: alice writes to bob and asks for a read receipt. She is connected with two devices.")
    async with bob.device() as his:
        message = await alice.send("今晚七点，老地方？", user_id="bob")
        received = await his.heard.message(message["msgID"])
        _expect("bob's device hears the message", received["text"], message["text"])
        _expect("and that it asks for a receipt", received["needReadReceipt"], True)
    _view(message, await alice.receipt(message), 0)
    _expect("bob sends the receipt", await bob.read(message), [0])
    for name, device in (("phone", phone), ("laptop", laptop)):
        receipt = await device.heard.count(message["msgID"], 1)
        _expect(
            f"alice's {name} is told that bob has read it", (receipt["userID"], receipt["isPeerRead"]), ("bob", True)
        )
    _view(message, await alice.receipt(message), 1)
    again = await bob.read(message), (await alice.receipt(message))["readCount"]
    _expect("bob sends it again: nothing changes", again, ([0], 1))


async def _group(users: dict[str, Person], phone: Device, laptop: Device) -> None:
    """Messages to a group of five, read one by one and in bulk, also from two devices of one user."""
    alice, bob, carol, dave, erin = (users[name] for name in USERS)
    group = f"demo-{secrets.token_hex(4)}"
    print(f"\nGroup: alice makes {group} with bob, carol, dave and erin, and writes three messages.")
    created = await alice.client.create_group(group, USERS[1:])
    _expect("the group has five members", created["memberCount"], 5)
    async with dave.device() as dave_phone, dave.device() as dave_laptop:
        texts = ("明天的会改到十点", "地点不变", "收到请看一下附件")
        messages = [await alice.send(text, group_id=group) for text in texts]
        for device in (dave_phone, dave_laptop):
            for message in messages:
                await device.heard.message(message["msgID"])
        first = messages[0]
        _view(first, await alice.receipt(first), 0)
        for count, reader in enumerate((bob, carol), start=1):
            _expect(f"{reader.user_id} reads the first message", await reader.read(first), [0])
            _view(first, await phone.heard.count(first["msgID"], count), count)
        ids = [message["msgID"] for message in messages]
        for device in (dave_phone, dave_laptop):
            answer = await device.client.say("sendMessageReadReceipts", msgIDs=ids)
            _expect("dave reads all three at once", [each["code"] for each in answer["resultList"]], [0, 0, 0])
        _view(first, await phone.heard.count(first["msgID"], 3), 3)
        _expect("dave's two devices count once", (await alice.receipt(first))["readCount"], 3)
    await _lists(alice, first, read=["bob", "carol", "dave"], unread=["erin"])
    _expect("erin reads everything", await erin.read(*messages), [0, 0, 0])
    caught_up = await bob.read(*messages), await carol.read(*messages)
    _expect("bob and carol catch up", caught_up, ([0, 0, 0], [0, 0, 0]))
    for message in messages:
        for device in (phone, laptop):
            await device.heard.count(message["msgID"], 4)
        _view(message, await alice.receipt(message), 4)
        await _lists(alice, message, read=list(USERS[1:]), unread=[])
    _expect("both devices show the same", _latest(phone, messages), _latest(laptop, messages))


async def _lists(sender: Person, message: Message, read: list[str], unread: list[str]) -> None:
    """Show who has and has not read a message, as its sender sees it, and check it."""
    members = sender.client.group_message_read_members
    found = {
        "read": [member["userID"] async for member in members(message, "read")],
        "unread": [member["userID"] async for member in members(message, "unread")],
    }
    for filter_, names in found.items():
        print(f"               │   {filter_}: {', '.join(names) or 'nobody'}")
    _expect("the lists add up", found, {"read": read, "unread": unread})


def _latest(device: Device, messages: list[Message]) -> list[Receipt]:
    return [device.heard.receipts[message["msgID"]] for message in messages]


def _view(message: Message, receipt: Receipt, expected: int) -> None:
    """Show a message as its sender sees it, and check the count."""
    read, unread = receipt["readCount"], receipt["unreadCount"]
    shown = "未读" if read == 0 else "全部已读" if unread == 0 else f"{read} 人已读"
    print(f"    alice sees │ {message['text']}  〔{shown}〕")
    _expect("readCount", read, expected)


def _expect(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise Differs(f"{what}: expected {expected!r}, found {found!r}")
    if what != "readCount":
        print(f"  · {what}")


if __name__ == "__main__":
    sys.exit(main())
