"""The committed OpenAPI document is valid, fresh, and says what the table says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from jupyter_mlinfn.server import openapi
from jupyter_mlinfn.server.table import API, ROUTES

pytestmark = pytest.mark.slow

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def committed() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return document


def test_the_committed_document_is_fresh() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == openapi.text(), (
        "run: python -m jupyter_mlinfn.server.openapi docs/openapi.json"
    )


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(committed()).validate()


def test_every_route_is_described_with_its_right() -> None:
    paths = committed()["paths"]
    for route in ROUTES:
        operation = paths[f"/{API}/{route.path}"][route.verb]
        assert operation["operationId"] == route.name
        assert (operation["x-action"], operation["x-resource"]) == (route.action, route.resource)
        assert str(route.status) in operation["responses"]
    assert sum(len(verbs) for verbs in paths.values()) == len(ROUTES) + 1


def test_names_are_not_split_between_what_is_asked_and_what_is_answered() -> None:
    assert not [name for name in committed()["components"]["schemas"] if "-" in name]


def test_answers_promise_every_field_and_requests_only_what_is_needed() -> None:
    schemas = committed()["components"]["schemas"]
    assert set(schemas["JobRecord"]["required"]) == set(schemas["JobRecord"]["properties"])
    assert schemas["JobRequest"]["required"] == ["source"]
