"""What follows from marking a conversation read: the reader's other devices hear of it, and the C2C peer a receipt."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib import answers, log, push
from chalicelib.core.caller import SDKVersion
from chalicelib.core.receipt import conversation_receipt
from chalicelib.store import marks
from chalicelib.store.marks import Mark
from chalicelib.store.users import User


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
    log.line("marks", records=len(records), failed=len(failed), sent=total.sent, gone=total.gone, lost=total.failed)
    return failed


def _announce(before: Mark, after: Mark) -> push.Delivery:
    """Tell whom it concerns what is new. What a peer must not know has not been written into the shown mark."""
    name = after.conversation.named_for(after.user_id)
    to_reader = answers.encode(answers.ConversationRead(name, after.read_seq))
    receipt = conversation_receipt(after.user_id, after.shown_at_ms)

    def frames(user: User, version: SDKVersion) -> Sequence[bytes]:
        if user.user_id == after.user_id:
            return [to_reader]
        if not user.read_receipts:
            return []
        return [answers.encode(answers.NewC2CReadReceipt([answers.receipt(receipt, version)]))]

    told = []
    if after.read_seq > before.read_seq:
        told.append(after.user_id)
    if after.shown_seq > before.shown_seq and not after.conversation.is_group:
        told.append(after.conversation.peer_of(after.user_id))
    return push.deliver(told, frames) if told else push.Delivery()
