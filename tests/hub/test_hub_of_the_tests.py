"""The hub that the tests stand on: real login, real proxy, sessions that survive the hub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.systems import hub as system
from tests.systems.daemons import Missing
from tests.systems.hub import Hub

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    try:
        running = system.start()
    except Missing as error:
        pytest.skip(f"JupyterHub: {error}")
    yield running
    running.stop()


def test_a_person_logs_in_and_her_session_survives_a_killed_hub(hub: Hub) -> None:
    ada = hub.person("ada")
    assert ada.page("spawn", allow_redirects=False).status_code in (200, 302)
    hub.until_ready("ada")
    (before,) = hub.session_files()
    hub.kill("hub")
    hub.begin()
    hub.until_ready("ada")
    assert hub.session_files() == [before]
    hub.stop_session("ada")
    assert hub.session_files() == []


def test_a_wrong_password_is_no_login(hub: Hub) -> None:
    assert system.Person(hub, "eve").log_in("guess").status_code == 403
