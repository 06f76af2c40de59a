"""The OpenAPI 3.1 document, generated from the table of routes and the models.

``python -m jupyter_mlinfn.server.openapi docs/openapi.json`` writes it; a test fails when the
committed one is stale. The TypeScript types are generated from the committed document.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from jupyter_mlinfn.server import messages
from jupyter_mlinfn.server.answers import ProblemDocument
from jupyter_mlinfn.server.table import (
    API,
    LIVE,
    LIVE_ACTION,
    LIVE_RESOURCE,
    ROUTES,
    TOPIC_RESOURCES,
    Route,
    look_up,
)

REFERENCE = "#/components/schemas/{model}"
CLIENT_FRAMES = (messages.Subscribe, messages.Unsubscribe, messages.Active, messages.Saved)
SERVER_FRAMES = (
    messages.GpusFull, messages.GpusDelta, messages.JobsFull, messages.JobsDelta,
    messages.TasksFull, messages.TasksDelta, messages.SessionFull, messages.Save, messages.Paused,
    messages.Trouble,
)  # fmt: skip
ALWAYS = (400, 403, 500)
MEANINGS = {
    400: "What was sent cannot be used",
    403: "Not logged in, or no right to do it",
    404: "There is no such thing",
    409: "It cannot be done in the present state",
    413: "The body is too long",
    415: "The body is not JSON",
    424: "A needed part is missing",
    500: "A fault of the server",
    503: "A needed part is silent for now",
}

Schema = dict[str, Any]


def document() -> Schema:
    """The whole document, ready for ``json.dumps``."""
    schemas = _schemas()
    paths: dict[str, Schema] = {}
    for route in ROUTES:
        paths.setdefault(f"/{API}/{route.path}", {})[route.verb] = _operation(route)
    paths[f"/{LIVE}"] = {"get": _live_operation()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jupyter_mlinfn",
            "version": "1",
            "description": "GPUs, environments and batch jobs inside JupyterLab. All paths are "
            "relative to the base URL of the Jupyter server.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "Authorization"}
            },
        },
    }


def text() -> str:
    """The document as it is committed: sorted, two blanks of indent, a newline at the end."""
    return json.dumps(document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _schemas() -> Schema:
    asked = {look_up(name) for route in ROUTES if (name := route.body)}
    answered = {look_up(route.answer) for route in ROUTES if route.answer}
    models: list[type[BaseModel]] = sorted(
        {*asked, *answered, ProblemDocument, *CLIENT_FRAMES, *SERVER_FRAMES},
        key=lambda model: model.__name__,
    )
    _, top = models_json_schema([(model, "validation") for model in models], ref_template=REFERENCE)
    schemas: Schema = top["$defs"]
    schemas["ClientMessage"] = _union(CLIENT_FRAMES)
    schemas["ServerMessage"] = _union(SERVER_FRAMES)
    _require_what_is_always_sent(schemas, {model.__name__ for model in (*asked, *CLIENT_FRAMES)})
    return schemas


def _union(models: tuple[type[BaseModel], ...]) -> Schema:
    return {"oneOf": [{"$ref": REFERENCE.format(model=model.__name__)} for model in models]}


def _require_what_is_always_sent(schemas: Schema, asked: set[str]) -> None:
    """Answers carry every field, also those with a default; only what clients send may lack some.

    ``asked`` are the names of the models clients send; those within them count as well.
    """
    pending = list(asked)
    while pending:
        for name in _references(schemas[pending.pop()]):
            if name not in asked:
                asked.add(name)
                pending.append(name)
    for name, schema in schemas.items():
        if name not in asked and "properties" in schema:
            schema["required"] = list(schema["properties"])


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.rpartition("/")[2]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _operation(route: Route) -> Schema:
    operation: Schema = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.path.partition("/")[0]],
        "x-action": route.action,
        "x-resource": route.resource,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": {str(route.status): _answer(route), **_errors(route)},
    }
    if route.body:
        name = look_up(route.body).__name__
        operation["requestBody"] = {"required": True, "content": _json_of(name)}
    return operation


def _path_parameters(route: Route) -> Iterator[Schema]:
    for part in route.path.split("/"):
        if part.startswith("{"):
            name = part[1:-1]
            yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(route: Route) -> Iterator[Schema]:
    if not route.query:
        return
    schema = look_up(route.query).model_json_schema(ref_template=REFERENCE)
    for name, shape in schema["properties"].items():
        required = name in schema.get("required", [])
        yield {"name": name, "in": "query", "required": required, "schema": shape}


def _headers(route: Route) -> Iterator[Schema]:
    if route.idempotent:
        yield {
            "name": "Idempotency-Key", "in": "header", "required": False,
            "description": "The same key never makes a second job or task.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,100}$"},
        }  # fmt: skip
    if route.secret:
        yield {
            "name": "X-Mlinfn-Secret", "in": "header", "required": False,
            "description": "Instead of a token: the secret of the server's runtime file.",
            "schema": {"type": "string"},
        }  # fmt: skip


def _answer(route: Route) -> Schema:
    if route.media is not None:
        content = {f"{route.media}": {"schema": {"type": "string"}}}
        return {"description": "Done", "content": content}
    if route.answer is None:
        return {"description": "Done"}
    return {"description": "Done", "content": _json_of(look_up(route.answer).__name__)}


def _json_of(model: str) -> Schema:
    return {"application/json": {"schema": {"$ref": REFERENCE.format(model=model)}}}


def _errors(route: Route) -> Schema:
    statuses = {*ALWAYS, *route.errors, *((413, 415) if route.body else ())}
    problem = {"schema": {"$ref": REFERENCE.format(model="ProblemDocument")}}
    return {
        str(status): {
            "description": MEANINGS[status],
            "content": {"application/problem+json": problem},
        }
        for status in sorted(statuses)
    }


def _live_operation() -> Schema:
    return {
        "operationId": "live",
        "summary": "The one WebSocket: ClientMessage up, ServerMessage down, as JSON text frames",
        "tags": ["live"],
        "x-action": LIVE_ACTION,
        "x-resource": LIVE_RESOURCE,
        "x-topic-resources": TOPIC_RESOURCES,
        "parameters": [],
        "responses": {
            "101": {"description": "Switching to the WebSocket protocol"},
            "403": {"description": MEANINGS[403]},
        },
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
