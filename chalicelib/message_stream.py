"""What follows from a message: the conversation's connected members are told of it, on all their devices, the
sender's own too."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from chalicelib import answers, log, push
from chalicelib.core.message import Message
from chalicelib.store import dynamo, members, messages

# Members told at a time: as many as can be looked up with one BatchGetItem.
_TOLD_AT_ONCE = 100


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Push a batch of new messages. Returns the sequence numbers of the records that failed and must come again."""
    failed: list[str] = []
    total = push.Delivery()
    for record in records:
        if record["eventName"] != "INSERT":
            continue
        try:
            total += _announce(messages.message_of(dynamo.plain(record["dynamodb"]["NewImage"])))
        except Exception as error:  # noqa: BLE001  # this record comes again, the others are done
            log.failure("message", error, record=record["dynamodb"]["SequenceNumber"])
            failed.append(record["dynamodb"]["SequenceNumber"])
    log.line(
        "messages", records=len(records), failed=len(failed), sent=total.sent, gone=total.gone, unreached=total.failed
    )
    return failed


def _announce(message: Message) -> push.Delivery:
    """Push one message to those who are members now and were when it was sent."""
    total = push.Delivery()
    recipients = _recipients(message)
    while told := list(islice(recipients, _TOLD_AT_ONCE)):
        total += push.deliver(told, lambda user, _: [_frame(message, user.user_id)])
    return total


def _recipients(message: Message) -> Iterator[str]:
    header = message.header
    if not header.conversation.is_group:
        return iter(header.conversation.users)
    stays = members.in_order(header.conversation, first=0)
    return (stay.user_id for stay in stays if stay.is_current and stay.covers(header.seq))


def _frame(message: Message, user_id: str) -> bytes:
    return answers.encode(answers.NewMessage(answers.message(message, user_id)))
