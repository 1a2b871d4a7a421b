"""Least privilege: each function's role allows what the function does in a tour of all it can do, and nothing more."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import botocore.client
import pytest
from chalice import test as chalice_test

from chalicelib import kept, limits, queue, settings
from chalicelib.store import console
from stack.template import package, stages
from tests.test_webhook import Receiver, pump
from tests.world import User, World

# An action on a resource, such as ("dynamodb:Query", "Members/index/MemberOf").
Permission = tuple[str, str]

# What a function is called in the stack, by its name in the code; HTTP calls have no such name.
FUNCTIONS = {
    "http": "APIHandler",
    "socket_connected": "WebsocketConnect",
    "socket_heard": "WebsocketMessage",
    "socket_closed": "WebsocketDisconnect",
    "push_receipts": "PushReceipts",
    "push_messages": "PushMessages",
    "push_marks": "PushMarks",
    "deliver_webhooks": "DeliverWebhooks",
    "tell_members": "TellMembers",
}

# Who reads which keys.
KEYS = {
    "APIHandler": ["TokenKey", "UserSigKey"],
    "WebsocketConnect": ["TokenKey", "UserSigKey"],
    "DeliverWebhooks": ["WebhookKey"],
}

# What Lambda itself does in a function's name: it writes logs and traces, polls the streams and queues that trigger the
# function, and puts aside what fails.
BY_LAMBDA = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
}
PUT_ASIDE = ("sqs:SendMessage", "StreamFailures")

# For what AWS has no resource level.
EVERYWHERE = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "dynamodb:ListStreams"}

# TransactWriteItems needs the permissions of its parts.
_PARTS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def permissions_for(service: str, operation: str, asked: Mapping[str, Any]) -> Iterator[Permission]:
    """What a call needs to be allowed."""
    if service == "apigatewaymanagementapi":
        yield "execute-api:ManageConnections", "WebsocketAPI"
    elif service == "sqs":
        yield f"sqs:{operation}", asked["QueueUrl"].rsplit("/", 1)[1]
    elif operation == "BatchGetItem":
        for table in asked["RequestItems"]:
            yield "dynamodb:BatchGetItem", table
    elif operation == "TransactWriteItems":
        for part in asked["TransactItems"]:
            ((kind, action),) = part.items()
            yield _PARTS[kind], action["TableName"]
    else:
        index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
        yield f"{service}:{operation}", asked["TableName"] + index


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, set[Permission]]]:
    """What each function does inside the `with`, by its name in the stack."""
    done: dict[str, set[Permission]] = defaultdict(set)
    running: list[str] = []
    call, invoke, request = (
        botocore.client.BaseClient._make_api_call,  # type: ignore[attr-defined]  # botocore's one way out
        chalice_test.TestLambdaClient.invoke,
        chalice_test.TestHTTPClient.request,
    )

    def noted(self: Any, operation: str, asked: Any) -> Any:
        if running:
            done[running[-1]].update(permissions_for(self.meta.service_model.service_name, operation, asked))
        return call(self, operation, asked)

    def invoked(self: Any, name: str, payload: Any = None) -> Any:
        new_process()
        running.append(FUNCTIONS[name])
        try:
            return invoke(self, name, payload)
        finally:
            running.pop()

    def requested(self: Any, *how: Any, **more: Any) -> Any:
        new_process()
        running.append(FUNCTIONS["http"])
        try:
            return request(self, *how, **more)
        finally:
            running.pop()

    with monkeypatch.context() as over:
        over.setattr(botocore.client.BaseClient, "_make_api_call", noted)
        over.setattr(chalice_test.TestLambdaClient, "invoke", invoked)
        over.setattr(chalice_test.TestHTTPClient, "request", requested)
        yield done


def new_process() -> None:
    """Nothing is remembered from before."""
    kept.forget_all()
    console.forget()


def tour(world: World, receiver: Receiver, sqs: Any) -> None:
    """Everything that every function can do, each in a new process."""
    alice, bob, carol, dave = world.users("alice", "bob", "carol", "dave")
    admin = world.admin()

    admin.sets(webhookURL=receiver.url, retentionDays=30)
    admin.calls("GET", "/admin/settings")
    alice.creates("team", bob, carol)
    alice.calls("GET", "/groups/team")
    alice.calls("GET", "/groups/team/members")
    alice.invites("team", dave)
    alice.removes("team", dave)
    alice.invites("team", dave)
    devices = [each.connects() for each in (alice, bob, carol)]
    for by_socket in (False, True):
        for to in ("team", bob):
            whom = {"groupID": to} if isinstance(to, str) else {"userID": to.user_id}
            name = "-".join(("frame" if by_socket else "call", *whom.values()))
            what = {**whom, "text": "hi", "needReadReceipt": True, "clientMsgID": name}
            for _ in range(2):  # a repeated send finds the first
                if by_socket:
                    message = devices[0].says({"action": "sendMessage", "requestID": 1, **what})["message"]
                else:
                    message = alice.calls("POST", "/messages", what).ok
            world.pump()
            receipts = {"msgIDs": [message["msgID"]], "alsoMarkRead": True}
            if by_socket:
                devices[1].says({"action": "sendMessageReadReceipts", "requestID": 2, **receipts})
            else:
                bob.calls("POST", "/read-receipts", receipts)
            pump(world)
            alice.asks(message)
            if to == "team":
                carol.reads(message)
                pump(world)
                alice.readers(message)
                alice.non_readers(message)
    cursor = alice.calls("GET", "/read-receipts/changes").ok["cursor"]
    alice.calls("GET", "/read-receipts/changes", since=cursor)
    devices[0].says({"action": "sendMessage", "requestID": 3, "userID": "somebody-new", "text": "hi"})
    for conversation in ("group_team", "c2c_bob"):
        latest = alice.history(conversation)["messageList"][0]
        alice.history(conversation, lastMsgID=latest["msgID"])
        bob.marks_read(conversation.replace("bob", "alice"))
        world.pump()
    alice.unread()
    alice.turns_receipts(False)
    alice.calls("GET", "/settings")
    alice.turns_receipts(True)
    for device in devices[1:]:
        device.says({"action": "ping"})
    many = [f"many-{number}" for number in range(170)]  # so many that their counts are kept apart (Sums)
    alice.creates("large", *many)
    message = alice.sends("large")
    for name in many:
        world.user(name).reads(message)
    pump(world)
    alice.counts(message)
    alice.readers(message)

    def loses_a_device(user: User) -> None:
        """One of the user's sockets is gone, and nobody has noticed yet."""
        socket = user.connects()
        world.waits(60)
        world.sockets.gone.add(socket.connection_id)

    loses_a_device(bob)
    message = alice.sends(bob)
    world.pump()
    loses_a_device(alice)
    bob.reads(message)
    world.pump()
    loses_a_device(alice)
    bob.marks_read("c2c_alice")
    world.pump()
    for _ in range(25):
        loses_a_device(bob)
    loses_a_device(alice)
    with patch.object(limits, "TOLD_BY_ONE_MAX", 100):  # so many that they are told by functions of their own
        alice.sends("large")
        world.pump()
    found = sqs.receive_message(QueueUrl=settings.fan_out_queue(), MaxNumberOfMessages=10)["Messages"]
    records = [{"messageId": each["MessageId"], "body": each["Body"]} for each in found]
    world.functions.invoke("tell_members", {"Records": records})
    receiver.statuses = [500]
    bob.reads(alice.sends(bob))
    pump(world)
    world.waits(4000)  # tokens have expired: such sockets are ended
    world.user("carol").sends(bob)
    world.pump()
    devices[0].closes()
    bob.quits("team")


