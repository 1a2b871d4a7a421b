"""The client: a user's calls, and one device's live connection."""

import asyncio
import logging
import ssl
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote, urlencode

import httpx

from receipts_client.backoff import Backoff
from receipts_client.book import MessageBook, ReceiptBook
from receipts_client.gatherer import MSG_IDS_PER_CALL_MAX, Gatherer
from receipts_client.live import Ears, Live
from receipts_client.refusal import SERVER_ERROR, TOKEN_EXPIRED, Refused
from receipts_client.shapes import (
    Conversation,
    Filter,
    Group,
    History,
    Json,
    Members,
    Message,
    MessageResult,
    ReadMember,
    ReadMembers,
    Receipt,
    ReceiptsFound,
    ReceiptsSent,
    UserResult,
    conversation_id_of,
)

log = logging.getLogger("receipts_client")

# A token, or a function that fetches one that is good now.
Token = str | Callable[[], Awaitable[str]]

# Rows of one page, of whatever list.
PAGE_SIZE_MAX = 100

# Missed messages that are asked for in each conversation after a reconnect. What came before them is in its history.
MISSED_PER_CONVERSATION_MAX = 500

# Clocks of devices are less wrong than this. It only matters for conversations that began while one was away.
_CLOCKS_DIFFER_S = 120


@dataclass(frozen=True)
class Options:
    """How patient and how eager a client is."""

    gather_s: float = 0.2  # receipts sent within this time go in one call; 0: each at once
    timeout_s: float = 30.0  # API Gateway answers within 29 s
    tries: int = 4  # of a call that may be repeated
    backoff: Backoff = field(default_factory=Backoff)
    ping_every_s: float = 240.0  # API Gateway ends sockets that are silent for 600 s


class Listener:
    """What a client tells of. Override what is of interest; every method is called on the client's event loop."""

    def on_recv_new_message(self, message: Message) -> None:
        """A message has come, or was sent from one of the user's own devices. Each is told once."""

    def on_recv_message_read_receipts(self, receipts: list[Receipt]) -> None:
        """Own messages have been read by more members than was known."""

    def on_recv_c2c_read_receipt(self, receipts: list[Receipt]) -> None:
        """C2C peers have marked their conversation read; the msgIDs are empty."""

    def on_conversation_read(self, conversation_id: str, last_read_seq: int) -> None:
        """The user has marked a conversation read, on this or another device."""

    def on_connecting(self) -> None:
        """An attempt to connect begins."""

    def on_connect_success(self) -> None:
        """The connection is up. After an interruption, what was missed follows (`on_sync_server_finish`)."""

    def on_connect_failed(self, error: Exception) -> None:
        """An attempt has failed. There will be another, unless it is a Refused."""

    def on_user_sig_expired(self) -> None:
        """The token has expired; `login` with another one."""

    def on_sync_server_start(self) -> None:
        """What was missed during an interruption is being asked for."""

    def on_sync_server_finish(self) -> None:
        """All of it has been told."""


