"""Requests are read strictly."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.server.questions import JobsQuery, LogQuery
from jupyter_mlinfn.server.reading import (
    read_body,
    read_json,
    read_key,
    read_message,
    read_query,
)
from jupyter_mlinfn.server.table import MAX_BODY


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad-json"),
        (b"{", "bad-json"),
        (b'{"a": 1, "a": 2}', "given-twice"),
        (b'{"x": {"b": 1, "b": 1}}', "given-twice"),
        (b'{"a": "\xff"}', "bad-encoding"),
        (b'{"a": NaN}', "bad-number"),
        (b'{"a": -Infinity}', "bad-number"),
        (b"[" * 100 + b"]" * 100, "too-deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too-deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "bad-json"),
    ],
)
def test_json_that_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read_json(body)
    assert caught.value.code == code


def test_json_of_ordinary_depth_is_read() -> None:
    assert read_json(b"[" * 49 + b"]" * 49)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"{}", "application/json-patch+json", 415),
        (b" " * (MAX_BODY + 1), "application/json", 413),
        (b"[1]", "application/json", 400),
        (b"{}", "application/json; charset=utf-8", 400),
    ],
)
def test_bodies_that_are_refused(body: bytes, kind: str, status: int) -> None:
    with pytest.raises(InputError) as caught:
        read_body(JobRequest, body, kind)
    assert caught.value.status == status


def test_all_problems_are_named_and_no_value_is_echoed() -> None:
    body = b'{"resources": {"cpus": 0, "memory": -5}, "nmae": "s3cret"}'
    with pytest.raises(InputError) as caught:
        read_body(JobRequest, body, "application/json")
    fields = {problem.field: problem.code for problem in caught.value.problems}
    assert fields == {
        "source": "bad-value",
        "resources.cpus": "bad-value",
        "resources.memory": "bad-value",
        "nmae": "unknown-field",
    }
    assert "s3cret" not in str([problem.text for problem in caught.value.problems])


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InputError):
        read_body(JobRequest, b'{"source": "a\\udcff.ipynb"}', "application/json")


def test_queries() -> None:
    query = read_query(
        JobsQuery,
        {"state": [b"running", b"queued"], "limit": [b"7"], "token": [b"t"], "1763712345": [b""]},
    )
    assert query == JobsQuery(state=("running", "queued"), limit=7)


@pytest.mark.parametrize(
    "arguments",
    [
        {"limit": [b"-1"]},
        {"limit": [b"1000000000"]},
        {"limit": ["１".encode()]},
        {"limit": [b"5", b"6"]},
        {"limit": [b"nan"]},
        {"sort": [b"name"]},
        {"state": [b"asleep"]},
        {"search": [b"\xff"]},
        {"search": [b"x" * 201]},
    ],
)
def test_queries_that_are_refused(arguments: dict[str, list[bytes]]) -> None:
    with pytest.raises(InputError):
        read_query(JobsQuery, arguments)


def test_a_log_has_no_negative_place() -> None:
    with pytest.raises(InputError):
        read_query(LogQuery, {"start": [b"-500"]})


@pytest.mark.parametrize("key", ["", "a b", "x" * 101, "key\n", "é"])
def test_bad_idempotency_keys(key: str) -> None:
    with pytest.raises(InputError):
        read_key(key)


def test_good_idempotency_keys() -> None:
    assert read_key(None) is None
    assert read_key("0f8fad5b-d9cb-469f-a165-70867728950e")


@pytest.mark.parametrize(
    "message", ["", "{}", '{"type": "subscribe"}', '{"type": "subscribe", "topic": "all"}', "[]"]
)
def test_messages_that_are_refused(message: str) -> None:
    with pytest.raises(InputError):
        read_message(message)
