"""A real hub whose groups have sessions: who starts, sees, stops and never gets in.

The sessions cost nothing (tests/systems/hub_way.py); that members reach a real one, and nobody else
does, is in test_reaching.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from jupyter_mlinfn.leases.store import LeaseBook, open_book
from jupyter_mlinfn.profiles.together import account_of, role_of
from tests.systems.daemons import Missing
from tests.systems.hub import PART, Hub, Person, started
from tests.systems.hub_way import LINES, OFFER

pytestmark = pytest.mark.system

MEMBERS, OTHERS = "users/ai-infn", "users/other"
ACCOUNT, OTHER = account_of(MEMBERS), account_of(OTHERS)
ROLE = role_of(MEMBERS).name
SENTENCE = "This session belongs to a group that you are not in."
TOGETHER = """
[[profile]]
name = "together"
title = "Working together"
description = "One Lab for the whole group."
groups = ["users/ai-infn", "users/other"]
cpu = [4]
memory = ["8GiB"]
accelerators = ["slice"]
collaborative = true
time = { max = "12h", idle = "2h" }
"""


class Site:
    """A hub; ada and bea are in one group, oda in another, eve in none."""

    def __init__(self) -> None:
        self.hub = Hub(
            *LINES,
            "from jupyter_mlinfn.hub.collaboration import keeping",
            "keeping.EVERY = 0.5",
            "c.Authenticator.admin_users = {'boss'}",
            "c.JupyterHub.load_roles.append({'name': 'lent', 'users': ['zoe'],"
            f" 'scopes': ['servers!user={ACCOUNT}']}})",
        )
        self.profiles = self.hub.work / "profiles.toml"
        self.offer(OFFER + TOGETHER)
        (self.hub.work / "devices.json").write_text(json.dumps({"slice": 2}), encoding="utf-8")
        self.hub = started(self.hub, PART)
        self.leases: LeaseBook = open_book(self.hub.work / "mlinfn" / "leases.sqlite")
        for name in ("ada", "bea", "oda", "eve"):
            self.hub.ask("POST", f"users/{name}")
        for group, names in ((MEMBERS, ("ada", "bea")), (OTHERS, ("oda",))):
            self.hub.ask("POST", f"groups/{quote(group, safe='')}")
            self.members("POST", *names, group=group)
        self.hub.until(lambda: self.exists(ACCOUNT) and self.exists(OTHER), "the accounts")
        self.hub.until(lambda: self.free() == 2, "the first look at the devices")

    def offer(self, text: str) -> None:
        new = self.profiles.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self.profiles)

    def members(self, verb: str, *names: str, group: str = MEMBERS) -> None:
        path = f"groups/{quote(group, safe='')}/users"
        assert self.hub.ask(verb, path, {"users": list(names)}).ok

    def exists(self, name: str) -> bool:
        return self.hub.ask("GET", f"users/{name}").ok

    def free(self) -> int:
        return next((one.free for one in self.leases.pools() if one.pool == "slice"), -1)

    def token(self, name: str) -> str:
        return str(self.hub.ask("POST", f"users/{name}/tokens", {}).json()["token"])

    def start(self, name: str, account: str = ACCOUNT, **options: Any) -> requests.Response:
        """By REST, with a token of the person's own."""
        asked = {"user_options": {"profile": "together", **options}}
        return self.hub.ask("POST", f"users/{account}/server", asked, token=self.token(name))

    def clear(self) -> None:
        self.offer(OFFER + TOGETHER)
        self.hub.ask("POST", f"users/{ACCOUNT}")
        for name in (ACCOUNT, OTHER, "ada"):
            for server in self.hub.servers(name):
                self.hub.stop_session(name, server)
        self.members("POST", "ada", "bea")


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


def page(person: Person) -> str:
    answer = person.page("collaboration")
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.split())


