"""The session API over HTTP, and hostile inputs 43-50 against it (reference list, section 5)."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.hub.service.requests import LARGEST
from tests.hub.service.answering import PREFIX, Service

SESSION = f"{PREFIX}api/v1/session"
KEEP = f"{SESSION}/keep"
VERDICT = f"{PREFIX}api/v1/verdict"
POOLS = f"{PREFIX}api/v1/accelerators"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.stop()


def test_a_session_is_told_of_itself_and_keeps(service: Service) -> None:
    service.warn_ada()
    status, told = service.ask("GET", SESSION, "ada-session")
    assert status == 200
    assert (told["user"], told["server"], told["state"]) == ("ada", "", "idle")
    assert told["devices"] == [{"uuid": "MIG-0", "pool": "mig", "model": "A100", "mig": "1g.10gb"}]
    assert told["warning"]["release_at"] > told["asked_at"]
    status, told = service.ask("POST", KEEP, "ada-session", {})
    assert (status, told["warning"], told["keeps_left"]) == (200, None, 1)
    status, told = service.ask("POST", KEEP, "ada-session", {})
    assert (status, told["code"]) == (409, "nothing-to-keep")
    status, told = service.ask("GET", POOLS, "ada-session")
    assert (status, told["pools"][0]["free"]) == (200, 6)


def test_another_session_is_told_of_itself_alone(service: Service) -> None:
    service.warn_ada()
    status, told = service.ask("GET", f"{SESSION}?user=ada&server=", "bob-session")
    assert status == 200
    assert (told["user"], told["server"], told["devices"]) == ("bob", "gpu", [])
    assert service.ask("POST", KEEP, "bob-session", {})[0] == 409
    assert service.ask("GET", SESSION, "ada-session")[1]["warning"] is not None


@pytest.mark.parametrize(
    "token", ["ada-personal", "ada-all", "bob-shared", "ad", "admin", "culler", "other"]
)
def test_44_tokens_that_are_no_session_s(service: Service, token: str) -> None:
    service.warn_ada()
    before = service.journal.read_bytes()
    for method, path, body in (("GET", SESSION, None), ("POST", KEEP, {}), ("GET", POOLS, None)):
        status, told = service.ask(method, path, token, body)
        assert (status, told["code"]) == (403, "not-a-session")
    assert service.journal.read_bytes() == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "token unknown"},
        {"Authorization": "Basic YWRhLXNlc3Npb24="},
        {"Authorization": "token ada-session ada-session"},
        {"Authorization": "token "},
        {"Authorization": "token " + "a" * 600},
        {"Cookie": "jupyterhub-session-id=ada-session; _xsrf=1; token=ada-session"},
    ],
    ids=["none", "unknown", "basic", "two", "empty", "long", "cookie"],
)
def test_43_and_45_no_token_and_cookies(service: Service, headers: dict[str, str]) -> None:
    service.warn_ada()
    for method, path, body in (("GET", SESSION, None), ("POST", KEEP, {}), ("POST", VERDICT, {})):
        status, told = service.ask(method, path, body=body, **headers)
        assert (status, told["code"]) == (401, "no-token")
    assert service.ask("GET", f"{SESSION}?token=ada-session")[0] == 401
    assert "ada-session" not in service.asked


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Mode": "no-cors"},
    ],
)
def test_46_and_47_pages_of_others(service: Service, headers: dict[str, str]) -> None:
    service.warn_ada()
    for method, path, body in (("GET", SESSION, None), ("POST", KEEP, {})):
        status, told = service.ask(method, path, "ada-session", body, **headers)
        assert (status, told["code"]) == (403, "foreign-origin")
    assert service.ask("GET", SESSION, "ada-session")[1]["warning"] is not None


@pytest.mark.parametrize("verb", ["DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_48_verbs_that_are_not_there(service: Service, verb: str) -> None:
    assert service.ask(verb, SESSION, "ada-session")[0] == 405
    assert service.ask("POST", SESSION, "ada-session", {})[0] == 405
    assert service.ask("GET", KEEP, "ada-session")[0] == 405


@pytest.mark.parametrize(
    "path",
    [
        f"{SESSION}/ada",
        f"{SESSION}/../../hub",
        f"{SESSION}/%2e%2e/keep",
        f"{SESSION}%00",
        f"{SESSION}%0a",
        "/",
        "/api/v1/session",
        f"{PREFIX}api/v2/session",
        f"{PREFIX}",
    ],
)
def test_49_odd_paths(service: Service, path: str) -> None:
    assert service.ask("GET", path, "ada-session")[0] in (400, 404)


@pytest.mark.parametrize("length", [50 * 2**20, 2**40])
def test_39_a_body_of_50_mb_is_not_read(service: Service, length: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    connection.putrequest("POST", KEEP)
    connection.putheader("Authorization", "token ada-session")
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    assert service.ask("POST", KEEP, "ada-session", b"x" * (LARGEST + 1))[0] == 413


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b"[" * 1000, "application/json"),
        (b'{"hours": 100}', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"{}", "text/plain"),
        (b"a=b", "application/x-www-form-urlencoded"),
    ],
)
def test_37_to_42_bodies(service: Service, body: bytes, kind: str) -> None:
    service.warn_ada()
    status, told = service.ask("POST", KEEP, "ada-session", body, Content_Type=kind)
    assert (status, told["code"]) == (400, "bad-input")
    assert service.ask("GET", SESSION, "ada-session")[1]["keeps_left"] == 2


def test_verdicts_are_for_the_culler_alone(service: Service) -> None:
    service.warn_ada()
    asked = {"user": "ada", "server": "", "inactive": 10, "age": 20}
    status, told = service.ask("POST", VERDICT, "culler", asked)
    assert (status, told["cull"], told["reason"]) == (200, False, "in-use")
    for token in ("ada-session", "other", "admin"):
        assert service.ask("POST", VERDICT, token, asked)[0] == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "ada", "inactive": -1},
        {"user": "ada", "inactive": "NaN"},
        {"user": "ada", "age": 1e999},
        {"user": "a" * 300},
        {"server": ""},
    ],
)
def test_50_numbers_that_are_none(service: Service, wrong: dict[str, Any]) -> None:
    status, told = service.ask("POST", VERDICT, "culler", wrong)
    assert (status, told["code"]) == (400, "bad-input")


def test_a_hub_that_is_silent_is_not_a_no(service: Service) -> None:
    service.silent = True
    status, told = service.ask("GET", SESSION, "ada-session")
    assert (status, told["code"]) == (503, "hub-silent")
    service.silent = False
    assert service.ask("GET", SESSION, "ada-session")[0] == 200
    assert service.ask("GET", SESSION, "ada-session")[0] == 200
    assert service.asked == ["ada-session", "ada-session"]


def test_leases_that_are_silent_are_told(service: Service) -> None:
    status, told = service.ask("GET", POOLS, "ada-session")
    assert (status, told["code"]) == (503, "leases-silent")


def test_health_needs_no_token(service: Service) -> None:
    assert service.ask("GET", f"{PREFIX}health") == (200, {"ok": True})
    assert service.asked == []
