"""Deploying for real: the operator's commands, one after the other, to an AWS that is local but does not say so."""

import json
import os
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator

import httpx
import pytest

from chalicelib import tokens
from stack.local_aws import LocalAWS
from stack.template import PROJECT

HTTP_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAWS]:
    with LocalAWS(tmp_path_factory.mktemp("aws") / "ministack.log") as aws:
        yield aws


def command(aws: LocalAWS, *arguments: str, says: str = "", fails: bool = False) -> str:
    """Run one of the commands as an operator does; what it printed."""
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=PROJECT,
        env={**os.environ, **aws.environment, "AWS_REGION": "us-east-1"},
        input=says,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (run.returncode != 0) is fails, run.stdout + run.stderr
    return run.stdout + run.stderr


def deploy(aws: LocalAWS, *more: str, fails: bool = False) -> str:
    base = f"ExecuteApiBase={aws.execute_api}"  # the one thing that is different on a local AWS
    return command(aws, "stack.deploy", "--stage", "prod", "--set", base, *more, fails=fails)


def call(aws: LocalAWS, method: str, path: str, token: str, body: object = None) -> httpx.Response:
    """An HTTP call to the stack, by whose token it is; a user's name stands for one that the command makes."""
    stacks = aws.client("cloudformation").describe_stacks(StackName="read-receipts-prod")["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stacks[0]["Outputs"]}
    if "." not in token:
        token = command(aws, "stack.token", token, "--stage", "prod").strip()
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, outputs["HttpURL"] + path, headers=headers, json=body, timeout=HTTP_TIMEOUT_S)


def test_an_operators_life(aws: LocalAWS) -> None:
    """Deploy, use, rotate, put aside and redrive, update in place, and take down: the tables outlive it all."""
    said = deploy(aws)
    assert "/api/v1" in said
    assert "ws" in said
    sent = call(aws, "POST", "/messages", "alice", {"userID": "bob", "text": "hi", "needReadReceipt": True})
    assert sent.status_code == 200

    redrives_what_was_put_aside(aws)

    assert "no parameter RETENTION" in deploy(aws, "--set", "RETENTION=1", fails=True)
    assert "set UserSigAppID" in command(aws, "stack.keys", "show", "usersig", "--stage", "prod", fails=True)
    deploy(aws, "--set", "UserSigAppID=1400000001")
    history = call(aws, "GET", "/conversations/c2c_bob/messages", "alice")
    assert [each["msgID"] for each in history.json()["messageList"]] == [sent.json()["msgID"]]

    rotates_keys(aws)

    tables = set(aws.client("dynamodb").list_tables()["TableNames"])
    assert "Nothing was done" in command(aws, "stack.destroy", "--stage", "prod", says="no\n", fails=True)
    assert call(aws, "GET", "/health", "alice").status_code == 200
    command(aws, "stack.destroy", "--stage", "prod", says="read-receipts-prod\n")
    assert set(aws.client("dynamodb").list_tables()["TableNames"]) == tables
    assert "There is no stack" in command(aws, "stack.keys", "show", "token", "--stage", "prod", fails=True)

    deploy(aws)
    said = command(aws, "stack.destroy", "--stage", "prod", "--delete-tables", "--yes")
    gone = set(re.findall(r"read-receipts-prod-\w+-\w+", said))
    assert len(gone) == len(tables)
    assert not gone & set(aws.client("dynamodb").list_tables()["TableNames"])


def rotates_keys(aws: LocalAWS) -> None:
    """A function that runs takes tokens of both keys, a moment after the rotation and without a deploy."""
    key = command(aws, "stack.keys", "show", "token", "--stage", "prod").strip()
    old = tokens.mint("alice", 600, key)
    command(aws, "stack.keys", "rotate", "token", "--stage", "prod")
    new_key = command(aws, "stack.keys", "show", "token", "--stage", "prod").strip()
    assert new_key != key
    for token in (tokens.mint("alice", 600, new_key), old):
        deadline = time.monotonic() + 60
        while call(aws, "GET", "/settings", token).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.5)
    command(aws, "stack.keys", "rotate", "webhook", "--stage", "prod", "--stdin", says="my own\n")
    assert command(aws, "stack.keys", "show", "webhook", "--stage", "prod").strip() == "my own"
    shown = command(aws, "stack.keys", "show", "webhook", "--whsec", "--stage", "prod").strip()
    assert shown == "whsec_" + b64encode(b"my own").decode()
    command(aws, "stack.keys", "rotate", "token", "--stage", "prod", "--stdin", says="short\n", fails=True)
    command(aws, "stack.keys", "rotate", "usersig", "--stage", "prod", "--stdin", says="the app's key\n")
    assert "the app's key" in command(aws, "stack.keys", "show", "usersig", "--stage", "prod")


def redrives_what_was_put_aside(aws: LocalAWS) -> None:
    """A read whose record was put aside is folded by the command; events and ranges go back to their queues."""
    outputs = {
        each["OutputKey"]: each["OutputValue"]
        for each in aws.client("cloudformation").describe_stacks(StackName="read-receipts-prod")["Stacks"][0]["Outputs"]
    }
    call(aws, "POST", "/groups", "alice", {"groupType": "Work", "groupID": "team", "memberList": ["bob", "carol"]})
    message = call(aws, "POST", "/messages", "alice", {"groupID": "team", "text": "hi", "needReadReceipt": True}).json()
    lam = aws.client("lambda")
    (trigger,) = [
        each
        for each in lam.list_event_source_mappings()["EventSourceMappings"]
        if "-PushReceipts-" in each["FunctionArn"]
    ]
    lam.delete_event_source_mapping(UUID=trigger["UUID"])
    call(aws, "POST", "/read-receipts", "bob", {"msgIDs": [message["msgID"]]})

    def read_count() -> int:
        asked = {"msgIDs": [message["msgID"]]}
        return int(call(aws, "POST", "/read-receipts/query", "alice", asked).json()["receiptList"][0]["readCount"])

    assert read_count() == 0
    streams = aws.client("dynamodbstreams")
    (arn,) = {each["StreamArn"] for each in streams.list_streams()["Streams"] if "-Reads-" in each["TableName"]}
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    where = {"streamArn": arn, "shardId": shard["ShardId"], "batchSize": len(records)}
    note = {
        "requestContext": {"functionArn": trigger["FunctionArn"]},
        "DDBStreamBatchInfo": {**where, "startSequenceNumber": numbers[0], "endSequenceNumber": numbers[-1]},
    }
    gone = {
        **note,
        "DDBStreamBatchInfo": {
            **where,
            "shardId": "shardId-00000000000000000000-0000000a",
            "startSequenceNumber": "1" * 21,
            "endSequenceNumber": "2" * 21,
        },
    }
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=outputs["StreamFailures"], MessageBody=json.dumps(note))
    assert "1 found, 0 left" in command(aws, "stack.redrive", "streams", "--stage", "prod", "--dry-run")
    assert read_count() == 0
    assert "1 tried again, 0 left" in command(aws, "stack.redrive", "streams", "--stage", "prod")
    assert read_count() == 1
    sqs.send_message(QueueUrl=outputs["StreamFailures"], MessageBody=json.dumps(gone))
    assert "gone" in command(aws, "stack.redrive", "streams", "--stage", "prod", fails=True)
    sqs.send_message(QueueUrl=outputs["FanOutFailures"], MessageBody="{}")
    assert "1 tried again, 0 left" in command(aws, "stack.redrive", "fan-out", "--stage", "prod")
