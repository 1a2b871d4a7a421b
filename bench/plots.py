"""The pictures of bench/README.md, from the rows of results.json."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report import FOLDER, Row

_COLOURS = {"ours": "#0b7a75", "baseline": "#c8553d"}
_LABELS = {
    "group size": "members of the group, 30 messages read at once",
    "messages per call": "messages read by one call, group of 5",
    "conversations in a batch": "C2C conversations in one batch of records, 5 messages each",
}


def draw(rows: Sequence[Row], folder: Path = FOLDER) -> list[Path]:
    """Draw what there are rows for, and say which files that made."""
    mpl.use("svg")
    # Text as text, and the same bytes for the same figures.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9})
    made = []
    if any(row["section"] == "growth" for row in rows):
        made.append(_growth([row for row in rows if row["section"] == "growth"], folder / "growth.svg"))
    if any(row["section"] == "hot spots" for row in rows):
        made.append(_hot_spots([row for row in rows if row["section"] == "hot spots"], folder / "hot_spots.svg"))
    return made


def _growth(rows: Sequence[Row], path: Path) -> Path:
    """For each thing that grows, units and money per receipt."""
    measures = {
        "write units per receipt": lambda row: row["write_units"] / row["receipts"],
        "requests per receipt": lambda row: row["requests"] / row["receipts"],
        "$ per million receipts": lambda row: row["usd_per_million"],
    }
    figure = Figure(figsize=(10, 8), layout="constrained")
    grid: Any = figure.subplots(len(_LABELS), len(measures))
    for line, (scenario, label) in zip(grid, _LABELS.items(), strict=True):
        for axes, (measure, of) in zip(line, measures.items(), strict=True):
            for design, colour in _COLOURS.items():
                points = [row for row in rows if row["scenario"] == scenario and row["design"] == design]
                axes.plot([row["x"] for row in points], list(map(of, points)), "o-", color=colour, label=design, ms=3)
            axes.set_xscale("log")
            axes.set_ylim(bottom=0)
            axes.set_title(measure, fontsize=9)
            _plain(axes)
        line[1].set_xlabel(label)
    grid[0][0].legend(frameon=False)
    return _save(figure, path)


def _hot_spots(rows: Sequence[Row], path: Path) -> Path:
    """For each scenario the partitions of each table, the busiest first."""
    scenarios = list(dict.fromkeys(row["scenario"] for row in rows))
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    grid: Any = figure.subplots(1, len(scenarios))
    for axes, scenario in zip(grid, scenarios, strict=True):
        for row in (row for row in rows if row["scenario"] == scenario):
            for (table, units), style in zip(row["units_by_partition"].items(), ("-", "--", ":"), strict=False):
                places = range(1, len(units) + 1)
                colour = _COLOURS[row["design"]]
                axes.plot(places, units, style, drawstyle="steps-mid", color=colour, label=table, lw=1.3)
        axes.set_yscale("symlog", linthresh=100)
        axes.set_ylim(bottom=0)
        axes.set_title(scenario, fontsize=9)
        axes.set_xlabel("partitions, the busiest first")
        axes.legend(frameon=False, fontsize=8)
        _plain(axes)
    grid[0].set_ylabel("write units")
    return _save(figure, path)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, metadata={"Date": None})
    return path
