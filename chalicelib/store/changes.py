"""Changes: for each sender, which of their messages got receipts, in the order of time, to catch up with.

The stream trigger notes them, one row for each sender and batch, so a receipt call writes nothing for it. A row names
messages, not counts: whoever catches up is told the counts of that moment. Rows expire after a week.
"""

import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chalicelib import clock, settings
from chalicelib.core.conversation import SEPARATOR, Conversation
from chalicelib.core.tiles import BLOCK_SIZE, block_of, offset_of, seq_at
from chalicelib.store import dynamo

TABLE = "Changes"

KEPT_S = 7 * 24 * 3600

# What one row may name: 20 blocks of messages stay within 2 KB, whatever their conversations are called.
_BLOCKS_PER_ROW_MAX = 20

# A row's place among a sender's: the ms at which it was written, and something to tell rows of one ms apart.
_CURSOR = re.compile(r"\d{15}~[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True)
class Change:
    """Messages of one sender that got receipts at about one time. `cursor` is the row's place."""

    cursor: str
    seqs: dict[Conversation, list[int]]


def note(user_id: str, changed: Iterable[tuple[Conversation, int]]) -> None:
    """Note that these messages (conversation and seq) of a sender got receipts. Noting them again does no harm."""
    masks: dict[tuple[Conversation, int], int] = defaultdict(int)
    for conversation, seq in changed:
        masks[conversation, block_of(seq)] |= 1 << offset_of(seq)
    entries = sorted(
        SEPARATOR.join((conversation.conversation_id, str(block), f"{mask:x}"))
        for (conversation, block), mask in masks.items()
    )
    for start in range(0, len(entries), _BLOCKS_PER_ROW_MAX):
        now_ms = clock.now_ms()
        row = {
            "userID": user_id,
            "changeID": f"{now_ms:015}{SEPARATOR}{secrets.token_hex(4)}",
            "messages": set(entries[start : start + _BLOCKS_PER_ROW_MAX]),
            "expiresAt": now_ms // 1000 + KEPT_S,
        }
        dynamo.client().put_item(TableName=settings.table(TABLE), Item=dynamo.item(row))


def after(user_id: str, cursor: str, limit: int) -> list[Change]:
    """A sender's changes behind this place, oldest first."""
    rows = dynamo.query(
        TABLE,
        "userID = :user AND changeID > :cursor",
        {":user": user_id, ":cursor": cursor},
        ConsistentRead=True,
        Limit=limit,
    )
    return [Change(row["changeID"], _seqs(row["messages"])) for _, row in zip(range(limit), rows, strict=False)]


def cursor_at(ms: int) -> str:
    """The place before everything that is written at this time or later."""
    return f"{ms:015}{SEPARATOR}00000000"


def ms_of(cursor: str) -> int:
    """The time of a place. ValueError if it is none."""
    if not _CURSOR.fullmatch(cursor):
        raise ValueError(f"not a cursor: {cursor!r}")
    return int(cursor.partition(SEPARATOR)[0])


def _seqs(entries: Iterable[str]) -> dict[Conversation, list[int]]:
    seqs: dict[Conversation, list[int]] = defaultdict(list)
    for entry in sorted(entries):
        conversation_id, block, mask = entry.rsplit(SEPARATOR, 2)
        seqs[Conversation.parse(conversation_id)] += _in_block(int(block), int(mask, 16))
    return dict(seqs)


def _in_block(block: int, mask: int) -> Iterator[int]:
    return (seq_at(block, offset) for offset in range(BLOCK_SIZE) if mask >> offset & 1)