def test_a_member_starts_it_by_the_form_and_all_members_see_who_did(site: Site) -> None:
    ada, bea = site.hub.person("ada"), site.hub.person("bea")
    assert "Nobody has started it." in page(bea)
    form = ada.page(f"spawn/{ACCOUNT}").text
    assert "Everybody in the group can work in it" in form
    assert "Small" not in form
    assert ada.spawn({"profile": "together"}, account=ACCOUNT).status_code == 302
    site.hub.until_ready(ACCOUNT)
    (session,) = site.hub.session_files()
    assert session["user"] == ACCOUNT
    assert session["labels"]["profile"] == "together"
    (lease,) = site.leases.active()
    assert (lease.user, lease.device.pool) == (ACCOUNT, "slice")
    seen = page(bea)
    assert "Started by ada at" in seen
    assert f'href="/user/{ACCOUNT}/"' in seen
    assert "This ends it for everybody who is in it." in seen
    assert OTHERS not in seen
    assert "ada starts the session of users/ai-infn" in site.hub.log("hub")


def test_any_member_stops_it_from_the_page_and_the_device_is_free(site: Site) -> None:
    assert site.start("ada").status_code in (201, 202)
    site.hub.until_ready(ACCOUNT)
    bea = site.hub.person("bea")
    assert stop(bea).status_code == 302
    site.hub.until_gone(ACCOUNT)
    assert site.free() == 2
    assert "Nobody has started it." in page(bea)


def stop(person: Person, account: str = ACCOUNT, xsrf: str | None = None) -> requests.Response:
    person.page("collaboration")
    told = xsrf if xsrf is not None else person.browser.cookies.get("_xsrf", path="/hub/")
    return person.browser.post(
        f"{person.hub.url}/hub/collaboration/stop/{account}",
        data={"_xsrf": told},
        allow_redirects=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["eve", "oda"])
def test_who_is_no_member_is_refused_on_every_way(site: Site, name: str) -> None:
    assert site.start("ada").status_code in (201, 202)
    site.hub.until_ready(ACCOUNT)
    person = site.hub.person(name)
    for path in (f"spawn/{ACCOUNT}", f"spawn-pending/{ACCOUNT}", f"user/{ACCOUNT}/lab"):
        answer = person.page(path)
        assert (answer.status_code, SENTENCE in answer.text) == (403, True), path
    authorize = f"api/oauth2/authorize?client_id=jupyterhub-user-{ACCOUNT}&response_type=code"
    answer = person.page(authorize)
    assert (answer.status_code, SENTENCE in answer.text) == (403, True)
    assert MEMBERS not in page(person)
    answer = stop(person)
    assert (answer.status_code, SENTENCE in answer.text) == (403, True)
    assert site.hub.servers(ACCOUNT)[""]["ready"]


@pytest.mark.parametrize("name", ["eve", "oda"])
def test_a_forged_rest_start_by_who_is_no_member_starts_nothing(site: Site, name: str) -> None:
    answer = site.start(name, profile="together")
    assert answer.status_code in (403, 404)
    stopping = site.hub.ask("DELETE", f"users/{ACCOUNT}/server", token=site.token(name))
    assert stopping.status_code in (403, 404)
    assert not site.hub.session_files()


def test_a_right_that_somebody_was_lent_starts_nothing(site: Site) -> None:
    answer = site.start("zoe")
    assert answer.status_code == 403
    assert SENTENCE in answer.json()["message"]
    assert not site.hub.session_files()


def test_a_stop_that_another_site_posts_is_refused(site: Site) -> None:
    assert site.start("ada").status_code in (201, 202)
    site.hub.until_ready(ACCOUNT)
    assert stop(site.hub.person("bea"), xsrf="forged").status_code == 403
    assert site.hub.servers(ACCOUNT)[""]["ready"]


