"""`make run`: the whole system on a local AWS, with demo users, until Ctrl-C.

    python -m stack.run [--port 4566] [--persist]

Writes `.local/stack.json`, so that `make token`, `make demo` and any other tool can join in.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from subprocess import CalledProcessError
from types import FrameType
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import tokens
from receipts_client import Client, Refused
from stack.local_aws import DEFAULT_PORT, free_port
from stack.local_stack import STACK_NAME, LocalStack, local_stack
from stack.template import PROJECT

LOCAL = Path(os.environ.get("LOCAL_DIR", PROJECT / ".local"))
STACK_FILE = LOCAL / "stack.json"
KEY_FILE = LOCAL / "token-key"

DEMO_USERS = ("alice", "bob", "carol", "dave", "erin")
DEMO_GROUP = "demo"
# What the demo users have said already, so that the page is not empty at first sight: who, to whom, and what.
FIRST_WORDS = (
    ("carol", "alice", "周五的评审改到三点，可以吗？"),
    ("bob", "alice", "晚上一起吃饭？"),
    ("alice", DEMO_GROUP, "早上好！今天的会改到十点，地点不变。"),
    ("alice", DEMO_GROUP, "材料在群文件里，请会前看一遍 🙏"),
    ("bob", DEMO_GROUP, "收到，准时到。"),
)
_TOKEN_LIFETIME_S = 7 * 24 * 3600
_LATE_MS = 3000


def main() -> int:
    """Run until interrupted. 0 if that is how it ended."""
    parser = argparse.ArgumentParser(prog="make run", description="The whole system on a local AWS, until Ctrl-C.")
    parser.add_argument(
        "--port",
        type=port_number,
        default=DEFAULT_PORT,
        help=f"where the local AWS listens (default {DEFAULT_PORT}, or a free one)",
    )
    parser.add_argument(
        "--persist",
        action="store_true",
        default=os.environ.get("PERSIST") == "1",
        help="keep the data for the next run",
    )
    options = parser.parse_args()
    if (running := running_stack()) is not None:
        print(f"It is running already, at {running['http']} (see {os.path.relpath(STACK_FILE)}).")
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts background commands with SIGINT ignored
        signal.signal(number, _interrupt)
    port = free_port(options.port)
    if port != options.port:
        print(f"Port {options.port} is taken; using {port}.")
    try:
        with local_stack(
            LOCAL / "ministack.log",
            state=LOCAL / "state" if options.persist else None,
            port=port,
            token_key=local_key(),
            report=lambda step: print(step, flush=True),
        ) as stack:
            _introduce(stack)
            _follow_logs(stack)
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running." + (" The data is kept in .local/state." if options.persist else ""))
        return 0
    except CalledProcessError as error:
        print(f"`{' '.join(map(str, error.cmd))}` failed:\n{error.stdout}{error.stderr}", file=sys.stderr)
        return 1
    finally:
        STACK_FILE.unlink(missing_ok=True)
    return 0


def port_number(text: str) -> int:
    """A port, from the command line."""
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return int(text)


def running_stack() -> dict[str, Any] | None:
    """What `.local/stack.json` says, if the stack it speaks of answers."""
    with suppress(OSError, ValueError, httpx.HTTPError):
        described: dict[str, Any] = json.loads(STACK_FILE.read_text())
        httpx.get(f"{described['http']}/health", timeout=10).raise_for_status()
        return described
    return None


def local_key() -> str:
    """The token key of this checkout's local stacks: made at the first run, and never leaving it."""
    if not KEY_FILE.exists():
        LOCAL.mkdir(parents=True, exist_ok=True)
        KEY_FILE.touch(mode=0o600)
        KEY_FILE.write_text(secrets.token_urlsafe(32))
    return KEY_FILE.read_text()


