"""What a product would pay AWS in a month: a workload in, a table of USD out, by the measured figures and list prices.

    python -m bench.cost --users 10000 --messages 20 --group-share 0.5 --group-size 20

The units of each handler are those of results.json (`make bench`), the prices those of `bench.prices`.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from bench import prices
from bench.compute import GROUP_SIZE
from bench.prices import Usage
from bench.report import Row, load

DAYS = 30

# What is stored of a message besides its text: keys, header, numbers. And of a receipt: a name and a time; each reader
# and block has a row with keys on top.
_MESSAGE_BYTES = 250
_RECEIPT_BYTES = 15
_READ_ROW_BYTES = 120


@dataclass(frozen=True)
class Workload:
    """What users do. Defaults are those of a small product."""

    users: int = 10_000  # who are active on a day
    messages: float = 20  # that each of them sends a day, asking for receipts
    group_share: float = 0.5  # of the messages that go to groups; the rest is C2C
    group_size: int = 20
    read_share: float = 0.9  # of its audience that reads a message
    per_call: int = 5  # receipts that the client gathers into one call
    devices: float = 1.3  # that each user has connected while online
    online_hours: float = 4  # of a day
    text_bytes: int = 100
    months_kept: float = 12

    @property
    def sent(self) -> float:
        """Messages a month."""
        return self.users * self.messages * DAYS

    @property
    def audience(self) -> float:
        """Members a message is for, on average."""
        return self.group_share * (self.group_size - 1) + (1 - self.group_share)

    @property
    def receipts(self) -> float:
        """Receipts a month."""
        return self.sent * self.audience * self.read_share

    @property
    def online_share(self) -> float:
        return self.online_hours / 24

    @property
    def socket_minutes(self) -> float:
        return self.users * self.devices * self.online_hours * 60 * DAYS

    @property
    def connects(self) -> float:
        """API Gateway ends a connection after two hours."""
        return self.users * self.devices * max(1.0, self.online_hours / 2) * DAYS

    @property
    def stored_gb(self) -> float:
        """What is there once so many months have been kept."""
        receipts = self.receipts * (_RECEIPT_BYTES + _READ_ROW_BYTES / self.per_call)
        return (self.sent * (_MESSAGE_BYTES + self.text_bytes) + receipts) * self.months_kept / 2**30


@dataclass(frozen=True)
class Line:
    """One line of the bill: what, how it is reckoned, and what it comes to."""

    what: str
    formula: str
    usd: float


def bill(workload: Workload, rows: Sequence[Row], design: str = "ours") -> list[Line]:
    """The lines of a month's bill."""
    send = _handler(rows, "POST /v1/messages") + Usage(http_calls=1, invocations=1)
    announce = _handler(rows, "push_messages, a group of 50 with 2 devices")
    members = workload.audience + 1
    # The trigger's work grows with the members it looks up; it sends to those who are online.
    pushed = Usage(
        read_units=announce.read_units * members / GROUP_SIZE,
        requests=announce.requests,
        cpu_ms=announce.cpu_ms * max(1.0, members / GROUP_SIZE),
        invocations=1,
        socket_messages=members * workload.devices * workload.online_share,
    )
    receipt, measured_per_call = _receipt(rows, workload.per_call, design)
    online = replace(receipt, socket_messages=receipt.socket_messages * workload.devices * workload.online_share)
    connect = _handler(rows, "socket_connected") + Usage(invocations=2)  # and one when it ends
    return [
        Line("sending", f"{workload.sent:,.0f} messages × {_units(send)}", send.times(workload.sent).usd),
        Line("announcing them", f"{workload.sent:,.0f} messages × {_units(pushed)}", pushed.times(workload.sent).usd),
        Line(
            "receipts",
            f"{workload.receipts:,.0f} receipts ({measured_per_call} a call) × {_units(online)}",
            online.times(workload.receipts).usd,
        ),
        Line(
            "connections",
            f"{workload.socket_minutes:,.0f} minutes × ${prices.SOCKET_MINUTE_USD * prices.MILLION:g}/M"
            f" + {workload.connects:,.0f} × {_units(connect)}",
            workload.socket_minutes * prices.SOCKET_MINUTE_USD + connect.times(workload.connects).usd,
        ),
        Line(
            "storage",
            f"{workload.stored_gb:,.1f} GB × ${prices.STORED_GB_MONTH_USD:g}",
            workload.stored_gb * prices.STORED_GB_MONTH_USD,
        ),
    ]


