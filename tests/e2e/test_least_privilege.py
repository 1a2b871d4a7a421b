"""What a function's role does not allow it cannot do: code of our own runs in its place, and tries."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from stack.local_stack import STACK_NAME, LocalStack

# Tries the calls it is handed, and says of each what AWS said.
_INTRUDER = """
import boto3
from botocore.exceptions import ClientError

def tried(service, operation, asked):
    try:
        getattr(boto3.client(service), operation)(**asked)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"

def handler(event, context):
    return [tried(*call) for call in event["calls"]]
"""

_DENIED = {"AccessDeniedException", "AccessDenied"}


@pytest.fixture
def intruder(stack: LocalStack) -> Iterator[str]:
    """A function with the role of WebsocketDisconnect, which may forget a socket and nothing else."""
    functions = stack.aws.client("lambda")
    role = next(
        each["Role"]
        for each in functions.list_functions()["Functions"]
        if each["FunctionName"].startswith(f"{STACK_NAME}-WebsocketDisconnect-")
    )
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("intruder.py", _INTRUDER)
    name = f"{STACK_NAME}-Intruder"
    functions.create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.11",
        Handler="intruder.handler",
        Code={"ZipFile": zipped.getvalue()},
        Timeout=25,
    )
    yield name
    functions.delete_function(FunctionName=name)


def test_a_function_can_do_its_work_and_nothing_else(stack: LocalStack, intruder: str) -> None:
    tables = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in stack.aws.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    }

    def on(table: str, **asked: Any) -> dict[str, Any]:
        return {"TableName": tables[table], **asked}

    socket, user = {"connectionID": {"S": "nobody"}}, {"userID": {"S": "nobody"}}
    message = {"conversationID": {"S": "c2c_a~b"}, "seq": {"N": "1"}}
    allowed = [("dynamodb", "delete_item", on("Connections", Key=socket))]
    forbidden = [
        ("dynamodb", "get_item", on("Connections", Key=socket)),
        ("dynamodb", "scan", on("Connections")),
        ("dynamodb", "delete_item", on("Users", Key=user)),
        ("dynamodb", "get_item", on("Messages", Key=message)),
        ("dynamodb", "put_item", on("Messages", Item=message)),
        ("dynamodb", "delete_table", on("Reads")),
        ("secretsmanager", "get_secret_value", {"SecretId": stack.outputs["TokenKey"]}),
        ("sqs", "send_message", {"QueueUrl": stack.outputs["Webhooks"], "MessageBody": "{}"}),
        ("sqs", "receive_message", {"QueueUrl": stack.outputs["StreamFailures"]}),
    ]
    answer = stack.aws.client("lambda").invoke(
        FunctionName=intruder, Payload=json.dumps({"calls": [*allowed, *forbidden]})
    )
    said = json.loads(answer["Payload"].read())

    assert said[0] == "done", said
    for (service, operation, _), code in zip(forbidden, said[1:], strict=True):
        assert code in _DENIED, (service, operation, code)
    assert tables["Reads"] in stack.aws.client("dynamodb").list_tables()["TableNames"]
