"""Fuzzing the deployed stack from its own documents: OpenAPI by schemathesis, the socket's frames by hypothesis.

make test ARGS="tests/e2e/test_fuzzing.py"                          half a minute, the same each time
FUZZ_SECONDS=600 make test ARGS="tests/e2e/test_fuzzing.py -s"      ten minutes, another seed each time
FUZZ_SEED=7 …                                                       one that was printed, again
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from websockets.sync.client import ClientConnection, connect

from chalicelib import documents, tokens
from stack.local_stack import LocalStack

Json = dict[str, Any]

SECONDS = int(os.environ.get("FUZZ_SECONDS", "18"))
IS_LONG = "FUZZ_SECONDS" in os.environ
SEED = int(os.environ.get("FUZZ_SEED", random.randrange(2**31) if IS_LONG else 1))

CONFIG = Path(__file__).with_name("schemathesis.toml")
# Frames, in all: they take a third of the time.
FRAMES = SECONDS * 10


@pytest.fixture(scope="module")
def fuzzer(stack: LocalStack) -> Iterator[httpx.Client]:
    """An administrator with a group and a chat, for the names in the configuration; the console is put back."""
    token = tokens.mint("fuzzer", 3600 + 2 * SECONDS, stack.token_key, role="admin")
    with httpx.Client(base_url=stack.http, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        client.post("/groups", json={"groupType": "Public", "groupID": "fuzz", "memberList": ["friend"]})
        for whom in ({"groupID": "fuzz"}, {"userID": "friend"}):
            for _ in range(2):
                client.post("/messages", json={**whom, "text": "hi", "needReadReceipt": True}).raise_for_status()
        console = client.get("/admin/settings").raise_for_status().json()
        yield client
        client.put("/admin/settings", json=console).raise_for_status()
        client.put("/settings", json={"readReceipts": True}).raise_for_status()


def schemathesis(stack: LocalStack, client: httpx.Client, folder: Path, seconds: int, *which: str) -> str:
    """Run it, in an empty folder, as it remembers what it found; and return what it says: each failure, if there are
    any, and how to repeat it."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
    command += ["run", f"{stack.http}/openapi.json", "--url", stack.http.removesuffix("/v1"), "--checks", "all"]
    command += ["--header", f"Authorization: {client.headers['Authorization']}", "--continue-on-failure"]
    command += ["--seed", str(SEED), "--max-time", str(seconds), "--no-color", *which]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds + 60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_call_that_can_be_made_of_the_document_breaks_a_promise_of_it(
    stack: LocalStack, fuzzer: httpx.Client, tmp_path: Path
) -> None:
    """No server error, no answer that is not described, nothing invalid taken, nothing valid refused, no way past the
    token: by all of schemathesis's checks. The console comes last, as it changes what all others answer."""
    print(f"FUZZ_SEED={SEED} FUZZ_SECONDS={SECONDS}")  # noqa: T201  # for whoever wants the same again
    console = ("--exclude-operation-id", "put_admin_settings"), ("--include-operation-id", "put_admin_settings")

    for seconds, which in zip((SECONDS, max(4, SECONDS // 6)), console, strict=True):
        said = schemathesis(stack, fuzzer, tmp_path, seconds, *which)
        print(said[said.index("SUMMARY") :])  # noqa: T201  # how many cases, of what
        assert "passed" in said


# Frames.

DOCUMENT = documents.asyncapi()
MESSAGES: Json = DOCUMENT["channels"]["socket"]["messages"]
ANSWER, EVENTS = MESSAGES["answer"]["payload"], {name for name in MESSAGES if name.startswith("on")}
ACTIONS = [name for name in MESSAGES if name not in EVENTS and name != "answer"]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
# As in schemathesis.toml.
THERE = st.sampled_from(
    ["fuzz", "friend", "Z3JvdXBfZnV6en4x", "YzJjX2ZyaWVuZH5mdXp6ZXJ-MQ", "YzJjX2ZyaWVuZH5mdXp6ZXJ-Mg"]
)


def fitting(schema: Json, spoil: st.SearchStrategy[bool]) -> st.SearchStrategy[Any]:
    """What conforms to a schema, such as msgspec writes them; but wherever `spoil` says so, anything at all."""
    return spoil.flatmap(lambda spoilt: ANYTHING | THERE if spoilt else _fitting(schema, spoil))


def _fitting(schema: Json, spoil: st.SearchStrategy[bool]) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _fitting(DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], spoil)
    if "anyOf" in schema:
        return st.one_of([_fitting(each, spoil) for each in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "object" if "properties" in schema:
            required = set(schema.get("required", ()))
            fields = {name: fitting(each, spoil) for name, each in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: each for name, each in fields.items() if name in required},
                optional={name: each for name, each in fields.items() if name not in required},
            )
        case "object":
            return st.dictionaries(st.text(max_size=8), ANYTHING, max_size=4)
        case "array":
            longest = min(schema.get("maxItems", 5), 5)
            return st.lists(fitting(schema["items"], spoil), min_size=schema.get("minItems", 0), max_size=longest)
        case "string" if "pattern" in schema:
            return THERE | st.from_regex(schema["pattern"]).map(lambda text: text[: schema["maxLength"]])
        case "string":
            return THERE | st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 50), 50))
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    assert not schema.keys() - {"title", "description", "default"}, f"a kind of schema that is new here: {schema}"
    return ANYTHING


