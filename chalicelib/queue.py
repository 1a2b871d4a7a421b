"""Messages for the stack's queues, for what is done later."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from chalicelib import together

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient


def send(url: str, bodies: Iterable[str]) -> None:
    """Put messages into a queue. ClientError or BotoCoreError if one is not taken: others may have been."""
    together.each(lambda body: client().send_message(QueueUrl=url, MessageBody=body), bodies)


@cache
def client() -> "SQSClient":
    """The process's one client, made at its first use."""
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3})
    return boto3.client("sqs", config=config)
