"""What was put aside after all tries is tried once more.

    python -m stack.redrive streams  --stage prod [--dry-run]   records of a table's stream, handed to their function
    python -m stack.redrive webhooks --stage prod [--dry-run]   events that their receiver did not take
    python -m stack.redrive fan-out  --stage prod [--dry-run]   members who were to be told of a message

Of stream records it was noted where they are, not what they say, and a stream keeps them for a day. Those that are gone
are reported: of reads, `python -m stack.audit` finds out what they said. All of it may be done twice.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from stack.deployed import Deployed, add_arguments

Json = dict[str, Any]

# Where things are put aside, and the queue they come from.
_QUEUES = {"webhooks": ("WebhookFailures", "Webhooks"), "fan-out": ("FanOutFailures", "FanOut")}

# How long a message is hidden from others while it is worked on.
_HIDDEN_S = 120

# Records handed to a function at a time, as its trigger does.
_AT_ONCE = 100


def main() -> int:
    """Redrive. 0 if nothing is left."""
    parser = argparse.ArgumentParser(
        prog="python -m stack.redrive", description="Try once more what was put aside after all tries."
    )
    parser.add_argument("what", choices=["streams", "webhooks", "fan-out"])
    parser.add_argument("--dry-run", action="store_true", help="only say what there is")
    add_arguments(parser)
    options = parser.parse_args()
    deployed = Deployed.find(options)
    if options.what == "streams":
        done, left = _redrive_streams(deployed, dry_run=options.dry_run)
    else:
        done, left = _move(deployed, *_QUEUES[options.what], dry_run=options.dry_run)
    print(f"{done} {'found' if options.dry_run else 'tried again'}, {left} left.")
    return 1 if left else 0


def _move(deployed: Deployed, aside: str, queue: str, *, dry_run: bool) -> tuple[int, int]:
    """Put the messages that were put aside back into their queue. A message may be in both for a moment."""
    sqs = deployed.client("sqs")
    found = list(_messages(sqs, deployed.outputs[aside]))
    for message in found:
        print(f"  {message['Body'][:160]}")
        if dry_run:
            _show_again(sqs, deployed.outputs[aside], message)
        else:
            sqs.send_message(QueueUrl=deployed.outputs[queue], MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=deployed.outputs[aside], ReceiptHandle=message["ReceiptHandle"])
    return len(found), 0


def _redrive_streams(deployed: Deployed, *, dry_run: bool) -> tuple[int, int]:
    """Hand the records that are noted to their functions, and forget the notes of those that are done."""
    sqs, aside = deployed.client("sqs"), deployed.outputs["StreamFailures"]
    done = left = 0
    for message in list(_messages(sqs, aside)):
        note = json.loads(message["Body"])
        where, function = note["DDBStreamBatchInfo"], note["requestContext"]["functionArn"]
        print(
            f"  {function.rsplit(':', 1)[-1]}: {where['batchSize']} records from {where['startSequenceNumber']}", end=""
        )
        try:
            records = list(_records(deployed.client("dynamodbstreams"), where))
        except ClientError as error:
            print(f": gone ({error.response['Error']['Code']}); `python -m stack.audit` finds what reads they were of")
            _show_again(sqs, aside, message)
            left += 1
            continue
        if dry_run:
            print(f": {len(records)} are there")
            _show_again(sqs, aside, message)
            done += 1
            continue
        failed = sum(
            _invoke(deployed.client("lambda"), function, records[start : start + _AT_ONCE])
            for start in range(0, len(records), _AT_ONCE)
        )
        print(f": {len(records) - failed} handled, {failed} failed")
        if failed:
            _show_again(sqs, aside, message)
            left += 1
        else:
            sqs.delete_message(QueueUrl=aside, ReceiptHandle=message["ReceiptHandle"])
            done += 1
    return done, left


def _messages(sqs: Any, url: str) -> Iterator[Json]:
    """All messages of a queue, each hidden from others for a while, and each once."""
    seen: set[str] = set()
    while True:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_HIDDEN_S)
        fresh = [message for message in found.get("Messages", []) if message["MessageId"] not in seen]
        if not fresh:
            return
        seen |= {message["MessageId"] for message in fresh}
        yield from fresh


def _show_again(sqs: Any, url: str, message: Json) -> None:
    """Let others see a message that stays."""
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)


def _records(streams: Any, where: Json) -> Iterator[Json]:
    """The records of a shard from one sequence number to another. ClientError if the stream has forgotten them."""
    iterator = streams.get_shard_iterator(
        StreamArn=where["streamArn"],
        ShardId=where["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=where["startSequenceNumber"],
    ).get("ShardIterator")
    last = int(where["endSequenceNumber"])
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > last:
                return
            yield record
            if int(record["dynamodb"]["SequenceNumber"]) == last:
                return
        iterator = page.get("NextShardIterator") if page["Records"] else None


def _invoke(functions: Any, function: str, records: list[Json]) -> int:
    """How many of these records the function failed to handle."""
    payload = json.dumps({"Records": records}, default=_plain).encode()
    answer = functions.invoke(FunctionName=function, Payload=payload)
    if "FunctionError" in answer:
        return len(records)
    return len(json.loads(answer["Payload"].read())["batchItemFailures"])


def _plain(value: Any) -> Any:
    """What JSON has not, as Lambda's own events have it: bytes in base64, times in seconds."""
    if isinstance(value, bytes):
        from base64 import b64encode

        return b64encode(value).decode()
    return value.timestamp()


if __name__ == "__main__":
    sys.exit(main())
