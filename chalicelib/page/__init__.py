"""The chat page as a browser asks for it: the page itself, and the few files it is made of.

- The files' paths have a hash of all of them in it, so a browser keeps them for good, and never mixes two versions.
- The page is asked for each time; if nothing has changed, the answer is that.
- Nothing comes from, or goes to, anywhere but this API and its socket (Content-Security-Policy).
- The page needs no token and knows nobody. Its users bring theirs in the URL's fragment, which browsers never send.
"""

import hashlib
import html
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from chalice.app import Request, Response

from chalicelib import answers, codes, log, settings

_FOLDER = Path(__file__).parent
_INDEX = "index.html"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
# Lines of comment with their indent, and what is said at a line's end.
_COMMENTS = re.compile(r"^(?:\s+|/\*\*.*?\*/|//[^\n]*)+|(?<=[;,{]) //[^\n]*", re.MULTILINE | re.DOTALL)
_DAY_S = 24 * 3600


def index(request: Request) -> Response:
    """The page, or that it has not changed, or (301) where it is, if the path came without its last slash."""
    path = request.context.get("path") or "/"
    if not path.endswith("/"):  # its relative URLs would lead elsewhere
        return _answer(_INDEX, 301, "", {"Location": f"{path.rsplit('/', 1)[1]}/"})
    websocket = settings.websocket_url()
    text = _rendered(version(), websocket)
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-cache",
        "ETag": f'"{_hash(text.encode())}"',
        "Content-Security-Policy": _policy(websocket),
        "Referrer-Policy": "no-referrer",
    }
    is_known = request.headers.get("if-none-match", "").removeprefix("W/") == headers["ETag"]
    return _answer(_INDEX, 304, "", headers) if is_known else _answer(_INDEX, 200, text, headers)


def file(asked_version: str, name: str) -> Response:
    """One of the page's files. Whoever asks for another version than there is gets this one, and is not to keep it."""
    text = _files().get(name)
    if text is None:
        unknown = answers.outcome(codes.UNKNOWN_ROUTE)
        headers = {"Content-Type": "application/json"}
        return _answer(name, codes.UNKNOWN_ROUTE.http_status, answers.encode(unknown).decode(), headers)
    kept = f"public, max-age={365 * _DAY_S}, immutable" if asked_version == version() else "no-store"
    return _answer(name, 200, text, {"Content-Type": _TYPES[Path(name).suffix], "Cache-Control": kept})


@cache
def version() -> str:
    """A name for just these files."""
    return _hash("\0".join(f"{name}\0{text}" for name, text in sorted(_files().items())).encode())


@cache
def _files() -> Mapping[str, str]:
    """What is sent, by name: without the comments, which are for those who read the source, and the indent."""
    texts = {path.name: path.read_text() for path in _FOLDER.iterdir() if path.suffix in _TYPES}
    return {name: _COMMENTS.sub("", text) for name, text in texts.items()}


@cache
def _rendered(of_version: str, websocket: str) -> str:
    text = (_FOLDER / _INDEX).read_text()
    return text.replace("{version}", of_version).replace("{websocket}", html.escape(websocket, quote=True))


def _policy(websocket: str) -> str:
    """What the page may do: run its own files, talk to this API and its socket, and nothing else."""
    socket = urlsplit(websocket)
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src data:",
            f"connect-src 'self' {socket.scheme}://{socket.netloc}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
    )


def _hash(of: bytes) -> str:
    return hashlib.sha256(of).hexdigest()[:16]


def _answer(name: str, status: int, body: str, headers: dict[str, str]) -> Response:
    log.line("page", file=name, status=status)
    everywhere: dict[str, str | list[str]] = {"X-Content-Type-Options": "nosniff", **headers}
    return Response(body, headers=everywhere, status_code=status)
