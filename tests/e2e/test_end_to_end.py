"""HTTP → DynamoDB → stream → WebSocket, on the deployed stack, as clients see it."""

import threading
import time
from collections.abc import Callable

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from chalicelib import tokens
from stack.local_stack import LocalStack
from tests.e2e.people import Refused, User

Make = Callable[[str], User]


def test_a_c2c_message_is_heard_read_and_its_sender_told_on_two_devices(user: Make) -> None:
    ann, ben = user("c2c-ann"), user("c2c-ben")
    with ann.device() as phone, ann.device() as laptop, ben.device() as his:
        message = ann.send("hi", user="c2c-ben")
        received = his.wait_for_message(message["msgID"])
        answer = his.say("sendMessageReadReceipts", msgIDs=[message["msgID"]])
        receipts = [device.wait_for_count(message["msgID"], 1) for device in (phone, laptop)]

    assert received == {**message, "isSelf": False, "userID": "c2c-ann"}
    assert answer["resultList"] == [{"msgID": message["msgID"], "code": 0, "desc": "OK"}]
    assert receipts[0] == receipts[1] == ann.receipts(message)[0]
    assert receipts[0]["isPeerRead"]
    assert receipts[0]["timestamp"] >= message["timestamp"]


def test_a_group_message_is_counted_live_and_the_lists_agree(user: Make) -> None:
    ann, ben, cat, dan = (user(f"grp-{name}") for name in ("ann", "ben", "cat", "dan"))
    ann.create_group("grp", [member.user_id for member in (ben, cat, dan)])
    with ann.device() as phone, ann.device() as laptop, ben.device() as bens, cat.device() as cats:
        messages = [ann.send(f"{number}", group="grp") for number in range(3)]
        for device in (bens, cats):
            for message in messages:
                assert device.wait_for_message(message["msgID"])["text"] == message["text"]
        assert ben.read(*messages) == [0, 0, 0]
        assert cats.say("sendMessageReadReceipts", msgIDs=[messages[0]["msgID"]])["code"] == 0
        for device in (phone, laptop):
            first = device.wait_for_count(messages[0]["msgID"], 2)
            assert (first["groupID"], first["readCount"], first["unreadCount"]) == ("grp", 2, 1)
            assert device.wait_for_count(messages[2]["msgID"], 1)["unreadCount"] == 2

    assert [(each["readCount"], each["unreadCount"]) for each in ann.receipts(*messages)] == [(2, 1), (1, 2), (1, 2)]
    assert ann.read_members(messages[0], "read") == ["grp-ben", "grp-cat"]
    assert ann.read_members(messages[0], "unread") == ["grp-dan"]
    history = cat.history("group_grp")
    assert [each["msgID"] for each in history["messageList"]] == [each["msgID"] for each in reversed(messages)]


def test_a_message_can_be_sent_over_the_socket_and_repeated(user: Make) -> None:
    ann, ben = user("ws-ann"), user("ws-ben")
    with ann.device() as hers, ben.device() as his:
        frame = {"userID": "ws-ben", "data": {"kind": "card"}, "needReadReceipt": True, "clientMsgID": "1"}
        sent, again = hers.say("sendMessage", **frame), hers.say("sendMessage", **frame)
        heard = his.wait_for_message(sent["message"]["msgID"])

    assert sent["message"] == again["message"]
    assert heard["data"] == {"kind": "card"}


def test_a_closed_socket_is_forgotten_and_the_other_device_still_hears(user: Make) -> None:
    ann, ben = user("gone-ann"), user("gone-ben")
    with ann.device() as laptop:
        with ann.device():
            pass
        message = ann.send("hi", user="gone-ben")
        ben.read(message)
        assert laptop.wait_for_count(message["msgID"], 1)["isPeerRead"]


