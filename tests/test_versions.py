"""Client versions: the page's gates, on HTTP (`X-SDK-Version`) and on sockets (`sdkVersion`)."""

import pytest

from tests.world import User, World


def calls(world: World, version: str, in_group: bool) -> list[tuple[int, int]]:
    """What every receipt call answers a client of this version: (status, code), 0 if it is done."""
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    old_alice, old_bob = (world.user(name, sdk_version=version) for name in ("alice", "bob"))
    to: User | str = "team" if in_group else bob
    ids = {"msgIDs": [alice.sends(to)["msgID"]]}
    answers = [
        old_alice.tries_to_send(to),
        old_bob.calls("POST", "/read-receipts", ids),
        old_alice.calls("POST", "/read-receipts/query", ids),
    ]
    if in_group:
        answers.append(old_alice.calls("GET", f"/messages/{ids['msgIDs'][0]}/read-members"))
    frame = old_bob.connects().says({"action": "sendMessageReadReceipts", **ids})
    return [(answer.status, answer.body.get("code", 0)) for answer in answers] + [
        (403 if frame["code"] else 200, frame["code"])
    ]


@pytest.mark.parametrize("version", ["6.1.2155", "6.10", "7", "8.1", ""])
def test_group_receipts_are_for_6_1_2155_and_later(world: World, version: str) -> None:
    assert set(calls(world, version, in_group=True)) == {(200, 0)}


@pytest.mark.parametrize("version", ["6.1.2154", "6.1", "5.9.9999"])
def test_older_clients_get_7013_for_groups(world: World, version: str) -> None:
    assert set(calls(world, version, in_group=True)) == {(403, 7013)}


@pytest.mark.parametrize("version", ["6.2.2363", "6.10.1", ""])
def test_c2c_receipts_are_for_6_2_2363_and_later(world: World, version: str) -> None:
    assert set(calls(world, version, in_group=False)) == {(200, 0)}


@pytest.mark.parametrize("version", ["6.2.2362", "6.1.2155"])
def test_older_clients_get_7013_for_c2c_and_are_told_what_it_takes(world: World, version: str) -> None:
    assert set(calls(world, version, in_group=False)) == {(403, 7013)}
    desc = world.user("alice", sdk_version=version).tries_to_send(world.user("bob")).body["desc"]
    assert "6.2.2363" in desc
    assert version in desc


def test_ordinary_messages_are_for_all(world: World) -> None:
    assert world.user("alice", sdk_version="1.0").sends(world.user("bob"), receipt=False)["seq"] == 1


def test_the_time_in_a_receipt_with_a_msg_id_is_for_8_1_and_later(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    old, new = world.user("alice", sdk_version="8.0.9"), world.user("alice", sdk_version="8.1")
    sockets = {"old": old.connects(), "new": new.connects(), "unstated": alice.connects()}
    message = alice.sends(bob)
    bob.reads(message)
    bob.marks_read("c2c_alice")
    world.pump()

    asked = {name: user.asks(message)["receiptList"][0] for name, user in (("old", old), ("new", new))}
    assert "timestamp" not in asked["old"]
    assert asked["new"] == {**asked["old"], "timestamp": asked["new"]["timestamp"]}
    heard = {name: socket.receipts[message["msgID"]] for name, socket in sockets.items()}
    assert heard == {"old": asked["old"], "new": asked["new"], "unstated": asked["new"]}
    for socket in sockets.values():
        (event,) = socket.events("onRecvC2CReadReceipt")
        assert event["receiptList"][0]["timestamp"] > 0  # without a msgID it is the time of the marking, for all


def test_a_device_is_pushed_only_the_receipts_it_knows(world: World) -> None:
    alice, bob = world.users("alice", "bob")
    alice.creates("team", bob)
    devices = {
        version: world.user("alice", sdk_version=version).connects() for version in ("6.1", "6.1.2155", "6.3", "")
    }
    in_group, private = alice.sends("team"), alice.sends(bob)
    bob.reads(in_group)
    bob.reads(private)
    world.pump()

    group, c2c = in_group["msgID"], private["msgID"]
    heard = {version: set(socket.receipts) for version, socket in devices.items()}
    assert heard == {"6.1": set(), "6.1.2155": {group}, "6.3": {group, c2c}, "": {group, c2c}}
    assert all(len(socket.events("onRecvNewMessage")) == 2 for socket in devices.values())


def test_a_device_that_stated_a_version_is_forgotten_like_any_other(world: World) -> None:
    alice = world.user("alice", sdk_version="8.1.6116")
    phone, laptop, tablet = (alice.connects() for _ in range(3))
    phone.closes()
    world.sockets.gone.add(laptop.connection_id)
    world.waits(60)
    alice.sends(world.user("bob"))
    world.pump()

    assert world.connections_of("alice") == {tablet.connection_id}


@pytest.mark.parametrize("version", ["x", "8.1-beta", "8.", "1.2.3.4.5"])
def test_what_is_no_version_is_refused(world: World, version: str) -> None:
    odd = world.user("alice", sdk_version=version)

    assert odd.calls("GET", "/conversations").refusal == (400, 6017)
    assert (odd.connects().status, odd.connects().code) == (400, 6017)
