"""What an operator sees: a line of JSON for each thing, metrics in CloudWatch's embedded format, and no secrets."""

import json
from typing import Any

import pytest

from chalicelib import log
from chalicelib.store import receipts
from tests.world import World

Json = dict[str, Any]


def lines(capsys: pytest.CaptureFixture[str]) -> list[Json]:
    """All lines that were logged since the last time."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def metrics(logged: list[Json]) -> dict[tuple[str, ...], float]:
    """The sum of each metric under each of its sets of dimensions, as CloudWatch would make it of the lines."""
    found: dict[tuple[str, ...], float] = {}
    for line in logged:
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Namespace"] == "ReadReceipts"
            for dimensions in directive["Dimensions"]:
                for metric in directive["Metrics"]:
                    key = (metric["Name"], *(f"{name}={line[name]}" for name in dimensions))
                    found[key] = found.get(key, 0) + line[metric["Name"]]
    return found


def test_receipts_and_refusals_are_counted_by_code(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    alice, bob = world.users("alice", "bob")
    asked, unasked = alice.sends(bob), alice.sends(bob, receipt=False)
    capsys.readouterr()
    bob.reads(asked, asked, unasked)
    bob.calls("POST", "/messages", {})

    found = metrics(lines(capsys))
    assert found["ReceiptsRecorded", "Stack=local"] == 1
    assert found["Refused", "Stack=local", "Code=10062"] == 1
    assert found["Refused", "Stack=local", "Code=6017"] == 1
    assert found["Refused", "Stack=local"] == 2


def test_what_is_withheld_is_not_counted_as_recorded(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    alice, bob = world.users("alice", "bob")
    message = alice.sends(bob)
    bob.turns_receipts(False)
    bob.reads(message)

    assert not [key for key in metrics(lines(capsys)) if key[0] == "ReceiptsRecorded"]


def test_pushes_are_counted_by_what_became_of_them(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    alice, bob = world.users("alice", "bob")
    sockets = [alice.connects() for _ in range(3)]
    world.waits(60)
    world.sockets.gone.add(sockets[0].connection_id)
    world.sockets.broken.add(sockets[1].connection_id)
    capsys.readouterr()
    alice.sends(bob)
    world.pump()

    found = metrics(lines(capsys))
    assert [found[name, "Stack=local"] for name in ("PushesSent", "PushesGone", "PushesFailed")] == [1, 1, 1]


def test_the_age_of_what_a_stream_brings_and_what_fails_in_it_is_seen(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, bob = world.users("alice", "bob")
    bob.reads(alice.sends(bob))
    records = world.streams.new("Reads")
    for record in records:
        record["dynamodb"]["ApproximateCreationDateTime"] = world.now_ms() // 1000 - 5
    broken = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "Keys": {"conversationSegment": {"S": "?"}}}}
    capsys.readouterr()
    world.streams.deliver("Reads", [*records, broken])

    found = metrics(lines(capsys))
    assert 5000 <= found["StreamAge", "Stack=local", "Stream=reads"] < 60_000
    assert found["RecordsFailed", "Stack=local", "Stream=reads"] == 1


def test_folds_that_lose_a_race_are_counted(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = world.users("alice", "bob", "carol")
    alice.creates("team", bob, carol)
    message = alice.sends("team")
    bob.reads(message)
    world.pump()
    carol.reads(message)
    put = receipts._put

    def raced(*how: Any) -> Any:
        monkeypatch.setattr(receipts, "_put", put)
        key, tile, version = how
        return put(key, tile, version + 1)

    monkeypatch.setattr(receipts, "_put", raced)
    world.pump()

    assert metrics(lines(capsys))["FoldConflicts", "Stack=local"] == 1
    assert alice.counts(message) == (2, 0)


def test_lines_name_the_request_or_the_socket_and_never_what_was_said_or_the_token(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, bob = world.users("alice", "bob")
    socket = alice.connects()
    socket.says({"action": "sendMessage", "requestID": 1, "userID": "bob", "text": "the secret word"})
    alice.sends(bob, "the secret word", data={"more": "the secret word"})
    world.pump()
    logged = capsys.readouterr().err

    assert "the secret word" not in logged
    assert alice.token not in logged
    by_event = {line["event"]: line for line in map(json.loads, logged.splitlines())}
    assert by_event["frame"]["connection"] == socket.connection_id
    assert "request" in by_event["http"]


def test_a_metric_that_does_not_exist_is_not_counted() -> None:
    with pytest.raises(KeyError):
        log.count("Misspelt")
    with pytest.raises(AssertionError):
        log.count("Refused", 1)
