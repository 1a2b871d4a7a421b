"""What follows from a message: the conversation's connected members are told of it, on all their devices, the
sender's own too."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib import fan_out, log, push
from chalicelib.store import dynamo, messages


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Push a batch of new messages. Returns the sequence numbers of the records that failed and must come again."""
    failed: list[str] = []
    total = push.Delivery()
    for record in records:
        if record["eventName"] != "INSERT":
            continue
        try:
            total += fan_out.announce(messages.message_of(dynamo.plain(record["dynamodb"]["NewImage"])))
        except Exception as error:  # noqa: BLE001  # this record comes again, the others are done
            log.failure("message", error, record=record["dynamodb"]["SequenceNumber"])
            failed.append(record["dynamodb"]["SequenceNumber"])
    log.count("RecordsFailed", len(failed), "messages")
    log.line(
        "messages", records=len(records), failed=len(failed), sent=total.sent, gone=total.gone, unreached=total.failed
    )
    return failed
