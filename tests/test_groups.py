"""Groups and membership: create, invite, join, kick, quit, list."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib import clock, codes, limits
from chalicelib.codes import Refusal
from chalicelib.store import conversations, dynamo, members
from chalicelib.store.conversations import State
from tests.world import Answer, User, World


@pytest.mark.parametrize("group_type", ["Work", "Public", "Meeting", "Community", "AVChatRoom"])
def test_every_type_of_group_can_be_created_and_looked_up(world: World, group_type: str) -> None:
    alice, bob = world.users("alice", "bob")

    created = alice.creates("team", bob, group_type=group_type)

    assert created.pop("resultList") == [{"userID": "bob", "code": 0, "desc": "OK"}]
    assert created == {
        "groupID": "team",
        "groupType": group_type,
        "name": "team",
        "owner": "alice",
        "memberCount": 2,
    }
    assert bob.calls("GET", "/groups/team").ok == created


def test_a_group_gets_an_id_where_none_is_given(world: World) -> None:
    alice = world.user("alice")

    one = alice.calls("POST", "/groups", {"groupType": "Work", "name": "小组"}).ok
    two = alice.calls("POST", "/groups", {"groupType": "Work"}).ok

    assert one["groupID"] != two["groupID"]
    assert one["name"] == "小组"


def test_a_group_id_is_given_once_and_the_group_stays_as_it_was(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")

    assert bob.calls("POST", "/groups", {"groupType": "Public", "groupID": "team"}).refusal == (409, 10021)
    assert alice.calls("POST", "/groups", {"groupType": "Public", "groupID": "team"}).refusal == (409, 10025)
    assert alice.calls("GET", "/groups/team").ok["groupType"] == "Work"


def test_members_invite_and_each_user_is_answered_for(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)

    answer = bob.invites("team", "carol", "alice", "carol", "dave").ok

    assert [(each["userID"], each["code"]) for each in answer["resultList"]] == [
        ("carol", 0),
        ("alice", 10013),
        ("dave", 0),
    ]
    assert alice.calls("GET", "/groups/team").ok["memberCount"] == 4


def test_strangers_cannot_invite_nor_join_a_work_group_nor_see_that_it_exists(world: World) -> None:
    alice, mallory = world.users("alice", "mallory")
    alice.creates("team")
    answers = [
        (mallory.invites(group, "mallory"), mallory.invites(group, "eve"), mallory.calls("GET", f"/groups/{group}"))
        for group in ("team", "nothing")
    ]

    assert {answer.refusal for of_group in answers for answer in of_group} == {(404, 10010)}
    assert [each.body for each in answers[0]] == [each.body for each in answers[1]]
    assert alice.calls("GET", "/groups/team").ok["memberCount"] == 1


@pytest.mark.parametrize("group_type", ["Public", "Meeting", "Community", "AVChatRoom"])
def test_other_groups_can_be_joined_by_oneself_but_not_for_others(world: World, group_type: str) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("open", group_type=group_type)

    assert bob.invites("open", "eve").refusal == (404, 10010)
    assert bob.invites("open", bob).ok["resultList"][0]["code"] == 0


def test_the_owner_removes_a_member_and_nobody_else_does(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)

    assert bob.removes("team", carol).refusal == (403, 10007)
    assert alice.removes("team", bob).ok["code"] == 0
    assert alice.removes("team", bob).refusal == (404, 10019)
    assert bob.calls("GET", "/groups/team").refusal == (404, 10010)
    assert [each["userID"] for each in carol.calls("GET", "/groups/team/members").ok["memberList"]] == [
        "alice",
        "carol",
    ]


def test_members_quit_but_the_owner_only_a_work_group(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("work", bob)
    alice.creates("public", bob, group_type="Public")

    assert bob.quits("work").ok["code"] == 0
    assert alice.quits("work").ok["code"] == 0
    assert bob.quits("public").ok["code"] == 0
    assert alice.quits("public").refusal == (403, 10009)


def test_who_was_removed_can_be_invited_again(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    bob.quits("team")

    assert alice.invites("team", bob).ok["resultList"][0]["code"] == 0
    assert bob.calls("GET", "/groups/team").ok["memberCount"] == 2


def test_members_are_listed_in_pages_in_the_order_they_joined(world: World) -> None:
    alice = world.user("alice")
    names = [f"user{number:03}" for number in range(250)]
    alice.creates("team", *names)
    alice.removes("team", world.user("user007"))

    found: list[str] = []
    roles: set[tuple[str, str]] = set()
    next_seq, is_finished, pages = 0, False, 0
    while not is_finished:
        answer = alice.calls("GET", "/groups/team/members", nextSeq=next_seq, count=100).ok
        found += [member["userID"] for member in answer["memberList"]]
        roles |= {(member["userID"], member["role"]) for member in answer["memberList"]}
        next_seq, is_finished, pages = answer["nextSeq"], answer["isFinished"], pages + 1

    assert found == ["alice", *(name for name in names if name != "user007")]
    assert pages == 3
    assert next_seq == 0
    assert {role for user, role in roles if user == "alice"} == {"Owner"}
    assert {role for user, role in roles if user != "alice"} == {"Member"}


def test_more_than_one_transaction_of_users_is_invited_by_one_call(world: World) -> None:
    alice = world.user("alice")
    alice.creates("crowd")
    names = [f"user{number:03}" for number in range(300)]

    results = alice.invites("crowd", *names).ok["resultList"]

    assert [each["userID"] for each in results] == names
    assert {each["code"] for each in results} == {0}
    assert alice.calls("GET", "/groups/crowd").ok["memberCount"] == 301
    assert {each["code"] for each in alice.invites("crowd", *names[50:250]).ok["resultList"]} == {10013}
    assert alice.calls("GET", "/groups/crowd").ok["memberCount"] == 301


def test_conversations_are_listed_for_those_who_are_in_them(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    alice.sends(bob)
    carol.quits("team")

    mine = alice.calls("GET", "/conversations").ok
    assert mine["isFinished"]
    assert mine["conversationList"] == [
        {"conversationID": "c2c_bob", "type": 1, "showName": "bob", "userID": "bob", "unreadCount": 0},
        {
            "conversationID": "group_team",
            "type": 2,
            "showName": "team",
            "groupID": "team",
            "groupType": "Work",
            "memberCount": 2,
            "unreadCount": 0,
        },
    ]
    assert [each["conversationID"] for each in bob.calls("GET", "/conversations").ok["conversationList"]] == [
        "c2c_alice",
        "group_team",
    ]
    assert carol.calls("GET", "/conversations").ok["conversationList"] == []


def test_conversations_come_with_their_last_message_if_asked(world: World) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob)
    alice.sends(bob, "first")
    alice.sends(bob, "last")
    alice.sends("team", "before carol")
    alice.invites("team", carol)

    def last(user: User) -> dict[str, str | None]:
        listed = user.calls("GET", "/conversations", withLastMessage="true").ok["conversationList"]
        return {each["conversationID"]: each.get("lastMessage", {}).get("text") for each in listed}

    assert last(bob) == {"c2c_alice": "last", "group_team": "before carol"}
    assert last(carol) == {"group_team": None}
    bob.sends("team", "after")
    assert last(carol) == {"group_team": "after"}


def test_conversations_come_in_pages(world: World) -> None:
    alice = world.user("alice")
    for number in range(5):
        alice.creates(f"g{number}")

    found: list[str] = []
    cursor, is_finished = "", False
    while not is_finished:
        answer = alice.calls("GET", "/conversations", count=2, nextSeq=cursor).ok
        found += [each["groupID"] for each in answer["conversationList"]]
        cursor, is_finished = answer["nextSeq"], answer["isFinished"]

    assert found == ["g0", "g1", "g2", "g3", "g4"]
    assert cursor == ""


def test_ids_with_every_allowed_character_work_in_paths(world: World) -> None:
    alice, strange = world.user("alice"), world.user("a-b_c.d@e#F9")
    alice.creates("g-1_2.3@4#5", strange)

    assert strange.calls("GET", "/groups/g-1_2.3%404%235").ok["memberCount"] == 2
    message = alice.sends("g-1_2.3@4#5")
    assert strange.history("group_g-1_2.3@4#5")["messageList"][0]["msgID"] == message["msgID"]
    assert alice.removes("g-1_2.3@4#5", strange).ok["code"] == 0


def test_a_transaction_that_fails_is_reported_for_its_users_and_the_others_have_joined(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = world.user("alice")
    alice.creates("crowd")
    names = [f"user{number:03}" for number in range(250)]
    join, calls = members.join, iter(range(100))

    def fails_once(state: State, user_ids: Sequence[str]) -> State | None:
        if next(calls) == 1:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")
        return join(state, user_ids)

    monkeypatch.setattr(members, "join", fails_once)
    results = alice.invites("crowd", *names).ok["resultList"]

    joined = [each["userID"] for each in results if each["code"] == 0]
    assert joined == names[:49] + names[98:]
    assert {each["code"] for each in results} == {0, 10002}
    assert alice.calls("GET", "/groups/crowd").ok["memberCount"] == 1 + len(joined)
    again = alice.invites("crowd", *names).ok["resultList"]
    assert [each["userID"] for each in again if each["code"] == 0] == names[49:98]


def test_joining_waits_its_turn_when_others_get_in_between(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team")
    join = members.join
    interruptions: list[Callable[[], object]] = [lambda: alice.invites("team", "carol"), lambda: alice.sends("team")]

    def interrupted(state: State, user_ids: Sequence[str]) -> State | None:
        monkeypatch.setattr(members, "join", join)
        if interruptions:
            interruptions.pop()()
        monkeypatch.setattr(members, "join", interrupted)
        return join(state, user_ids)

    monkeypatch.setattr(members, "join", interrupted)
    results = alice.invites("team", bob, "carol").ok["resultList"]

    assert [(each["userID"], each["code"]) for each in results] == [("bob", 0), ("carol", 10013)]
    assert alice.calls("GET", "/groups/team").ok["memberCount"] == 3
    assert alice.calls("GET", "/groups/team/members").ok["memberList"] == [
        {"userID": "alice", "role": "Owner"},
        {"userID": "carol", "role": "Member"},
        {"userID": "bob", "role": "Member"},
    ]
    assert bob.history("group_team")["messageList"] == []


def test_contention_without_end_is_refused_and_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    monkeypatch.setattr(dynamo, "tries", lambda: exhausted())
    monkeypatch.setattr(members, "join", lambda *_: None)
    monkeypatch.setattr(members, "leave", lambda *_: False)

    assert [each["code"] for each in alice.invites("team", "carol").ok["resultList"]] == [7008]
    assert bob.quits("team").refusal == (429, 7008)


def exhausted() -> Iterator[int]:
    yield 0
    raise Refusal(codes.TOO_OFTEN)


def test_a_member_who_is_being_removed_cannot_invite_themselves_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    find = conversations.find

    def removed_in_between(*arguments: Any, **options: Any) -> State | None:
        state = find(*arguments, **options)
        if calls.pop():
            alice.removes("team", bob)
        return state

    calls = [False] * 20 + [True]
    monkeypatch.setattr(conversations, "find", removed_in_between)
    answer = bob.invites("team", bob, "eve").ok

    assert {each["code"] for each in answer["resultList"]} == {10010}
    monkeypatch.setattr(conversations, "find", find)
    assert alice.calls("GET", "/groups/team").ok["memberCount"] == 1


def test_joining_and_leaving_ask_senders_for_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast a member sends, they can be removed."""
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    leave, sent = members.leave, list[Answer]()

    def sent_in_between(state: State, membership: Any) -> bool:
        if not held():
            sent.append(bob.tries_to_send("team"))
        return leave(state, membership)

    def held() -> bool:
        row = dynamo.get("Conversations", {"conversationID": "group_team"}, consistent=True)
        return row is not None and row.get("wayUntilMs", 0) >= clock.now_ms()

    monkeypatch.setattr(members, "leave", sent_in_between)

    assert alice.removes("team", bob).ok["code"] == 0
    assert len(sent) == 3
    assert alice.sends("team")["text"] == "hello"  # and the way is free again


