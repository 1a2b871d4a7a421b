"""Streams: what follows from what was written.

The ARNs stand in for those of the stack's tables (.chalice/resources.yaml).
"""

from typing import Any

from chalice.app import Blueprint, DynamoDBEvent

streams = Blueprint(__name__)


@streams.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Reads/stream/label", batch_size=100)
def push_receipts(event: DynamoDBEvent) -> dict[str, Any]:
    from chalicelib import read_stream

    return _failures(read_stream.handle(event.to_dict()["Records"]))


@streams.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Messages/stream/label", batch_size=100)
def push_messages(event: DynamoDBEvent) -> dict[str, Any]:
    from chalicelib import message_stream

    return _failures(message_stream.handle(event.to_dict()["Records"]))


@streams.on_dynamodb_record("arn:aws:dynamodb:region:account:table/Marks/stream/label", batch_size=100)
def push_marks(event: DynamoDBEvent) -> dict[str, Any]:
    from chalicelib import mark_stream

    return _failures(mark_stream.handle(event.to_dict()["Records"]))


def _failures(sequence_numbers: list[str]) -> dict[str, Any]:
    """What Lambda wants to hear of a batch (ReportBatchItemFailures): which records must come again."""
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sequence_numbers]}
