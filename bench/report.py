"""The results: rows in results.json, and tables on the screen."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
README = FOLDER / "README.md"


def load(path: Path = RESULTS) -> list[Row]:
    """The rows of the last run."""
    rows: list[Row] = json.loads(path.read_text())
    return rows


def save(rows: Sequence[Row], path: Path = RESULTS) -> None:
    """Write these rows, and keep those of sections that were not measured this time."""
    measured = {row["section"] for row in rows}
    kept = [row for row in load(path) if row["section"] not in measured] if path.exists() else []
    lines = ",\n".join(json.dumps(_rounded(row), ensure_ascii=False) for row in [*kept, *rows])
    path.write_text(f"[\n{lines}\n]\n")


_BEGIN, _END = "<!-- tables: written by the bench -->\n", "<!-- end of tables -->\n"


def publish(rows: Sequence[Row], readme: Path = README) -> None:
    """Put the tables into the README, between its marks."""
    text = readme.read_text()
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    readme.write_text(f"{before}{_BEGIN}\n{tables(rows)}\n\n{_END}{after}")


def _rounded(value: Any) -> Any:
    """Figures as precise as they are meaningful."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def tables(rows: Sequence[Row]) -> str:
    """All sections, as they are shown on the screen and in the README."""
    sections = (_capacity, _handlers, _cold, _latency, _hot_spots, _load)
    return "\n\n".join(filter(None, (section(rows) for section in sections)))


def _capacity(rows: Sequence[Row]) -> str:
    found = [row for row in rows if row["section"] == "capacity"]
    per_receipt = ("write_units", "read_units", "requests", "invocations", "pushes", "cpu_ms")
    return _table(
        "Per receipt",
        [
            "scenario",
            "design",
            "records a batch",
            "write units",
            "read units",
            "requests",
            "invocations",
            "pushes",
            "CPU ms",
            "bytes",
            "$ per million",
        ],
        [
            [
                row["scenario"],
                row["design"],
                row["stream_batch"] or "–",
                *(f"{row[name] / row['receipts']:.3f}" for name in per_receipt),
                f"{(row['request_bytes'] + row['response_bytes']) / row['receipts']:.0f}",
                f"{row['usd_per_million']:.2f}",
            ]
            for row in found
        ],
    )


def _handlers(rows: Sequence[Row]) -> str:
    return _table(
        "Per invocation, warm",
        [
            "handler",
            "design",
            "requests",
            "write units",
            "read units",
            "pushes",
            "CPU ms",
            "bare calls' CPU ms",
            "ratio",
        ],
        [
            [
                row["scenario"],
                row["design"],
                *(f"{row[name]:.1f}" for name in ("requests", "write_units", "read_units", "pushes", "cpu_ms")),
                "–" if row["bare_cpu_ms"] is None else f"{row['bare_cpu_ms']:.1f}",
                "–" if row["cpu_over_bare"] is None else f"{row['cpu_over_bare']:.2f}",
            ]
            for row in rows
            if row["section"] == "handlers"
        ],
    )


def _cold(rows: Sequence[Row]) -> str:
    names = ("import_ms", "import_cpu_ms", "first_ms", "first_cpu_ms", "warm_ms", "memory_mb")
    return _table(
        "Cold, in a fresh process",
        [
            "function",
            "design",
            "import ms",
            "of it CPU",
            "first request ms",
            "of it CPU",
            "next request ms",
            "memory MB",
        ],
        [
            [row["scenario"], row["design"], *(f"{row[name]:.0f}" for name in names)]
            for row in rows
            if row["section"] == "cold"
        ],
    )


def _latency(rows: Sequence[Row]) -> str:
    return _table(
        "From the receipt call to the sender's socket",
        ["scenario", "design", "p50 ms", "p99 ms", "answered p50 ms", "hops, share of the mean"],
        [
            [
                row["scenario"],
                row["design"],
                *(f"{row[name]:.0f}" for name in ("p50_ms", "p99_ms", "answered_p50_ms")),
                ", ".join(f"{hop} {share:.0%}" for hop, share in row["hops_share"].items()),
            ]
            for row in rows
            if row["section"] == "latency"
        ],
    )


def _hot_spots(rows: Sequence[Row]) -> str:
    return _table(
        "Hashed partitions",
        [
            "scenario",
            "design",
            "receipts",
            "write units",
            "busiest table",
            "its busiest partition",
            "× even",
            "busiest key",
            "seconds at least",
        ],
        [
            [
                row["scenario"],
                row["design"],
                f"{row['receipts']:,}",
                f"{row['write_units']:,.0f}",
                row["busiest_table"],
                f"{row['busiest_partition_units']:,}",
                f"{row['unevenness']:.1f}",
                f"{row['busiest_key_units']:,}",
                f"{row['seconds_at_least']:.0f}",
            ]
            for row in rows
            if row["section"] == "hot spots"
        ],
    )


def _load(rows: Sequence[Row]) -> str:
    return _table(
        "Steady mixed load",
        [
            "load",
            "seconds",
            "messages",
            "receipts",
            "calls",
            "errors",
            "lost or wrong",
            "C2C p50 ms",
            "p99 ms",
            "memory MB, early → late",
        ],
        [
            [
                row["scenario"],
                f"{row['seconds']:.0f}",
                f"{row['messages']:,}",
                f"{row['receipts']:,}",
                f"{sum(row['calls'].values()):,}",
                len(row["errors"]),
                len(row["wrong"]),
                f"{row['c2c_p50_ms']:.0f}",
                f"{row['c2c_p99_ms']:.0f}",
                ", ".join(f"{name} {mb['early_mb']:.0f} → {mb['late_mb']:.0f}" for name, mb in row["memory"].items()),
            ]
            for row in rows
            if row["section"] == "load"
        ],
    )


def _table(title: str, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown, aligned so that it can be read as it is; nothing if it has no lines."""
    cells = [list(head), *([str(cell) for cell in line] for line in lines)]
    if len(cells) == 1:
        return ""
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    shown = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    shown.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join([f"{title}:", "", *shown])
