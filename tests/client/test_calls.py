"""The Python client's calls, against a transport that plays the service."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from receipts_client import Backoff, Client, Message, Options, Receipt, Refused
from receipts_client.book import MessageBook, ReceiptBook
from receipts_client.gatherer import MSG_IDS_PER_CALL_MAX

pytestmark = pytest.mark.anyio

Handler = Callable[[httpx.Request], httpx.Response]
QUICK = Backoff(first_s=0, max_s=0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Service:
    """What was asked of the service; it takes every receipt, and answers first what it has been told to."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.first: list[httpx.Response | Exception] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.first:
            answer = self.first.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        body = json.loads(request.content or b"{}")
        results = [{"msgID": msg_id, "code": 0, "desc": "OK"} for msg_id in body.get("msgIDs", [])]
        return httpx.Response(200, json={"resultList": results, **body})

    @property
    def bodies(self) -> list[dict[str, object]]:
        return [json.loads(request.content) for request in self.requests]


def client_of(service: Handler, token: object = "good", **options: object) -> Client:
    chosen = Options(backoff=QUICK, **{"gather_s": 0.01, **options})  # type: ignore[arg-type]  # by name
    return Client("http://service/v1", "", token, options=chosen, transport=httpx.MockTransport(service))  # type: ignore[arg-type]  # by name


def message(msg_id: str, group_id: str = "team", seq: int = 1) -> Message:
    return {
        "msgID": msg_id,
        "seq": seq,
        "timestamp": 1,
        "sender": "ann",
        "isSelf": False,
        "needReadReceipt": True,
        "groupID": group_id,
    }


def receipt(msg_id: str, read_count: int) -> Receipt:
    return {
        "msgID": msg_id,
        "userID": "",
        "groupID": "team",
        "isPeerRead": False,
        "readCount": read_count,
        "unreadCount": 9 - read_count,
    }


