"""A local AWS: MiniStack in a process of its own, on a free port of 127.0.0.1, and gone with whoever started it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import httpx

REGION = "us-east-1"
DEFAULT_PORT = 4566
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 20

# What MiniStack takes for credentials. They open nothing but a local AWS.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


class LocalAWS:
    """A running MiniStack, to be used in a `with`. `state` is a folder in which it keeps its data for the next time."""

    def __init__(self, log: Path, state: Path | None = None, port: int | None = None) -> None:
        self.port = port or free_port()
        self.log = log
        self.url = f"http://127.0.0.1:{self.port}"
        self._state = state

    def __enter__(self) -> "LocalAWS":
        persistence = {}
        if self._state:
            persistence = {"PERSIST_STATE": "1", "STATE_DIR": str(self._state)}
        self._folder = tempfile.TemporaryDirectory()  # for whatever it unpacks
        environment = {
            **os.environ,
            "TMPDIR": self._folder.name,
            **CREDENTIALS,
            **persistence,
            "AUTH": "true",  # roles and policies hold as on AWS
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "S3_PERSIST": "1" if self._state else "0",
            "IOT_MTLS_ENABLED": "false",  # listeners on fixed ports that nobody needs here
            "SFTP_ENABLED": "false",
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_healthy()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """Its process; the functions' are below it."""
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS client needs in its environment to talk to this AWS."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    def client(self, service: str) -> Any:
        """A boto3 client of one of its services."""
        return boto3.Session("test", "test", region_name=REGION).client(service, endpoint_url=self.url)  # type: ignore[call-overload]

    @property
    def execute_api(self) -> str:
        """The base under which it serves every API, by path."""
        return f"{self.url}/_aws/execute-api"

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"MiniStack ended at once; see {self.log}")
            try:
                httpx.get(f"{self.url}/_ministack/health", timeout=1).raise_for_status()
            except httpx.HTTPError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"MiniStack did not answer in {_START_TIMEOUT_S} s; see {self.log}") from None
                time.sleep(0.05)
            else:
                return

    def _stop(self) -> None:
        """End it and its workers at once, unless it has data to save: then it gets the time."""
        if self._state:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with suppress(OSError):  # a worker that is just dying may still write
            self._folder.cleanup()


def free_port(preferred: int | None = None) -> int:
    """The preferred port if nobody listens there, else some free one."""
    for port in ([preferred] if preferred else []) + [0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("There is no free port on 127.0.0.1.")