def _handler(rows: Sequence[Row], name: str) -> Usage:
    """What one invocation of a handler takes, without the invocation itself."""
    (row,) = (row for row in rows if (row["section"], row["scenario"], row["design"]) == ("handlers", name, "ours"))
    return Usage(
        write_units=row["write_units"],
        read_units=row["read_units"],
        requests=row["requests"],
        cpu_ms=row["cpu_ms"],
        socket_messages=row["pushes"],
    )


def _receipt(rows: Sequence[Row], per_call: int, design: str) -> tuple[Usage, int]:
    """What one receipt takes, with its share of call, trigger and push; of the nearest that was measured."""
    measured = [row for row in rows if row["scenario"] == "messages per call" and row["design"] == design]
    row = min(measured, key=lambda row: abs(row["x"] - per_call))
    whole = Usage(
        write_units=row["write_units"],
        read_units=row["read_units"],
        invocations=row["invocations"],
        http_calls=row["http_calls"],
        socket_messages=row["pushes"],
        requests=row["requests"],
        cpu_ms=row["cpu_ms"],
    )
    return whole.times(1 / row["receipts"]), row["x"]


def _units(usage: Usage) -> str:
    shown = {
        "write units": usage.write_units,
        "read units": usage.read_units,
        "calls": usage.http_calls,
        "invocations": usage.invocations,
        "MB·s": usage.gb_seconds * 1024,
        "pushes": usage.socket_messages,
    }
    return "(" + ", ".join(f"{amount:.3g} {name}" for name, amount in shown.items() if amount) + ")"


def main() -> int:
    """Print the bill."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.cost",
        description="USD a month for a workload, by measured units and list prices.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    helps = {
        "users": "who are active on a day",
        "messages": "that each of them sends a day",
        "group_share": "of messages that go to groups",
        "group_size": "members of a group",
        "read_share": "of its audience that reads a message",
        "per_call": "receipts that go in one call",
        "devices": "that a user has connected while online",
        "online_hours": "of a day",
        "text_bytes": "of a message",
        "months_kept": "how long messages and receipts are kept",
    }
    for each in fields(Workload):
        name = "--" + each.name.replace("_", "-")
        parser.add_argument(name, type=type(each.default), default=each.default, help=helps[each.name])
    workload = Workload(**vars(parser.parse_args()))
    rows = load()
    lines, theirs = bill(workload, rows), bill(workload, rows, "baseline")
    print(f"A month of {DAYS} days, list prices of {prices.REGION} as of {prices.AS_OF}:\n")
    for line in lines:
        print(f"{line.what:16} ${line.usd:12,.2f}   = {line.formula}")
    print(f"{'in all':16} ${sum(line.usd for line in lines):12,.2f}\n")
    usual = next(line for line in theirs if line.what == "receipts")
    print(f"The receipts alone, by the usual design: ${usual.usd:,.2f} = {usual.formula}")
    units = {
        "write unit": prices.WRITE_UNIT_USD,
        "read unit": prices.READ_UNIT_USD,
        "call": prices.HTTP_CALL_USD,
        "invocation": prices.INVOCATION_USD,
        "push": prices.SOCKET_MESSAGE_USD,
    }
    listed = ", ".join(f"{name} ${usd * prices.MILLION:g}" for name, usd in units.items())
    print(f"Per million: {listed}; GB·s ${prices.GB_SECOND_USD:g}. Not in it: data transfer, logs, free tiers, taxes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
