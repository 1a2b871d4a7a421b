"""Fan-out: a new message of a large group is told to its members a thousand at a time, each by a function of its own.

The stream's trigger only puts the ranges of members into a queue, so one message of a huge group takes it no longer
than a hundred of small ones, and holds up nobody's. A range that fails comes again; who was told already is told twice,
and a client knows the message by its msgID.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from chalicelib import answers, limits, log, push, queue, settings
from chalicelib.core.conversation import Conversation
from chalicelib.core.message import Header, Message
from chalicelib.store import members, messages

# Members told at a time: as many as can be looked up with one BatchGetItem.
_TOLD_AT_ONCE = 100


class Range(msgspec.Struct, frozen=True):
    """A message, and the ordinals of the members who are to be told of it: from `first` to `last`, inclusive."""

    conversationID: str
    seq: int
    first: int
    last: int


def announce(message: Message) -> push.Delivery:
    """Push a message to those who are members now and were when it was sent, or queue that if they are many.

    ClientError or BotoCoreError if the queue does not take it all.
    """
    header = message.header
    if not header.conversation.is_group:
        return _tell(message, header.conversation.users)
    if header.next_ordinal is None or header.next_ordinal <= limits.TOLD_BY_ONE_MAX:
        last = None if header.next_ordinal is None else header.next_ordinal - 1
        return _tell(message, _recipients(header, 0, last))
    _enqueue(header, header.next_ordinal)
    return push.Delivery()


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell some ranges. Returns the IDs of the queue's messages that must come again."""
    failed: list[str] = []
    total = push.Delivery()
    for record in records:
        try:
            total += _announce_to(msgspec.json.decode(record["body"], type=Range))
        except Exception as error:  # noqa: BLE001  # this range comes again, the others are done
            log.failure("fan-out", error, message=record["messageId"])
            failed.append(record["messageId"])
    log.count("RecordsFailed", len(failed), "fan-out")
    log.line(
        "fan-out", records=len(records), failed=len(failed), sent=total.sent, gone=total.gone, unreached=total.failed
    )
    return failed


def _announce_to(told: Range) -> push.Delivery:
    message = messages.find(Conversation.parse(told.conversationID), told.seq)
    if message is None:  # it has expired meanwhile
        return push.Delivery()
    return _tell(message, _recipients(message.header, told.first, told.last))


def _tell(message: Message, user_ids: Iterable[str]) -> push.Delivery:
    total = push.Delivery()
    recipients = iter(user_ids)
    while told := list(islice(recipients, _TOLD_AT_ONCE)):
        total += push.deliver(told, lambda user, _: [_frame(message, user.user_id)])
    return total


def _recipients(header: Header, first: int, last: int | None) -> Iterator[str]:
    stays = members.in_order(header.conversation, first, last)
    return (stay.user_id for stay in stays if stay.is_current and stay.covers(header.seq))


def _enqueue(header: Header, next_ordinal: int) -> None:
    ranges = [
        Range(
            header.conversation.conversation_id,
            header.seq,
            first,
            min(first + limits.TOLD_BY_ONE_MAX, next_ordinal) - 1,
        )
        for first in range(0, next_ordinal, limits.TOLD_BY_ONE_MAX)
    ]
    queue.send(settings.fan_out_queue(), (msgspec.json.encode(each).decode() for each in ranges))


def _frame(message: Message, user_id: str) -> bytes:
    return answers.encode(answers.NewMessage(answers.message(message, user_id)))
