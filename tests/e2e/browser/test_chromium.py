"""Where there is no browser, the tests say so; where there must be one, they fail."""

import pytest

from tests.e2e.browser import chromium


@pytest.fixture
def no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "_NAMES", ("no-such-browser",))
    monkeypatch.setattr(chromium, "_PATHS", ("/no/such/browser",))


def test_without_a_browser_the_tests_are_skipped_aloud(monkeypatch: pytest.MonkeyPatch, no_browser: None) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="nothing of the chat page was tried"):
        chromium.installed_chromium()


def test_without_a_browser_ci_fails(monkeypatch: pytest.MonkeyPatch, no_browser: None) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        chromium.installed_chromium()


def test_the_first_browser_that_is_installed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"google-chrome": __file__}
    monkeypatch.setattr("shutil.which", installed.get)

    assert chromium.installed_chromium() == __file__
