"""The whole stack on a local AWS: started, packaged and deployed, for as long as a `with` lasts."""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.deploy import deploy
from stack.local_aws import REGION, LocalAWS
from stack.template import package

STACK_NAME = "read-receipts"
_BUCKET = "read-receipts-code"


@dataclass(frozen=True)
class LocalStack:
    """Where the deployed stack is reached, and the key its tokens are signed with."""

    aws: LocalAWS
    http: str
    websocket: str
    token_key: str
    outputs: dict[str, str]


@contextmanager
def local_stack(
    log: Path,
    *,
    state: Path | None = None,
    port: int | None = None,
    token_key: str | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Iterator[LocalStack]:
    """Start a local AWS and deploy the stack to it, by the same template and commands as anywhere.

    `state` is a folder in which everything is kept for the next time. `report` is told each step that is done.
    RuntimeError if it does not start, CalledProcessError with the output if packaging or deploying fails.
    """
    key = token_key or secrets.token_urlsafe(32)
    started = time.monotonic()

    def done(step: str) -> None:
        report(f"{time.monotonic() - started:5.1f} s  {step}")

    with LocalAWS(log, state, port) as aws, tempfile.TemporaryDirectory() as folder:
        done(f"a local AWS is up at {aws.url}")
        template = package(Path(folder))
        done("the code is packaged")
        parameters = {
            "ExecuteApiBase": aws.execute_api,
            "UserCallsPerSecond": "0",
        }  # demos and benchmarks are in a hurry
        outputs = deploy(template, STACK_NAME, _BUCKET, parameters, REGION, aws.environment)
        aws.client("secretsmanager").put_secret_value(SecretId=outputs["TokenKey"], SecretString=key)
        if state:
            _restart_streams(aws)
        done("the stack is deployed: tables, streams, functions, both APIs")
        yield LocalStack(
            aws=aws,
            http=f"{aws.execute_api}/{outputs['RestAPIId']}/api/v1",
            websocket=f"{aws.execute_api}/{outputs['WebsocketAPIId']}/api".replace("http://", "ws://", 1),
            token_key=key,
            outputs=outputs,
        )


def _restart_streams(aws: LocalAWS) -> None:
    """Make each trigger again, so that it begins at the beginning of its stream.

    MiniStack keeps how far a trigger has come in its stream but not the stream, so a trigger that was kept would pass
    over as many new records as it had seen before.
    """
    client = aws.client("lambda")
    triggers = client.list_event_source_mappings()["EventSourceMappings"]
    for trigger in (each for each in triggers if "StartingPosition" in each):  # a queue's trigger has none
        client.delete_event_source_mapping(UUID=trigger["UUID"])
        client.create_event_source_mapping(
            EventSourceArn=trigger["EventSourceArn"],
            FunctionName=trigger["FunctionArn"],
            StartingPosition=trigger["StartingPosition"],
            BatchSize=trigger["BatchSize"],
            FunctionResponseTypes=trigger["FunctionResponseTypes"],
        )
