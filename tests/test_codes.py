"""Every code there is, produced once by the real handlers: a code without a scenario here fails."""

from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest

from chalicelib import clock, codes, keys, tokens
from chalicelib.codes import Code, Refusal
from chalicelib.core.conversation import Conversation, encode_msg_id
from chalicelib.limits import CONNECTIONS_PER_USER_MAX
from chalicelib.store import dynamo, members
from tests import test_usersig
from tests.world import Answer, World

Patch = pytest.MonkeyPatch
Scenario = Callable[[World, Patch], Any]


def exhausted() -> Iterator[int]:
    yield 0
    raise Refusal(codes.TOO_OFTEN)


def always_raced(world: World, patch: Patch) -> Answer:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    patch.setattr(dynamo, "tries", exhausted)
    patch.setattr(members, "leave", lambda *_: False)
    return bob.quits("team")


def old_client(world: World, _: Patch) -> Answer:
    return world.user("alice", sdk_version="6.2.2362").tries_to_send(world.user("bob"))


def broken(world: World, patch: Patch) -> Answer:
    patch.setenv("MESSAGES_TABLE", "nothing")
    return world.user("alice").calls("GET", "/conversations/c2c_bob/messages")


def own_message(world: World, _: Patch) -> int:
    alice, bob = world.users("alice", "bob")
    return alice.reads(alice.sends(bob))[0]


def unasked(world: World, _: Patch) -> int:
    alice, bob = world.users("alice", "bob")
    return bob.reads(alice.sends(bob, receipt=False))[0]


def no_message(world: World, _: Patch) -> int:
    return world.user("alice").reads({"msgID": encode_msg_id(Conversation.between("alice", "bob"), 9)})[0]


def joined_later(world: World, _: Patch) -> int:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")
    message = alice.sends("team")
    alice.invites("team", bob)
    return bob.reads(message)[0]


def in_a_group(world: World, group_type: str = "Work", **console: Any) -> Answer:
    alice = world.user("alice")
    world.admin().sets(**console)
    alice.creates("team", "bob", group_type=group_type)
    return alice.tries_to_send("team")


def turned_off(world: World, _: Patch) -> Answer:
    alice, bob = world.users("alice", "bob")
    message = alice.sends(bob)
    alice.turns_receipts(False)
    return alice.calls("POST", "/read-receipts/query", {"msgIDs": [message["msgID"]]})


def forbidden_to_turn_off(world: World, _: Patch) -> Answer:
    world.admin().sets(mayTurnReceiptsOff=False)
    return world.user("alice").calls("PUT", "/settings", {"readReceipts": False})


def kicked_by_another(world: World, _: Patch) -> Answer:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    return bob.removes("team", carol)


def removed_twice(world: World, _: Patch) -> Answer:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")
    return alice.removes("team", bob)


def group_taken(world: World, by: str) -> Answer:
    world.user("alice").creates("team")
    return world.user(by).calls("POST", "/groups", {"groupType": "Work", "groupID": "team"})


def owner_quits(world: World, _: Patch) -> Answer:
    alice = world.user("alice")
    alice.creates("team", group_type="Public")
    return alice.quits("team")


def one_connection_too_many(world: World, _: Patch) -> int:
    return [world.user("alice").connects() for _ in range(CONNECTIONS_PER_USER_MAX + 1)][-1].code


def with_token(token: Callable[[], str]) -> Scenario:
    return lambda world, _: world.call("GET", "/conversations", token=token())


def other_user(world: World, _: Patch) -> Answer:
    alice = world.user("alice")
    return world.call("GET", "/conversations", token=alice.token, headers={"X-User-ID": "bob"})


def other_app(world: World, patch: Patch) -> Answer:
    patch.setenv("USERSIG_APP_ID", "1400000002")
    patch.setattr(clock, "now_ms", lambda: test_usersig.SIGNED_AT_S * 1000)
    return world.call("GET", "/conversations", token=test_usersig.ALICE)


