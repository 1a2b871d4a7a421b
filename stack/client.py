"""A client of the service over its real endpoints: users with their HTTP calls and their devices' sockets."""

import itertools
import json
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from websockets.sync.client import connect

Json = dict[str, Any]

# What a push may take on a busy machine before a test or the demo gives up.
PATIENCE_S = 30.0


class Refused(Exception):
    """An answer that was no 200: its HTTP status, its code and its reason."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status, body)
        self.status, self.code, self.desc = status, body.get("code"), body.get("desc")


@cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates, read once: that takes as long as dozens of calls."""
    return ssl.create_default_context()


class User:
    """A user's HTTP calls, in V2TIM's terms."""

    def __init__(self, http: str, websocket: str, user_id: str, token: str) -> None:
        self.user_id, self.token = user_id, token
        self._websocket = websocket
        bearer = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=http, headers=bearer, timeout=30, verify=_certificates())

    def __enter__(self) -> "User":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Json | None = None, **query: Any) -> Json:
        """Any call. Raises Refused for whatever is not a 200."""
        response = self._http.request(method, path, json=body, params=query)
        answer: Json = response.json()
        if response.status_code != 200:
            raise Refused(response.status_code, answer)
        return answer

    def create_group(self, group_id: str, members: list[str], group_type: str = "Work", name: str = "") -> Json:
        group = {"groupID": group_id, "groupType": group_type, "name": name, "memberList": members}
        return self.call("POST", "/groups", group)

    def send(self, text: str, *, user: str | None = None, group: str | None = None, **more: Any) -> Json:
        """Send a text that asks for a read receipt, to a user or a group."""
        to = {"userID": user} if user else {"groupID": group}
        return self.call("POST", "/messages", {**to, "text": text, "needReadReceipt": True, **more})

    def history(self, conversation_id: str, **query: Any) -> Json:
        return self.call("GET", f"/conversations/{quote(conversation_id, safe='')}/messages", **query)

    def read(self, *messages: Json) -> list[int]:
        """Send read receipts; the code of each."""
        answer = self.call("POST", "/read-receipts", {"msgIDs": [message["msgID"] for message in messages]})
        return [each["code"] for each in answer["resultList"]]

    def receipts(self, *messages: Json) -> list[Json]:
        """Ask for the receipts of own messages."""
        found = self.call("POST", "/read-receipts/query", {"msgIDs": [message["msgID"] for message in messages]})
        receipts: list[Json] = found["receiptList"]
        return receipts

    def read_members(self, message: Json, filter_: str) -> list[str]:
        """The userIDs of all who have, or have not, read an own message."""
        found: list[str] = []
        next_seq, is_finished = 0, False
        while not is_finished:
            page = self.call("GET", f"/messages/{message['msgID']}/read-members", filter=filter_, nextSeq=next_seq)
            found += [member["userID"] for member in page["members"]]
            next_seq, is_finished = page["nextSeq"], page["isFinished"]
        return found

    def device(self, sdk_version: str = "") -> "Device":
        """Another device of this user, connected for as long as a `with` lasts."""
        query = {"token": self.token, **({"sdkVersion": sdk_version} if sdk_version else {})}
        return Device(f"{self._websocket}?{urlencode(query)}")


class Device:
    """A connected socket, for as long as a `with` lasts. A thread listens, so that nothing that comes is missed."""

    def __init__(self, url: str) -> None:
        self.events: list[Json] = []
        self.messages: dict[str, Json] = {}  # by msgID
        self.receipts: dict[str, Json] = {}  # the latest of each msgID
        self._answers: dict[str, Json] = {}  # by requestID
        self._request_ids = map(str, itertools.count(1))
        self._heard = threading.Condition()
        self._closed = False
        self._url = url

    def __enter__(self) -> "Device":
        self._open = ExitStack()
        self._socket = self._open.enter_context(connect(self._url, max_queue=None))
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        self._listener.join(PATIENCE_S)

    def say(self, action: str, **fields: Any) -> Json:
        """Send a frame and wait for its answer."""
        request_id = next(self._request_ids)
        self._socket.send(json.dumps({"action": action, "requestID": request_id, **fields}))
        return self.wait_for(lambda: self._answers.get(request_id))

    def wait_for_message(self, msg_id: str) -> Json:
        """A message, once it has been pushed."""
        return self.wait_for(lambda: self.messages.get(msg_id))

    def wait_for_count(self, msg_id: str, read_count: int) -> Json:
        """The receipt of a message, once it says that so many have read it."""

        def told() -> Json | None:
            receipt = self.receipts.get(msg_id)
            return receipt if receipt and receipt["readCount"] >= read_count else None

        return self.wait_for(told)

    def wait_for_event(self, event: str) -> Json:
        """The last event of this kind, once there has been one."""
        return self.wait_for(lambda: next((each for each in reversed(self.events) if each["event"] == event), None))

    def wait_for(self, wanted: Callable[[], Json | None], patience_s: float = PATIENCE_S) -> Json:
        """What is wanted, once it has been heard. TimeoutError if it does not come in time."""
        with self._heard:
            self._heard.wait_for(lambda: wanted() or self._closed, patience_s)
            found = wanted()
        if found is None:
            raise TimeoutError("the socket was closed" if self._closed else f"nothing came in {patience_s:g} s")
        return found

    def _listen(self) -> None:
        try:
            for text in self._socket:
                with self._heard:
                    self._note(json.loads(text))
                    self._heard.notify_all()
        finally:
            with self._heard:
                self._closed = True
                self._heard.notify_all()

    def _note(self, frame: Json) -> None:
        if "event" not in frame:
            self._answers[frame["requestID"]] = frame
            return
        self.events.append(frame)
        if "message" in frame:
            self.messages[frame["message"]["msgID"]] = frame["message"]
        for receipt in frame["receiptList"] if frame["event"] == "onRecvMessageReadReceipts" else []:
            known = self.receipts.get(receipt["msgID"])
            if known is None or receipt["readCount"] >= known["readCount"]:  # counts only grow: the larger is the later
                self.receipts[receipt["msgID"]] = receipt