@pytest.fixture
def done(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[Permission]]:
    """What each function did in the tour."""
    queue.client.cache_clear()
    sqs = boto3.client("sqs")
    monkeypatch.setenv("WEBHOOK_QUEUE", sqs.create_queue(QueueName="Webhooks")["QueueUrl"])
    monkeypatch.setenv("FAN_OUT_QUEUE", sqs.create_queue(QueueName="FanOut")["QueueUrl"])
    monkeypatch.setenv("IS_LOCAL", "1")
    with Receiver().listening() as receiver, recorded(monkeypatch) as done:
        tour(world, receiver, sqs)
    for function, names in KEYS.items():  # tests have keys of their own, which are not asked for of AWS
        done[function] |= {("secretsmanager:GetSecretValue", name) for name in names}
    queue.client.cache_clear()
    return done


@pytest.fixture(scope="module", params=sorted(stages()))
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    packaged: Path = package(tmp_path_factory.mktemp("package"), request.param)
    loaded: dict[str, Any] = json.loads(packaged.read_text())
    return loaded


def named(resource: Any) -> str:
    """What an ARN of the template is of: a table, an index, a stream, a queue, a key or an API."""
    match resource:
        case "*":
            return "*"
        case {"Fn::GetAtt": [name, "Arn" | "Id"]}:
            return str(name)
        case {"Fn::GetAtt": [name, "StreamArn"]}:
            return f"{name}/stream"
        case {"Fn::Sub": str(text)}:
            if found := re.fullmatch(r"\$\{(\w+)\.Arn\}(/index/\w+)", text):
                return found[1] + found[2]
            if found := re.search(r":\$\{(\w+)\}/api/\*/@connections/\*$", text):
                return found[1]
            if found := re.search(r":log-group:/aws/lambda/\$\{AWS::StackName\}-(\w+)-\*:\*$", text):
                return f"{found[1]}/logs"
    raise AssertionError(f"not a resource that is known here: {resource}")


