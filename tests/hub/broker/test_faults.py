"""The broker between a hub and an API server that are silent, refuse, or go away."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.hub.broker import desk
from tests.hub.broker.answering import JOBS, PODS, Here
from tests.hub.broker.offers import ADA, allow, book, job
from tests.hub.broker.test_requests import KUEUE, code, of


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    made = Here(tmp_path)
    made.answers["GET", KUEUE] = (200, {"versions": [{"version": "v1beta2"}]})
    made.answers["POST", JOBS] = (201, {"kind": "Job"})
    yield made
    made.stop()


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "again"
    folder.mkdir()
    return job(allow(book(folder)))


def test_a_silent_hub_is_told_and_nothing_is_made(here: Here, manifest: dict[str, Any]) -> None:
    here.silent = {"users"}
    assert code(here.ask("POST", JOBS, body=manifest)) == (503, "hub-silent")
    assert code(here.ask("GET", "mlinfn/v1/session")) == (503, "hub-silent")
    here.silent = {"hub"}
    assert code(here.ask("GET", JOBS, "bob-session")) == (503, "hub-silent")
    assert not here.asked


def test_a_silent_api_server_is_told_and_is_asked_again(
    here: Here, manifest: dict[str, Any]
) -> None:
    assert here.ask("POST", JOBS, body=manifest)[0] == 201
    here.end_api()
    assert code(here.ask("POST", JOBS, body=manifest)) == (503, "kubernetes-silent")
    assert code(here.ask("GET", JOBS)) == (503, "kubernetes-silent")
    assert here.lines_of_audit()[-1]["status"] == 503


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (401, "Unauthorized", (503, "kubernetes-login")),
        (403, "exceeded quota: all", (403, "kubernetes-refused")),
        (404, 'namespaces "jobs-ada" not found', (404, "not-found")),
        (409, "already exists", (409, "exists")),
        (410, "too old", (410, "expired")),
        (422, "is invalid", (422, "kubernetes-refused")),
        (400, "bad", (422, "kubernetes-refused")),
        (429, "slower", (503, "kubernetes-silent")),
        (500, "etcd", (503, "kubernetes-silent")),
    ],
)
def test_refusals_of_kubernetes_are_told_in_its_words(
    here: Here, manifest: dict[str, Any], status: int, message: str, told: tuple[int, str]
) -> None:
    here.answers["POST", JOBS] = (status, {"kind": "Status", "message": message})
    answer = here.ask("POST", JOBS, body=manifest)
    assert code(answer) == told
    assert status == 401 or message in answer[1]["detail"]


@pytest.mark.parametrize("said", [b"", b"<html>", b"[]", b"{", b"null"])
def test_what_cannot_be_read_is_silence(here: Here, said: bytes) -> None:
    here.answers["GET", JOBS] = (200, said)
    assert code(here.ask("GET", JOBS)) == (503, "kubernetes-silent")


@pytest.mark.parametrize("status", [403, 500])
def test_what_names_a_token_is_not_passed_on(here: Here, status: int) -> None:
    here.answers["GET", JOBS] = (
        status,
        {"message": "Authorization: Bearer abcdefghijklmnop0123456"},
    )
    assert "abcdefghijklmnop" not in str(here.ask("GET", JOBS))


def test_who_asks_for_very_much_is_told_to_wait(
    tmp_path: Path, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "WRITES", 2)
    here = Here(tmp_path)
    try:
        told = [here.ask("DELETE", f"{JOBS}/mlinfn-abcdefghij")[0] for _ in range(3)]
        assert told == [404, 404, 429]
        other = JOBS.replace("ada", "bob")
        assert here.ask("DELETE", f"{other}/mlinfn-abcdefghij", "bob-session")[0] == 404
    finally:
        here.stop()


# --- logs -------------------------------------------------------------------------------------


def test_a_log_comes_as_it_is_written_and_ends_with_its_pod(here: Here) -> None:
    here.answers["GET", f"{PODS}/p"] = (200, of(ADA.owner, "p"))
    connection = here.open("GET", f"{PODS}/p/log?follow=true", "ada-session", None, {})
    here.feed(b"one\n")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.readline() == b"one\n"
    here.feed(b"two\n")
    assert answer.readline() == b"two\n"
    here.feed(None)
    assert answer.read() == b""
    connection.close()


def test_a_person_reads_so_many_logs_at_once(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "LOGS_AT_ONCE", 1)
    path = f"{PODS}/p/log?follow=true"
    here.answers["GET", f"{PODS}/p"] = (200, of(ADA.owner, "p"))
    for _ in range(2):  # the place of one that was closed is free again
        first = here.open("GET", path, "ada-session", None, {})
        here.feed(b"one\n")
        answer = first.getresponse()
        assert answer.readline() == b"one\n"
        assert code(here.ask("GET", path)) == (429, "too-many")
        here.feed(None)
        assert answer.read() == b""
        first.close()


def test_nobody_is_asked_for_more_of_a_log_that_nobody_reads(here: Here) -> None:
    here.answers["GET", f"{PODS}/p"] = (200, of(ADA.owner, "p"))
    connection = here.open("GET", f"{PODS}/p/log?follow=true", "ada-session", None, {})
    here.feed(b"one\n")
    answer = connection.getresponse()
    assert answer.readline() == b"one\n"
    assert not here.left.is_set()
    answer.close()
    connection.close()
    assert here.left.wait(120)


def test_the_log_of_a_server_that_goes_away_ends(here: Here) -> None:
    here.answers["GET", f"{PODS}/p"] = (200, of(ADA.owner, "p"))
    connection = here.open("GET", f"{PODS}/p/log?follow=true", "ada-session", None, {})
    here.feed(b"one\n")
    answer = connection.getresponse()
    assert answer.readline() == b"one\n"
    here.end_api()
    with pytest.raises((http.client.IncompleteRead, OSError)):
        answer.read()
    connection.close()
