"""Who is told: a web server and a mail server of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.jobs.notices.listening import MailServer, WebServer, serving


@pytest.fixture
def post_office() -> Iterator[MailServer]:
    """A mail server that keeps what it gets."""
    server = MailServer()
    with serving(server):
        yield server


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server that keeps what it gets."""
    server = WebServer()
    with serving(server):
        yield server
