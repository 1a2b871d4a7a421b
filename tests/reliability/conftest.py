"""The record of a run, printed at its end: how often each guarantee was found kept, and which faults were survived."""

from collections import Counter

import pytest

from tests.reliability import guarantees, profile
from tests.reliability.faults import Fault


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The tables of `tests/reliability/README.md`, with this run's figures."""
    if not guarantees.survived and not guarantees.checks:
        return
    terminalreporter.section(f"reliability: {'long' if profile.is_long() else 'short'} profile, seed {profile.seed()}")
    places = sorted({place for _, place in guarantees.survived})
    for place in places:
        terminalreporter.line(f"faults survived, {place}:")
        of_kind = Counter({kind: number for (kind, where), number in guarantees.survived.items() if where == place})
        for fault in Fault:
            terminalreporter.line(f"    {of_kind[fault.value]:7,}  {fault.value}")
        terminalreporter.line(f"    {of_kind.total():7,}  in all")
    terminalreporter.line("guarantees found kept:")
    for guarantee, times in sorted(guarantees.checks.items()):
        terminalreporter.line(f"    {times:7,}  {guarantee}")
