"""An async client of the read-receipt service, in V2TIM's terms. Start with `Client`."""

from receipts_client.backoff import Backoff
from receipts_client.client import Client, Listener, Options
from receipts_client.heard import Heard
from receipts_client.refusal import Refused
from receipts_client.shapes import (
    Conversation,
    Group,
    Message,
    MessageResult,
    ReadMember,
    ReadMembers,
    Receipt,
    ReceiptsFound,
    ReceiptsSent,
)

__all__ = [
    "Backoff",
    "Client",
    "Conversation",
    "Group",
    "Heard",
    "Listener",
    "Message",
    "MessageResult",
    "Options",
    "ReadMember",
    "ReadMembers",
    "Receipt",
    "ReceiptsFound",
    "ReceiptsSent",
    "Refused",
]
