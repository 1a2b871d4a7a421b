"""The documents: every route and action is in them, real answers conform, and they agree with what is checked."""

import re
import subprocess
import sys
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import app as ways_in
from chalicelib import requests
from chalicelib.core.conversation import is_user_id
from tests.world import Answer, User, World

Json = dict[str, Any]


@pytest.fixture
def openapi(world: World) -> Json:
    return world.call("GET", "/openapi.json").ok


@pytest.fixture
def asyncapi(world: World) -> Json:
    return world.call("GET", "/asyncapi.json").ok


def check(document: Json, schema: Json, instance: Any) -> None:
    """Whether an instance conforms to a schema of a document; a field that is not described does not."""
    strict = {name: {**each, "additionalProperties": False} for name, each in document["components"]["schemas"].items()}
    for each in strict.values():
        if "properties" not in each:
            each.pop("additionalProperties")
    Draft202012Validator({**schema, "components": {"schemas": strict}}).validate(instance)


def test_the_openapi_document_is_valid(openapi: Json) -> None:
    OpenAPIV31SpecValidator(openapi).validate()


def test_every_route_is_in_it(openapi: Json) -> None:
    documented = {(method.upper(), path) for path, methods in openapi["paths"].items() for method in methods}
    routes = {
        (method, path.replace("_id}", "ID}"))
        for path, methods in ways_in.app.routes.items()
        for method in methods
        if method != "OPTIONS"
        if path.startswith("/v1/")
    }

    assert documented == routes
    assert {operation["operationId"] for methods in openapi["paths"].values() for operation in methods.values()} == {
        name
        for name in ways_in.app.handler_map
        if not name.startswith(("push_", "socket_", "unknown_", "tim_", "deliver_", "tell_", "page_", "preflight"))
    }


def test_every_action_and_event_is_in_the_asyncapi_document(asyncapi: Json) -> None:
    messages = asyncapi["channels"]["socket"]["messages"]
    actions = {frame.__struct_config__.tag for frame in get_args(requests.Frame)}

    assert {name.rsplit("/", 1)[1] for name in refs(asyncapi, "say")} == actions
    assert {name.rsplit("/", 1)[1] for name in refs(asyncapi, "hear")} == messages.keys() - actions
    assert asyncapi["asyncapi"] == "3.0.0"


def refs(asyncapi: Json, operation: str) -> list[str]:
    return [message["$ref"] for message in asyncapi["operations"][operation]["messages"]]


def test_real_answers_conform(world: World, openapi: Json) -> None:
    alice, bob = world.users("alice", "bob")
    said: list[tuple[str, str, Answer]] = []

    def call(user: User, method: str, template: str, body: Any = None, query: Json | None = None, **path: str) -> Json:
        answer = user.calls(method, template.removeprefix("/v1").format(**path), body, **(query or {}))
        said.append((method, template, answer))
        return answer.body

    call(alice, "POST", "/v1/groups", {"groupType": "Work", "groupID": "team", "memberList": ["bob"]})
    call(alice, "GET", "/v1/groups/{groupID}", groupID="team")
    call(alice, "GET", "/v1/groups/{groupID}/members", groupID="team")
    call(alice, "POST", "/v1/groups/{groupID}/members", {"userList": ["carol"]}, groupID="team")
    call(alice, "DELETE", "/v1/groups/{groupID}/members/{userID}", groupID="team", userID="carol")
    message = call(alice, "POST", "/v1/messages", {"groupID": "team", "text": "hi", "needReadReceipt": True})
    private = call(alice, "POST", "/v1/messages", {"userID": "bob", "data": {"k": [1]}, "needReadReceipt": True})
    ids = {"msgIDs": [message["msgID"]]}
    call(bob, "POST", "/v1/read-receipts", {**ids, "alsoMarkRead": True})
    world.pump()
    call(alice, "POST", "/v1/read-receipts/query", ids)
    call(alice, "POST", "/v1/read-receipts/query", {"msgIDs": [private["msgID"]]})
    call(bob, "POST", "/v1/read-receipts/query", ids)
    since = call(alice, "GET", "/v1/read-receipts/changes")["cursor"]
    call(alice, "GET", "/v1/read-receipts/changes", query={"since": since})
    call(alice, "GET", "/v1/messages/{msgID}/read-members", msgID=message["msgID"])
    call(alice, "GET", "/v1/conversations", query={"withLastMessage": "true"})
    call(alice, "GET", "/v1/conversations/{conversationID}/messages", conversationID="c2c_bob")
    call(bob, "POST", "/v1/conversations/{conversationID}/read", conversationID="c2c_alice")
    call(bob, "PUT", "/v1/settings", {"readReceipts": False})
    call(bob, "GET", "/v1/settings")
    call(bob, "POST", "/v1/read-receipts", {"msgIDs": [private["msgID"]]})
    call(world.admin(), "GET", "/v1/admin/settings")
    call(world.admin(), "PUT", "/v1/admin/settings", {"retentionDays": 5})
    call(alice, "GET", "/v1/health")
    call(alice, "GET", "/v1/openapi.json")
    call(alice, "GET", "/v1/asyncapi.json")
    call(bob, "GET", "/v1/admin/settings")
    call(alice, "POST", "/v1/messages", {})

    for method, template, answer in said:
        responses = openapi["paths"][template][method.lower()]["responses"]
        response = responses[str(answer.status)]
        check(openapi, response["content"]["application/json"]["schema"], answer.body)
    assert {(method, template) for method, template, answer in said if answer.status == 200} == {
        (method.upper(), path) for path, methods in openapi["paths"].items() for method in methods
    }


