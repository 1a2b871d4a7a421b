"""The API's documents: OpenAPI for HTTP and AsyncAPI for the socket, made from what checks requests and spells answers.

Nothing is written down twice here, so nothing can drift: paths are the app's routes, shapes are the classes of
`requests` and `answers`, and codes are those of `codes`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec
from chalice.app import RouteEntry

from chalicelib import answers, codes, limits, requests
from chalicelib.codes import Code
from chalicelib.http import Operation

Document = dict[str, Any]

_TITLE = "Read receipts"
_VERSION = "1"
_REF = "#/components/schemas/{name}"
_EVENTS = (answers.NewMessage, answers.NewReadReceipts, answers.NewC2CReadReceipt, answers.ConversationRead)

# What may stand in a path. A conversationID and a msgID have more to them than a pattern can say.
_IN_PATHS: dict[str, Document] = {
    "userID": {"pattern": limits.ID_PATTERN, "maxLength": limits.USER_ID_LENGTH_MAX},
    "groupID": {"pattern": limits.ID_PATTERN, "maxLength": limits.GROUP_ID_LENGTH_MAX},
    "conversationID": {"pattern": r"^(c2c|group)_[A-Za-z0-9_\-.@#]{1,48}$"},
    "msgID": {"pattern": r"^[A-Za-z0-9_\-]{1,128}$"},
}
# In the header of every call that takes a token. Empty is as good as absent.
_HEADERS: tuple[tuple[str, str, Document], ...] = (
    ("X-User-ID", "whom the client takes itself for", {"maxLength": limits.USER_ID_LENGTH_MAX}),
    ("X-SDK-Version", "the client's version", {"pattern": r"^([0-9]{1,9}(\.[0-9]{1,9}){0,3})?$"}),
)


def openapi(routes: Mapping[str, Mapping[str, RouteEntry]]) -> Document:
    """OpenAPI 3.1 of the routes that are ours: not of TIM's server API, nor of the catch-all."""
    operations = {
        (path, method): vars(entry.view_function)["operation"]
        for path, methods in routes.items()
        for method, entry in methods.items()
        if path.startswith("/v1/") and method != "OPTIONS"
    }
    shapes = {
        shape for operation in operations.values() for shape in (operation.body, operation.query, operation.answer)
    }
    schemas, components = _schemas({answers.Outcome, *shapes} - {None, requests.Nothing})
    paths: dict[str, dict[str, Any]] = {}
    for (path, method), operation in sorted(operations.items(), key=lambda item: item[0]):
        paths.setdefault(_spelt(path), {})[method.lower()] = _operation(path, operation, schemas, components)
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT or UserSig"}
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": _VERSION, "description": _codes_in_words()},
        "servers": [{"url": ".."}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": bearer}},
    }


def asyncapi() -> Document:
    """AsyncAPI 3.0 of the socket: the frames a client may send, and the events it may hear."""
    frames = get_args(requests.Frame)
    schemas, components = _schemas({*frames, *_EVENTS, answers.FrameAnswer})
    said = {_tag(frame): frame for frame in frames}
    heard = {**{_tag(event): event for event in _EVENTS}, "answer": answers.FrameAnswer}
    messages = {name: {"payload": schemas[shape], "summary": _doc(shape)} for name, shape in {**said, **heard}.items()}

    def operation(action: str, names: Iterable[str]) -> Document:
        refs = [{"$ref": f"#/channels/socket/messages/{name}"} for name in names]
        return {"action": action, "channel": {"$ref": "#/channels/socket"}, "messages": refs}

    query = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("token", "userID", "sdkVersion")},
        "required": ["token"],
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": _TITLE, "version": _VERSION, "description": _codes_in_words()},
        "channels": {"socket": {"address": "/", "messages": messages, "bindings": {"ws": {"query": query}}}},
        # As the service sees it: it receives what clients say, and sends what they hear.
        "operations": {"say": operation("receive", said), "hear": operation("send", heard)},
        "components": {"schemas": components},
    }


def _operation(path: str, operation: Operation, schemas: Mapping[Any, Any], components: Mapping[str, Any]) -> Document:
    names = re.findall(r"{(\w+)}", _spelt(path))
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", **_IN_PATHS[name]}}
        for name in names
    ]
    if not operation.public:
        parameters += [
            {"name": name, "in": "header", "required": False, "description": what, "schema": {"type": "string", **more}}
            for name, what, more in _HEADERS
        ]
    if operation.query is not requests.Nothing:
        query = components[schemas[operation.query]["$ref"].rsplit("/", 1)[1]]
        parameters += [
            {"name": name, "in": "query", "required": name in query.get("required", ()), "schema": schema}
            for name, schema in query["properties"].items()
        ]
    asked = operation.body or operation.query
    document: Document = {
        "operationId": operation.name,
        "summary": operation.name.replace("_", " ").capitalize(),
        "parameters": parameters,
        "responses": {
            "200": {"description": _doc(operation.answer), "content": _json(schemas.get(operation.answer, {}))},
            **_refusals(operation, _json(schemas[answers.Outcome])),
        },
    }
    if asked is not requests.Nothing:
        document["description"] = _doc(asked)
    if operation.body:
        document["requestBody"] = {"required": True, "content": _json(schemas[operation.body])}
    if operation.public:
        document["security"] = []
    return document


def _refusals(operation: Operation, content: Document) -> Document:
    """The statuses a call may be refused with, and the codes behind each; nothing but these is ever answered."""
    possible: dict[int, list[str]] = defaultdict(list)
    for code in _codes():
        if code is not codes.OK and (not operation.public or code is codes.SERVER_ERROR):
            possible[code.http_status].append(f"- {code.number}: {code.desc}")
    if operation.body:
        possible[415].append(f"- {codes.BAD_PARAMETERS.number}: The body is not `application/json`.")
    return {
        str(status): {"description": "\n".join(["Refused, with a code and a reason.", *why]), "content": content}
        for status, why in sorted(possible.items())
    }


def _schemas(types: set[Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The reference to each type's schema, and the schemas by name."""
    ordered = sorted(
        (each for each in types if isinstance(each, type) and each is not dict), key=lambda each: each.__name__
    )
    references, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    return dict(zip(ordered, references, strict=True)), components


def _spelt(path: str) -> str:
    """A route's path with its parameters as the API spells them: `{group_id}` is `{groupID}`."""
    return re.sub(r"{(\w+)_id}", r"{\1ID}", path)


def _json(schema: Any) -> Document:
    return {"application/json": {"schema": schema}}


def _tag(shape: Any) -> str:
    return str(shape.__struct_config__.tag)


def _doc(shape: Any) -> str:
    """The first line of a class's docstring, for those who read the document."""
    documented = isinstance(shape, type) and issubclass(shape, msgspec.Struct) and shape.__doc__
    return documented.strip().splitlines()[0] if documented else "The answer."


def _codes_in_words() -> str:
    return "\n".join(["Codes:", *(f"- {code.number} ({code.http_status}): {code.desc}" for code in _codes())])


def _codes() -> list[Code]:
    return sorted((each for each in vars(codes).values() if isinstance(each, Code)), key=lambda each: each.number)
