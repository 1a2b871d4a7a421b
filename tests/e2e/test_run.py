"""`make run`, `make token` and `make demo`, as a newcomer uses them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from stack.local_aws import free_port
from stack.run import FIRST_WORDS
from stack.template import PROJECT

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 40


def command(local: Path, module: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """One of the commands behind `make`, with a folder of its own for what it writes."""
    theirs = {name: value for name, value in os.environ.items() if name != "TOKEN_KEY"}
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT,
        env={**theirs, "LOCAL_DIR": str(local), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@contextmanager
def running(local: Path, port: int, **environment: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`make run`, until the `with` ends, and what it wrote to stack.json."""
    process = command(local, "stack.run", "--port", str(port), **environment)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (local / "stack.json").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (local / "stack.json").exists(), process.communicate()[0]
        yield process, json.loads((local / "stack.json").read_text())
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_run_takes_another_port_if_its_own_is_taken_and_leaves_nothing_running(tmp_path: Path) -> None:
    with closing(socket.socket()) as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        taken = occupied.getsockname()[1]
        with running(tmp_path, taken) as (process, stack):
            port = httpx.URL(stack["http"]).port
            assert port != taken
            assert httpx.get(f"{stack['http']}/health").json() == {"status": "ok"}
            assert sorted(stack["tokens"]) == ["admin", "alice", "bob", "carol", "dave", "erin"]
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=STOP_TIMEOUT_S)

    assert process.returncode == 0
    assert f"Port {taken} is taken" in output
    assert "the stack is deployed" in output
    assert "curl -s" in output
    assert [line.split()[0] for line in output.splitlines() if f"{stack['page']}#token=" in line] == [
        "alice", "bob", "carol", "dave", "erin",
    ]  # fmt: skip
    assert "Stopped; nothing is left running." in output
    assert not (tmp_path / "stack.json").exists()
    assert port is not None
    assert not listens(port)


def test_token_and_demo_join_the_running_stack_and_a_second_run_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, free_port()) as (_, stack):
        token, _ = command(tmp_path, "stack.token", "alice").communicate(timeout=30)
        bearer = {"Authorization": f"Bearer {token.strip()}"}
        assert httpx.get(f"{stack['http']}/groups/demo", headers=bearer).json()["memberCount"] == 5

        demo = command(tmp_path, "stack.demo")
        shown, _ = demo.communicate(timeout=120)
        assert demo.returncode == 0, shown
        assert "Joining the stack" in shown
        views = [line.split("〔")[1].rstrip("〕\n") for line in shown.splitlines() if "〔" in line]
        assert views == [
            "未读",
            "全部已读",
            "未读",
            "1 人已读",
            "2 人已读",
            "3 人已读",
            "全部已读",
            "全部已读",
            "全部已读",
        ]

        second = command(tmp_path, "stack.run")
        said, _ = second.communicate(timeout=30)
        assert second.returncode == 1
        assert "running already" in said
        assert httpx.get(f"{stack['http']}/health").status_code == 200


def test_what_was_kept_is_there_at_the_next_run_and_streams_go_on(tmp_path: Path) -> None:
    port = free_port()
    heard: list[str] = []
    said_before = sum(to == "demo" for _, to, _ in FIRST_WORDS)
    for number in range(2):
        with running(tmp_path, port, PERSIST="1") as (_, stack):
            alice = {"Authorization": f"Bearer {stack['tokens']['alice']}"}
            message = {"groupID": "demo", "text": f"run {number}", "needReadReceipt": True}
            sent = httpx.post(f"{stack['http']}/messages", headers=alice, json=message).json()
            assert sent["seq"] == said_before + number + 1
            bob = {"Authorization": f"Bearer {stack['tokens']['bob']}"}
            httpx.post(f"{stack['http']}/read-receipts", headers=bob, json={"msgIDs": [sent["msgID"]]})
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                asked = httpx.post(
                    f"{stack['http']}/read-receipts/query", headers=alice, json={"msgIDs": [sent["msgID"]]}
                ).json()
                if asked["receiptList"][0]["readCount"] == 1:
                    heard.append(sent["text"])
                    break
                time.sleep(0.1)

    assert heard == ["run 0", "run 1"]


@pytest.mark.parametrize("module", ["stack.run", "stack.demo", "stack.token"])
def test_every_command_explains_itself(tmp_path: Path, module: str) -> None:
    process = command(tmp_path, module, "--help")
    said, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert "usage: make " in said


def test_make_token_asks_whose_and_passes_any_user_id(tmp_path: Path) -> None:
    def make(*arguments: str) -> subprocess.CompletedProcess[str]:
        theirs = {**os.environ, "USER": "login", "LOCAL_DIR": str(tmp_path), "TOKEN_KEY": "x" * 40}
        command = ["make", "-s", "token", f"READY={tmp_path}", f"BIN={Path(sys.executable).parent}", *arguments]
        return subprocess.run(command, cwd=PROJECT, env=theirs, capture_output=True, text=True, timeout=30)

    assert "make token USER=alice" in make().stdout
    for user_id in ("alice", "-a", "#a", "a@b"):
        claims = jwt.decode(make(f"USER={user_id}").stdout.strip(), "x" * 40, algorithms=["HS256"])
        assert claims["sub"] == user_id
    assert "not a userID" in make("USER=x;id").stderr
    assert jwt.decode(make("USER=a", "ADMIN=1").stdout.strip(), "x" * 40, algorithms=["HS256"])["role"] == "admin"


def test_a_port_that_is_none_is_refused(tmp_path: Path) -> None:
    for port in ("70000", "abc", "0"):
        process = command(tmp_path, "stack.run", "--port", port)
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 2
        assert "not a port" in said


def test_a_token_for_nobody_is_refused(tmp_path: Path) -> None:
    process = command(tmp_path, "stack.token", "not a user")
    said, _ = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "not a userID" in said
