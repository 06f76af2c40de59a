"""Errors become problem documents at one place, and say nothing of the inside."""

from __future__ import annotations

import errno
import logging
from typing import Any

import pytest

from jupyter_mlinfn.model import errors
from jupyter_mlinfn.server import doctor
from jupyter_mlinfn.server.problems import describe, describe_status, known
from tests.server.serving import Server, problem_of

TREE = [
    errors.InputError,
    errors.NotFound,
    errors.Conflict,
    errors.PartMissing,
    errors.Unavailable,
    errors.Refused,
]


def raising(error: BaseException) -> Any:
    def report(call: Any) -> None:
        raise error

    return report


@pytest.mark.parametrize("kind", TREE)
async def test_every_error_of_the_tree(
    server: Server, monkeypatch: pytest.MonkeyPatch, kind: type[errors.MlinfnError]
) -> None:
    problems = [
        errors.Problem(code="one", text="One.", field="a"),
        errors.Problem(code="two", text="Two.", field="b", hint="Do this."),
    ]
    monkeypatch.setattr(doctor, "report", raising(kind("Both.", code="both", problems=problems)))
    reply = await server.ask("GET", "doctor")
    document = problem_of(reply)
    assert reply.status == kind.status
    assert document["detail"] == "Both."
    assert [problem["code"] for problem in document["problems"]] == ["one", "two"]
    assert document["problems"][1]["hint"] == "Do this."


async def test_a_fault_of_ours_is_logged_and_not_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fault = RuntimeError(f"broken at {doctor.__file__}")
    monkeypatch.setattr(doctor, "report", raising(fault))
    with caplog.at_level(logging.ERROR):
        server.app.log.propagate = True
        reply = await server.ask("GET", "doctor")
    assert reply.status == 500
    assert problem_of(reply)["code"] == "internal"
    assert "broken" not in reply.body.decode()
    assert any(record.exc_info and record.exc_info[1] is fault for record in caplog.records)


async def test_a_full_disk_is_said(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = OSError(errno.ENOSPC, "No space left on device", "/secret/place")
    monkeypatch.setattr(doctor, "report", raising(fault))
    reply = await server.ask("GET", "doctor")
    assert reply.status == 503
    assert problem_of(reply)["code"] == "disk-full"
    assert "/secret/place" not in reply.body.decode()


def test_other_errors_are_not_ours() -> None:
    assert known(KeyError("x")) is None
    assert known(OSError(errno.EACCES, "no")) is None


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 422, 500, 502])
def test_statuses_of_tornado_have_words(status: int) -> None:
    document = describe_status(status)
    assert document.status == status
    assert document.detail.endswith(".")


def test_the_code_is_the_type() -> None:
    assert describe(errors.NotFound("No.", code="gone")).type == "urn:mlinfn:problem:gone"
