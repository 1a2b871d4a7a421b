"""How little the page needs until it is of use: counted, not timed."""

from collections.abc import Callable

from playwright.sync_api import Response, expect

from tests.e2e.browser.windows import Opens
from tests.e2e.people import User

Make = Callable[[str], User]

SCRIPT_BYTES_MAX = 50_000
# The page, its style and its scripts; then the list, the messages and their receipts, the switch, and the changes.
FILES_MAX = 7
CALLS_MAX = 7


def test_the_page_is_of_use_after_a_handful_of_requests_and_little_script(opens: Opens, user: Make) -> None:
    ann = user("fast-ann")
    ann.create_group("fast", ["fast-ben"])
    ann.send("hi", group="fast")
    window = opens("fast-ann")
    answers: list[Response] = []
    window.page.on("response", lambda answer: answers.append(answer))
    window.page.context.clear_cookies()
    cdp = window.page.context.new_cdp_session(window.page)
    cdp.send("Network.clearBrowserCache")
    window.page.reload()
    expect(window.page.locator("#connection")).to_have_attribute("data-state", "connected")
    expect(window.page.locator("#text")).to_be_focused()
    expect(window.status("hi")).to_have_text("未读")

    files = [answer for answer in answers if "/v1/" not in answer.url]
    scripts = [answer for answer in files if answer.url.endswith(".js")]
    assert len(files) <= FILES_MAX, [answer.url for answer in files]
    assert len(answers) - len(files) <= CALLS_MAX, [answer.url for answer in answers if answer not in files]
    assert len(scripts) >= 5
    assert sum(len(answer.body()) for answer in scripts) < SCRIPT_BYTES_MAX
    assert {answer.status for answer in answers} == {200}


def test_the_next_time_the_browser_has_all_of_it(opens: Opens) -> None:
    window = opens("again-ann")
    answers: list[Response] = []
    window.page.on("response", lambda answer: answers.append(answer))
    window.page.reload()
    expect(window.page.locator("#connection")).to_have_attribute("data-state", "connected")

    (page,) = [answer for answer in answers if "/v1/" not in answer.url and "/page/" not in answer.url]
    fetched = window.page.evaluate(
        """() => performance.getEntriesByType('resource')
             .filter(({ name, transferSize }) => name.includes('/page/') && transferSize > 0).length"""
    )
    assert page.status in (200, 304)
    assert fetched == 0