AS_DOCUMENTED = st.sampled_from(ACTIONS).flatmap(lambda name: fitting(MESSAGES[name]["payload"], st.just(False)))
SPOILT = st.sampled_from(ACTIONS).flatmap(
    lambda name: fitting(MESSAGES[name]["payload"], st.integers(0, 4).map(lambda n: n == 0))
)
RAW = st.text(max_size=40) | st.binary(max_size=40)


@pytest.fixture(scope="module")
def socket(stack: LocalStack, fuzzer: httpx.Client) -> Iterator[ClientConnection]:
    token = str(fuzzer.headers["Authorization"]).removeprefix("Bearer ")
    with connect(f"{stack.websocket}?token={quote(token)}") as socket:
        yield socket


def answer(socket: ClientConnection, frame: str | bytes) -> Json:
    """Send a frame, and return its answer. Whatever else is heard meanwhile is as documented."""
    socket.send(frame)
    while True:
        heard: Json = json.loads(socket.recv(timeout=20))
        conforms(MESSAGES[heard["event"]]["payload"] if "event" in heard else ANSWER, heard)
        if "event" not in heard:
            return heard


def conforms(schema: Json, heard: Json) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(heard)


def fuzzed(test: Callable[..., None]) -> Callable[..., None]:
    """With the seed that was printed, and no database of examples, so that it is the same again."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    phases = [Phase.generate, Phase.shrink]
    return seed(SEED)(
        settings(max_examples=FRAMES // 3, database=None, phases=phases, suppress_health_check=quiet)(test)
    )


@fuzzed
@given(frame=AS_DOCUMENTED)
def test_a_frame_as_documented_is_answered_and_named(socket: ClientConnection, frame: Json) -> None:
    """It may still be refused, as by HTTP: a message is to a user or a group, a msgID is one that we gave."""
    said = answer(socket, json.dumps(frame))

    assert said["code"] != 10002
    assert said["requestID"] == frame.get("requestID")


@fuzzed
@given(frame=SPOILT)
def test_a_frame_with_something_wrong_in_it_is_answered(socket: ClientConnection, frame: Any) -> None:
    said = answer(socket, json.dumps(frame))

    assert said["code"] != 10002
    assert said["desc"]


@fuzzed
@given(frame=RAW)
def test_anything_at_all_is_answered(socket: ClientConnection, frame: str | bytes) -> None:
    if not frame:
        return  # API Gateway does not pass on an empty frame
    assert answer(socket, frame)["code"] == 6017
