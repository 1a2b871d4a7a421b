"""Streams: what follows from what was written.

The ARNs stand in for those of the stack's tables (.chalice/resources.yaml).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalice.app import Blueprint, DynamoDBEvent

from chalicelib import clock, log

streams = Blueprint(__name__)

# Takes records, and returns the sequence numbers of those that failed.
Handle = Callable[[Sequence[Mapping[str, Any]]], list[str]]


# A batch is folded together, so the more there is to do at once, the less each costs: at rest it is one record, and in
# a rush a thousand, which are 3 MB at most.
@streams.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Reads/stream/label", batch_size=1000)
def push_receipts(event: DynamoDBEvent) -> dict[str, Any]:
    from chalicelib import read_stream

    return _handled(event, read_stream.handle, "reads")


@streams.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Messages/stream/label", batch_size=100)
def push_messages(event: DynamoDBEvent) -> dict[str, Any]:
    from chalicelib import message_stream

    return _handled(event, message_stream.handle, "messages")


@streams.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Marks/stream/label", batch_size=100)
def push_marks(event: DynamoDBEvent) -> dict[str, Any]:
    from chalicelib import mark_stream

    return _handled(event, mark_stream.handle, "marks")


def _handled(event: DynamoDBEvent, handle: Handle, stream: str) -> dict[str, Any]:
    """Handle the records, and tell Lambda which of them must come again (ReportBatchItemFailures)."""
    records = event.to_dict()["Records"]
    made_at_s = [record["dynamodb"].get("ApproximateCreationDateTime") for record in records]
    ages_ms = [clock.now_ms() - int(at_s * 1000) for at_s in made_at_s if at_s]
    log.count("StreamAge", max([0, *ages_ms]), stream)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in handle(records)]}
