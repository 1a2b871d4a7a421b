"""The Python client on the deployed stack: a network that goes away and comes back, and nothing is missed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import pytest

from chalicelib import tokens
from receipts_client import Backoff, Client, Heard, Options
from stack.local_stack import LocalStack

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Network:
    """A way to the stack's sockets that can be cut, and then lets nobody through until it is mended."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._is_cut = False
        self._ends: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[int]:
        """The port on which it takes connections."""
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        self._is_cut = True
        for end in self._ends:
            end.transport.abort()

    def mend(self) -> None:
        self._is_cut = False

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(*self._to)
        ends = {writer, back}
        self._ends |= ends
        await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))
        self._ends -= ends

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(65536):
                writer.write(some)
        writer.close()


def client(stack: LocalStack, user_id: str, websocket: str = "", gather_s: float = 0) -> Client:
    options = Options(gather_s=gather_s, backoff=Backoff(first_s=0.05, max_s=0.2))
    token = tokens.mint(user_id, 3600, stack.token_key)
    return Client(stack.http, websocket or stack.websocket, token, options=options)


async def test_what_happened_while_the_network_was_away_is_told_afterwards(stack: LocalStack) -> None:
    url = urlsplit(stack.websocket)
    assert url.hostname
    assert url.port
    network, heard = Network(url.hostname, url.port), Heard()
    async with network.up() as port, client(stack, "net-ben") as ben:
        way = urlunsplit(url._replace(netloc=f"127.0.0.1:{port}"))
        async with client(stack, "net-ann", way) as ann:
            ann.add_listener(heard)
            await ann.login()
            await ann.create_group("net", ["net-ben"])
            sent = [await ann.send_message(group_id="net", text="1", need_read_receipt=True)]
            sent.append(await ann.send_message(user_id="net-ben", text="2", need_read_receipt=True))
            before = await ben.send_message(group_id="net", text="before")
            await heard.message(before["msgID"])

            network.cut()
            await heard.event("onConnectFailed")
            await ben.send_message_read_receipts(sent)
            missed = [await ben.send_message(group_id="net", text=f"{number}") for number in range(3)]
            missed.append(await ben.send_message(user_id="net-ann", text="a conversation that is new"))
            assert not ann.is_connected
            network.mend()
            await heard.event("onSyncServerFinish")

            for message in missed:
                await heard.message(message["msgID"])
            for message in sent:
                assert (await heard.count(message["msgID"], 1))["readCount"] == 1
            after = await ben.send_message(group_id="net", text="after")
            await heard.message(after["msgID"])

    told = [event["message"]["msgID"] for event in heard.events if "message" in event]
    assert len(told) == len(set(told))
    texts = [event["message"]["text"] for event in heard.events if event.get("message", {}).get("groupID")]
    assert texts == ["1", "before", "0", "1", "2", "after"]


async def test_receipts_for_messages_read_within_200_ms_are_one_write(stack: LocalStack) -> None:
    heard = Heard()
    async with client(stack, "gat-ann") as ann, client(stack, "gat-ben", gather_s=0.2) as ben:
        ann.add_listener(heard)
        await ann.login()
        await ann.create_group("gat", ["gat-ben"])
        sent = [await ann.send_message(group_id="gat", text=f"{number}", need_read_receipt=True) for number in range(5)]

        answers = await asyncio.gather(*(ben.send_message_read_receipts([message]) for message in sent))

        assert [answer["resultList"][0]["code"] for answer in answers] == [0] * 5
        await heard.count(sent[-1]["msgID"], 1)

    pushed = [event for event in heard.events if event["event"] == "onRecvMessageReadReceipts"]
    assert [len(event["receiptList"]) for event in pushed] == [5]
