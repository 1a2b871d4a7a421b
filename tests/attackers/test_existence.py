"""What one may not see looks exactly like what is not there: in the answer, to the byte, and in what it costs to say.

The calls made to AWS stand for the time it takes, which nobody can compare on a busy machine.
"""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.core.conversation import Conversation, encode_msg_id
from chalicelib.store import dynamo
from tests.attackers.scene import (
    CALLS,
    FRAMES,
    IN_CHAT,
    IN_TEAM,
    NO_CHAT,
    NOWHERE,
    TEAM,
    Call,
    Scene,
    calls_to_aws,
)

Way = tuple[str, str]

# What is there, and what is not but has a name as long.
THERE_OR_NOT = {
    "team": "mist",
    "group_team": "group_mist",
    IN_TEAM: NOWHERE,
    encode_msg_id(TEAM, 2): encode_msg_id(Conversation.of_group("mist"), 2),
    IN_CHAT: NO_CHAT,
    "erin": "erim",
}


def instead(value: Any, names: dict[str, str]) -> Any:
    """An example, or a part of one, with other names in it."""
    if isinstance(value, dict):
        return {name: instead(part, names) for name, part in value.items()}
    if isinstance(value, list):
        return [instead(part, names) for part in value]
    return names.get(value, value) if isinstance(value, str) else value


def about(call: Call, names: dict[str, str]) -> Call:
    return replace(
        call, path=instead(call.path, names), query=instead(call.query, names), body=instead(call.body, names)
    )


def told(scene: Scene, who: str, way: Way, call: Call) -> tuple[Any, ...]:
    """All that somebody can tell from an answer: what it says, names of the question apart, and what it cost.

    Asked of a function that has just started: see `test_what_a_function_has_in_memory_saves_no_call`.
    """
    scene.starts_anew()
    with calls_to_aws() as made:
        heard = scene.call(way, call, scene.people[who].token)
    scene.restore()
    return heard.status, heard.headers, unnamed(heard.raw), made


def unnamed(raw: bytes) -> bytes:
    for names in sorted(THERE_OR_NOT.items(), key=lambda pair: -len(pair[0])):
        for name in names:
            raw = raw.replace(name.encode(), b"*")
    return raw


# Every way in that names the group, or a message of it. Not the one that makes groups: a groupID that is taken cannot
# be taken again, and the answer has to say so.
NAMING = {
    way: call for way, call in CALLS.items() if about(call, THERE_OR_NOT) != call and way != ("POST", "/v1/groups")
}


@pytest.mark.parametrize("way", NAMING, ids=" ".join)
@pytest.mark.parametrize("who", ["outsider", "former", "admin"])
def test_a_group_that_is_not_yours_looks_like_none(scene: Scene, way: Way, who: str) -> None:
    call = NAMING[way]
    if who == "former" and way == ("POST", "/v1/read-receipts"):
        pytest.skip("who was in the audience may still send the receipt")

    there, not_there = told(scene, who, way, call), told(scene, who, way, about(call, THERE_OR_NOT))

    assert there == not_there


@pytest.mark.parametrize("who", ["outsider", "former", "admin"])
def test_joining_a_work_group_looks_like_joining_none(scene: Scene, who: str) -> None:
    way = ("POST", "/v1/groups/{group_id}/members")
    call = replace(CALLS[way], body={"userList": [scene.people[who].user_id]})

    there, not_there = told(scene, who, way, call), told(scene, who, way, about(call, THERE_OR_NOT))

    assert there == not_there
    assert there[0] == 404


@pytest.mark.parametrize("path", ["/v1/read-receipts", "/v1/read-receipts/query"])
@pytest.mark.parametrize("who", ["outsider", "former", "admin"])
def test_a_chat_of_others_looks_like_none(scene: Scene, path: str, who: str) -> None:
    call = Call(body={"msgIDs": [IN_CHAT]})

    there, not_there = (
        told(scene, who, ("POST", path), call),
        told(scene, who, ("POST", path), about(call, THERE_OR_NOT)),
    )

    assert there == not_there
    assert b"45001" in there[2]