def unknown_route(world: World, _: Patch) -> Answer:
    return world.call_unknown_route("GET")


SCENARIOS: dict[Code, Scenario] = {
    codes.OK: lambda world, _: world.user("alice").reads(world.user("bob").sends(world.user("alice")))[0],
    codes.BAD_PARAMETERS: lambda world, _: world.user("alice").calls("POST", "/messages", {}),
    codes.TOO_OFTEN: always_raced,
    codes.NOT_SUPPORTED: old_client,
    codes.OWN_MESSAGE: own_message,
    codes.SERVER_ERROR: broken,
    codes.UNKNOWN_ROUTE: unknown_route,
    codes.NOT_ALLOWED: kicked_by_another,
    codes.OWNER_STAYS: owner_quits,
    codes.NO_SUCH_GROUP: lambda world, _: world.user("alice").calls("GET", "/groups/nothing"),
    codes.ALREADY_MEMBER: lambda world, _: (
        world.user("alice").creates("team", "bob", "bob")["resultList"][0]["code"]
        or world.user("alice").invites("team", "bob").ok["resultList"][0]["code"]
    ),
    codes.NOT_A_MEMBER: removed_twice,
    codes.GROUP_ID_TAKEN: lambda world, _: group_taken(world, "bob"),
    codes.GROUP_ID_TAKEN_BY_YOU: lambda world, _: group_taken(world, "alice"),
    codes.NO_RECEIPT: unasked,
    codes.NOT_ADMIN: lambda world, _: world.user("alice").calls("GET", "/admin/settings"),
    codes.TOKEN_EXPIRED: with_token(lambda: tokens.mint("alice", -1)),
    codes.TOKEN_MISSING: with_token(lambda: ""),
    codes.TOKEN_BAD: with_token(lambda: "nonsense"),
    codes.TOKEN_WRONG_KEY: with_token(lambda: jwt.encode({"sub": "alice"}, keys.current(keys.TOKEN) * 2)),
    codes.TOKEN_OTHER_USER: other_user,
    codes.TOKEN_OTHER_APP: other_app,
    codes.CONTENT_TOO_LONG: lambda world, _: world.user("alice").tries_to_send(world.user("bob"), "x" * 12289),
    codes.NO_SUCH_MESSAGE: no_message,
    codes.NOT_IN_AUDIENCE: joined_later,
    codes.TOO_MANY_CONNECTIONS: one_connection_too_many,
    codes.GROUP_TYPE_WITHOUT_RECEIPTS: lambda world, _: in_a_group(world, "Community"),
    codes.GROUP_TOO_LARGE: lambda world, _: in_a_group(world, receiptGroupSizeMax=1),
    codes.RECEIPTS_TURNED_OFF: turned_off,
    codes.MAY_NOT_TURN_OFF: forbidden_to_turn_off,
}


def test_every_code_has_a_scenario() -> None:
    assert SCENARIOS.keys() == {code for code in vars(codes).values() if isinstance(code, Code)}


@pytest.mark.parametrize("code", SCENARIOS, ids=lambda code: str(code.number))
def test_every_code_is_produced(world: World, monkeypatch: pytest.MonkeyPatch, code: Code) -> None:
    produced = SCENARIOS[code](world, monkeypatch)

    if isinstance(produced, Answer):
        assert produced.refusal == (code.http_status, code.number)
    else:
        assert produced == code.number


def test_a_refusal_says_its_code_and_its_sentence_or_a_sharper_one() -> None:
    plain, sharper = Refusal(codes.NO_RECEIPT), Refusal(codes.BAD_PARAMETERS, "The nose is too long.")

    assert (plain.code, plain.desc) == (codes.NO_RECEIPT, codes.NO_RECEIPT.desc)
    assert (sharper.code, sharper.desc) == (codes.BAD_PARAMETERS, "The nose is too long.")
    assert str(sharper) == "(6017, 'The nose is too long.')"
