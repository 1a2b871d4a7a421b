"""What attackers are after: a group and a chat with secrets in them, everybody's tables, and every way in.

Each way in has one entry here, with what it is asked by example and who is refused with which code. A route, a frame or
a command of TIM's server API without an entry fails `test_every_way_in_is_attacked`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlencode

import app as ways_in
from chalicelib import kept, keys, push
from chalicelib.core.conversation import Conversation, encode_msg_id
from chalicelib.store import console, dynamo
from tests.fakes import EXAMPLE_KEYS, FakeKeys
from tests.tables import TABLES
from tests.world import Json, User, World

# What no answer to somebody outside may contain.
SECRETS = ("the launch is on Friday", "Project Nightingale", "erin", "frank")

TEAM = Conversation.of_group("team")
# The message that is fought for: alice's first in the group, and the one in her chat with bob.
IN_TEAM = encode_msg_id(TEAM, 1)
IN_CHAT = encode_msg_id(Conversation.between("alice", "bob"), 1)
# The same where there is nothing: a group and a user of names as long.
NOWHERE = encode_msg_id(Conversation.of_group("mist"), 1)
NO_CHAT = encode_msg_id(Conversation.between("alice", "bib"), 1)

Codes = Mapping[str, int]

# Who is refused what concerns only members of the group.
NOT_MEMBERS: Codes = dict.fromkeys(("outsider", "former", "admin"), 10010)
# And who is refused the receipts of alice's message, which are only for her.
NOT_THE_SENDER: Codes = {
    **dict.fromkeys(("outsider", "former", "admin", "newcomer", "member"), 45001),
    "quiet": 45006,  # before anything is looked up
}
NOT_ADMINS: Codes = dict.fromkeys(("outsider", "former", "newcomer", "quiet", "member", "owner"), 60010)
ALL_REFUSED = ("outsider", "former", "newcomer", "quiet", "member", "owner", "admin")


@dataclass(frozen=True)
class Call:
    """One way in, what is asked by example, and the code with which each kind of person is refused (else 0)."""

    path: Json = field(default_factory=dict)
    query: Json = field(default_factory=dict)
    body: Json | None = None
    refused: Codes = field(default_factory=dict)


# By method and route. Of groups it is always `team`, of messages IN_TEAM.
CALLS: dict[tuple[str, str], Call] = {
    ("POST", "/v1/groups"): Call(
        body={"groupType": "Work", "groupID": "team", "name": "mine now", "memberList": ["zoe"]},
        refused={**dict.fromkeys(ALL_REFUSED, 10021), "owner": 10025},
    ),
    ("GET", "/v1/groups/{group_id}"): Call({"group_id": "team"}, refused=NOT_MEMBERS),
    ("POST", "/v1/groups/{group_id}/members"): Call(
        {"group_id": "team"}, body={"userList": ["zoe"]}, refused=NOT_MEMBERS
    ),
    ("DELETE", "/v1/groups/{group_id}/members/{user_id}"): Call(
        {"group_id": "team", "user_id": "erin"},
        refused={**NOT_MEMBERS, **dict.fromkeys(("newcomer", "quiet", "member"), 10007)},
    ),
    ("GET", "/v1/groups/{group_id}/members"): Call(
        {"group_id": "team"}, {"nextSeq": "0", "count": "100"}, refused=NOT_MEMBERS
    ),
    ("GET", "/v1/conversations"): Call(query={"nextSeq": "group_a", "count": "10", "withLastMessage": "true"}),
    ("GET", "/v1/conversations/{conversation_id}/messages"): Call(
        {"conversation_id": "group_team"}, {"count": "5", "lastMsgID": encode_msg_id(TEAM, 2)}, refused=NOT_MEMBERS
    ),
    ("POST", "/v1/conversations/{conversation_id}/read"): Call(
        {"conversation_id": "group_team"}, body={"msgID": IN_TEAM}, refused={**NOT_MEMBERS, "newcomer": 45001}
    ),
    ("POST", "/v1/messages"): Call(
        body={"groupID": "team", "text": "hello", "data": {"k": "v"}, "needReadReceipt": True, "clientMsgID": "c-1"},
        refused=NOT_MEMBERS,
    ),
    ("POST", "/v1/read-receipts"): Call(
        body={"msgIDs": [IN_TEAM], "alsoMarkRead": True},
        refused={"outsider": 45001, "admin": 45001, "newcomer": 45002, "owner": 7014},
    ),
    ("POST", "/v1/read-receipts/query"): Call(body={"msgIDs": [IN_TEAM]}, refused=NOT_THE_SENDER),
    ("GET", "/v1/read-receipts/changes"): Call(
        query={"since": "000000000000001~00000000", "count": "5"}, refused={"quiet": 45006}
    ),
    ("GET", "/v1/messages/{msg_id}/read-members"): Call(
        {"msg_id": IN_TEAM}, {"filter": "unread", "nextSeq": "0", "count": "10"}, refused=NOT_THE_SENDER
    ),
    ("GET", "/v1/settings"): Call(),
    ("PUT", "/v1/settings"): Call(body={"readReceipts": False}),
    ("GET", "/v1/admin/settings"): Call(refused=NOT_ADMINS),
    ("PUT", "/v1/admin/settings"): Call(body={"edition": "standard"}, refused=NOT_ADMINS),
}

# What needs no token, and what it answers anybody.
PUBLIC: dict[tuple[str, str], int] = {
    ("GET", "/v1/health"): 200,
    ("GET", "/v1/openapi.json"): 200,
    ("GET", "/v1/asyncapi.json"): 200,
    **{(method, "/{proxy+}"): 404 for method in ("GET", "POST", "PUT", "PATCH", "DELETE")},
}

# The chat page, which knows nobody, and one of its files.
PAGE: dict[tuple[str, str], Call] = {
    ("GET", "/"): Call(),
    ("GET", "/page/{version}/{name}"): Call({"version": "0", "name": "page.js"}),
}

# TIM's server API, which is the administrators' alone: the token is in the query.
TIM_ROUTE = ("POST", "/v4/{service}/{command}")
TIM: dict[str, Json] = {
    "group_open_http_svc/get_group_msg_receipt": {"GroupId": "team", "MsgSeqList": [{"MsgSeq": 1}]},
    "group_open_http_svc/get_group_msg_receipt_detail": {"GroupId": "team", "MsgSeq": 1, "Cursor": "", "Filter": 1},
    "group_open_http_svc/group_msg_receipt": {
        "GroupId": "team",
        "From_Account": "erin",
        "MsgSeqList": [{"MsgSeq": 1}],
    },
    "openim/c2c_msg_read_receipt": {
        "Operator_Account": "bob",
        "Peer_Account": "alice",
        "C2CMsgInfo": [{"From_Account": "alice", "To_Account": "bob", "MsgKey": IN_CHAT}],
    },
    "openim/admin_set_msg_read": {"Report_Account": "bob", "Peer_Account": "alice"},
}

# The frames of the socket, by action.
FRAMES: dict[str, Call] = {
    "sendMessage": Call(
        body={"groupID": "team", "text": "hello", "needReadReceipt": True, "clientMsgID": "c-2"}, refused=NOT_MEMBERS
    ),
    "sendMessageReadReceipts": Call(
        body={"msgIDs": [IN_TEAM], "alsoMarkRead": True},
        refused={"outsider": 45001, "admin": 45001, "newcomer": 45002, "owner": 7014},
    ),
    "ping": Call(body={}),
}


@dataclass(frozen=True)
class Heard:
    """An answer to an attacker, to the byte."""

    status: int
    headers: Json
    raw: bytes

    @property
    def body(self) -> Json:
        said: Json = json.loads(self.raw)
        return said

    @property
    def code(self) -> int:
        """The code of the call or, where it went through, that of its first message or user."""
        body = self.body
        if "ErrorCode" in body:
            return int(body["ErrorCode"])
        results = body.get("resultList") or [{"code": 0}]
        return int(body.get("code", results[0]["code"]))


@dataclass
class Scene:
    """The world with its secrets, and what an attacker does there."""

    world: World
    people: dict[str, User]
    tables: Json = field(default_factory=dict)

    @classmethod
    @contextmanager
    def set_up(cls) -> Iterator["Scene"]:
        with patch.object(keys, "stored", FakeKeys(**EXAMPLE_KEYS).stored), World.on_moto() as world:
            keys.forget()
            alice, bob, carol, dave, grace, erin, _, mallory = world.users(
                "alice", "bob", "carol", "dave", "grace", "erin", "frank", "mallory"
            )
            alice.calls(
                "POST",
                "/groups",
                {
                    "groupType": "Work",
                    "groupID": "team",
                    "name": "Project Nightingale",
                    "memberList": ["bob", "carol", "dave", "erin", "frank"],
                },
            )
            first = alice.sends("team", "the launch is on Friday")
            carol.quits("team")
            alice.invites("team", grace)
            bob.sends("team", "so the launch is on Friday")
            erin.reads(first)
            dave.turns_receipts(on=False)
            chat = alice.sends(bob, "the launch is on Friday, bob")
            bob.reads(chat)
            alice.connects()
            world.pump()
            assert (first["msgID"], chat["msgID"]) == (IN_TEAM, IN_CHAT)
            people = {
                "outsider": mallory,
                "former": carol,
                "newcomer": grace,
                "quiet": dave,
                "member": bob,
                "owner": alice,
                "admin": world.admin(),
            }
            scene = cls(world, people)
            scene.tables = contents()
            yield scene

    def call(
        self,
        way: tuple[str, str],
        call: Call,
        token: str | None,
        *,
        headers: Json | None = None,
        raw: bytes | None = None,
    ) -> Heard:
        """Go in one way, as whoever has this token. A body that is given raw is sent instead of the example's."""
        method, route = way
        path = route.format(**{name: quote(value, safe="") for name, value in call.path.items()})
        url = path + (f"?{urlencode(call.query)}" if call.query else "")
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if raw is None:
            raw = b"" if call.body is None else json.dumps(call.body).encode()
        response = self.world.http.request(method, url, headers=sent, body=raw)
        return Heard(response.status_code, dict(response.headers), response.body)

    def call_tim(self, command: str, body: Any, **query: str) -> Heard:
        """A command of TIM's server API."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = self.world.http.request(
            "POST", f"/v4/{command}?{urlencode(query)}", headers={"Content-Type": "application/json"}, body=raw
        )
        return Heard(response.status_code, dict(response.headers), response.body)

    def gateway(self, event: Json) -> Json:
        """What the HTTP function answers to an event of API Gateway's."""
        answered: Json = ways_in.app(event, None)
        return answered

    @staticmethod
    def starts_anew() -> None:
        """Let the functions be new ones, that have kept nothing in memory."""
        console.forget()
        kept.forget_all()

    def restore(self) -> None:
        """Put the tables back as they were when the scene was set."""
        now = contents()
        for table, rows in self.tables.items():
            for _, row in now[table].items() - rows.items():
                dynamo.client().delete_item(TableName=table, Key=_key(table, json.loads(row)))
            for key in rows.keys() - now[table].keys() | {k for k in rows if now[table].get(k) not in (None, rows[k])}:
                dynamo.client().put_item(TableName=table, Item=_item(json.loads(rows[key])))
        self.world.sockets.frames.clear()
        self.starts_anew()