class Client:
    """One device of one user.

    `http` is the base of the calls (`https://…/v1`), `websocket` that of the live connection (`wss://…`). Every call
    raises Refused for an answer that is no 200, and httpx.TransportError if there is none.
    """

    def __init__(
        self,
        http: str,
        websocket: str,
        token: Token,
        *,
        user_id: str = "",
        sdk_version: str = "",
        options: Options | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.options = options or Options()
        self._websocket, self._token, self._known_token = websocket, token, ""
        self._stated = {"userID": user_id, "sdkVersion": sdk_version}
        headers = {"X-User-ID": user_id, "X-SDK-Version": sdk_version}
        self._http = httpx.AsyncClient(
            base_url=http,
            headers={name: value for name, value in headers.items() if value},
            timeout=self.options.timeout_s,
            transport=transport,
            verify=_certificates(),
        )
        self._listeners: list[Listener] = []
        self._receipts, self._messages = ReceiptBook(), MessageBook()
        self._gatherer = Gatherer(self._send_read_receipts, self.options.gather_s)
        ears = Ears(
            url=self._url,
            why_refused=self._why_refused,
            catch_up=self._catch_up,
            heard=self._heard,
            connecting=lambda: self._tell("on_connecting"),
            connected=self._connected,
            failed=lambda error: self._tell("on_connect_failed", error),
        )
        self._live = Live(ears, self.options.backoff, self.options.timeout_s, self.options.ping_every_s)
        self._cursor, self._since_s = "", 0.0
        # The last seq of each conversation before the interruption that is being made up for.
        self._seqs_before: dict[str, int] | None = None
        self._has_been_connected = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Send what is held back, log out, and let go of everything."""
        await self._gatherer.flush()
        await self.logout()
        await self._http.aclose()

    # Being live.

    def add_listener(self, listener: Listener) -> None:
        """Tell this listener what happens from now on."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Tell it no more."""
        self._listeners.remove(listener)

    async def login(self, token: Token | None = None) -> None:
        """Connect, and stay so: an interrupted connection comes back, and what was missed is told.

        Raises Refused, OSError or WebSocketException if the first attempt fails.
        """
        if token is not None:
            self._token, self._known_token = token, ""
        if not self._cursor:
            self._since_s = time.time() - _CLOCKS_DIFFER_S
            self._cursor = await self._first_cursor()
        await self._live.open()

    async def logout(self) -> None:
        """End the live connection. Calls can still be made."""
        await self._live.close()

    @property
    def is_connected(self) -> bool:
        """Whether events are heard just now."""
        return self._live.is_connected

    @property
    def receipts(self) -> dict[str, Receipt]:
        """The latest receipt of each own message that was heard of or asked for, by msgID."""
        return self._receipts.receipts

    async def say(self, action: str, **fields: Any) -> Json:
        """Send a frame on the live connection, and return its answer. Raises Refused, ConnectionError, TimeoutError."""
        return await self._live.ask(action, **fields)

    # Messages and their receipts.

    async def send_message(
        self,
        *,
        user_id: str = "",
        group_id: str = "",
        text: str = "",
        data: Json | None = None,
        need_read_receipt: bool = False,
        client_msg_id: str = "",
    ) -> Message:
        """sendMessage, to a user or a group. It is sent once, however often it is tried."""
        body: Json = {
            "userID": user_id or None,
            "groupID": group_id or None,
            "text": text or None,
            "data": data,
            "needReadReceipt": need_read_receipt,
            "clientMsgID": client_msg_id or uuid.uuid4().hex,
        }
        present = {name: value for name, value in body.items() if value is not None}
        return cast(Message, await self.call("POST", "/messages", present, is_repeatable=True))

    async def send_message_read_receipts(
        self, messages: Iterable[Message], *, also_mark_read: bool = False
    ) -> ReceiptsSent:
        """sendMessageReadReceipts. Whatever is sent within 200 ms goes in one call for each conversation."""
        asked = list(messages)
        sent = await asyncio.gather(
            *(
                self._gatherer.add((conversation_id, also_mark_read), msg_ids)
                for conversation_id, msg_ids in _by_conversation(asked).items()
            )
        )
        results = {result["msgID"]: result for each in sent for result in each["resultList"]}
        return {
            "resultList": [results[message["msgID"]] for message in asked],
            "withheld": any(each["withheld"] for each in sent),
        }

    async def get_message_read_receipts(self, messages: Iterable[Message | Receipt]) -> ReceiptsFound:
        """getMessageReadReceipts: the receipts of own messages, the larger count of what is known and answered."""
        found: list[Receipt] = []
        refused: list[MessageResult] = []
        for msg_ids in _by_conversation(messages).values():
            for start in range(0, len(msg_ids), MSG_IDS_PER_CALL_MAX):
                body = {"msgIDs": msg_ids[start : start + MSG_IDS_PER_CALL_MAX]}
                answer = await self.call("POST", "/read-receipts/query", body, is_repeatable=True)
                self._receipts.merge(answer["receiptList"])
                found += [self.receipts.get(receipt["msgID"], receipt) for receipt in answer["receiptList"]]
                refused += answer["resultList"]
        return {"receiptList": found, "resultList": refused}

    async def get_group_message_read_member_list(
        self, message: Message, filter: Filter = "read", next_seq: int = 0, count: int = PAGE_SIZE_MAX
    ) -> ReadMembers:
        """getGroupMessageReadMemberList: a page of those who have, or have not, read an own message."""
        path = f"/messages/{_quoted(message['msgID'])}/read-members"
        return cast(ReadMembers, await self.call("GET", path, filter=filter, nextSeq=next_seq, count=count))

    async def group_message_read_members(self, message: Message, filter: Filter = "read") -> AsyncIterator[ReadMember]:
        """All who have, or have not, read an own message, page by page as they are asked for."""
        next_seq, is_finished = 0, False
        while not is_finished:
            page = await self.get_group_message_read_member_list(message, filter, next_seq)
            for member in page["members"]:
                yield member
            next_seq, is_finished = page["nextSeq"], page["isFinished"]

    async def get_history_message_list(self, conversation_id: str, count: int = 20, last_msg_id: str = "") -> History:
        """getC2CHistoryMessageList and getGroupHistoryMessageList: the messages before the last one, newest first."""
        query: Json = {"count": count, **({"lastMsgID": last_msg_id} if last_msg_id else {})}
        return cast(History, await self.call("GET", f"/conversations/{_quoted(conversation_id)}/messages", **query))

    # Conversations and groups.

    async def get_conversation_list(self) -> list[Conversation]:
        """getConversationList: all of them."""
        found: list[Conversation] = []
        next_seq, is_finished = "", False
        while not is_finished:
            page = await self.call("GET", "/conversations", nextSeq=next_seq)
            found += page["conversationList"]
            next_seq, is_finished = page["nextSeq"], page["isFinished"]
        return found

    async def clean_conversation_unread_message_count(
        self, conversation_id: str, message: Message | None = None
    ) -> None:
        """cleanConversationUnreadMessageCount: up to a message, or all there is."""
        body = {"msgID": message["msgID"]} if message else {}
        await self.call("POST", f"/conversations/{_quoted(conversation_id)}/read", body, is_repeatable=True)

    async def create_group(
        self, group_id: str = "", members: Iterable[str] = (), *, group_type: str = "Work", name: str = ""
    ) -> Group:
        """createGroup. A groupID is made up where none is given."""
        body = {"groupType": group_type, "name": name, "memberList": list(members)}
        if group_id:
            body["groupID"] = group_id
        return cast(Group, await self.call("POST", "/groups", body))

    async def get_groups_info(self, group_id: str) -> Group:
        """getGroupsInfo, of one group."""
        return cast(Group, await self.call("GET", f"/groups/{_quoted(group_id)}"))

    async def invite_user_to_group(self, group_id: str, user_ids: Iterable[str]) -> list[UserResult]:
        """inviteUserToGroup; of oneself alone, joinGroup. What became of each."""
        answer = await self.call("POST", f"/groups/{_quoted(group_id)}/members", {"userList": list(user_ids)})
        return cast(list[UserResult], answer["resultList"])

    async def kick_group_member(self, group_id: str, user_id: str) -> None:
        """kickGroupMember; of oneself, quitGroup."""
        await self.call("DELETE", f"/groups/{_quoted(group_id)}/members/{_quoted(user_id)}")

    async def get_group_member_list(self, group_id: str, next_seq: int = 0, count: int = PAGE_SIZE_MAX) -> Members:
        """getGroupMemberList: a page of the current members."""
        path = f"/groups/{_quoted(group_id)}/members"
        return cast(Members, await self.call("GET", path, nextSeq=next_seq, count=count))

    # The user's switch.

    async def get_read_receipts_enabled(self) -> bool:
        """Whether the user has read receipts turned on."""
        return bool((await self.call("GET", "/settings"))["readReceipts"])

    async def set_read_receipts_enabled(self, enabled: bool) -> None:
        """Turn them on or off. Who sends none sees none."""
        await self.call("PUT", "/settings", {"readReceipts": enabled})

    # Any call.

    async def call(
        self, method: str, path: str, body: Json | None = None, *, is_repeatable: bool = False, **query: Any
    ) -> Json:
        """Any call of the API. One that may be repeated without harm is, when it fails in a way that passes."""
        tries = self.options.tries if is_repeatable or method in ("GET", "PUT") else 1
        has_fresh_token = False
        attempt = 0
        while True:
            try:
                return await self._call_once(method, path, body, query)
            except (httpx.TransportError, Refused) as error:
                has_expired = isinstance(error, Refused) and error.code == TOKEN_EXPIRED
                if has_expired and callable(self._token) and not has_fresh_token:
                    self._known_token, has_fresh_token = "", True
                    continue
                passes = not isinstance(error, Refused) or error.is_passing
                attempt += 1
                if not passes or attempt >= tries:
                    raise
            await asyncio.sleep(self.options.backoff.pause_s(attempt))

    async def _call_once(self, method: str, path: str, body: Json | None, query: Json) -> Json:
        bearer = {"Authorization": f"Bearer {await self._good_token()}"}
        response = await self._http.request(method, path, json=body, params=query, headers=bearer)
        try:
            answer = response.json()
        except ValueError:
            answer = response.text
        if response.status_code == 200 and isinstance(answer, dict):
            return answer
        if isinstance(answer, dict) and "code" in answer:
            raise Refused(answer["code"], answer.get("desc", ""), response.status_code)
        # Something on the way answered in place of the service.
        raise Refused(SERVER_ERROR, str(answer)[:200], response.status_code)

    async def _good_token(self) -> str:
        if not self._known_token:
            self._known_token = self._token if isinstance(self._token, str) else await self._token()
        return self._known_token

    async def _send_read_receipts(self, msg_ids: list[str], also_mark_read: bool) -> ReceiptsSent:
        body: Json = {"msgIDs": msg_ids, **({"alsoMarkRead": True} if also_mark_read else {})}
        return cast(ReceiptsSent, await self.call("POST", "/read-receipts", body, is_repeatable=True))

    # What the live connection asks for and tells.

    async def _url(self) -> str:
        stated = {name: value for name, value in self._stated.items() if value}
        return f"{self._websocket}?{urlencode({'token': await self._good_token(), **stated})}"

    async def _why_refused(self) -> Refused | None:
        """Why a handshake was refused: a call with the same token is, for the same reason."""
        try:
            await self.call("GET", "/settings")
        except httpx.TransportError:
            return None
        except Refused as refused:
            if refused.is_passing:
                return None
            if refused.code == TOKEN_EXPIRED:
                self._tell("on_user_sig_expired")
            return refused
        return None

    async def _first_cursor(self) -> str:
        """Where catching up will begin. Who may see no receipts has none to catch up with."""
        try:
            return str((await self.call("GET", "/read-receipts/changes"))["cursor"])
        except Refused as refused:
            if refused.status == 401:
                raise
            return ""

    def _connected(self) -> None:
        """Before anything is heard, note up to where messages had been, unless that is still to be made up for."""
        if self._has_been_connected and self._seqs_before is None:
            self._seqs_before = dict(self._messages.last_seq)
        self._has_been_connected = True
        self._tell("on_connect_success")

    async def _catch_up(self) -> None:
        """Tell what was missed: the receipts that changed, and the messages that came."""
        if self._seqs_before is None:
            return
        self._tell("on_sync_server_start")
        await self._catch_up_receipts()
        await self._catch_up_messages(self._seqs_before)
        self._seqs_before = None
        self._tell("on_sync_server_finish")

    async def _catch_up_receipts(self) -> None:
        is_finished = False
        while not is_finished:
            if not self._cursor:
                self._cursor = await self._first_cursor()
                return
            try:
                page = await self.call("GET", "/read-receipts/changes", since=self._cursor)
            except Refused as refused:
                if refused.is_passing:
                    raise
                return  # receipts are turned off, or this edition has none
            self._tell_receipts(page["receiptList"])
            self._cursor, is_finished = page["cursor"], page["isFinished"]
            if not page["isComplete"]:  # away for more than a week: ask for all that is shown
                known = {msg_id: receipt["readCount"] for msg_id, receipt in self.receipts.items()}
                found = await self.get_message_read_receipts(list(self.receipts.values()))
                grown = [each for each in found["receiptList"] if each["readCount"] > known.get(each["msgID"], -1)]
                if grown:
                    self._tell("on_recv_message_read_receipts", grown)

    async def _catch_up_messages(self, seqs_before: dict[str, int]) -> None:
        for conversation in await self.get_conversation_list():
            known = seqs_before.get(conversation["conversationID"])
            if known is None and not conversation["unreadCount"]:
                continue
            missed: list[Message] = []
            is_finished = False
            while not is_finished and len(missed) < MISSED_PER_CONVERSATION_MAX:
                last = missed[-1]["msgID"] if missed else ""
                page = await self.get_history_message_list(conversation["conversationID"], PAGE_SIZE_MAX, last)
                new = [message for message in page["messageList"] if self._is_missed(message, known)]
                missed += new
                is_finished = page["isFinished"] or len(new) < len(page["messageList"])
            self._tell_messages(reversed(missed))

    def _is_missed(self, message: Message, known_seq: int | None) -> bool:
        return message["timestamp"] >= self._since_s if known_seq is None else message["seq"] > known_seq

    def _heard(self, frame: Json) -> None:
        match frame["event"]:
            case "onRecvNewMessage":
                self._tell_messages([frame["message"]])
            case "onRecvMessageReadReceipts":
                self._tell_receipts(frame["receiptList"])
            case "onRecvC2CReadReceipt":
                if news := self._receipts.merge_conversation(frame["receiptList"]):
                    self._tell("on_recv_c2c_read_receipt", news)
            case "onConversationRead":
                self._tell("on_conversation_read", frame["conversationID"], frame["lastReadSeq"])

    def _tell_receipts(self, receipts: Iterable[Receipt]) -> None:
        if news := self._receipts.merge(receipts):
            self._tell("on_recv_message_read_receipts", news)

    def _tell_messages(self, messages: Iterable[Message]) -> None:
        for message in self._messages.merge(messages):
            self._tell("on_recv_new_message", message)

    def _tell(self, event: str, *arguments: object) -> None:
        """Tell every listener. One that fails is logged, and stops neither the others nor the connection."""
        for listener in list(self._listeners):
            try:
                getattr(listener, event)(*arguments)
            except Exception:
                log.exception("a listener failed at %s", event)


@cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates, read once: that takes as long as dozens of calls."""
    return ssl.create_default_context()


def _by_conversation(messages: Iterable[Message | Receipt]) -> dict[str, list[str]]:
    """The msgIDs of these, for each conversation: a call takes those of one."""
    found: dict[str, list[str]] = defaultdict(list)
    for message in messages:
        found[conversation_id_of(message)].append(message["msgID"])
    return found


def _quoted(part: str) -> str:
    return quote(part, safe="")
