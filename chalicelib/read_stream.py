"""What follows from a read: the stream of Reads is folded into tiles, and the senders are told the new counts.

Every step can be repeated: a fold is a union, and the counts in a push are absolute. So whatever fails is reported by
its record, comes again, and nothing is lost or counted twice; what else was in the batch is done all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from chalicelib import answers, counting, log, push, together, webhook
from chalicelib.core import audience
from chalicelib.core.caller import SDKVersion
from chalicelib.core.conversation import Conversation, encode_msg_id
from chalicelib.core.receipt import Receipt, c2c_receipt, group_receipt
from chalicelib.core.tiles import ReadDelta, Tile, TileKey, fold, seq_at
from chalicelib.core.webhook import Read
from chalicelib.store import changes, dynamo, members, messages, reads, receipts, stays, users
from chalicelib.store.users import User

# The sequence number of a stream record, by which a failure is reported.
SequenceNumber = str


@dataclass(frozen=True)
class News:
    """How far one message has been read by now, and who is to be told."""

    conversation: Conversation
    seq: int
    sender: str
    receipt: Receipt


def handle(records: Sequence[Mapping[str, Any]]) -> list[SequenceNumber]:
    """Fold a batch of stream records and tell the senders. Returns the records that failed and must come again."""
    started = perf_counter()
    deltas, failed = _deltas(records)
    tiles, unfolded = _fold(deltas)
    failed |= unfolded
    news, uncounted = _count({number: delta for number, delta in deltas.items() if number not in failed}, tiles)
    failed |= uncounted
    try:
        delivery = _announce(news)
        webhook.note(_reads({number: delta for number, delta in deltas.items() if number not in failed}, news))
    except Exception as error:  # noqa: BLE001  # all of it comes again; the folds stay
        log.failure("announce", error, messages=len(news))
        delivery, failed = push.Delivery(), failed | deltas.keys()
    log.count("RecordsFailed", len(failed), "reads")
    log.line(
        "reads",
        records=len(records),
        failed=len(failed),
        sent=delivery.sent,
        gone=delivery.gone,
        unreached=delivery.failed,
        ms=round((perf_counter() - started) * 1000, 1),
    )
    return sorted(failed, key=int)


def _deltas(records: Iterable[Mapping[str, Any]]) -> tuple[dict[SequenceNumber, ReadDelta], set[SequenceNumber]]:
    """What each record says is new, and the records that say nothing intelligible. A row that expires says nothing."""
    deltas: dict[SequenceNumber, ReadDelta] = {}
    poisoned: set[SequenceNumber] = set()
    for record in records:
        if record["eventName"] == "REMOVE":
            continue
        number = record["dynamodb"]["SequenceNumber"]
        try:
            delta = reads.delta(record["dynamodb"])
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it, it is wrong with this record alone
            log.failure("poisoned read", error, record=number)
            poisoned.add(number)
        else:
            if delta:
                deltas[number] = delta
    return deltas, poisoned


def _fold(deltas: Mapping[SequenceNumber, ReadDelta]) -> tuple[dict[TileKey, Tile], set[SequenceNumber]]:
    """Bring the tiles up to date. Returns them as they now are, and the records whose tile could not be written."""
    additions = fold(delta for delta in deltas.values() if delta.conversation.is_group)
    try:
        stored = receipts.find_many(additions)
    except Exception as error:  # noqa: BLE001  # perhaps only one of them cannot be read: each is tried by itself
        log.failure("tiles", error, tiles=len(additions))
        stored = {}

    def add(key: TileKey) -> Tile | None:
        try:
            return receipts.add(key, additions[key], stored.get(key))
        except Exception as error:  # noqa: BLE001  # this tile's records come again, the others are done
            log.failure("fold", error, conversation=key.conversation.conversation_id, block=key.block)
            return None

    written = dict(zip(additions, together.each(add, additions), strict=True))
    broken = {key for key, tile in written.items() if tile is None}
    tiles = {key: tile for key, tile in written.items() if tile is not None}
    return tiles, {number for number, delta in deltas.items() if delta.tile_key in broken}


def _count(
    deltas: Mapping[SequenceNumber, ReadDelta], tiles: Mapping[TileKey, Tile]
) -> tuple[list[News], set[SequenceNumber]]:
    """How far the messages of these records have been read, and the records whose counts could not be read."""
    by_conversation: dict[Conversation, dict[SequenceNumber, ReadDelta]] = defaultdict(dict)
    for number, delta in deltas.items():
        by_conversation[delta.conversation][number] = delta

    def count(conversation: Conversation) -> list[News] | None:
        of_conversation = list(by_conversation[conversation].values())
        try:
            if conversation.is_group:
                return _group_news(conversation, of_conversation, tiles)
            return _c2c_news(conversation, of_conversation)
        except Exception as error:  # noqa: BLE001  # this conversation's records come again, the others are done
            log.failure("counts", error, conversation=conversation.conversation_id)
            return None

    counted = dict(zip(by_conversation, together.each(count, by_conversation), strict=True))
    failed = {
        number for conversation, news in counted.items() if news is None for number in by_conversation[conversation]
    }
    return [each for news in counted.values() if news for each in news], failed


def _c2c_news(conversation: Conversation, deltas: Sequence[ReadDelta]) -> list[News]:
    """The record says it all, nothing needs to be looked up."""
    return [
        News(
            conversation,
            seq,
            conversation.peer_of(delta.user_id),
            c2c_receipt(encode_msg_id(conversation, seq), delta.user_id, read_at_ms),
        )
        for delta in deltas
        for seq, read_at_ms in _by_seq(delta)
    ]


def _group_news(conversation: Conversation, deltas: Sequence[ReadDelta], folded: Mapping[TileKey, Tile]) -> list[News]:
    """The counts are as they were when all of the batch had been folded. Of two folds that run at once the later one
    sees both.

    The sums are brought up to date as far up as the latest message of each row is counted, not only those just read: a
    row may make up for a record that was lost.
    """
    read = {seq for delta in deltas for seq, _ in _by_seq(delta)}
    latest = {seq_at(delta.block, max(delta.all_offsets)) for delta in deltas if delta.all_offsets}
    headers = messages.headers(conversation, read | latest)
    levels: dict[int, int] = defaultdict(int)
    for place in filter(None, map(counting.place_of, headers.values())):
        levels[place.block] = max(levels[place.block], place.level)
    held = counting.carry_up({delta.tile_key: folded[delta.tile_key] for delta in deltas}, levels)
    told = {seq: header for seq, header in headers.items() if seq in read}
    counts = counting.counts(conversation, told.values(), held)
    return [
        News(conversation, seq, header.sender, group_receipt(header, counts[seq]))
        for seq, header in sorted(told.items())
    ]


def _announce(news: Sequence[News]) -> push.Delivery:
    """Tell each sender how far their messages have been read, and note it.

    Only who is a member now may see it, be it since another stay; and who has read receipts turned off is told nothing.
    It is noted for all: who is not to see it now may come back, or turn them on, and catching up asks again who may.
    """
    asked = dict.fromkeys((each.conversation, each.sender) for each in news)
    user_rows, stay_rows = dynamo.look_up(
        users.lookup(*(sender for _, sender in asked)), stays.lookup(*(each for each in asked if each[0].is_group))
    )
    may_see = {each for each, found in members.among(asked, stay_rows).items() if audience.is_member(found)}
    noted: dict[str, list[News]] = defaultdict(list)
    told: dict[str, list[News]] = defaultdict(list)
    for each in news:
        noted[each.sender].append(each)
        if (each.conversation, each.sender) in may_see:
            told[each.sender].append(each)

    def frames(sender: User, version: SDKVersion) -> Sequence[bytes]:
        return answers.receipt_frames([each.receipt for each in told[sender.user_id]], version)

    together.each(lambda sender: changes.note(sender, ((each.conversation, each.seq) for each in noted[sender])), noted)
    listening = [user for user in map(users.user_of, user_rows) if user.user_id in told and user.read_receipts]
    return push.deliver_to(listening, frames)


def _reads(deltas: Mapping[SequenceNumber, ReadDelta], news: Sequence[News]) -> dict[Conversation, list[Read]]:
    """For the product's back end: who has read what, and how far it has been read by now."""
    told = {(each.conversation, each.seq): each for each in news}
    reads_of: dict[Conversation, list[Read]] = defaultdict(list)
    for delta in deltas.values():
        for seq, _ in _by_seq(delta):
            each = told.get((delta.conversation, seq))
            if each:
                reads_of[delta.conversation].append(Read(seq, delta.user_id, each.sender, each.receipt))
    return reads_of


def _by_seq(delta: ReadDelta) -> list[tuple[int, int]]:
    """The messages of a delta, and when each was read, in ms."""
    return [(seq_at(delta.block, offset), read_at_ms) for offset, read_at_ms in sorted(delta.read_at_ms.items())]
