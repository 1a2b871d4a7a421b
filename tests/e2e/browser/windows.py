"""The chat page in a browser, in a user's verbs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, WebSocketRoute, expect

# What the page may take on a busy machine before a test gives up.
PATIENCE_MS = 30_000


class Window:
    """One window of one user, as they use it."""

    def __init__(self, page: Page, link: str, screenshots: Path, line: "Line") -> None:
        self.page, self.line, self._link, self._screenshots = page, line, link, screenshots
        self.calls: list[tuple[str, str, Any]] = []  # method, path behind /v1, body
        self.complaints: list[str] = []  # of the browser: errors in scripts, what the policy forbids
        page.on("request", lambda request: self._note(request.method, request.url, request.post_data))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if "Content Security" in said.text else None,
        )

    def _note(self, method: str, url: str, body: str | None) -> None:
        if "/v1/" in url:
            self.calls.append((method, url.split("/v1")[1].split("?")[0], json.loads(body) if body else None))

    def goes(self) -> "Window":
        """Follow the link, and wait until the page is of use."""
        self.page.goto(self._link)
        expect(self.page.locator("#connection")).to_have_attribute("data-state", "connected")
        return self

    def made(self, method: str, path: str) -> list[Any]:
        """The bodies of the calls that this window has made."""
        return [body for each, at, body in self.calls if (each, at) == (method, path)]

    def looks_at(self, conversation: str) -> "Window":
        """Open a conversation from the list."""
        self.listed(conversation).click()
        expect(self.page.locator("#name")).to_have_text(conversation)
        return self

    def listed(self, conversation: str) -> Locator:
        """A conversation in the list."""
        name = self.page.locator(".name", has_text=re.compile(f"^{re.escape(conversation)}$"))
        return self.page.locator("#conversations button").filter(has=name)

    def badge(self, conversation: str) -> Locator:
        return self.listed(conversation).locator(".badge [aria-hidden]")

    def writes(self, text: str, *, receipt: bool = True) -> None:
        self.page.locator("#ask-receipt").set_checked(receipt)
        self.page.locator("#text").fill(text)
        self.page.locator("#text").press("Enter")

    def message(self, text: str) -> Locator:
        exactly = self.page.locator(".bubble", has_text=re.compile(f"^{re.escape(text)}$"))
        return self.page.locator("article").filter(has=exactly)

    def status(self, text: str) -> Locator:
        """How far an own message has been read."""
        return self.message(text).locator(".status")

    def members(self) -> Locator:
        """Who is listed in the panel."""
        return self.page.locator("#members li .name")

    def comes_to_front(self, is_in_front: bool) -> None:
        """Whether the tab is in front: headless browsers take every tab for that."""
        state = "visible" if is_in_front else "hidden"
        self.page.evaluate(
            """state => {
              Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
              Object.defineProperty(document, 'hidden', { value: state === 'hidden', configurable: true });
              document.dispatchEvent(new Event('visibilitychange'));
            }""",
            state,
        )

    def shows(self, name: str) -> None:
        """Take a picture."""
        self.page.screenshot(path=self._screenshots / f"{name}.png", animations="disabled", caret="hide")


class Line:
    """What is between a page's sockets and the service: it can be cut, in a window that was opened with one."""

    def __init__(self, context: BrowserContext | None) -> None:
        self.is_cut = False
        self.connections = 0
        self._routes: list[tuple[WebSocketRoute, WebSocketRoute]] = []
        if context:
            context.route_web_socket(re.compile("^wss?://"), self._connect)

    def cut(self) -> None:
        """Every socket ends, and no new one gets through."""
        self.is_cut = True
        for ours, theirs in self._routes:
            ours.close(code=4000)
            theirs.close()
        self._routes.clear()

    def mend(self) -> None:
        self.is_cut = False

    def _connect(self, route: WebSocketRoute) -> None:
        if self.is_cut:
            route.close(code=4000)
            return
        self.connections += 1
        self._routes.append((route, route.connect_to_server()))


# How the tests open a window: `opens(user_id, to=conversationID, with_line=True, **look)`.
Opens = Callable[..., Window]