@pytest.mark.parametrize("profile", ["small", "gpu", "nothing"])
def test_a_forged_profile_is_refused(site: Site, profile: str) -> None:
    answer = site.start("ada", profile=profile)
    assert answer.status_code in (400, 403)
    assert profile in answer.json()["message"]
    assert not site.hub.session_files()


def test_nobody_starts_it_for_herself_alone(site: Site) -> None:
    answer = site.start("ada", "ada", profile="together")
    assert answer.status_code == 403
    assert "on the hub's page Collaboration" in answer.json()["message"]


def test_a_group_has_one_session(site: Site) -> None:
    path = f"users/{ACCOUNT}/servers/second"
    answer = site.hub.ask("POST", path, {}, token=site.token("ada"))
    assert answer.status_code == 403
    assert "has one session" in answer.json()["message"]


def test_who_leaves_the_group_is_out_at_once_on_the_hub(site: Site) -> None:
    bea = site.hub.person("bea")
    assert MEMBERS in page(bea)
    site.members("DELETE", "bea")
    assert MEMBERS not in page(bea)
    assert SENTENCE in bea.page(f"spawn/{ACCOUNT}").text
    assert site.start("bea").status_code in (403, 404)


@pytest.mark.parametrize("name", [ACCOUNT, "collab-new", "COLLAB-new"])
def test_nobody_logs_in_as_a_group(site: Site, name: str) -> None:
    person = Person(site.hub, name)
    answer = person.log_in()
    assert answer.status_code == 403
    assert "Nobody logs in by one" in answer.text
    assert "/hub/login" in person.page("home").url
    assert not site.exists("collab-new")


def test_a_profile_that_is_no_longer_for_working_together_closes_it(site: Site) -> None:
    assert site.start("ada").status_code in (201, 202)
    site.hub.until_ready(ACCOUNT)
    site.offer(OFFER + TOGETHER.replace("collaborative = true", "collaborative = false"))
    site.hub.until_gone(ACCOUNT)
    site.hub.until(lambda: not site.leases.active(), "the end of its lease")
    assert MEMBERS not in page(site.hub.person("ada")).partition("None of your groups")[0]
    assert site.start("ada").status_code in (403, 404)
    site.offer(OFFER + TOGETHER)
    site.hub.until(lambda: site.start("bea").ok, "the session after another reload")
    site.hub.until_ready(ACCOUNT)


def test_a_restart_of_the_hub_keeps_who_started_it_and_who_may_in(site: Site) -> None:
    assert site.start("ada").status_code in (201, 202)
    site.hub.until_ready(ACCOUNT)
    site.hub.kill("hub")
    site.hub.begin()
    assert "Started by ada at" in page(site.hub.person("bea"))
    assert SENTENCE in site.hub.person("eve").page(f"spawn/{ACCOUNT}").text


def test_an_account_of_that_name_that_somebody_made_is_nobody_s_session(site: Site) -> None:
    assert site.hub.ask("DELETE", f"users/{ACCOUNT}").ok
    # the round may be quicker than we are: then the account is its own again
    while site.hub.ask("POST", f"users/{ACCOUNT}").status_code == 409:
        assert site.hub.ask("DELETE", f"users/{ACCOUNT}").ok
    ada = site.hub.person("ada")
    assert "belongs to somebody else" in page(ada)
    site.hub.until(lambda: site.start("ada").status_code in (403, 404), "the end of the right")
    assert site.hub.ask("DELETE", f"users/{ACCOUNT}").ok
    site.hub.until(lambda: site.start("ada").ok, "its own account again")
    site.hub.until_ready(ACCOUNT)


def test_the_link_is_for_whom_there_is_something(site: Site) -> None:
    for name, there in (("ada", True), ("oda", True), ("eve", False)):
        person = site.hub.person(name)
        for path in ("home", "spawn"):
            assert ("/hub/collaboration" in person.page(path).text) == there, (name, path)
    eve = page(site.hub.person("eve"))
    assert "None of your groups has a session of its own." in eve
