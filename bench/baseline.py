"""The usual design of read receipts, as honestly as ours: the same edge, the same checks, the same pushes.

Each receipt is a row of its own, put on condition that it is not there yet; if it was not, the message's counter goes
up by one, and its new value is pushed to the sender. All of it happens in the call: there is no stream to wait for.

What it does not promise: if the function dies, or its answer is lost, between the row and the counter, the count is one
short for ever, as a repetition finds the row there and does nothing. (One could write both in a transaction, at twice
the write units and with conflicts among readers of the same message.)
"""

from typing import Any

from botocore.exceptions import ClientError
from chalice.app import Blueprint, Chalice

from chalicelib import answers, clock, codes, push, requests, settings
from chalicelib import http as edge
from chalicelib.core import audience
from chalicelib.core.caller import Caller, SDKVersion
from chalicelib.core.conversation import Conversation, decode_msg_id
from chalicelib.core.message import Header
from chalicelib.core.receipt import Receipt, c2c_receipt, group_receipt
from chalicelib.store import dynamo, standing
from chalicelib.store.users import User

READS = "BaselineReads"
COUNTS = "BaselineCounts"

# The tables' environment variables, as for ours.
VARIABLES = {f"{name.upper()}_TABLE": name for name in (READS, COUNTS)}

app = Chalice(app_name="baseline")
_http = Blueprint(__name__)
_answering = edge.edge(_http)


@_http.route("/v1/read-receipts", methods=["POST"])
@_answering(body=requests.ReadReceipts)
def send_read_receipts(caller: Caller, request: requests.ReadReceipts) -> answers.ReceiptsSent:
    return send(caller, request)


app.register_blueprint(_http)


def create_tables(client: Any) -> None:
    """Make the design's own tables; it shares the rest."""
    for name, keys in ((READS, ("msgID", "userID")), (COUNTS, ("msgID",))):
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )


def send(caller: Caller, request: requests.ReadReceipts) -> answers.ReceiptsSent:
    """sendMessageReadReceipts: for each message a row, a counter, and a push."""
    decoded = {msg_id: decode_msg_id(msg_id) for msg_id in request.msgIDs}
    conversation = next(iter(decoded.values()))[0]
    found = standing.find(conversation, caller.user_id, [seq for _, seq in decoded.values()])
    results, new = [], []
    for msg_id, (_, seq) in decoded.items():
        header = found.headers.get(seq)
        is_taken = header and header.need_read_receipt and audience.covering(found.stays, seq)
        results.append(answers.message_result(msg_id, codes.OK if is_taken else codes.NO_SUCH_MESSAGE))
        if header and is_taken and _put(msg_id, caller.user_id):
            new.append(_receipt(conversation, caller, header, _count_up(msg_id)))
    _push(found.headers[min(found.headers)].sender, new)
    return answers.ReceiptsSent(results)


def _put(msg_id: str, user_id: str) -> bool:
    """Note who read what. False if that was known already."""
    try:
        dynamo.client().put_item(
            TableName=settings.table(READS),
            Item=dynamo.item({"msgID": msg_id, "userID": user_id, "readAtMs": clock.now_ms()}),
            ConditionExpression="attribute_not_exists(msgID)",
        )
    except ClientError as error:
        if not dynamo.lost_condition(error):
            raise
        return False
    return True


def _count_up(msg_id: str) -> int:
    answer = dynamo.client().update_item(
        TableName=settings.table(COUNTS),
        Key=dynamo.item({"msgID": msg_id}),
        UpdateExpression="ADD readCount :one",
        ExpressionAttributeValues=dynamo.item({":one": 1}),
        ReturnValues="UPDATED_NEW",
    )
    return int(dynamo.plain(answer["Attributes"])["readCount"])


def _receipt(conversation: Conversation, caller: Caller, header: Header, read_count: int) -> Receipt:
    if conversation.is_group:
        return group_receipt(header, read_count)
    return c2c_receipt(header.msg_id, caller.user_id, clock.now_ms())


def _push(sender: str, receipts: list[Receipt]) -> None:
    """A frame for each receipt; the sender's devices are looked up once."""

    def frames(_: User, version: SDKVersion) -> list[bytes]:
        return [answers.encode(answers.NewReadReceipts([answers.receipt(each, version)])) for each in receipts]

    if receipts:
        push.deliver([sender], frames)


def counted(msg_id: str) -> int:
    """What the counter of a message says."""
    row: dict[str, Any] = dynamo.get(COUNTS, {"msgID": msg_id}, consistent=True) or {}
    return int(row.get("readCount", 0))