@pytest.mark.parametrize("path", ["/v1/read-receipts", "/v1/read-receipts/query"])
@pytest.mark.parametrize(("who", "seq"), [("newcomer", 1), ("former", 2)])
def test_what_was_said_before_or_after_ones_time_looks_like_nothing(
    scene: Scene, path: str, who: str, seq: int
) -> None:
    call = Call(body={"msgIDs": [encode_msg_id(TEAM, seq)], **({"alsoMarkRead": True} if path.endswith("ts") else {})})

    there = told(scene, who, ("POST", path), call)
    dynamo.client().delete_item(
        TableName="Messages", Key={"conversationID": {"S": "group_team"}, "seq": {"N": str(seq)}}
    )

    assert told(scene, who, ("POST", path), call) == there


def test_before_ones_time_a_message_cannot_be_marked_read_whether_it_is_one_or_not(scene: Scene) -> None:
    way = ("POST", "/v1/conversations/{conversation_id}/read")

    there = told(scene, "newcomer", way, CALLS[way])
    dynamo.client().delete_item(TableName="Messages", Key={"conversationID": {"S": "group_team"}, "seq": {"N": "1"}})

    assert told(scene, "newcomer", way, CALLS[way]) == there


@pytest.mark.parametrize("who", ["member", "newcomer", "quiet", "outsider"])
def test_who_may_not_remove_learns_not_who_is_in(scene: Scene, who: str) -> None:
    way = ("DELETE", "/v1/groups/{group_id}/members/{user_id}")
    call = CALLS[way]

    assert told(scene, who, way, call) == told(scene, who, way, about(call, {"erin": "erim"}))


def test_writing_to_somebody_does_not_tell_whether_they_are_known(scene: Scene) -> None:
    """Who has sent and read before, and who was never heard of."""
    way = ("POST", "/v1/messages")
    known, unknown = ({"userID": name, "text": "hi", "needReadReceipt": True} for name in ("erin", "erim"))
    said, costs = [], []
    for body in (known, unknown):
        scene.starts_anew()
        with calls_to_aws() as made:
            answer = scene.call(way, Call(body=body), scene.people["outsider"].token).body
        said.append({**answer, "msgID": "*", "userID": "*", "timestamp": 0})
        costs.append(made)

    assert said[0] == said[1]
    assert costs[0] == costs[1]


def test_inviting_somebody_does_not_tell_whether_they_are_known(scene: Scene) -> None:
    way = ("POST", "/v1/groups")
    body = {"groupType": "Public", "groupID": "lure", "memberList": ["erin"]}

    known = told(scene, "outsider", way, Call(body=body))
    unknown = told(scene, "outsider", way, Call(body={**body, "memberList": ["erim"]}))

    assert known == unknown
    assert known[0] == 200


@pytest.mark.parametrize("who", ["outsider", "former", "admin"])
@pytest.mark.parametrize("action", ["sendMessage", "sendMessageReadReceipts"])
def test_on_a_socket_neither(scene: Scene, action: str, who: str) -> None:
    if (who, action) == ("former", "sendMessageReadReceipts"):
        pytest.skip("who was in the audience may still send the receipt")
    socket = scene.people[who].connects()
    heard = []
    for names in ({}, THERE_OR_NOT):
        scene.starts_anew()
        with calls_to_aws() as made:
            answer = socket.says({"action": action, **instead(FRAMES[action].body, names)})
        heard.append((instead(answer, dict.fromkeys((*THERE_OR_NOT, *THERE_OR_NOT.values()), "*")), made))

    assert heard[0] == heard[1]


@pytest.mark.parametrize("path", ["/v1/read-receipts", "/v1/read-receipts/query"])
def test_what_a_function_has_in_memory_saves_no_call(scene: Scene, path: str) -> None:
    """A function that knows a message reads one item less, but of those that are read at once: the calls are as many.

    Not to use what it knows would cost every member a read, for less than anybody could measure.
    """
    costs = []
    scene.starts_anew()
    scene.call(("POST", path), CALLS["POST", path], scene.people["member"].token)
    for names in ({}, THERE_OR_NOT):
        with calls_to_aws() as made:
            scene.call(("POST", path), about(CALLS["POST", path], names), scene.people["outsider"].token)
        costs.append([call.partition("(")[0] for call in made])

    assert costs[0] == costs[1] == ["BatchGetItem"]
