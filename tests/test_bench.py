"""The benchmark's own arithmetic: what a unit is, what it costs, and that the baseline is a fair one."""

import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from bench import baseline, cost, hot_spots, meter, prices, report
from bench.latency import percentile
from bench.prices import Usage
from chalicelib import requests, tokens
from stack.template import PROJECT
from tests.world import World

MILLION = 1_000_000


def test_an_item_is_as_large_as_its_names_and_values() -> None:
    item: dict[str, Any] = {
        "id": {"S": "Käse"},  # 2 + 5
        "n": {"N": "1795413950123"},  # 1 + 8
        "small": {"N": "-7"},  # 5 + 3
        "round": {"N": "12000"},  # 5 + 2
        "bits": {"B": b"\x00\x01\x02"},  # 4 + 3
        "on": {"BOOL": True},  # 2 + 1
        "who": {"SS": ["ann", "ben"]},  # 3 + 6
        "list": {"L": [{"S": "x"}]},  # 4 + 3 + 1 + 1
        "map": {"M": {"k": {"S": "v"}}},  # 3 + 3 + 1 + 1 + 1
    }

    sizes = {name: meter.item_bytes({name: value}) for name, value in item.items()}

    assert sizes == {"id": 7, "n": 9, "small": 8, "round": 7, "bits": 7, "on": 3, "who": 9, "list": 9, "map": 9}
    assert meter.item_bytes(item) == sum(sizes.values())


@pytest.mark.parametrize(
    ("sizes", "consistent", "units"),
    [
        ([0], True, 1),
        ([4096], True, 1),
        ([4097], True, 2),
        ([4097], False, 1),
        ([10, 10, 10], True, 3),
        ([10, 10, 10], False, 1.5),
    ],
)
def test_a_read_unit_is_4_kb_and_half_where_it_need_not_be_consistent(
    sizes: list[int], consistent: bool, units: float
) -> None:
    assert meter.read_units(sizes, consistent=consistent) == units


def test_usage_costs_its_units_at_list_prices() -> None:
    usage = Usage(
        write_units=2 * MILLION,
        read_units=4 * MILLION,
        invocations=MILLION,
        http_calls=MILLION,
        socket_messages=MILLION,
    )
    bill = {name: usd for name, usd in usage.bill.items() if name != "Lambda duration"}

    assert bill == pytest.approx(
        {
            "DynamoDB writes": 1.25,
            "DynamoDB reads": 0.5,
            "Lambda invocations": 0.2,
            "API Gateway calls": 3.5,
            "API Gateway messages": 1.0,
        }
    )
    waiting_s = MILLION * prices.ROUND_TRIP_MS / 1000
    assert usage.gb_seconds == pytest.approx(waiting_s * 0.5)
    assert usage.usd == pytest.approx(sum(bill.values()) + waiting_s * 0.5 * 0.0000166667)


def test_processor_time_is_billed_at_the_functions_share_of_a_processor() -> None:
    """512 MB are 0.29 of a processor, so that a second of processor time takes 3.5 s, at half a GB each."""
    assert Usage(cpu_ms=1000).gb_seconds == pytest.approx(1769 / 512 * 0.5)


def test_usages_add_up_and_multiply() -> None:
    one = Usage(write_units=1, cpu_ms=2)

    assert one + one == one.times(2) == Usage(write_units=2, cpu_ms=4)


def test_percentiles_are_the_smallest_time_that_so_many_do_not_exceed() -> None:
    seconds = [number / 1000 for number in range(100, 0, -1)]

    assert (percentile(seconds, 50), percentile(seconds, 99), percentile([0.007], 99)) == (50, 99, 7)


