"""The session's side: our back-end's calls, with the broker in place of an API server."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.kubernetes.calls import Absent, Calls
from jupyter_mlinfn.model.errors import Refused, Unavailable
from jupyter_mlinfn.model.kubernetes import OWNER
from tests.hub.broker.answering import JOBS, PREFIX, Here
from tests.hub.broker.offers import ADA, BOB, IMAGE
from tests.systems.answering import Answering

TOKEN = "JUPYTERHUB_API_TOKEN"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    made = Here(tmp_path)
    monkeypatch.setenv(TOKEN, "ada-session")
    yield made
    made.stop()


def calls(here: Here) -> Calls:
    return Calls(broker=f"http://127.0.0.1:{here.port}{PREFIX}")


def test_the_broker_says_whose_where_and_like_what(here: Here) -> None:
    made = calls(here)
    assert made.missing() == ""
    assert made.owner == ADA.owner
    assert made.place.namespace == "jobs-ada"
    pod = made.session_pod()
    assert pod["spec"]["containers"][0]["image"] == IMAGE


def test_the_token_is_that_of_the_moment(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    here.answers["GET", JOBS] = (200, {"items": [{"a": 1}]})
    made = calls(here)
    assert made.jobs(f"{OWNER}={ADA.owner}") == [{"a": 1}]
    monkeypatch.setenv(TOKEN, "nobody")
    with pytest.raises(Unavailable) as caught:
        made.jobs(f"{OWNER}={ADA.owner}")
    assert caught.value.code == "kubernetes-login"


def test_refusals_come_with_the_brokers_words(here: Here) -> None:
    made = calls(here)
    with pytest.raises(Refused, match="another person"):
        made.jobs(f"{OWNER}={BOB.owner}")
    with pytest.raises(Absent):
        made.job("mlinfn-abcdefghij")
    here.end_api()
    with pytest.raises(Unavailable) as caught:
        made.jobs(f"{OWNER}={ADA.owner}")
    assert caught.value.code == "kubernetes-silent"


def test_a_session_without_an_offer_is_told_why(here: Here) -> None:
    here.people["ada"]["groups"] = []
    with pytest.raises(Unavailable, match="not for any of your groups"):
        calls(here).session_pod()


@pytest.mark.parametrize("address", ["hub", "ftp://hub/", "http://", "http://a@b/", "http://a b/"])
def test_what_is_no_address_is_not_asked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "ada-session")
    assert "no address" in Calls(broker=address).missing()


def test_without_a_token_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    assert "no hub token" in Calls(broker="http://hub/").missing()


def test_the_token_goes_to_no_other_address(here: Here) -> None:
    shown: list[str | None] = []

    def elsewhere(request: BaseHTTPRequestHandler) -> None:
        shown.append(request.headers.get("Authorization"))
        request.send_response(200)
        request.end_headers()

    other = Answering(elsewhere)

    def redirects(request: BaseHTTPRequestHandler) -> None:
        request.send_response(307)
        request.send_header("Location", f"{other.address}/x")
        request.send_header("Content-Length", "0")
        request.end_headers()

    wrong = Answering(redirects)
    try:
        with pytest.raises(Unavailable):
            Calls(broker=f"{wrong.address}/").session_pod()
        assert not shown
    finally:
        wrong.close()
        other.close()
