"""Queues: what is done later, and again if it fails.

The ARN stands in for that of the stack's queue (.chalice/resources.yaml).
"""

from typing import Any

from chalice.app import Blueprint, SQSEvent

queues = Blueprint(__name__)


@queues.on_sqs_message(queue_arn="arn:aws:sqs:region:account:Webhooks", batch_size=10)
def deliver_webhooks(event: SQSEvent) -> dict[str, Any]:
    from chalicelib import webhook

    failed = webhook.handle(event.to_dict()["Records"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
