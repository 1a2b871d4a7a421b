"""`make package`: what would be deployed, in a folder, with its size and what a cold start has to import.

python -m stack.package --stage dev [--folder build]
"""

import argparse
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from stack.template import PROJECT, package, stages

# What each function loads, each in a new process, as a cold start does.
MODULES = {
    "APIHandler": "app",
    "Websocket…": "chalicelib.handlers.sockets",
    "PushReceipts": "chalicelib.handlers.streams, chalicelib.read_stream",
    "PushMessages": "chalicelib.handlers.streams, chalicelib.message_stream",
    "PushMarks": "chalicelib.handlers.streams, chalicelib.mark_stream",
    "DeliverWebhooks": "chalicelib.handlers.queues, chalicelib.webhook",
    "TellMembers": "chalicelib.handlers.queues, chalicelib.fan_out",
}
_TIMES = 5


def main() -> int:
    """Package, and print what it weighs."""
    parser = argparse.ArgumentParser(prog="make package", description="Package the stack, and say what it weighs.")
    parser.add_argument("--stage", choices=sorted(stages()), default="dev", help="which stage (default dev)")
    parser.add_argument("--folder", type=Path, default=PROJECT / "build", help="where to (default build/)")
    options = parser.parse_args()
    template = package(options.folder, options.stage)
    zipped = template.with_name("deployment.zip")
    print(f"{template}: {template.stat().st_size:,} bytes")
    print(
        f"{zipped}: {zipped.stat().st_size:,} bytes zipped, {unpacked_size(zipped):,} unpacked; boto3 is Lambda's own"
    )
    for name, module in MODULES.items():
        print(f"  {name:15} imports {module}: {import_cpu_ms(module):4.0f} ms of processor time")
    return 0


def unpacked_size(zipped: Path) -> int:
    """How many bytes a package has when Lambda has unpacked it."""
    with zipfile.ZipFile(zipped) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def import_cpu_ms(module: str) -> float:
    """What importing a module costs a new process, in ms of processor time: the least of a few runs."""
    code = f"import time; began = time.process_time(); import {module}; print((time.process_time() - began) * 1000)"
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True) for _ in range(_TIMES)]
    return min(float(run.stdout) for run in runs)


def imported(module: str) -> set[str]:
    """What a new process has imported when it has imported a module."""
    code = f"import json, sys; import {module}; print(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True, env=os.environ)
    return set(json.loads(run.stdout))


if __name__ == "__main__":
    sys.exit(main())
