"""Doubles with visible state: keys, and for what moto does not play, sockets that receive and sockets that are gone."""

from collections import defaultdict
from typing import Any
from urllib.parse import unquote

import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.hooks import BaseEventHooks

from chalicelib import clock


class FakeSockets:
    """API Gateway's management API: what was posted to which connection, and which of them answer that they are gone.

    A connection in `gone` answers 410, one in `broken` answers 500; all others take what they are sent.
    """

    def __init__(self, hooks: BaseEventHooks) -> None:
        self.frames: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.sizes: list[int] = []
        self.gone: set[str] = set()
        self.broken: set[str] = set()
        self.ended: set[str] = set()
        hooks.register_first("before-send.apigatewaymanagementapi.PostToConnection", self._post)  # type: ignore[arg-type]  # a hook may answer
        hooks.register_first("before-send.apigatewaymanagementapi.DeleteConnection", self._end)  # type: ignore[arg-type]  # likewise
        hooks.register_first("before-send.apigatewaymanagementapi.GetConnection", self._get)  # type: ignore[arg-type]  # a hook may answer

    def _post(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        connection_id = self._connection_of(request)
        status = self._status_of(connection_id)
        if status == 200:
            body = request.body
            assert isinstance(body, bytes)
            self.frames[connection_id].append(msgspec.json.decode(body))
            self.sizes.append(len(body))
        return _answer(request, status)

    def _end(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.ended.add(self._connection_of(request))
        return _answer(request, 204)

    def _get(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        return _answer(request, self._status_of(self._connection_of(request)))

    def _status_of(self, connection_id: str) -> int:
        return 410 if connection_id in self.gone else 500 if connection_id in self.broken else 200

    @staticmethod
    def _connection_of(request: AWSPreparedRequest) -> str:
        return unquote(request.url.rsplit("/", 1)[1])


class _Body:
    """What botocore reads an answer's bytes from."""

    def stream(self, **_: Any) -> list[bytes]:
        return [b"{}"]


def _answer(request: AWSPreparedRequest, status: int) -> AWSResponse:
    return AWSResponse(request.url, status, HTTPHeaders(), _Body())


# Examples, which open nothing.
EXAMPLE_KEYS = {
    "TOKEN_KEY": "an example of a token key, for tests only",
    "USERSIG_KEY": "an example of a UserSig key, for tests only",
    "WEBHOOK_KEY": "an example of a webhook key, for tests only",
}


class FakeKeys:
    """The stack's keys, as Secrets Manager would keep them: each with its values, the current one last, and since when.

    `reads` counts how often one was asked for. While `broken`, none can be read.
    """

    def __init__(self, **values: str) -> None:
        self.values: dict[str, list[tuple[str, int]]] = {name: [(value, 0)] for name, value in values.items()}
        self.reads = 0
        self.broken = False

    def rotate(self, name: str, value: str) -> None:
        self.values[name].append((value, clock.now_ms()))

    def stored(self, name: str, stage: str) -> tuple[str, int] | None:
        """What `keys.stored` asks of Secrets Manager."""
        self.reads += 1
        if self.broken:
            raise ConnectionError("Secrets Manager does not answer")
        values = self.values[name]
        index = {"AWSCURRENT": -1, "AWSPREVIOUS": -2}[stage]
        return values[index] if len(values) >= -index else None
