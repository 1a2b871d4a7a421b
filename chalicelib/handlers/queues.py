"""Queues: what is done later, and again if it fails.

The ARNs stand in for those of the stack's queues (.chalice/resources.yaml).
"""

from typing import Any

from chalice.app import Blueprint, SQSEvent

queues = Blueprint(__name__)


@queues.on_sqs_message(queue_arn="arn:aws:sqs:region:account:Webhooks", batch_size=10)
def deliver_webhooks(event: SQSEvent) -> dict[str, Any]:
    from chalicelib import webhook

    return _failures(webhook.handle(event.to_dict()["Records"]))


@queues.on_sqs_message(queue_arn="arn:aws:sqs:region:account:FanOut", batch_size=1)
def tell_members(event: SQSEvent) -> dict[str, Any]:
    from chalicelib import fan_out

    return _failures(fan_out.handle(event.to_dict()["Records"]))


def _failures(message_ids: list[str]) -> dict[str, Any]:
    """What Lambda wants to hear of a batch (ReportBatchItemFailures): which messages must come again."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}