def contents() -> dict[str, dict[str, str]]:
    """All rows of all tables, by key."""
    found: dict[str, dict[str, str]] = {}
    for table in TABLES:
        rows = dynamo.client().scan(TableName=table, ConsistentRead=True)["Items"]
        found[table] = {str(_key(table, row)): json.dumps(row, sort_keys=True, default=_spelt) for row in rows}
    return found


def _key(table: str, row: Mapping[str, Any]) -> Json:
    return {part["AttributeName"]: row[part["AttributeName"]] for part in TABLES[table]["KeySchema"]}


def _spelt(value: bytes) -> Json:
    return {"bytes": value.hex()}


def _item(row: Json) -> Json:
    """A row from how `contents` spells it."""
    return {
        name: {kind: bytes.fromhex(value["bytes"]) if kind == "B" else value}
        for name, typed in row.items()
        for kind, value in typed.items()
    }


@contextmanager
def calls_to_aws() -> Iterator[list[str]]:
    """The calls that are made to AWS meanwhile, in order: operations and their tables."""
    made: list[str] = []

    def note(params: Json, model: Any, **_: Any) -> None:
        body = json.loads(params.get("body") or "{}") if model.service_model.service_name == "dynamodb" else {}
        tables = sorted(body.get("RequestItems", {})) or [
            named["TableName"] for action in body.get("TransactItems", [body]) for named in _named(action)
        ]
        made.append(f"{model.name}({', '.join(tables)})")

    clients = (dynamo.client(), push.client())
    for client in clients:
        client.meta.events.register("before-call", note)
    try:
        yield made
    finally:
        for client in clients:
            client.meta.events.unregister("before-call", note)


def _named(action: Json) -> list[Json]:
    return [action] if "TableName" in action else [each for each in action.values() if isinstance(each, dict)]