def test_real_frames_conform(world: World, asyncapi: Json) -> None:
    alice, bob = world.users("alice", "bob")
    hers, his = alice.connects(), bob.connects()
    hers.says({"action": "ping", "requestID": 7})
    hers.says("nonsense")
    sent = hers.says({"action": "sendMessage", "requestID": "1", "userID": "bob", "text": "x", "needReadReceipt": True})
    his.says({"action": "sendMessageReadReceipts", "msgIDs": [sent["message"]["msgID"]], "alsoMarkRead": True})
    world.pump()

    messages = asyncapi["channels"]["socket"]["messages"]
    heard = [*hers.frames, *his.frames]
    for frame in heard:
        check(asyncapi, messages[frame.get("event", "answer")]["payload"], frame)
    assert {frame.get("event", "answer") for frame in heard} == {
        ref.rsplit("/", 1)[1] for ref in refs(asyncapi, "hear")
    }


@pytest.mark.parametrize(
    ("body", "is_good"),
    [
        ({"msgIDs": ["x"]}, True),
        ({"msgIDs": []}, False),
        ({"msgIDs": ["x"] * 101}, False),
        ({"msgIDs": ["x"], "extra": 1}, False),
        ({"msgIDs": ["x"], "alsoMarkRead": "yes"}, False),
    ],
)
def test_the_document_describes_the_bounds_that_are_checked(openapi: Json, body: Json, is_good: bool) -> None:
    schema = openapi["paths"]["/v1/read-receipts"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": openapi["components"]})

    assert validator.is_valid(body) == is_good


@pytest.mark.parametrize(
    ("user_id", "is_good"), [("a-b_c.d@e#F9", True), ("a b", False), ("..", False), ("a\n", False), ("...", True)]
)
def test_patterns_mean_the_same_in_the_document(openapi: Json, user_id: str, is_good: bool) -> None:
    """JSON Schema speaks JavaScript's dialect, so the pattern must not be in words that only Python knows."""
    choices = openapi["components"]["schemas"]["SendMessage"]["properties"]["userID"]["anyOf"]
    (pattern,) = {choice["pattern"] for choice in choices if "pattern" in choice}

    assert not re.search(r"\\[AZ]|\(\?P", pattern)
    assert bool(re.search(pattern, user_id)) == is_good == is_user_id(user_id)


def test_the_documents_come_without_a_token_and_cost_nothing_at_start(world: World) -> None:
    assert world.call("GET", "/openapi.json").status == 200
    loaded = "import app, sys; print('chalicelib.documents' in sys.modules, 'boto3' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", loaded], text=True).split() == ["False", "False"]
