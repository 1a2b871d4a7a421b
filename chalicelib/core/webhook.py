"""Webhooks: what the product's back end is told of receipts, how it is signed, and where it may be sent.

- `Group.CallbackAfterReadReceipt`, with TIM's fields, for each batch of receipts of a group.
- `allRead`, which TIM has not, for messages (of groups and C2C) that nobody is left to read.

The signature is that of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over the event's ID, the time and the
body.
"""

import hashlib
import hmac
import ipaddress
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from chalicelib import limits
from chalicelib.core.conversation import Conversation
from chalicelib.core.receipt import Receipt

AFTER_READ_RECEIPT = "Group.CallbackAfterReadReceipt"
ALL_READ = "allRead"

# Readers, or messages that all have read, in one event: with IDs of full length under 25 KB, a tenth of what SQS takes.
_ENTRIES_MAX = 100


@dataclass(frozen=True)
class Event:
    """One thing to tell. Its ID follows from what is new in it, so telling it again repeats the ID."""

    event_id: str
    command: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Read:
    """One reader's first reading of one message, and the receipt of that message since."""

    seq: int
    reader: str
    sender: str
    receipt: Receipt


def events(conversation: Conversation, group_type: str, reads: Sequence[Read], now_ms: int) -> Iterator[Event]:
    """What to tell of these reads, in as many events as it takes. `EventTime` is in ms and a string, as TIM's is."""
    if conversation.is_group:
        for part in _parts(reads):
            body = {"GroupId": conversation.group_id, "Type": group_type, "GroupMsgReceiptList": _receipt_list(part)}
            said = ((read.seq, read.reader) for read in part)
            yield _event(AFTER_READ_RECEIPT, conversation, said, body, now_ms)
    done = {read.seq: read for read in reads if read.receipt.unread_count == 0}
    for part in _parts(list(done.values())):
        where = {"GroupId": conversation.group_id, "Type": group_type} if conversation.is_group else {}
        messages = [
            {"MsgKey": read.receipt.msg_id, "MsgSeq": read.seq, "From_Account": read.sender}
            | ({} if conversation.is_group else {"To_Account": read.reader})
            for read in part
        ]
        yield _event(ALL_READ, conversation, (read.seq for read in part), {**where, "MsgList": messages}, now_ms)


def signature(event_id: str, at_s: int, body: bytes, keys: Iterable[str]) -> str:
    """The value of `webhook-signature`: one for each key, so that a receiver may change over in its own time."""
    signed = b".".join((event_id.encode(), str(at_s).encode(), body))
    return " ".join("v1," + b64encode(hmac.digest(key.encode(), signed, hashlib.sha256)).decode() for key in keys)


def retry_after_s(attempts: int) -> int:
    """How long to wait after so many attempts: 2, 4, 8 … seconds, a quarter of an hour at most."""
    return min(limits.WEBHOOK_PAUSE_MAX_S, 1 << min(attempts, 30))


def check_url(url: str, *, is_local: bool) -> None:
    """ValueError, with the reason, for what is no URL for webhooks. Where a name leads is checked when it is used."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (is_local and parts.scheme == "http"):
        raise ValueError("A webhook goes to an https:// URL.")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("A webhook's URL has a host, and neither user, password nor fragment.")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("A webhook's URL is plain ASCII without spaces; escape what is not.")
    if parts.port == 0:  # also ValueError, by itself, for what is no port
        raise ValueError("Port 0 is none.")
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return  # a name
    if not may_be_called(str(address), is_local=is_local):
        raise ValueError("A webhook does not go to private, link-local or otherwise special addresses.")


def may_be_called(address: str, *, is_local: bool) -> bool:
    """Whether an IP address is out in the open; on a local AWS, whether it is the machine itself."""
    ip = ipaddress.ip_address(address)
    if is_local:
        return ip.is_loopback
    return ip.version == 4 and ip.is_global and not ip.is_multicast and not ip.is_reserved


def _receipt_list(reads: Iterable[Read]) -> list[dict[str, Any]]:
    listed: dict[int, dict[str, Any]] = {}
    for read in reads:
        entry = listed.setdefault(
            read.seq,
            {
                "MsgSeq": read.seq,
                "ReadNum": read.receipt.read_count,
                "UnreadNum": read.receipt.unread_count,
                "ReadReceiptMembers": [],
            },
        )
        entry["ReadReceiptMembers"].append({"Member_Account": read.reader})
    return list(listed.values())


def _event(
    command: str, conversation: Conversation, said: Iterable[Any], body: Mapping[str, Any], now_ms: int
) -> Event:
    named = repr((command, conversation.conversation_id, sorted(said))).encode()
    event_id = hashlib.sha256(named).hexdigest()[:32]
    return Event(event_id, command, {"CallbackCommand": command, **body, "EventTime": str(now_ms)})


def _parts(reads: Iterable[Read]) -> Iterator[list[Read]]:
    rest = iter(sorted(reads, key=lambda read: (read.seq, read.reader)))
    while part := list(islice(rest, _ENTRIES_MAX)):
        yield part
