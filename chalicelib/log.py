"""One line of JSON for each thing worth knowing, on standard error. Never a message's content, never a token."""

import json
import sys
import traceback


def line(event: str, **fields: object) -> None:
    """Log what happened, with its figures."""
    print(json.dumps({"event": event, **fields}, default=str), file=sys.stderr, flush=True)


def failure(event: str, error: BaseException, **fields: object) -> None:
    """Log what went wrong, with its traceback."""
    trace = "".join(traceback.format_exception(error))
    line(event, error=type(error).__name__, traceback=trace, **fields)
