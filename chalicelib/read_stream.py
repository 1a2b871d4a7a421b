"""What follows from a read: the stream of Reads is folded into tiles, and the senders are told the new counts.

Every step can be repeated: a fold is a union, and the counts in a push are absolute. So whatever fails is reported by
its record, comes again, and nothing is lost or counted twice; what else was in the batch is done all the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib import answers, log, push, webhook
from chalicelib.core import audience
from chalicelib.core.caller import SDKVersion
from chalicelib.core.conversation import Conversation, decode_msg_id, encode_msg_id
from chalicelib.core.receipt import Receipt, c2c_receipt, group_receipt
from chalicelib.core.tiles import ReadDelta, TileKey, block_of, count_readers, fold, offset_of, seq_at
from chalicelib.core.webhook import Read
from chalicelib.store import changes, members, messages, reads, receipts
from chalicelib.store.users import User

# The sequence number of a stream record, by which a failure is reported.
SequenceNumber = str


def handle(records: Sequence[Mapping[str, Any]]) -> list[SequenceNumber]:
    """Fold a batch of stream records and tell the senders. Returns the records that failed and must come again."""
    deltas, failed = _deltas(records)
    failed |= _fold(deltas)
    done = {number: delta for number, delta in deltas.items() if number not in failed}
    delivery, unannounced = _announce(done)
    failed |= unannounced
    log.line(
        "reads",
        records=len(records),
        failed=len(failed),
        sent=delivery.sent,
        gone=delivery.gone,
        unreached=delivery.failed,
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


def _fold(deltas: Mapping[SequenceNumber, ReadDelta]) -> set[SequenceNumber]:
    """Bring the tiles up to date. Returns the records whose tile could not be written."""
    in_groups = [delta for delta in deltas.values() if delta.conversation.is_group]
    broken: set[TileKey] = set()
    for key, additions in fold(in_groups).items():
        try:
            receipts.add(key, additions)
        except Exception as error:  # noqa: BLE001  # this tile's records come again, the others are done
            log.failure("fold", error, conversation=key.conversation.conversation_id, block=key.block)
            broken.add(key)
    return {number for number, delta in deltas.items() if delta.tile_key in broken}


def _announce(deltas: Mapping[SequenceNumber, ReadDelta]) -> tuple[push.Delivery, set[SequenceNumber]]:
    """Tell each sender how far their messages have been read, unless they have read receipts turned off; and note it.

    Returns the records whose counts could not be read.
    """
    news: dict[str, list[Receipt]] = defaultdict(list)
    reads_of: dict[Conversation, list[Read]] = {}
    failed: set[SequenceNumber] = set()
    by_conversation: dict[Conversation, dict[SequenceNumber, ReadDelta]] = defaultdict(dict)
    for number, delta in deltas.items():
        by_conversation[delta.conversation][number] = delta
    for conversation, batch in by_conversation.items():
        try:
            receipts_for = _group_receipts if conversation.is_group else _c2c_receipts
            told = receipts_for(conversation, list(batch.values()))
            for each in told.values():
                if each.may_see:
                    news[each.sender].append(each.receipt)
            reads_of[conversation] = [
                Read(seq, delta.user_id, told[seq].sender, told[seq].receipt)
                for delta in batch.values()
                for seq, _ in _by_seq(delta)
                if seq in told
            ]
        except Exception as error:  # noqa: BLE001  # this conversation's records come again, the others are done
            log.failure("counts", error, conversation=conversation.conversation_id)
            failed |= batch.keys()

    def frames(sender: User, version: SDKVersion) -> Sequence[bytes]:
        return answers.receipt_frames(news[sender.user_id], version) if sender.read_receipts else []

    try:
        for sender, list_ in news.items():
            changes.note(sender, (decode_msg_id(receipt.msg_id) for receipt in list_))
        delivery = push.deliver(news, frames)
        webhook.note(reads_of)
        return delivery, failed
    except Exception as error:  # noqa: BLE001  # all of it comes again; the folds stay
        log.failure("announce", error, senders=len(news))
        return push.Delivery(), set(deltas)


@dataclass(frozen=True)
class _News:
    """What is new of a message: its receipt, and whether its sender may see that."""

    sender: str
    receipt: Receipt
    may_see: bool = True


def _c2c_receipts(conversation: Conversation, deltas: Sequence[ReadDelta]) -> dict[int, _News]:
    """The news of each message, by seq. The record says it all, nothing needs to be looked up."""
    return {
        seq: _News(
            conversation.peer_of(delta.user_id),
            c2c_receipt(encode_msg_id(conversation, seq), delta.user_id, read_at_ms),
        )
        for delta in deltas
        for seq, read_at_ms in _by_seq(delta)
    }


def _group_receipts(conversation: Conversation, deltas: Sequence[ReadDelta]) -> dict[int, _News]:
    """The news of each message, by seq. Its sender may see it who is a member now.

    The tiles are read after all of the batch has been folded. Of two folds that run at once the later one sees both.
    """
    seqs = {seq for delta in deltas for seq, _ in _by_seq(delta)}
    headers = messages.headers(conversation, seqs)
    senders = {header.sender_ordinal: header.sender for header in headers.values()}
    present = members.still_there(conversation, senders)
    for ordinal in senders.keys() - present:  # who has left may have come back
        if audience.is_member(members.of_user(conversation, senders[ordinal])):
            present.add(ordinal)
    tiles = {block: receipts.of_block(conversation, block) for block in {delta.block for delta in deltas}}
    return {
        seq: _News(
            header.sender,
            group_receipt(header, count_readers(tiles[block_of(seq)], offset_of(seq))),
            may_see=header.sender_ordinal in present,
        )
        for seq, header in sorted(headers.items())
    }


def _by_seq(delta: ReadDelta) -> list[tuple[int, int]]:
    """The messages of a delta, and when each was read, in ms."""
    return [(seq_at(delta.block, offset), read_at_ms) for offset, read_at_ms in sorted(delta.read_at_ms.items())]
