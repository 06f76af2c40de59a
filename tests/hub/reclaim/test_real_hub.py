"""Idle reclaim with a real hub, proxy, culler and agent; the devices are simulated.

Ada's slice is free for ever, so it idles. Bob's is held from outside and tells nothing. Cleo has
none. What is waited for is what is seen, never a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from jupyter_mlinfn.gpus.simulated.scene import SLICES
from jupyter_mlinfn.hub.reclaim.journal import Entry
from jupyter_mlinfn.hub.reclaim.sessions import SessionFacts, Sessions
from jupyter_mlinfn.leases.store import LeaseBook, open_book
from jupyter_mlinfn.model.leases import Device
from jupyter_mlinfn.model.plans import Limits
from tests.systems import hub as system
from tests.systems.daemons import Missing, free_ports
from tests.systems.hub import Hub

pytestmark = pytest.mark.system

HOST = "gpu7"
DEVICES = {"free": SLICES[6], "silent": SLICES[3]}
"""One in each pool."""
AT_ONCE = Limits(idle=1, gpu_idle=1, warn=1)
LINES = """
from pathlib import Path
from jupyter_mlinfn.hub.service.definition import service_settings, services
told = service_settings(
    leases=LEASES, state=Path(STATE), port=PORT, simulated=True,
    dry_run=False, interval=0.5, gap=600, keep=2, cull_every=1,
)
programs, roles = services(told)
programs[0]["environment"]["XDG_CACHE_HOME"] = STATE
c.JupyterHub.services.extend(programs)
c.JupyterHub.load_roles.extend(roles)
"""


class Place:
    """A hub with the service and the culler, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self.state = folder / "state"
        self.sessions = Sessions(self.state / "sessions")
        self.leases: LeaseBook = open_book(folder / "leases.sqlite")
        devices = [
            Device(uuid=one, pool=pool, host=HOST, model="A100") for pool, one in DEVICES.items()
        ]
        self.leases.set_devices(devices, HOST)
        self.leases.reconcile(HOST, (), datetime.now(UTC))
        told = (f"sqlite:///{folder / 'leases.sqlite'}", str(self.state), self.port)
        self.hub: Hub = system.start(f"LEASES, STATE, PORT = {told!r}", LINES)

    def begin_anew(self) -> None:
        """Nothing is left of an earlier try."""
        for lease in self.leases.active():
            self.leases.release(lease.id, "stopped")
        for user in ("ada", "bob", "cleo"):
            self.sessions.forget(user)
            if self.hub.ask("GET", f"users/{user}").ok:
                self.hub.stop_session(user)
        (self.state / "decisions.jsonl").unlink(missing_ok=True)

    def begin(self, user: str, limits: Limits, pool: str = "") -> str:
        """A session with its facts and its lease; its own hub token."""
        self.hub.person(user).page("spawn")
        self.hub.until_ready(user)
        (mine,) = [one for one in self.hub.session_files() if one["user"] == user]
        if pool:
            lease = self.leases.claim(pool, user, "", None)
            self.leases.confirm(lease.id, mine["container"])
        self.tell(user, limits)
        return str(mine["environment"]["JUPYTERHUB_API_TOKEN"])

    def tell(self, user: str, limits: Limits) -> None:
        self.sessions.tell(
            SessionFacts(user=user, profile="p", started=datetime.now(UTC), limits=limits)
        )

    def ask(self, verb: str, path: str, token: str, *, proxy: bool = False) -> requests.Response:
        base = self.hub.url if proxy else f"http://127.0.0.1:{self.port}"
        return requests.request(
            verb,
            f"{base}/services/mlinfn/{path}",
            json={} if verb == "POST" else None,
            headers={"Authorization": f"token {token}"} if token else {},
            timeout=60,
        )

    def session(self, token: str) -> dict[str, Any]:
        answer = self.ask("GET", "api/v1/session", token)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def decisions(self, user: str) -> list[Entry]:
        lines = (self.state / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
        return [one for one in map(Entry.model_validate_json, lines) if one.user == user]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    try:
        place = Place(tmp_path_factory.mktemp("reclaim"))
    except Missing as error:
        pytest.skip(f"JupyterHub: {error}")
    yield place
    place.hub.stop()
    place.leases.close()


def test_an_idle_session_is_warned_kept_and_ended_and_no_other(place: Place) -> None:
    hub = place.hub
    hub.until(lambda: place.ask("GET", "health", "", proxy=True).ok, "the service", 120)
    place.begin_anew()
    ada = place.begin("ada", Limits(gpu_idle=3600, warn=3600), "free")
    bob = place.begin("bob", AT_ONCE, "silent")
    place.begin("cleo", AT_ONCE)

    hub.until(lambda: place.session(ada)["warning"] is not None, "the warning", 120)
    told = place.session(ada)
    assert (told["user"], told["state"], told["keeps_left"]) == ("ada", "idle", 2)
    assert [one["uuid"] for one in told["devices"]] == [DEVICES["free"]]
    kept = place.ask("POST", "api/v1/session/keep", ada, proxy=True)
    assert (kept.status_code, kept.json()["warning"], kept.json()["keeps_left"]) == (200, None, 1)
    assert place.hub.servers("ada")[""]["ready"]

    place.tell("ada", Limits(gpu_idle=1, warn=1))
    hub.until_gone("ada")
    assert [one.decision for one in place.decisions("ada")] == [
        "warn", "keep", "warn", "release", "cull",
    ]  # fmt: skip
    assert place.decisions("ada")[-1].why == "gpu-idle"
    hub.until_gone("cleo")
    assert [one.why for one in place.decisions("cleo")] == ["inactive"]

    told = place.session(bob)
    assert (told["state"], told["warning"]) == ("unknown", None)
    assert hub.servers("bob")[""]["ready"]
    assert place.decisions("bob") == []
    pools = place.ask("GET", "api/v1/accelerators", bob).json()["pools"]
    assert [(one["pool"], one["total"]) for one in pools] == [("free", 1), ("silent", 1)]
    said = hub.log("hub") + (place.state / "decisions.jsonl").read_text(encoding="utf-8")
    assert ada not in said
    assert bob not in said


def test_real_tokens_that_are_no_session_s_are_refused(place: Place) -> None:
    place.hub.person("eve")
    made = place.hub.ask("POST", "users/eve/tokens", {"note": "mine"})
    assert made.status_code == 201, made.text
    for token in (json.loads(made.text)["token"], place.hub.token):
        answer = place.ask("GET", "api/v1/session", token)
        assert (answer.status_code, answer.json()["code"]) == (403, "not-a-session")
        assert place.ask("POST", "api/v1/verdict", token).status_code == 403
    assert place.ask("GET", "api/v1/session", "0" * 32).status_code == 401
    assert place.ask("GET", "api/v1/session", "").status_code == 401