def _introduce(stack: LocalStack) -> None:
    """Make the demo users, their group and their first words, write `stack.json`, and say what to try."""
    minted = {user: tokens.mint(user, _TOKEN_LIFETIME_S, stack.token_key) for user in DEMO_USERS}
    minted["admin"] = tokens.mint("admin", _TOKEN_LIFETIME_S, stack.token_key, role=tokens.ADMIN)
    asyncio.run(_begin_conversation(stack, minted))
    page = stack.http.removesuffix("v1")
    described = {"http": stack.http, "websocket": stack.websocket, "page": page, "tokens": minted}
    STACK_FILE.touch(mode=0o600)
    STACK_FILE.write_text(json.dumps(described, indent=2) + "\n")
    links = "\n".join(f"  {user:6} {page}#token={minted[user]}" for user in DEMO_USERS)
    print(
        f"""
The read-receipt service is up. The chat page, one link for each user; open two of them side by side:

{links}

  HTTP       {stack.http}
  WebSocket  {stack.websocket}?token=…
  users      {", ".join(DEMO_USERS)}, all in the group "{DEMO_GROUP}"
             (their tokens are in {os.path.relpath(STACK_FILE)}; `make token USER=…` mints more;
             `admin` may use the console, PUT /v1/admin/settings)

Send a message that asks for a read receipt:

  curl -s {stack.http}/messages -H 'Content-Type: application/json' \\
    -H 'Authorization: Bearer {minted[DEMO_USERS[0]]}' \\
    -d '{{"groupID": "{DEMO_GROUP}", "text": "hello", "needReadReceipt": true}}'

Watch a whole conversation: `make demo` in another terminal. Ctrl-C stops it all. The functions' logs follow.
""",
        flush=True,
    )


async def _begin_conversation(stack: LocalStack, minted: Mapping[str, str]) -> None:
    """Make the demo group, and say the first words in it."""
    async with AsyncExitStack() as open_:
        clients = {
            user: await open_.enter_async_context(Client(stack.http, stack.websocket, minted[user]))
            for user in DEMO_USERS
        }
        already_there = suppress(Refused)  # if the data was kept
        with already_there:
            await clients[DEMO_USERS[0]].create_group(DEMO_GROUP, DEMO_USERS[1:], name="Demo group")
            for sender, to, text in FIRST_WORDS:
                user, group = ("", to) if to == DEMO_GROUP else (to, "")
                await clients[sender].send_message(user_id=user, group_id=group, text=text, need_read_receipt=True)


def _follow_logs(stack: LocalStack) -> None:
    """Print what the functions log, as it comes."""
    since_ms = time.time_ns() // 1_000_000
    while True:
        try:
            for line in _log_lines(stack, since_ms):
                since_ms = time.time_ns() // 1_000_000
                print(line, flush=True)
        except (BotoCoreError, ClientError) as error:  # the logs are a view: the stack goes on without them
            print(f"(the logs cannot be read just now: {type(error).__name__})", flush=True)
            time.sleep(1)


def _log_lines(stack: LocalStack, since_ms: int) -> Iterator[str]:
    """The functions' own log lines from then on. Events may come late, so the last seconds are asked for again."""
    logs = stack.aws.client("logs")
    printed: deque[tuple[str, int, str]] = deque(maxlen=10_000)
    while True:
        latest_ms = since_ms
        for group in logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK_NAME}")["logGroups"]:
            name = group["logGroupName"]
            function = name.rsplit("/", 1)[1].removeprefix(f"{STACK_NAME}-").rsplit("-", 1)[0]
            for event in logs.filter_log_events(logGroupName=name, startTime=since_ms - _LATE_MS)["events"]:
                latest_ms = max(latest_ms, event["timestamp"])
                identity = (event["logStreamName"], event["timestamp"], event["message"])
                if identity not in printed and event["message"].startswith("{"):
                    printed.append(identity)
                    yield f"{function:20} {event['message'].rstrip()}"
        since_ms = latest_ms
        time.sleep(0.5)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