@pytest.fixture
def usual_design(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The baseline's tables beside ours."""
    for name, value in baseline.VARIABLES.items():
        monkeypatch.setenv(name, value)
    baseline.create_tables(boto3.client("dynamodb"))


@pytest.mark.usefixtures("usual_design")
def test_the_baseline_counts_as_ours_does(world: World) -> None:
    ann, ben, cat = world.users("ann", "ben", "cat")
    ann.creates("team", ben, cat)
    device = ann.connects()
    messages = [ann.sends("team", f"{number}") for number in range(3)]
    ids = [message["msgID"] for message in messages]

    for reader in (ben, ben, cat):
        caller = tokens.verify(reader.token)
        answer = baseline.send(caller, requests.ReadReceipts(ids[: 3 if reader is ben else 1]))
        assert {result.code for result in answer.resultList} == {0}

    assert [baseline.counted(msg_id) for msg_id in ids] == [2, 1, 1]
    assert [device.receipts[msg_id]["readCount"] for msg_id in ids] == [2, 1, 1]
    assert len(device.events("onRecvMessageReadReceipts")) == 4, "one for each receipt, none for a repetition"


@pytest.mark.usefixtures("usual_design")
def test_the_baseline_refuses_strangers(world: World) -> None:
    ann, ben, eve = world.users("ann", "ben", "eve")
    ann.creates("team", ben)
    message = ann.sends("team")

    answer = baseline.send(tokens.verify(eve.token), requests.ReadReceipts([message["msgID"]]))

    assert [result.code for result in answer.resultList] == [45001]
    assert baseline.counted(message["msgID"]) == 0


def test_the_simulation_writes_what_the_designs_write() -> None:
    rows = {(row["scenario"], row["design"]): row for row in hot_spots.measure(is_quick=True)}
    by_all = rows["one message read by all", "baseline"]

    assert len(rows) == len(hot_spots.SCENARIOS) * 2
    for (_, design), row in rows.items():
        written = sum(sum(units) for units in row["units_by_partition"].values())
        assert written == row["write_units"]
        assert row["busiest_partition_units"] >= row["busiest_key_units"]
        if design == "baseline":
            assert row["write_units"] == 2 * row["receipts"]
    assert by_all["unevenness"] == hot_spots.PARTITIONS, "all of it is under one key"


def test_results_are_kept_by_section(tmp_path: Path) -> None:
    path = tmp_path / "results.json"

    report.save([{"section": "a", "x": 1 / 3}, {"section": "b"}], path)
    report.save([{"section": "a", "x": 2.0}], path)

    assert report.load(path) == [{"section": "b"}, {"section": "a", "x": 2.0}]


def test_a_workload_is_billed_by_what_was_measured() -> None:
    workload = cost.Workload(users=1000, messages=10, group_share=0, read_share=1, devices=1, online_hours=24)
    nothing = {"write_units": 0.0, "read_units": 0.0, "requests": 0.0, "cpu_ms": 0.0, "pushes": 0.0}
    names = ("POST /v1/messages", "push_messages, a group of 50 with 2 devices", "socket_connected")
    rows = [{"section": "handlers", "scenario": name, "design": "ours", **nothing} for name in names]
    call = {"x": 5, "receipts": 10, **nothing, "write_units": 2.0, "invocations": 3, "http_calls": 2, "pushes": 1}
    rows += [{"section": "growth", "scenario": "messages per call", "design": "ours", **call}]

    usd = {line.what: line.usd for line in cost.bill(workload, rows)}

    messages, minutes = 1000 * 10 * 30, 1000 * 24 * 60 * 30
    waiting = 5 / 1000 * 0.5 * 0.0000166667  # for each request and push
    per_receipt = (2 * 0.625 + 3 * 0.2 + 2 * 3.5 + 1 * 1.0) / 10 / MILLION + waiting / 10
    assert usd["sending"] == pytest.approx(messages * (3.5 + 0.2) / MILLION)
    assert usd["announcing them"] == pytest.approx(messages * ((2 * 1.0 + 0.2) / MILLION + 2 * waiting))
    assert usd["receipts"] == pytest.approx(messages * per_receipt)
    assert usd["connections"] == pytest.approx(minutes * 0.25 / MILLION + 1000 * 12 * 30 * 2 * 0.2 / MILLION)


def test_the_committed_results_are_what_the_readme_speaks_of() -> None:
    """Every section is there, for both designs, and the money is the units at today's prices."""
    rows = report.load()
    sections = {row["section"] for row in rows}

    assert sections == {"capacity", "growth", "handlers", "cold", "latency", "hot spots", "load"}
    for section in sections - {"load"}:
        assert {row["design"] for row in rows if row["section"] == section} == {"ours", "baseline"}
    for row in rows:
        if row["section"] == "capacity":
            assert row["usd_per_million"] == pytest.approx(usd_per_million(row), rel=1e-3)
    readme = (PROJECT / "bench" / "README.md").read_text()
    for picture in re.findall(r"\]\((\w+\.svg)\)", readme):
        assert (PROJECT / "bench" / picture).exists()
    assert report.tables(rows) in readme, "what the README shows is what results.json says"


@pytest.mark.parametrize(
    ("line", "scenario", "stream_batch"),
    [
        ("a million receipts, 30 in a call, group of 50, 10 stream records a batch", "group of 50, 30 at once", 10),
        ("the same in a group of 10,000", "group of 10,000, 30 at once", 10),
        ("a million receipts one by one, group of 50, 10 records a batch", "group of 50, one by one", 10),
        ("the same in a service so quiet that every record comes alone", "group of 50, one by one", 1),
    ],
)
def test_the_money_in_the_first_readme_is_what_was_measured(line: str, scenario: str, stream_batch: int) -> None:
    """But for the cents that processor time makes on another machine."""
    rows = [row for row in report.load() if row["section"] == "capacity" and row["scenario"] == scenario]
    usd = {(row["design"], row["stream_batch"]): row["usd_per_million"] for row in rows}

    found = re.search(rf"^\| {line} \| \$([\d.]+) \| \$([\d.]+) \|", (PROJECT / "README.md").read_text(), re.MULTILINE)

    assert found
    assert [float(each) for each in found.groups()] == pytest.approx(
        [usd["ours", stream_batch], usd["baseline", 0]], rel=0.1
    )


def usd_per_million(row: dict[str, Any]) -> float:
    """The same arithmetic, written down a second time."""
    waiting_ms = (row["requests"] + row["pushes"]) * 5
    gb_seconds = (row["cpu_ms"] * 1769 / 512 + waiting_ms) / 1000 * 0.5
    return float(
        row["write_units"] * 0.625
        + row["read_units"] * 0.125
        + row["invocations"] * 0.2
        + row["http_calls"] * 3.5
        + row["pushes"] * 1.0
        + gb_seconds * 16.6667
    ) / float(row["receipts"])
