"""The chat page's files: what a browser may keep, what it may do, and that nothing secret is in them."""

import re
import subprocess
from pathlib import Path

import pytest
from chalice.test import HTTPResponse

from tests.world import World

FILES = ("client.js", "page.css", "page.js", "show.js", "thread.js")
LATER = ("newchat.js", "panel.js", "signin.js", "words.en.js", "words.zh.js")


def asks(world: World, path: str, **headers: str) -> HTTPResponse:
    return world.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def body(response: HTTPResponse) -> str:
    return str(response.body.decode())


def files_of(page: HTTPResponse) -> dict[str, str]:
    """The paths of the files that the page names, by their names."""
    return {path.rsplit("/", 1)[1]: f"/{path}" for path in re.findall(r'(?:src|href)="(page/[^"]+)"', body(page))}


def test_the_page_needs_no_token_and_says_where_the_socket_is(world: World) -> None:
    page = asks(world, "/")

    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<meta name="websocket" content="wss://sockets.execute-api.us-east-1.amazonaws.com/api">' in body(page)
    assert "{" not in re.sub(r"<svg.*?</svg>", "", body(page))


def test_the_browser_is_told_to_talk_to_nobody_else(world: World) -> None:
    headers = asks(world, "/").headers

    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' wss://sockets.execute-api.us-east-1.amazonaws.com"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_is_fetched_from_anywhere_else(world: World) -> None:
    page = asks(world, "/")
    sent = [body(page), *(body(asks(world, path)) for path in files_of(page).values())]

    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|@import|url\(""", "".join(sent))


def test_a_page_that_has_not_changed_is_not_sent_again(world: World) -> None:
    page = asks(world, "/")
    again = asks(world, "/", If_None_Match=page.headers["ETag"])
    weakly = asks(world, "/", If_None_Match=f"W/{page.headers['ETag']}")

    assert page.headers["Cache-Control"] == "no-cache"
    assert (again.status_code, body(again), again.headers["ETag"]) == (304, "", page.headers["ETag"])
    assert weakly.status_code == 304
    assert asks(world, "/", If_None_Match='"another"').status_code == 200


def test_the_pages_files_are_kept_for_good_under_their_version(world: World) -> None:
    named = files_of(asks(world, "/"))

    assert sorted(named) == sorted(FILES)
    for path in named.values():
        file = asks(world, path)
        assert file.status_code == 200
        assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert file.headers["Content-Type"].startswith(("text/javascript", "text/css"))


def test_another_version_than_there_is_must_not_be_kept(world: World) -> None:
    """While a new version is being deployed, a page of one version may ask a function of the other."""
    file = asks(world, "/page/0123456789abcdef/page.js")

    assert (file.status_code, file.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize("name", ["index.html", "__init__.py", "package.json", "client.d.ts", "..", "%2e%2e%2fapp.py"])
def test_only_the_pages_own_files_are_served(world: World, name: str) -> None:
    file = asks(world, f"/page/0123456789abcdef/{name}")

    assert file.status_code == 404
    assert '"code":10003' in body(file)


def test_the_page_is_where_its_path_ends_with_a_slash(world: World) -> None:
    """Its relative URLs would lead elsewhere. A browser carries the fragment, with the token, over to there."""
    import app as ways_in

    event = {
        "requestContext": {"resourcePath": "/", "httpMethod": "GET", "path": "/api"},
        "pathParameters": None,
        "multiValueQueryStringParameters": None,
        "headers": {},
        "body": None,
        "stageVariables": None,
    }
    answer = ways_in.app(event, None)

    assert (answer["statusCode"], answer["headers"]["Location"]) == (301, "api/")


def test_what_is_sent_is_the_source_without_its_comments(world: World, tmp_path: Path) -> None:
    """Node reads it, so nothing but comments was taken; `tests/e2e/browser` runs it."""
    from tests.e2e.browser.chromium import NODE

    folder = files_of(asks(world, "/"))["page.js"].removesuffix("page.js")
    for name in (*FILES, *LATER):
        sent = body(asks(world, folder + name))
        assert "/**" not in sent
        if name.endswith(".js"):
            module = tmp_path / name.replace(".js", ".mjs")
            module.write_text(sent)
            subprocess.run([NODE, "--check", str(module)], check=True)