async def let_others_begin() -> None:
    """Step back for a few turns of the event loop."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_receipts_sent_within_the_time_go_in_one_call_for_each_conversation() -> None:
    service = Service()
    async with client_of(service) as client:
        sent = await asyncio.gather(
            client.send_message_read_receipts([message("a"), message("b")]),
            client.send_message_read_receipts([message("b"), message("x", "other")]),
            client.send_message_read_receipts([message("c")]),
        )

    assert [body["msgIDs"] for body in service.bodies] == [["a", "b", "c"], ["x"]]
    assert [[each["msgID"] for each in answer["resultList"]] for answer in sent] == [["a", "b"], ["b", "x"], ["c"]]


async def test_more_receipts_than_a_call_takes_go_in_several() -> None:
    service = Service()
    async with client_of(service) as client:
        sent = await client.send_message_read_receipts([message(f"m{number}") for number in range(250)])

    assert [len(body["msgIDs"]) for body in service.bodies] == [MSG_IDS_PER_CALL_MAX, MSG_IDS_PER_CALL_MAX, 50]  # type: ignore[arg-type]  # a list
    assert [each["msgID"] for each in sent["resultList"]] == [f"m{number}" for number in range(250)]


async def test_closing_sends_what_is_held_back_at_once() -> None:
    service = Service()
    client = client_of(service, gather_s=3600)
    sending = asyncio.create_task(client.send_message_read_receipts([message("a")]))
    await let_others_begin()

    await client.close()

    assert (await sending)["resultList"][0]["code"] == 0
    assert [body["msgIDs"] for body in service.bodies] == [["a"]]


async def test_who_gives_up_waiting_for_gathered_receipts_does_not_take_the_others_along() -> None:
    service = Service()
    async with client_of(service) as client:
        impatient = asyncio.create_task(client.send_message_read_receipts([message("a")]))
        patient = asyncio.create_task(client.send_message_read_receipts([message("b")]))
        await let_others_begin()
        impatient.cancel()
        sent = await patient

    assert sent["resultList"] == [{"msgID": "b", "code": 0, "desc": "OK"}]
    assert [body["msgIDs"] for body in service.bodies] == [["a", "b"]]


async def test_a_refusal_is_an_exception_with_its_code_and_reason() -> None:
    service = Service()
    service.first = [httpx.Response(404, json={"code": 10010, "desc": "There is no such group."})]
    async with client_of(service) as client:
        with pytest.raises(Refused) as refused:
            await client.get_groups_info("nowhere")

    assert (refused.value.code, refused.value.desc, refused.value.status) == (10010, "There is no such group.", 404)
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("no network"),
        httpx.ReadTimeout("no answer"),
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(500, json={"code": 10002, "desc": "failed"}),
        httpx.Response(429, json={"code": 7008, "desc": "too often"}),
    ],
    ids=lambda failure: type(failure).__name__ + str(getattr(failure, "status_code", "")),
)
async def test_a_message_is_tried_again_under_its_one_client_msg_id(failure: httpx.Response | Exception) -> None:
    service = Service()
    service.first = [failure]
    async with client_of(service) as client:
        await client.send_message(user_id="ben", text="hello")

    first, second = service.bodies
    assert first == second
    assert first["clientMsgID"]


async def test_a_call_that_may_not_be_repeated_is_not() -> None:
    service = Service()
    service.first = [httpx.ReadTimeout("no answer")]
    async with client_of(service) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.create_group("team")

    assert len(service.requests) == 1


async def test_a_call_is_given_up_after_its_tries() -> None:
    service = Service()
    service.first = [httpx.ConnectError("no network")] * 9
    async with client_of(service, tries=3) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get_read_receipts_enabled()

    assert len(service.requests) == 3


async def test_an_expired_token_is_fetched_again_once() -> None:
    service = Service()
    expired = httpx.Response(401, json={"code": 70001, "desc": "The token has expired."})
    service.first = [expired]
    tokens = iter(["old", "new"])

    async def fetch() -> str:
        return next(tokens)

    async with client_of(service, fetch) as client:
        await client.send_message_read_receipts([message("a")])

    assert [request.headers["authorization"] for request in service.requests] == ["Bearer old", "Bearer new"]


async def test_a_token_that_is_refused_for_good_is_said_so() -> None:
    service = Service()
    service.first = [httpx.Response(401, json={"code": 70001, "desc": "The token has expired."})] * 2
    async with client_of(service) as client:
        with pytest.raises(Refused, match="70001"):
            await client.get_read_receipts_enabled()

    assert len(service.requests) == 1


async def test_all_pages_of_a_member_list_are_walked_also_the_empty_ones() -> None:
    service = Service()
    service.first = [
        httpx.Response(200, json={"members": [{"userID": "ben"}], "nextSeq": 80, "isFinished": False}),
        httpx.Response(200, json={"members": [], "nextSeq": 160, "isFinished": False}),
        httpx.Response(200, json={"members": [{"userID": "cat"}], "nextSeq": 0, "isFinished": True}),
    ]
    async with client_of(service) as client:
        found = [member["userID"] async for member in client.group_message_read_members(message("a"), "unread")]

    assert found == ["ben", "cat"]
    assert [request.url.params["nextSeq"] for request in service.requests] == ["0", "80", "160"]


async def test_a_pull_that_is_older_than_a_push_does_not_turn_the_count_back() -> None:
    service = Service()
    found = [receipt("a", 2)], [receipt("a", 1)]
    service.first = [httpx.Response(200, json={"receiptList": each, "resultList": []}) for each in found]
    async with client_of(service) as client:
        counts = [
            (await client.get_message_read_receipts([message("a")]))["receiptList"][0]["readCount"] for _ in range(2)
        ]

    assert counts == [2, 2]


def test_late_and_repeated_receipts_are_no_news() -> None:
    book = ReceiptBook()

    news = [book.merge([receipt("a", count)]) for count in (2, 1, 2, 3)]

    assert [[each["readCount"] for each in some] for some in news] == [[2], [], [], [3]]
    assert book.receipts["a"]["readCount"] == 3


def test_a_c2c_mark_is_news_only_if_its_time_is_later() -> None:
    book = ReceiptBook()
    marks = [Receipt(**{**receipt("", 0), "userID": "ben", "timestamp": at}) for at in (5, 4, 5, 6)]

    assert [[each["timestamp"] for each in book.merge_conversation([mark])] for mark in marks] == [[5], [], [], [6]]


def test_a_message_is_news_once_and_the_books_do_not_grow_for_ever() -> None:
    book = MessageBook(kept_max=3)

    assert len(book.merge([message("a"), message("a"), message("b", seq=7)])) == 2
    assert book.last_seq == {"group_team": 7}
    assert len(book.merge([message(f"m{number}", f"g{number}") for number in range(9)])) == 9
    assert len(book.last_seq) == 3


def test_pauses_grow_differ_and_end_at_the_maximum() -> None:
    backoff = Backoff(first_s=1, max_s=8)
    pauses = [[backoff.pause_s(attempt) for _ in range(200)] for attempt in (0, 2, 9, 10**6)]

    for most, some in zip((1, 4, 8, 8), pauses, strict=True):
        assert 0 <= min(some) < most / 2 < max(some) <= most