def test_an_owner_who_quits_meanwhile_removes_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    leave, once = members.leave, [True]

    def quits_in_between(state: State, membership: Any) -> bool:
        if once and once.pop():
            alice.quits("team")
        return leave(state, membership)

    monkeypatch.setattr(members, "leave", quits_in_between)

    assert alice.removes("team", bob).refusal == (404, 10010)
    assert bob.calls("GET", "/groups/team").ok["memberCount"] == 1


def test_way_that_was_asked_for_by_a_clock_far_ahead_holds_up_nobody(world: World) -> None:
    alice = world.user("alice")
    alice.creates("team")
    dynamo.client().update_item(
        TableName="Conversations",
        Key={"conversationID": {"S": "group_team"}},
        UpdateExpression="SET wayUntilMs = :ahead",
        ExpressionAttributeValues={":ahead": {"N": str(clock.now_ms() + 60_000)}},
    )

    assert alice.sends("team")["seq"] == 1


def test_invitations_end_in_time_and_what_is_left_is_reported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = world.user("alice")
    alice.creates("crowd")
    names = [f"user{number:03}" for number in range(250)]
    monkeypatch.setattr(limits, "INVITE_DEADLINE_S", 0)

    results = alice.invites("crowd", *names).ok["resultList"]

    assert [each["userID"] for each in results] == names
    assert {each["code"] for each in results} == {7008}
    assert alice.calls("GET", "/groups/crowd").ok["memberCount"] == 1


def test_an_owner_who_quits_owns_it_no_more(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    alice.quits("team")
    assert bob.calls("GET", "/groups/team").ok["owner"] == ""

    bob.invites("team", alice)
    assert alice.removes("team", bob).refusal == (403, 10007)
    assert alice.calls("POST", "/groups", {"groupType": "Work", "groupID": "team"}).refusal == (409, 10021)


def test_everybody_in_a_new_groups_list_is_answered_for(world: World) -> None:
    created = world.user("alice").creates("team", "alice", "bob", "bob")

    assert [(each["userID"], each["code"]) for each in created["resultList"]] == [("alice", 10013), ("bob", 0)]
