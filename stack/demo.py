"""`make demo`: a scripted conversation over the real endpoints, and the sender's live view of it.

    python -m stack.demo

Joins `make run` if that is active, else starts a stack of its own. Exits with 1 if anything differs from what it should
be.
"""

import argparse
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from httpx import HTTPError
from websockets import WebSocketException

from chalicelib import tokens
from stack.client import Device, Json, Refused, User
from stack.local_stack import local_stack
from stack.run import running_stack

USERS = ("alice", "bob", "carol", "dave", "erin")


class Differs(Exception):
    """Something is not as it should be."""


def main() -> int:
    """Play the demo; 0 if everything is as it should be."""
    argparse.ArgumentParser(
        prog="make demo", description="A scripted conversation over the real endpoints, checked as it goes."
    ).parse_args()
    try:
        with _stack() as (http, websocket, minted), ExitStack() as open_:
            users = {name: open_.enter_context(User(http, websocket, name, minted[name])) for name in USERS}
            phone, laptop = (open_.enter_context(users["alice"].device()) for _ in range(2))
            _c2c(users, phone, laptop)
            _group(users, phone, laptop)
    except Differs as error:
        print(f"\n✗ {error}", file=sys.stderr)
        return 1
    except (TimeoutError, Refused, HTTPError, WebSocketException) as error:
        print(f"\n✗ The stack did not do its part: {type(error).__name__} {error}", file=sys.stderr)
        return 1
    print("\n✓ All of it is as it should be.")
    return 0


@contextmanager
def _stack() -> Iterator[tuple[str, str, dict[str, str]]]:
    """The running stack, or one for the time being: its HTTP and WebSocket bases, and the users' tokens."""
    if running := running_stack():
        print(f"Joining the stack at {running['http']}")
        yield running["http"], running["websocket"], running["tokens"]
        return
    with tempfile.TemporaryDirectory() as folder, local_stack(Path(folder) / "ministack.log", report=print) as stack:
        yield stack.http, stack.websocket, {user: tokens.mint(user, 3600, stack.token_key) for user in USERS}


def _c2c(users: dict[str, User], phone: Device, laptop: Device) -> None:
    """A message to one user, read once."""
    alice, bob = users["alice"], users["bob"]
    print("\nC2C: alice writes to bob and asks for a read receipt. She is connected with two devices.")
    with bob.device() as his:
        message = alice.send("今晚七点，老地方？", user="bob")
        received = his.wait_for_message(message["msgID"])
        _expect("bob's device hears the message", received["text"], message["text"])
        _expect("and that it asks for a receipt", received["needReadReceipt"], True)
    _view(message, alice.receipts(message)[0], 0)
    _expect("bob sends the receipt", bob.read(message), [0])
    for name, device in (("phone", phone), ("laptop", laptop)):
        receipt = device.wait_for_count(message["msgID"], 1)
        _expect(
            f"alice's {name} is told that bob has read it", (receipt["userID"], receipt["isPeerRead"]), ("bob", True)
        )
    _view(message, alice.receipts(message)[0], 1)
    _expect(
        "bob sends it again: nothing changes", (bob.read(message), alice.receipts(message)[0]["readCount"]), ([0], 1)
    )


def _group(users: dict[str, User], phone: Device, laptop: Device) -> None:
    """Messages to a group of five, read one by one and in bulk, also from two devices of one user."""
    alice, bob, carol, dave, erin = (users[name] for name in USERS)
    group = f"demo-{secrets.token_hex(4)}"
    print(f"\nGroup: alice makes {group} with bob, carol, dave and erin, and writes three messages.")
    created = alice.create_group(group, list(USERS[1:]))
    _expect("the group has five members", created["memberCount"], 5)
    with dave.device() as dave_phone, dave.device() as dave_laptop:
        messages = [alice.send(text, group=group) for text in ("明天的会改到十点", "地点不变", "收到请看一下附件")]
        for device in (dave_phone, dave_laptop):
            for message in messages:
                device.wait_for_message(message["msgID"])
        first = messages[0]
        _view(first, alice.receipts(first)[0], 0)
        for count, reader in enumerate((bob, carol), start=1):
            _expect(f"{reader.user_id} reads the first message", reader.read(first), [0])
            _view(first, phone.wait_for_count(first["msgID"], count), count)
        ids = [message["msgID"] for message in messages]
        for device in (dave_phone, dave_laptop):
            answer = device.say("sendMessageReadReceipts", msgIDs=ids)
            _expect("dave reads all three at once", [each["code"] for each in answer["resultList"]], [0, 0, 0])
        _view(first, phone.wait_for_count(first["msgID"], 3), 3)
        _expect("dave's two devices count once", alice.receipts(first)[0]["readCount"], 3)
    _lists(alice, first, read=["bob", "carol", "dave"], unread=["erin"])
    _expect("erin reads everything", erin.read(*messages), [0, 0, 0])
    _expect("bob and carol catch up", (bob.read(*messages), carol.read(*messages)), ([0, 0, 0], [0, 0, 0]))
    for message in messages:
        for device in (phone, laptop):
            device.wait_for_count(message["msgID"], 4)
        _view(message, alice.receipts(message)[0], 4)
        _lists(alice, message, read=list(USERS[1:]), unread=[])
    _expect("both devices show the same", _latest(phone, messages), _latest(laptop, messages))


def _lists(sender: User, message: Json, read: list[str], unread: list[str]) -> None:
    """Show who has and has not read a message, as its sender sees it, and check it."""
    found = {filter_: sender.read_members(message, filter_) for filter_ in ("read", "unread")}
    for filter_, names in found.items():
        print(f"               │   {filter_}: {', '.join(names) or 'nobody'}")
    _expect("the lists add up", found, {"read": read, "unread": unread})


def _latest(device: Device, messages: list[Json]) -> list[Json]:
    return [device.receipts[message["msgID"]] for message in messages]


def _view(message: Json, receipt: Json, expected: int) -> None:
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