@pytest.mark.parametrize("query", ["", "?token=", "?token=nonsense"])
def test_a_socket_without_a_good_token_is_refused(stack: LocalStack, query: str) -> None:
    """The function says 401 (tests/test_sockets.py) and AWS passes that on; MiniStack makes a 403 of any refusal."""
    with pytest.raises(InvalidStatus) as refused, connect(stack.websocket + query):
        pass

    assert refused.value.response.status_code in (401, 403)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, 10003),
        ("GET", "/groups/a/b/c", 404, 10003),
        ("DELETE", "/messages", 404, 10003),
        ("GET", "/groups/x", 401, 70002),
    ],
)
def test_refusals_have_one_shape_through_the_gateway_too(
    stack: LocalStack, method: str, path: str, status: int, code: int
) -> None:
    answer = httpx.request(method, stack.http + path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json().keys() == {"code", "desc"}


def test_ids_that_need_escaping_work_in_paths(user: Make) -> None:
    ann = user("esc@ann#1")
    ann.create_group("esc#g@1.x-y_z", ["esc#ben"])
    message = ann.send("hi", group="esc#g@1.x-y_z")

    assert ann.history("group_esc#g@1.x-y_z")["messageList"] == [message]
    assert ann.call("DELETE", "/groups/esc%23g%401.x-y_z/members/esc%23ben")["code"] == 0
    with pytest.raises(Refused, match="10010"):
        user("esc#ben").history("group_esc#g@1.x-y_z")


def test_the_privacy_switch_is_reciprocal_and_reveals_nothing_later(user: Make) -> None:
    ann, ben = user("off-ann"), user("off-ben")
    ben.call("PUT", "/settings", {"readReceipts": False})
    with ann.device() as hers, ben.device() as his:
        withheld = ann.send("1", user="off-ben")
        answer = his.say("sendMessageReadReceipts", msgIDs=[withheld["msgID"]])
        assert (answer["code"], answer["withheld"]) == (0, True)
        ben.call("POST", "/conversations/c2c_off-ann/read")
        assert his.wait_for_event("onConversationRead")["lastReadSeq"] == withheld["seq"]
        with pytest.raises(Refused, match="45006"):
            ben.receipts(ben.send("2", user="off-ann"))
        ben.call("PUT", "/settings", {"readReceipts": True})
        told = ann.send("3", user="off-ben")
        ben.read(told)
        hers.wait_for_count(told["msgID"], 1)

        assert hers.receipts.keys() == {told["msgID"]}
        assert [receipt["isPeerRead"] for receipt in ann.receipts(withheld, told)] == [False, True]
        assert {event["event"] for event in hers.events} == {"onRecvNewMessage", "onRecvMessageReadReceipts"}


def test_a_conversation_marked_read_is_told_to_the_other_devices_and_the_peer(user: Make) -> None:
    ann, ben = user("mark-ann"), user("mark-ben")
    messages = [ann.send(f"{number}", user="mark-ben") for number in range(3)]

    def unread() -> int:
        (conversation,) = ben.call("GET", "/conversations")["conversationList"]
        return int(conversation["unreadCount"])

    assert unread() == 3
    assert ben.read(messages[0]) == [0]
    assert unread() == 3
    with ann.device() as hers, ben.device() as his:
        ben.call("POST", "/read-receipts", {"msgIDs": [messages[0]["msgID"]], "alsoMarkRead": True})
        assert his.wait_for_event("onConversationRead")["conversationID"] == "c2c_mark-ann"
        assert unread() == 2
        (receipt,) = hers.wait_for_event("onRecvC2CReadReceipt")["receiptList"]
    assert (receipt["msgID"], receipt["userID"], receipt["isPeerRead"]) == ("", "mark-ben", True)
    assert receipt["timestamp"] == messages[0]["timestamp"]
    ben.call("POST", "/conversations/c2c_mark-ann/read")
    assert unread() == 0
    assert all(message["isPeerRead"] for message in ann.history("c2c_mark-ben")["messageList"])


def test_the_console_applies_to_running_functions_within_seconds(user: Make, stack: LocalStack) -> None:
    ann = user("con-ann")
    admin_token = tokens.mint("admin", 600, stack.token_key, role="admin")
    with User(stack.http, stack.websocket, "admin", admin_token) as admin:
        ann.create_group("con", ["con-ben"], group_type="Community")
        with pytest.raises(Refused, match="45004"):
            ann.send("hi", group="con")
        before = admin.call("GET", "/admin/settings")["receiptGroupTypes"]
        admin.call("PUT", "/admin/settings", {"receiptGroupTypes": [*before, "Community"]})
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                try:
                    assert ann.send("hi", group="con")["needReadReceipt"]
                    break
                except Refused:
                    time.sleep(0.1)
            else:
                raise AssertionError("the change did not arrive")
        finally:
            admin.call("PUT", "/admin/settings", {"receiptGroupTypes": before})


def test_what_a_dead_socket_missed_is_there_after_a_reconnect(user: Make) -> None:
    ann, ben = user("back-ann"), user("back-ben")
    ann.create_group("back", ["back-ben"])
    sent = [ann.send("1", group="back"), ann.send("2", user="back-ben")]
    with ann.device():
        cursor = ann.call("GET", "/read-receipts/changes")["cursor"]
    for message in sent:
        ben.read(message)
    deadline = time.monotonic() + 20
    known: dict[str, int] = {}
    while len(known) < len(sent) and time.monotonic() < deadline:
        answer = ann.call("GET", "/read-receipts/changes", since=cursor)
        known.update({receipt["msgID"]: receipt["readCount"] for receipt in answer["receiptList"]})
        assert answer["isComplete"]

    assert known == {message["msgID"]: 1 for message in sent}


def test_tims_server_api_is_there_too(user: Make, stack: LocalStack) -> None:
    ann, ben = user("tim-ann"), user("tim-ben")
    message = ann.send("hi", user="tim-ben")
    body = {
        "Operator_Account": "tim-ben",
        "Peer_Account": "tim-ann",
        "C2CMsgInfo": [{"From_Account": "tim-ann", "To_Account": "tim-ben", "MsgKey": message["msgID"]}],
    }
    query = {"identifier": "boss", "usersig": tokens.mint("boss", 60, stack.token_key, role="admin"), "random": "1"}

    answer = httpx.post(stack.http.replace("/v1", "/v4") + "/openim/c2c_msg_read_receipt", params=query, json=body)

    assert answer.json()["C2CMsgInfo"] == [{"MsgKey": message["msgID"], "Code": 0}]
    assert ann.receipts(message)[0]["isPeerRead"]
    assert ben.call("GET", "/conversations")["conversationList"][0]["unreadCount"] == 1
    openapi = httpx.get(stack.http + "/openapi.json").json()
    assert openapi["openapi"] == "3.1.0"
    assert "/v1/read-receipts" in openapi["paths"]


def test_a_socket_that_connects_while_it_is_pushed_to_stays(user: Make) -> None:
    """Until $connect has answered API Gateway calls a socket gone; such a one must not be forgotten."""
    ann, ben = user("come-ann"), user("come-ben")
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            ben.send("hi", user="come-ann")

    thread = threading.Thread(target=chatter)
    thread.start()
    try:
        for _ in range(10):
            with ann.device() as device:
                assert device.say("ping")["code"] == 0
    finally:
        stop.set()
        thread.join()


def test_a_repeated_receipt_makes_no_stream_record(user: Make, stack: LocalStack) -> None:
    ann, ben = user("rep-ann"), user("rep-ben")
    message = ann.send("hi", user="rep-ben")
    ben.read(message)
    before = stream_length(stack)

    ben.call("POST", "/read-receipts", {"msgIDs": [message["msgID"]] * 2})

    assert stream_length(stack) == before


def stream_length(stack: LocalStack) -> int:
    """How many records the stream of Reads holds."""
    streams = stack.aws.client("dynamodbstreams")
    (arn,) = (each["StreamArn"] for each in streams.list_streams()["Streams"] if "-Reads-" in each["TableName"])
    count = 0
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        count += len(streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"])
    return count
