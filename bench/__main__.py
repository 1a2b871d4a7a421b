"""`make bench`: measure the service beside the usual design, and write the results down.

python -m bench [--quick] [--only SECTION …] [--out FOLDER]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench import capacity, compute, hot_spots, latency, plots, report
from bench.workbench import workbench
from stack.local_stack import local_stack
from stack.run import LOCAL

SECTIONS = ("capacity", "compute", "latency", "hot-spots")


def main() -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Units, money, processor time and latency of read receipts, beside the usual design, in one run.",
        epilog="The load test is apart: python -m bench.load --help. What it costs: python -m bench.cost --help.",
    )
    parser.add_argument("--quick", action="store_true", help="a minute, with few repetitions: to see that it works")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="some of the sections")
    parser.add_argument("--out", type=Path, help="where to write (default: bench/, or .local/bench if quick)")
    options = parser.parse_args()
    out: Path = options.out or (LOCAL / "bench" if options.quick else report.FOLDER)
    started = time.monotonic()

    def progress(line: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {line}", flush=True)

    results = out / report.RESULTS.name
    out.mkdir(parents=True, exist_ok=True)
    rows: list[report.Row] = []

    def note(measured: list[report.Row]) -> None:
        """Write it down at once: what comes later may fail."""
        rows.extend(measured)
        report.save(measured, results)

    if {"capacity", "compute"} & set(options.only):
        progress("starting a local DynamoDB")
        with workbench() as bench:
            if "capacity" in options.only:
                note(capacity.measure(bench, progress, is_quick=options.quick))
            if "compute" in options.only:
                note(compute.measure(bench, progress, is_quick=options.quick))
    if "latency" in options.only:
        progress("deploying the stack")
        with tempfile.TemporaryDirectory() as folder, local_stack(Path(folder) / "ministack.log") as stack:
            note(latency.measure(stack, progress, is_quick=options.quick))
    if "hot-spots" in options.only:
        progress("simulating partitions")
        note(hot_spots.measure(is_quick=options.quick))
    every = report.load(results)
    made = plots.draw(every, out)
    if out == report.FOLDER:
        report.publish(every)
    print(f"\n{report.tables(rows)}\n")
    progress(f"written: {', '.join(str(path) for path in [results, *made])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