def allowed(template: Mapping[str, Any], function: str) -> set[Permission]:
    """What a function's role allows."""
    role = template["Resources"][function]["Properties"]["Role"]
    assert role == {"Fn::GetAtt": [f"{function}Role", "Arn"]}
    found: set[Permission] = set()
    for policy in template["Resources"][f"{function}Role"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            statement = statement["Fn::If"][1] if "Fn::If" in statement else statement
            assert statement["Effect"] == "Allow"
            actions, resources = statement["Action"], statement["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                for resource in resources if isinstance(resources, list) else [resources]:
                    found.add((action, named(resource)))
    return found


def test_each_role_allows_what_its_function_does_and_nothing_more(
    template: dict[str, Any], done: dict[str, set[Permission]]
) -> None:
    functions = {name for name, each in template["Resources"].items() if each["Type"] == "AWS::Serverless::Function"}
    assert functions == set(FUNCTIONS.values())
    for function in sorted(functions):
        may = {(action, resource) for action, resource in allowed(template, function) if action not in BY_LAMBDA}
        assert may - {PUT_ASIDE} == done[function], function


def test_no_action_is_allowed_everywhere_but_where_aws_knows_no_resource(template: dict[str, Any]) -> None:
    for function in FUNCTIONS.values():
        for action, resource in allowed(template, function):
            assert "*" not in action
            assert (resource == "*") is (action in EVERYWHERE), (function, action)


def test_a_function_reads_its_own_stream_or_queue_only_and_writes_its_own_log_only(template: dict[str, Any]) -> None:
    for function, source in (("PushReceipts", "Reads"), ("PushMessages", "Messages"), ("PushMarks", "Marks")):
        streams = {resource for action, resource in allowed(template, function) if action == "dynamodb:GetRecords"}
        assert streams == {f"{source}/stream"}
        assert PUT_ASIDE in allowed(template, function)
    for function in FUNCTIONS.values():
        logs = {resource for action, resource in allowed(template, function) if action.startswith("logs:")}
        assert logs == {f"{function}/logs"}
        queues = {resource for action, resource in allowed(template, function) if action == "sqs:ReceiveMessage"}
        assert queues == {"DeliverWebhooks": {"Webhooks"}, "TellMembers": {"FanOut"}}.get(function, set())
