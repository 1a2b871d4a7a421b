"""A function's first moments in a fresh process: `python -m bench.cold MODULE HANDLER < events.json` prints figures.

The events are a list: the first finds the function cold, the others find it warm.
"""

import json
import sys
import time
from importlib import import_module

import psutil


def main() -> None:
    """Import, call, and print what that took."""
    module_name, handler_name = sys.argv[1:]
    events = json.load(sys.stdin)
    started, started_cpu = time.perf_counter(), time.process_time()
    handler = getattr(import_module(module_name), handler_name)
    imported, imported_cpu = time.perf_counter(), time.process_time()
    times = []
    for event in events:
        began, began_cpu = time.perf_counter(), time.process_time()
        answer = handler(event, None)
        times.append((time.perf_counter() - began, time.process_time() - began_cpu))
        assert answer is None or answer.get("statusCode", 200) == 200, answer
    print(
        json.dumps(
            {
                "import_ms": (imported - started) * 1000,
                "import_cpu_ms": (imported_cpu - started_cpu) * 1000,
                "first_ms": times[0][0] * 1000,
                "first_cpu_ms": times[0][1] * 1000,
                "warm_ms": min(each[0] for each in times[1:]) * 1000,
                "warm_cpu_ms": min(each[1] for each in times[1:]) * 1000,
                "memory_mb": psutil.Process().memory_info().rss / 2**20,
            }
        )
    )


if __name__ == "__main__":
    main()
