"""The edge of HTTP: who is calling, what they ask, in which shape; and where a refusal becomes an answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from time import perf_counter
from typing import Any
from urllib.parse import unquote

from chalice.app import Blueprint, Request, Response

from chalicelib import answers, codes, limits, log, requests, settings, throttle, tokens
from chalicelib.codes import Refusal

_JSON: dict[str, str | list[str]] = {"Content-Type": "application/json"}

# What somebody's token opens is kept by nobody on the way.
_PRIVATE_JSON: dict[str, str | list[str]] = {**_JSON, "Cache-Control": "no-store"}


@dataclass(frozen=True)
class Operation:
    """What a view takes and gives, for the documents."""

    name: str
    body: type[requests.Request] | None
    query: type[requests.Request]
    answer: Any
    public: bool


# A view takes the caller, the parameters of its path, and the request in its shape.
View = Callable[..., Any]


def edge(routes: Blueprint) -> Callable[..., Callable[[View], View]]:
    """The decorator for views of these routes.

    `@answering(body=CreateGroup)` or `@answering(query=HistoryPage)`: the view is called with the verified caller, its
    path parameters and the request in that shape; with `public=True` anybody may ask, and it is called with nothing.
    What it returns becomes the JSON of a 200, a `Refusal` becomes `{"code", "desc"}` with its status, and whatever else
    goes wrong a 500 with 10002 that is logged.
    """
    routes.register_middleware(_dressed, "http")

    def answering(
        *,
        body: type[requests.Request] | None = None,
        query: type[requests.Request] = requests.Nothing,
        public: bool = False,
    ) -> Callable[[View], View]:
        def decorate(view: View) -> View:
            @wraps(view)
            def answer(**path: str) -> Response:
                started = perf_counter()
                request = routes.current_request
                try:
                    status = 200
                    result = view() if public else _result(view, request, path, body, query)
                except Refusal as refusal:
                    status, result = refusal.code.http_status, answers.outcome(refusal.code, refusal.desc)
                except Exception as error:  # noqa: BLE001  # the edge: nothing may pass it but an answer
                    log.failure("http", error, route=request.context["resourcePath"])
                    status, result = codes.SERVER_ERROR.http_status, answers.outcome(codes.SERVER_ERROR)
                code = getattr(result, "code", codes.OK.number)
                if code != codes.OK.number:
                    log.count("Refused", 1, str(code))
                log.line(
                    "http",
                    route=f"{request.method} {request.context['resourcePath']}",
                    request=request.context.get("requestId"),
                    status=status,
                    code=code,
                    ms=round((perf_counter() - started) * 1000, 1),
                )
                return Response(
                    answers.encode(result).decode(), headers=_JSON if public else _PRIVATE_JSON, status_code=status
                )

            returns = view.__annotations__["return"]
            answer.operation = Operation(view.__name__, body, query, returns, public)  # type: ignore[attr-defined]  # read by documents
            return answer

        return decorate

    return answering


def _result(
    view: View,
    request: Request,
    path: dict[str, str],
    body: type[requests.Request] | None,
    query: type[requests.Request],
) -> Any:
    """Call a view with what it wants: first of all it is settled who is asking."""
    caller = tokens.verify(_bearer(request), request.headers.get("x-user-id", ""))
    throttle.check(caller.user_id)
    caller = replace(caller, sdk_version=requests.sdk_version(request.headers.get("x-sdk-version", "")))
    parameters = [unquote(value) for value in path.values()]
    asked = requests.query(dict(request.query_params or {}), query)
    if body is not None:
        return view(caller, *parameters, requests.body(raw_body(request), body))
    if query is not requests.Nothing:
        return view(caller, *parameters, asked)
    return view(caller, *parameters)


def _bearer(request: Request) -> str:
    """The token of a request; empty if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def raw_body(request: Request) -> bytes:
    """The bytes of a request's body. Refuses with 6017."""
    try:
        raw = request.raw_body
    except ValueError as error:
        raise Refusal(codes.BAD_PARAMETERS, "The body is not what its encoding says.") from error
    return raw.encode() if isinstance(raw, str) else raw


def preflight(**_path: str) -> Response:
    """What a browser asks before it lets the page of another origin call: may it? The headers say."""
    return Response("", status_code=204)


def _cors(origin: str) -> dict[str, str | list[str]]:
    """What a browser needs to hear to let a page of this origin call; nothing if it may not."""
    allowed = settings.cors_origins()
    if not allowed:
        return {}
    if not origin or not (origin in allowed or "*" in allowed):
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, X-SDK-Version, X-User-ID",
        "Access-Control-Max-Age": str(limits.PREFLIGHT_KEPT_S),
    }


def _dressed(event: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice's own refusals (a content type that is not JSON, say) in the shape of ours; and CORS, if it is open."""
    response = get_response(event)
    response.headers = {**response.headers, **_cors(event.headers.get("origin", ""))}
    if isinstance(response.body, dict) and response.body.keys() == {"Code", "Message"}:
        code = codes.SERVER_ERROR if response.status_code >= 500 else codes.BAD_PARAMETERS
        response.body = {"code": code.number, "desc": response.body["Message"]}
    return response
