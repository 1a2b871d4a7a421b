"""The chat page for everybody: axe-core objects to nothing, whatever it shows, in any light and language."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.browser.conftest import PHONE
from tests.e2e.browser.windows import Opens, Window
from tests.e2e.people import User

Make = Callable[[str], User]

LOOKS: dict[str, dict[str, Any]] = {
    "light-zh": {},
    "dark-en": {"color_scheme": "dark", "locale": "en-US"},
    "phone-dark-zh": {"color_scheme": "dark", "viewport": PHONE},
    "phone-light-en": {"locale": "en-US", "viewport": PHONE},
}


def objections(window: Window) -> list[str]:
    """What axe-core finds against the page as it is now."""
    found = Axe().run(window.page).response
    assert len(found["passes"]) > 10, "axe did not run"
    return [
        f"{each['id']}: {node['html']} {node.get('failureSummary', '')}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", LOOKS)
def test_nothing_is_in_anybodys_way(opens: Opens, user: Make, name: str) -> None:
    ann, ben = user(f"axe-{name}"), user(f"axe-ben-{name}")
    ann.create_group(f"axe-{name}", [ben.user_id, "axe-cat"], name="For everybody")
    ben.send("unread by ann", user=ann.user_id)
    read = ann.send("read by one", group=f"axe-{name}")
    ann.send("read by none", group=f"axe-{name}")
    ben.read(read)
    ben.send("an answer", group=f"axe-{name}")
    is_phone = LOOKS[name].get("viewport") == PHONE
    window = opens(ann.user_id, to="" if is_phone else f"group_axe-{name}", with_line=True, **LOOKS[name])
    expect(window.badge(ben.user_id)).to_have_text("1")
    assert objections(window) == []

    if is_phone:
        window.looks_at("For everybody")
    expect(window.status("read by one")).to_contain_text("1")
    assert objections(window) == []

    window.status("read by one").click()
    expect(window.members()).to_have_text([ben.user_id])
    assert objections(window) == []
    window.page.locator("#panel-close").click()

    window.line.cut()
    expect(window.page.locator("#banner")).to_be_visible()
    window.page.route("**/v1/messages", lambda route: route.abort())
    window.writes("waiting")
    expect(window.message("waiting")).to_be_visible()
    assert objections(window) == []


def test_nor_is_anything_before_one_has_signed_in_or_begun(opens: Opens) -> None:
    window = opens("axe-new")
    expect(window.page.locator("#conversations .note")).to_be_visible()
    assert objections(window) == []
    window.page.locator("#new-chat").click()
    expect(window.page.locator("#new-chat-form")).to_be_visible()
    assert objections(window) == []

    window.page.evaluate("sessionStorage.clear()")
    window.page.reload()
    expect(window.page.locator("#sign-in")).to_be_visible()
    assert objections(window) == []
