"""Sessions of a real hub by our glue: lease first, and back from every point of the way.

The sessions cost nothing (:mod:`tests.systems.hub_way`); the hub, its proxy, the login, the forms,
the REST API and the book of leases are real.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from jupyter_mlinfn.hub.reclaim.journal import Entry, Journal
from jupyter_mlinfn.leases.store import LeaseBook, open_book
from jupyter_mlinfn.model.leases import Lease, PoolState
from tests.systems.daemons import Missing
from tests.systems.hub import PART, Hub, started
from tests.systems.hub_way import LINES, OFFER

pytestmark = pytest.mark.system
MEMBERS = "users/ai-infn"
PEOPLE = ("ada", "bea", "eve")


class Site:
    """A hub with 3 slices and 1 T4, and what is written of its leases."""

    def __init__(self) -> None:
        self.hub = Hub(*LINES, "c.Authenticator.admin_users = {'boss'}")
        self.profiles = self.hub.work / "profiles.toml"
        self.offer(OFFER)
        self.devices(slice=3, t4=1)
        self.hub = started(self.hub, PART)
        self.leases: LeaseBook = open_book(self.hub.work / "mlinfn" / "leases.sqlite")
        for name in PEOPLE:
            self.hub.ask("POST", f"users/{name}")
        self.hub.ask("POST", f"groups/{requests.utils.quote(MEMBERS, safe='')}")
        self.let_in("ada", "bea")
        self.hub.until(lambda: self.pool("t4").free == 1, "the first look at the devices")

    def offer(self, text: str) -> None:
        new = self.profiles.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self.profiles)

    def devices(self, **counts: int) -> None:
        (self.hub.work / "devices.json").write_text(json.dumps(counts), encoding="utf-8")

    def let_in(self, *names: str) -> None:
        self._members("POST", *names)

    def throw_out(self, *names: str) -> None:
        self._members("DELETE", *names)

    def _members(self, verb: str, *names: str) -> None:
        group = requests.utils.quote(MEMBERS, safe="")
        answer = self.hub.ask(verb, f"groups/{group}/users", {"users": list(names)})
        assert answer.ok, answer.text

    def pool(self, name: str) -> PoolState:
        return next(
            (one for one in self.leases.pools() if one.pool == name),
            PoolState(pool=name, total=0, free=0),
        )

    def held(self, name: str, server: str = "") -> tuple[Lease, ...]:
        return self.leases.held_by(name, server)

    def switch(self, name: str, on: bool) -> None:
        """``hold`` or ``fail`` of :mod:`tests.systems.hub_sessions`."""
        file = self.hub.work / name
        file.touch() if on else file.unlink(missing_ok=True)

    def rest(self, name: str, server: str = "", **options: Any) -> requests.Response:
        path = f"users/{name}/servers/{server}" if server else f"users/{name}/server"
        return self.hub.ask("POST", path, options)

    def run(self, name: str, server: str = "", **options: Any) -> dict[str, Any]:
        """A session that runs; what is known of it beside the hub."""
        answer = self.rest(name, server, **options)
        assert answer.status_code in (201, 202), answer.text
        self.hub.until_ready(name, server)
        return next(
            one
            for one in self.hub.session_files()
            if (one["user"], one["server"]) == (name, server)
        )

    def clear(self) -> None:
        """Nobody has anything."""
        for name in ("hold", "fail"):
            self.switch(name, on=False)
        for name in PEOPLE:
            for server in self.hub.servers(name):
                self.hub.stop_session(name, server)
        self.hub.until(lambda: not self.leases.active(), "the end of all leases")


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    try:
        site = Site()
    except Missing as error:
        pytest.skip(f"JupyterHub: {error}")
    yield site
    site.leases.close()
    site.hub.stop()


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    yield running
    running.clear()


GPU = {"profile": "gpu", "accelerator": "slice"}
T4 = {"profile": "gpu", "accelerator": "t4"}


def test_a_session_has_its_device_by_a_lease_and_gives_it_back(site: Site) -> None:
    session = site.run("ada", **GPU)
    (lease,) = site.held("ada")
    assert session["labels"]["lease"] == lease.id
    assert session["labels"]["device"] == lease.device.uuid
    assert session["environment"]["JUPYTERHUB_API_TOKEN"]
    assert lease.container == session["container"]
    assert lease.until is not None
    assert site.pool("slice").free == 2
    site.hub.stop_session("ada")
    assert site.pool("slice").free == 3
    assert site.leases.get(lease.id).ended == "stopped"


def test_a_session_that_the_culler_ends_is_not_told_as_stopped(site: Site) -> None:
    site.run("ada", **GPU)
    (lease,) = site.held("ada")
    Journal(site.hub.work / "mlinfn" / "decisions.jsonl").write(
        Entry(
            time=datetime.now(UTC), user="ada", server="", decision="cull", why="gpu-idle",
            dry_run=False,
        )
    )  # fmt: skip
    site.hub.stop_session("ada")
    assert site.leases.get(lease.id).ended == "culled"


def test_a_session_that_dies_by_itself_gives_its_device_back(site: Site) -> None:
    site.run("ada", **GPU)
    (lease,) = site.held("ada")
    (file,) = site.hub.sessions.glob("*.json")
    file.unlink()
    site.hub.until(lambda: not site.held("ada"), "the end of the lease")
    assert site.leases.get(lease.id).ended == "exited"
    site.hub.until_gone("ada")


def test_a_start_that_fails_after_its_lease_gives_the_device_back(site: Site) -> None:
    site.switch("fail", on=True)
    assert site.rest("ada", **GPU).status_code == 500
    assert site.pool("slice").free == 3
    assert {one.ended for one in _all(site) if one.user == "ada"} >= {"failed"}
    site.switch("fail", on=False)
    assert site.run("ada", profile="small")["labels"] == {"profile": "small", "server": ""}


def _all(site: Site) -> list[Lease]:
    from jupyter_mlinfn.leases.rows import leases_where

    with site.leases.database.read() as connection:
        return list(leases_where(connection))


def test_when_full_the_refusal_names_pool_and_counts_for_form_and_rest(site: Site) -> None:
    site.run("ada", **T4)
    answer = site.rest("bea", **T4)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    text = answer.json()["message"]
    assert "No T4 is free" in text
    assert "1" in text
    assert "next planned end" in text
    page = site.hub.person("bea").spawn({"profile": "gpu", "accelerator--gpu": "t4"})
    assert page.status_code == 429
    assert "No T4 is free" in page.text
    assert "SpawnException" not in page.text
    assert not site.held("bea")


def test_who_waits_is_told_her_place_and_starts_by_herself(site: Site) -> None:
    site.run("ada", **T4)
    bea = site.hub.person("bea")
    assert bea.spawn({"profile": "patient"}).status_code == 302
    site.hub.until(lambda: site.pool("t4").waiting == 1, "a place in the line")
    events = site.hub.ask("GET", "users/bea/server/progress", stream=True)
    told = next(line for line in events.iter_lines(decode_unicode=True) if "taken" in line)
    events.close()
    assert "All T4 are taken. You are next in line." in told
    site.hub.stop_session("ada")
    site.hub.until_ready("bea")
    assert site.held("bea")
    assert site.pool("t4").waiting == 0


def test_who_gives_up_waiting_leaves_neither_place_nor_lease(site: Site) -> None:
    site.run("ada", **T4)
    assert site.hub.person("bea").spawn({"profile": "patient"}).status_code == 302
    site.hub.until(lambda: site.pool("t4").waiting == 1, "a place in the line")
    assert site.hub.ask("DELETE", "users/bea/server").status_code in (202, 204)
    site.hub.until(lambda: site.pool("t4").waiting == 0, "the end of the waiting")
    site.hub.stop_session("ada")
    assert site.pool("t4").free == 1
    assert not site.held("bea")


def test_a_hub_killed_between_lease_and_session_hands_nothing_out_twice(site: Site) -> None:
    site.switch("hold", on=True)
    answers: list[requests.Response] = []

    def ask() -> None:
        try:
            answers.append(site.rest("ada", **T4))
        except requests.RequestException:
            return  # the hub was killed while it answered

    asking = threading.Thread(target=ask)
    asking.start()
    site.hub.until(lambda: bool(site.held("ada")), "the lease")
    (first,) = site.held("ada")
    site.hub.kill("hub")
    asking.join()
    site.switch("hold", on=False)
    site.hub.begin()
    assert site.pool("t4").free == 0  # for the grace: a session may still appear
    assert site.rest("bea", **T4).status_code == 429
    session = site.run("ada", **T4)
    (lease,) = site.held("ada")
    assert lease.id != first.id
    assert session["labels"]["lease"] == lease.id
    assert site.leases.get(first.id).ended == "orphaned"


def test_a_session_outlives_a_killed_hub_with_its_lease(site: Site) -> None:
    session = site.run("ada", **T4)
    (lease,) = site.held("ada")
    site.hub.kill("hub")
    site.hub.begin()
    site.hub.until_ready("ada")
    assert site.rest("bea", **T4).status_code == 429
    assert site.held("ada") == (lease,)
    assert site.hub.session_files() == [session]
    site.hub.stop_session("ada")
    assert site.leases.get(lease.id).ended == "stopped"


def test_named_servers_have_leases_of_their_own(site: Site) -> None:
    one, two = site.run("ada", "one", **GPU), site.run("ada", "two", **GPU)
    assert one["labels"]["device"] != two["labels"]["device"]
    site.hub.stop_session("ada", "one")
    assert not site.held("ada", "one")
    assert site.held("ada", "two")


def test_two_starts_at_the_same_moment_get_one_device(site: Site) -> None:
    codes: list[int] = []

    def ask(name: str, server: str = "") -> None:
        codes.append(site.rest(name, server, **T4).status_code)

    asking = [threading.Thread(target=ask, args=("ada", server)) for server in ("one", "two")]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert sorted(code in (201, 202) for code in codes) == [False, True]
    assert 429 in codes
    assert len(site.leases.active()) == 1


def test_a_session_that_reached_its_time_is_ended(site: Site) -> None:
    site.offer(OFFER.replace('max = "12h", idle = "2h"', 'max = "3s"'))
    site.run("ada", **GPU)
    site.hub.until_gone("ada")
    assert not site.held("ada")
    site.offer(OFFER)


def test_a_person_removed_between_page_and_start_is_refused(site: Site) -> None:
    ada = site.hub.person("ada")
    assert "With a GPU" in ada.page("spawn").text
    site.throw_out("ada")
    try:
        answer = ada.spawn({"profile": "gpu"})
        assert answer.status_code == 403
        assert "not for any of your groups" in answer.text
        assert site.rest("ada", profile="gpu").status_code == 403
        assert "With a GPU" not in ada.page("spawn").text
    finally:
        site.let_in("ada")
    assert not site.hub.session_files()


HOSTILE: list[tuple[dict[str, Any], int, str]] = [
    ({"profile": "gpu"}, 403, "profile"),
    ({"profile": "nothing"}, 400, "profile"),
    ({"profile": ["small"]}, 400, "profile"),
    ({"profile": {"$ne": 1}}, 400, "profile"),
    ({"profile": "small\n"}, 400, "profile"),
    ({"profile": "small", "image": "evil.example/x"}, 400, "image"),
    ({"profile": "small", "image": "ok/a@evil.example/x"}, 400, "image"),
    ({"profile": "small", "cpu": "99"}, 400, "cpu"),
    ({"profile": "small", "cpu": -1}, 400, "cpu"),
    ({"profile": "small", "cpu": "１"}, 400, "cpu"),
    ({"profile": "small", "cpu": True}, 400, "cpu"),
    ({"profile": "small", "memory": "1e400G"}, 400, "memory"),
    ({"profile": "small", "memory": "2GiB "}, 400, "memory"),
    ({"profile": "small", "accelerator": "slice"}, 400, "accelerator"),
    ({"profile": "small", "areas": "home"}, 400, "areas"),
    ({"profile": "small", "charge": "users/ai-infn"}, 400, "charge"),
    ({"profile": "small", "resources": {"gpu": 8}}, 400, "resource"),
    ({"profile": "small", "mem_limit": "1P"}, 400, "mem_limit"),
    ({"kubespawner_override": {"privileged": True}}, 400, "kubespawner_override"),
]


def test_forged_options_are_refused_by_the_fields_name_and_nothing_starts(site: Site) -> None:
    for options, status, field in HOSTILE:
        answer = site.rest("eve", **options)
        assert answer.status_code == status, (options, answer.text)
        assert field in answer.json()["message"], (options, answer.text)
        assert "Traceback" not in answer.text
    assert not site.hub.session_files()
    assert not site.held("eve")


def test_a_forged_form_is_refused_as_a_forged_call_is(site: Site) -> None:
    eve = site.hub.person("eve")
    for fields, field in (
        ([("profile", "gpu")], "profile"),
        ([("profile", "small"), ("profile", "gpu")], "profile"),
        ([("profile", "small"), ("image", "evil")], "image"),
        ([("profile", "small"), ("cpu--small", "99")], "cpu"),
        ([("profile", "small"), ("privileged--small", "1")], "privileged--small"),
    ):
        answer = eve.spawn(fields)
        assert answer.status_code in (400, 403), fields
        assert field in answer.text.split("spawn-error-msg", 1)[1].split("</p>", 1)[0]
    assert not site.hub.session_files()


def test_a_refusal_is_one_line_of_the_log_and_a_fault_keeps_its_traceback(site: Site) -> None:
    hub = site.hub
    eve = hub.person("eve")
    before = len(hub.log("hub"))
    assert site.rest("eve", profile="gpu").status_code == 403
    assert eve.spawn([("profile", "small"), ("cpu--small", "99")]).status_code == 400
    told = [line for line in hub.log("hub")[before:].splitlines() if "Not starting" in line]
    assert len(told) == 2
    assert "cpu" in told[1]
    assert "Traceback" not in hub.log("hub")[before:]

    site.switch("fail", on=True)
    site.rest("ada", profile="small")
    eve.spawn([("profile", "small")])
    fault = "RuntimeError: the engine is away"
    hub.until(lambda: hub.log("hub")[before:].count(fault) > 1, "the faults in the log", 60)
    assert "Traceback" in hub.log("hub")[before:]


def test_nobody_starts_anything_for_somebody_else_or_from_another_page(site: Site) -> None:
    ada, hub = site.hub.person("ada"), site.hub
    fields, spawn = {"profile": "small"}, f"{hub.url}/hub/spawn"
    token = hub.ask("POST", "users/eve/tokens", {"scopes": []}).json()["token"]
    for headers in ({}, {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"}):
        post = ada.browser.post(spawn, data=fields, headers=headers)
        assert post.status_code == 403  # the form's own mark is missing
    assert requests.post(f"{hub.url}/hub/api/users/ada/server", json=fields).status_code == 403
    for verb in ("POST", "DELETE"):
        assert hub.ask(verb, "users/ada/server", fields, token=token).status_code in (403, 404)
    assert not hub.session_files()


def test_the_last_choice_is_remembered_and_missed_when_it_is_gone(site: Site) -> None:
    ada = site.hub.person("ada")
    assert ada.spawn({"profile": "small", "cpu--small": "2"}).status_code == 302
    site.hub.until_ready("ada")
    site.hub.stop_session("ada")
    assert '<option value="2" selected>' in ada.page("spawn").text
    site.offer(OFFER.replace("cpu = [1, 2]", "cpu = [1]").replace('"Small"', '"Tiny"'))
    try:
        page = ada.page("spawn").text
        assert "Tiny" in page
        assert "no longer there" in page
    finally:
        site.offer(OFFER)


def test_a_wrong_file_changes_nothing_and_only_admins_are_told(site: Site) -> None:
    ada, boss = site.hub.person("ada"), site.hub.person("boss")
    assert "Small" in ada.page("spawn").text  # what is right is read once
    site.offer("schema = 2\n")
    try:
        assert "Small" in ada.page("spawn").text
        assert "profiles.toml:" not in ada.page("spawn").text
        assert "profiles.toml:1:" in boss.page("spawn").text
        assert site.run("ada", profile="small")
    finally:
        site.offer(OFFER)
    assert "profiles.toml:" not in boss.page("spawn").text


def test_a_device_that_vanished_is_not_handed_out(site: Site) -> None:
    site.devices(slice=3, t4=0)
    try:
        site.hub.until(lambda: site.pool("t4").free == 0, "the look at the devices")
        assert site.rest("ada", **T4).status_code == 429
    finally:
        site.devices(slice=3, t4=1)
        site.hub.until(lambda: site.pool("t4").free == 1, "the device again")


def test_state_is_the_hubs_own(site: Site) -> None:
    folder = Path(site.hub.work) / "mlinfn"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "service.json").stat().st_mode & 0o077 == 0
