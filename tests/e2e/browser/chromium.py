"""The browser that the tests use: whichever Chromium or Chrome is installed. Playwright's own are not downloaded."""

import os
import shutil
from pathlib import Path

import playwright
import pytest

# Playwright brings a Node along: the client's own tests run on that, the same on every machine.
NODE = str(Path(playwright.__file__).parent / "driver" / ("node.exe" if os.name == "nt" else "node"))

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)

# It is to talk to the tests, and to nobody else.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def installed_chromium() -> str:
    """The path of the browser. Skips the test where there is none, and fails it in CI, where there must be one."""
    named = (shutil.which(name) for name in _NAMES)
    found = next((path for path in (*named, *_PATHS) if path and Path(path).exists()), None)
    if found:
        return found
    missing = "No Chromium or Chrome is installed, so nothing of the chat page was tried in a browser."
    if os.environ.get("CI"):
        pytest.fail(f"{missing} In CI there must be one (Debian: apt-get install chromium).")
    pytest.skip(f"{missing} Install one to run these tests.")
