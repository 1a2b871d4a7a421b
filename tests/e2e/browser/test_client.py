"""The JavaScript client on its own: `client.test.mjs`, under Node."""

import subprocess
from pathlib import Path

from tests.e2e.browser.chromium import NODE


def test_the_client_keeps_its_promises_under_node() -> None:
    tests = Path(__file__).with_name("client.test.mjs")
    run = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", str(tests)], capture_output=True, text=True, timeout=60
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "\n# fail 0\n" in run.stdout
    assert int(run.stdout.split("\n# pass ")[1].split("\n")[0]) >= 50
