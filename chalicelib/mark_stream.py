"""What follows from marking a conversation read: the reader's other devices hear of it, and the C2C peer a receipt."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from chalicelib import answers, log, push
from chalicelib.core.caller import SDKVersion
from chalicelib.core.receipt import Receipt, conversation_receipt
from chalicelib.store import marks, messages, users
from chalicelib.store.marks import Mark
from chalicelib.store.users import User

# Messages that are looked at to find those that are not to be told of.
_EXAMINED_MAX = 500


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Announce a batch of marks. Returns the sequence numbers of the records that failed and must come again."""
    failed: list[str] = []
    total = push.Delivery()
    for record in records:
        if record["eventName"] == "REMOVE":
            continue
        try:
            total += _announce(*marks.changes(record["dynamodb"]))
        except Exception as error:  # noqa: BLE001  # this record comes again, the others are done
            log.failure("mark", error, record=record["dynamodb"]["SequenceNumber"])
            failed.append(record["dynamodb"]["SequenceNumber"])
    log.count("RecordsFailed", len(failed), "marks")
    log.line(
        "marks", records=len(records), failed=len(failed), sent=total.sent, gone=total.gone, unreached=total.failed
    )
    return failed


def _announce(before: Mark, after: Mark) -> push.Delivery:
    """Tell whom it concerns what is new. What a peer must not know has not been written into the shown mark."""
    name = after.conversation.named_for(after.user_id)
    to_reader = answers.encode(answers.ConversationRead(name, after.read_seq))
    receipt = _receipt_for_peer(before, after)

    def frames(user: User, version: SDKVersion) -> Sequence[bytes]:
        if user.user_id == after.user_id:
            return [to_reader]
        if receipt is None or not user.read_receipts:
            return []
        return [answers.encode(answers.NewC2CReadReceipt([answers.receipt(receipt, version)]))]

    told = []
    if after.read_seq > before.read_seq:
        told.append(after.user_id)
    if receipt is not None:
        told.append(after.conversation.peer_of(after.user_id))
    return push.deliver(told, frames) if told else push.Delivery()


def _receipt_for_peer(before: Mark, after: Mark) -> Receipt | None:
    """What the C2C peer is told of a mark, if anything.

    Messages that the peer sent with read receipts turned off are never told to be read. A time speaks of all that was
    sent before it, so it is set back before the first of them; if there is nothing else to tell, nothing is told.
    """
    if after.conversation.is_group or after.shown_seq <= before.shown_seq:
        return None
    told = conversation_receipt(after.user_id, after.shown_at_ms)
    peer = after.conversation.peer_of(after.user_id)
    if not users.find(peer).has_turned_receipts:
        return told
    new = messages.sent_by(after.conversation, peer, before.shown_seq + 1, after.shown_seq, _EXAMINED_MAX)
    open_ones = list(takewhile(lambda header: not header.is_private, new))
    if not open_ones:
        return None
    are_all_open = len(open_ones) == len(new)
    are_all_examined = after.shown_seq - before.shown_seq <= _EXAMINED_MAX  # what has not been looked at is not told of
    return told if are_all_open and are_all_examined else conversation_receipt(after.user_id, open_ones[-1].sent_at_ms)
