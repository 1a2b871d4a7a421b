"""The Python client's live connection, against a socket server that can refuse, end connections and fall silent."""

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from receipts_client import Backoff, Client, Heard, Listener, Message, Options, Receipt, Refused

pytestmark = pytest.mark.anyio

QUICK = Backoff(first_s=0.001, max_s=0.01)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Service:
    """Sockets that answer every frame, and the calls that a client makes to catch up."""

    def __init__(self) -> None:
        self.sockets: list[ServerConnection] = []
        self.paths: list[str] = []
        self.said: list[dict[str, Any]] = []
        self.refusals: list[HTTPStatus] = []
        self.answers: dict[str, list[httpx.Response]] = {}
        self.asked: list[str] = []
        self.port = 0

    def receipts_changed(self, *pages: dict[str, Any]) -> None:
        """What the next catch-ups are answered, page by page."""
        self.answers["/v1/read-receipts/changes"] = [httpx.Response(200, json=page) for page in pages]

    def call(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.raw_path.decode())
        waiting = self.answers.get(request.url.path)
        if waiting:
            return waiting.pop(0)
        match request.url.path:
            case "/v1/read-receipts/changes":
                return httpx.Response(200, json=changes())
            case "/v1/conversations":
                return httpx.Response(200, json={"conversationList": [], "nextSeq": "", "isFinished": True})
            case _:
                return httpx.Response(200, json={"readReceipts": True})

    def handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        return connection.respond(self.refusals.pop(0), "") if self.refusals else None

    async def hear(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        async for text in socket:
            frame = json.loads(text)
            self.said.append(frame)
            if frame["action"] == "refuse":
                answer = {"requestID": frame["requestID"], "code": 6017, "desc": "not valid"}
            elif frame["action"] == "hang up":
                await socket.close()
                return
            else:
                answer = {"requestID": frame["requestID"], "code": 0, "desc": "OK"}
            await socket.send(json.dumps(answer))

    async def push(self, event: str, **fields: Any) -> None:
        await self.sockets[-1].send(json.dumps({"event": event, **fields}))

    def client(self, token: Any = "good", **options: Any) -> tuple[Client, Heard]:
        """A client that is not connected yet, and what it hears."""
        client = Client(
            "http://service/v1",
            f"ws://127.0.0.1:{self.port}/",
            token,
            options=Options(backoff=QUICK, **options),
            transport=httpx.MockTransport(self.call),
        )
        heard = Heard()
        client.add_listener(heard)
        return client, heard


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    server: Server
    async with serve(service.hear, "127.0.0.1", 0, process_request=service.handshake) as server:
        service.port = next(iter(server.sockets)).getsockname()[1]
        yield service


def changes(*receipts: Receipt, cursor: str = "now", is_finished: bool = True, is_complete: bool = True) -> Any:
    return {"receiptList": list(receipts), "cursor": cursor, "isFinished": is_finished, "isComplete": is_complete}


def receipt(msg_id: str, read_count: int) -> Receipt:
    return {
        "msgID": msg_id,
        "userID": "",
        "groupID": "team",
        "isPeerRead": False,
        "readCount": read_count,
        "unreadCount": 9 - read_count,
    }


def message(seq: int) -> Message:
    return {
        "msgID": f"m{seq}",
        "seq": seq,
        "timestamp": 1,
        "sender": "ben",
        "isSelf": False,
        "needReadReceipt": True,
        "groupID": "team",
    }


async def test_every_event_is_told(service: Service) -> None:
    client, heard = service.client()
    async with client:
        await client.login()
        await service.push("onRecvNewMessage", message=message(1))
        await service.push("onRecvMessageReadReceipts", receiptList=[receipt("a", 1)])
        await service.push("onRecvC2CReadReceipt", receiptList=[{**receipt("", 0), "userID": "ben", "timestamp": 5}])
        await service.push("onConversationRead", conversationID="group_team", lastReadSeq=4)
        await heard.event("onConversationRead")

    assert heard.messages == {"m1": message(1)}
    assert heard.receipts == client.receipts == {"a": receipt("a", 1)}
    assert [event["event"] for event in heard.events] == [
        "onConnectSuccess",
        "onRecvNewMessage",
        "onRecvMessageReadReceipts",
        "onRecvC2CReadReceipt",
        "onConversationRead",
    ]


async def test_late_and_repeated_frames_are_told_once(service: Service) -> None:
    client, heard = service.client()
    async with client:
        await client.login()
        for count in (2, 1, 2, 3):
            await service.push("onRecvMessageReadReceipts", receiptList=[receipt("a", count)])
        for seq in (1, 1, 2):
            await service.push("onRecvNewMessage", message=message(seq))
        await heard.message("m2")

    told = [event["receiptList"][0]["readCount"] for event in heard.events if "receiptList" in event]
    assert told == [2, 3]
    assert [event["message"]["seq"] for event in heard.events if "message" in event] == [1, 2]


async def test_what_makes_no_sense_and_a_listener_that_fails_end_nothing(service: Service) -> None:
    class Failing(Listener):
        def on_recv_new_message(self, message: Message) -> None:  # noqa: ARG002  # it does not come to that
            raise RuntimeError("a bug in the app")

    client, heard = service.client()
    client.remove_listener(heard)
    client.add_listener(Failing())
    client.add_listener(heard)
    async with client:
        await client.login()
        await service.sockets[-1].send("not JSON")
        await service.sockets[-1].send("[]")
        await service.push("onRecvSomethingNew")
        await service.push("onRecvNewMessage", message=message(1))

        assert await heard.message("m1") == message(1)
        assert client.is_connected


async def test_a_lost_connection_comes_back_and_what_was_missed_is_told(service: Service) -> None:
    client, heard = service.client()
    async with client:
        await client.login()
        await service.push("onRecvNewMessage", message=message(3))
        await heard.message("m3")
        service.receipts_changed(
            changes(receipt("a", 1), cursor="half", is_finished=False), changes(receipt("b", 2), cursor="end")
        )
        conversations = {"conversationList": [{"conversationID": "group_team", "unreadCount": 3}], "isFinished": True}
        service.answers["/v1/conversations"] = [httpx.Response(200, json={**conversations, "nextSeq": ""})]
        history = {"messageList": [message(5), message(4), message(3)], "isFinished": False}
        service.answers["/v1/conversations/group_team/messages"] = [httpx.Response(200, json=history)]
        await service.sockets[-1].close()
        await heard.event("onSyncServerFinish")

    assert [event["message"]["seq"] for event in heard.events if "message" in event] == [3, 4, 5]
    assert heard.receipts == {"a": receipt("a", 1), "b": receipt("b", 2)}
    assert [path for path in service.asked if "changes" in path] == [
        "/v1/read-receipts/changes",
        "/v1/read-receipts/changes?since=now",
        "/v1/read-receipts/changes?since=half",
    ]


async def test_a_catch_up_that_fails_is_made_up_for_by_the_next_connection(service: Service) -> None:
    """Also when newer messages were heard in between: they must not hide the missed ones."""
    client, heard = service.client(tries=1)
    async with client:
        await client.login()
        await service.push("onRecvNewMessage", message=message(3))
        await heard.message("m3")
        conversations = {
            "conversationList": [{"conversationID": "group_team", "unreadCount": 3}],
            "isFinished": True,
            "nextSeq": "",
        }
        history = {"messageList": [message(6), message(5), message(4), message(3)], "isFinished": True}
        service.receipts_changed()
        service.answers["/v1/conversations"] = [
            httpx.Response(500, json={"code": 10002, "desc": "failed"}),
            httpx.Response(200, json=conversations),
        ]
        service.answers["/v1/conversations/group_team/messages"] = [httpx.Response(200, json=history)]
        await service.sockets[-1].close()
        await heard.event("onConnectSuccess", times=2)
        await heard.event("onSyncServerFinish")

    assert sorted(event["message"]["seq"] for event in heard.events if "message" in event) == [3, 4, 5, 6]
    assert len([path for path in service.asked if path.endswith("/conversations?nextSeq=")]) == 2


async def test_who_was_away_for_too_long_asks_for_all_that_is_shown(service: Service) -> None:
    client, heard = service.client()
    async with client:
        await client.login()
        await service.push("onRecvMessageReadReceipts", receiptList=[receipt("a", 1), receipt("b", 1)])
        await heard.count("b", 1)
        service.receipts_changed(changes(is_complete=False))
        found = {"receiptList": [receipt("a", 1), receipt("b", 5)], "resultList": []}
        service.answers["/v1/read-receipts/query"] = [httpx.Response(200, json=found)]
        await service.sockets[-1].close()
        await heard.event("onSyncServerFinish")

    assert heard.events[-2] == {"event": "onRecvMessageReadReceipts", "receiptList": [receipt("b", 5)]}


async def test_attempts_go_on_until_one_succeeds(service: Service) -> None:
    client, heard = service.client()
    async with client:
        await client.login()
        service.refusals = [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.FORBIDDEN]
        await service.sockets[-1].close()
        await heard.event("onConnectSuccess", times=2)

    assert len([event for event in heard.events if event["event"] == "onConnectFailed"]) == 3


async def test_a_token_that_has_expired_ends_the_attempts_and_another_begins_anew(service: Service) -> None:
    expired = httpx.Response(401, json={"code": 70001, "desc": "The token has expired."})
    client, heard = service.client("old")
    async with client:
        await client.login()
        service.refusals = [HTTPStatus.UNAUTHORIZED]
        service.answers["/v1/settings"] = [expired]
        await service.sockets[-1].close()
        failed = await heard.event("onConnectFailed")
        await heard.event("onUserSigExpired")
        assert isinstance(failed["error"], Refused)
        assert failed["error"].code == 70001

        await client.login("new")
        await heard.event("onSyncServerFinish")

    assert [path.partition("token=")[2] for path in service.paths] == ["old", "old", "new"]


async def test_a_first_attempt_that_is_refused_says_why(service: Service) -> None:
    bad = httpx.Response(401, json={"code": 70003, "desc": "The token is not valid."})
    client, _ = service.client("bad")
    async with client:
        service.refusals = [HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS]
        service.answers["/v1/settings"] = [bad]
        with pytest.raises(Refused, match="70003"):
            await client.login()
        with pytest.raises(InvalidStatus):
            await client.login()

    assert not client.is_connected


async def test_a_token_that_is_fetched_is_fetched_again_when_the_handshake_says_it_has_expired(
    service: Service,
) -> None:
    tokens = iter(["old", "new"])

    async def fetch() -> str:
        return next(tokens)

    client, heard = service.client(fetch)
    async with client:
        await client.login()
        service.refusals = [HTTPStatus.UNAUTHORIZED]
        service.answers["/v1/settings"] = [httpx.Response(401, json={"code": 70001, "desc": "expired"})]
        await service.sockets[-1].close()
        await heard.event("onConnectSuccess", times=2)

    assert [path.partition("token=")[2] for path in service.paths] == ["old", "old", "new"]


async def test_frames_are_answered_and_their_refusals_raised(service: Service) -> None:
    client, _ = service.client()
    async with client:
        await client.login()

        assert (await client.say("ping"))["code"] == 0
        with pytest.raises(Refused, match="6017"):
            await client.say("refuse")
        with pytest.raises(ConnectionError):
            await client.say("hang up")
        await client.logout()
        with pytest.raises(ConnectionError):
            await client.say("ping")


async def test_a_quiet_connection_is_kept_alive(service: Service) -> None:
    client, heard = service.client(ping_every_s=0.001)
    async with client:
        await client.login()
        while len(service.said) < 3:
            await asyncio.sleep(0.001)

    assert {frame["action"] for frame in service.said} == {"ping"}
    assert [event["event"] for event in heard.events] == ["onConnectSuccess"]
