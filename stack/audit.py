"""`make audit`: recompute all counts from the reads they stand for, and report what differs.

    python -m stack.audit [--stack NAME | --local] [--conversation group_…] [--repair] [--remove] [--cursor FILE]

Audits the stack in the AWS account that the environment points to, or (`--local`) the one of `make run`. Differences go
to standard output, a line of JSON each, progress to standard error. Exits with 1 if anything is left that differs.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import boto3

from chalicelib import audit
from chalicelib.audit import Difference, Mending
from chalicelib.core.conversation import Conversation
from chalicelib.store import conversations
from stack.local_aws import CREDENTIALS
from stack.local_stack import STACK_NAME
from stack.run import STACK_FILE

# So that an audit leaves nearly all of a table's throughput to its users, and costs about a cent an hour.
_READ_UNITS_PER_S = 25


def main() -> int:
    """Audit, and say what was found. 0 if all is right (or was mended), 1 if not, 130 if it was interrupted."""
    options = _options()
    if options.local:
        _use_local_stack()
    _use_tables_of(options.stack)
    mending = Mending(adds=options.repair or options.remove, removes=options.remove)
    cursor = options.cursor.read_text().strip() if options.cursor and options.cursor.exists() else ""
    if cursor:
        print(f"Going on from {cursor}.", file=sys.stderr)
    if options.conversation:
        state = conversations.find(Conversation.parse(options.conversation), consistent=True)
        if state is None:
            print(f"There is no {options.conversation}.", file=sys.stderr)
            return 1
        findings = audit.audit(state, mending)
    else:
        findings = audit.audit_all(mending, cursor)
    found, left = 0, 0
    try:
        with audit.paced(options.read_units):
            for each in findings:
                if isinstance(each, Difference):
                    found, left = found + 1, left + (not each.is_mended)
                    print(json.dumps(asdict(each)), flush=True)
                    continue
                if options.cursor:
                    options.cursor.write_text(each.cursor)
                progress = f"{each.conversations} conversations, {each.tiles} tiles, {found} differences"
                print(f"{progress}; at {each.cursor}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("Interrupted." + (f" {options.cursor} says where to go on." if options.cursor else ""), file=sys.stderr)
        return 130
    if options.cursor:
        options.cursor.unlink(missing_ok=True)
    print(f"{found} differences, {found - left} of them mended.", file=sys.stderr)
    return 1 if left else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m stack.audit",
        description="Recompute all counts of read receipts from the reads they stand for, and report what differs. "
        "It is safe while traffic runs.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stack", default=STACK_NAME, help=f"the stack's name (default {STACK_NAME})")
    where.add_argument("--local", action="store_true", help="the stack of `make run`, instead of one on AWS")
    parser.add_argument("--conversation", metavar="ID", help="only this one: group_<groupID>")
    parser.add_argument("--repair", action="store_true", help="count what was read and is not counted")
    parser.add_argument(
        "--remove",
        action="store_true",
        help="also take away what is counted and was not read: the only thing here that lets a count go back",
    )
    parser.add_argument("--cursor", type=Path, metavar="FILE", help="keep the place there, and go on from it")
    parser.add_argument(
        "--read-units",
        type=float,
        default=_READ_UNITS_PER_S,
        metavar="N",
        help=f"read at most so many units a second (default {_READ_UNITS_PER_S})",
    )
    return parser.parse_args()


def _use_local_stack() -> None:
    """Let AWS clients talk to the local AWS of `make run`."""
    if not STACK_FILE.exists():
        raise SystemExit("There is no local stack; `make run` starts one.")
    http = urlsplit(json.loads(STACK_FILE.read_text())["http"])
    os.environ.update({**CREDENTIALS, "AWS_ENDPOINT_URL": f"{http.scheme}://{http.netloc}"})


def _use_tables_of(stack: str) -> None:
    """Tell `settings` what the stack called its tables."""
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    for page in pages:
        for each in page["StackResourceSummaries"]:
            if each["ResourceType"] == "AWS::DynamoDB::Table":
                os.environ[f"{each['LogicalResourceId'].upper()}_TABLE"] = each.get("PhysicalResourceId", "")


if __name__ == "__main__":
    sys.exit(main())
