"""Windows of the chat page, in whichever Chromium is installed, on the deployed stack."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from chalicelib import tokens
from stack.local_stack import LocalStack
from tests.e2e.browser.chromium import FLAGS, installed_chromium
from tests.e2e.browser.windows import PATIENCE_MS, Line, Window

# What the sizes of a desk's and a phone's screens are.
DESK = {"width": 1200, "height": 760}
PHONE = {"width": 390, "height": 780}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For a module only: while Playwright is there, nothing else in the process may run an event loop."""
    path = installed_chromium()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: into the README's folder if asked for (`make pictures`), else nowhere that stays."""
    asked = os.environ.get("SCREENSHOTS")
    return Path(asked) if asked else tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def opens(browser: Browser, stack: LocalStack, screenshots: Path) -> Iterator[Callable[..., Window]]:
    """A window of a user's own, at the chat page. No browser has complained by the end."""
    windows: list[Window] = []
    with ExitStack() as contexts:

        def open_window(user_id: str, *, to: str = "", with_line: bool = False, **look: Any) -> Window:
            desk = {"viewport": DESK, "locale": "zh-CN", "color_scheme": "light", "reduced_motion": "reduce"}
            context = browser.new_context(**{**desk, **look})
            contexts.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            line = Line(context if with_line else None)
            token = tokens.mint(user_id, 3600, stack.token_key)
            link = f"{stack.http.removesuffix('v1')}#token={token}{f'&to={to}' if to else ''}"
            window = Window(context.new_page(), link, screenshots, line)
            windows.append(window)
            return window.goes()

        yield open_window
        assert [complaint for window in windows for complaint in window.complaints] == []
