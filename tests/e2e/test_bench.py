"""`make bench` in its quickest form, and the load test for some seconds."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from bench import load
from stack.local_stack import LocalStack
from stack.template import PROJECT
from tests.test_bench import usd_per_million

FIELDS = {
    "section",
    "scenario",
    "design",
    "receipts",
    "write_units",
    "read_units",
    "requests",
    "request_bytes",
    "response_bytes",
    "stream_records",
    "invocations",
    "pushes",
    "cpu_ms",
    "usd_per_million",
}


def test_the_bench_measures_both_designs_and_reckons_right(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "--quick", "--only", "capacity", "hot-spots", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr

    rows = json.loads((tmp_path / "results.json").read_text())
    capacity = [row for row in rows if row["section"] == "capacity"]

    assert {row["design"] for row in capacity} == {"ours", "baseline"}
    for row in capacity:
        assert row.keys() >= FIELDS
        assert abs(row["usd_per_million"] / usd_per_million(row) - 1) < 1e-4
        assert sum(row["usd_per_million_by"].values()) - row["usd_per_million"] < 1e-3
        if row["design"] == "baseline":
            assert (row["write_units"], row["pushes"]) == (2 * row["receipts"], row["receipts"])
        if row["design"] == "ours" and row["messages_per_call"] == 30:
            assert row["stream_records"] == row["http_calls"], "one write for 30 receipts"
            assert row["write_units"] <= 4 * row["http_calls"]
    assert "Per receipt:" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "growth.svg", "hot_spots.svg"}


def test_under_a_mixed_load_nothing_fails_and_no_count_is_lost_or_wrong(stack: LocalStack) -> None:
    row = asyncio.run(load.run(stack, seconds=10, rate=3, progress=print))

    assert (row["errors"], row["wrong"]) == ([], [])
    assert row["messages"] >= 20
    assert row["receipts"] > row["messages"]


def test_every_command_of_the_bench_explains_itself() -> None:
    for module in ("bench", "bench.load", "bench.cost"):
        said = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=PROJECT, capture_output=True, text=True, check=True
        ).stdout
        assert "usage: " in said
