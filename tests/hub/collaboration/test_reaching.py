"""Two members in one real JupyterLab server of their group, by OAuth through a real hub.

The server is the local spawner's; what the hub believes of somebody it forgets after a second here
(sixty otherwise), so that a person who is taken out is seen to be out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import psutil
import pytest
import requests

from jupyter_mlinfn.profiles.together import account_of
from tests.systems.daemons import Missing
from tests.systems.hub import PART, Hub, Person, started

pytestmark = pytest.mark.system

MEMBERS = "users/ai-infn"
ACCOUNT = account_of(MEMBERS)
SENTENCE = "This session belongs to a group that you are not in."
OFFER = """\
schema = 1

[ceiling]
cpu = 2
memory = "4GiB"
roots = ["ROOT"]

[volume.room]
title = "Group"
kind = "bind"
each = "group"
groups = ["users/ai-infn", "users/other"]
source = "ROOT/groups/{group}"
target = "ROOT/groups/{group}"
mode = "rw"
create = true

[[profile]]
name = "together"
title = "Working together"
groups = ["users/ai-infn"]
cpu = [1]
memory = ["1GiB"]
volumes = ["room"]
collaborative = true
"""
LINES = (
    "import os",
    "from jupyter_mlinfn.hub import configure",
    "from jupyter_mlinfn.profiles.spawners import session",
    "from jupyter_mlinfn.profiles.spawners.sites import LocalSite",
    "session.ASK_AGAIN = 1",
    "from jupyter_mlinfn.hub.collaboration import keeping",
    "keeping.EVERY = 0.5",
    "work = os.environ['HOME']",
    "c.SimpleLocalProcessSpawner.home_dir_template = work + '/homes/{username}'",
    "configure(c, 'profiles.toml', spawner='local', accounts=False, devices='simulated',"
    " site=LocalSite(arguments=('--allow-root',) if os.geteuid() == 0 else ()),"
    " service=('127.0.0.1', int(os.environ['MLINFN_TEST_SERVICE_PORT'])))",
)


class Site:
    """A hub of processes; ada and bea are in the group, eve is not."""

    def __init__(self) -> None:
        self.hub = Hub(*LINES)
        text = OFFER.replace("ROOT", str(self.hub.work))
        (self.hub.work / "profiles.toml").write_text(text, encoding="utf-8")
        self.hub = started(self.hub, PART)
        for name in ("ada", "bea", "eve"):
            self.hub.ask("POST", f"users/{name}")
        self.group = f"groups/{quote(MEMBERS, safe='')}"
        self.hub.ask("POST", self.group)
        self.let_in("ada", "bea")
        self.hub.until(lambda: self.hub.ask("GET", f"users/{ACCOUNT}").ok, "the account")

    def let_in(self, *names: str) -> None:
        assert self.hub.ask("POST", f"{self.group}/users", {"users": list(names)}).ok

    def start(self) -> None:
        """Ada starts it, where it does not run."""
        if not self.hub.servers(ACCOUNT):
            answer = self.hub.person("ada").spawn({"profile": "together"}, account=ACCOUNT)
            assert answer.status_code == 302, answer.text
        self.hub.until_ready(ACCOUNT)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    try:
        site = Site()
    except Missing as error:
        pytest.skip(f"JupyterHub: {error}")
    yield site
    if site.hub.servers(ACCOUNT):
        site.hub.stop_session(ACCOUNT)
    site.hub.stop()


def visit(person: Person, path: str = "api/me") -> requests.Response:
    """As a browser does: to the server, to the hub, through its question, and back."""
    address = f"{person.hub.url}/user/{ACCOUNT}/{path}"
    answer = person.browser.get(address, timeout=60)
    if "Authorize access" not in answer.text:
        return answer
    fields = [
        (name, value)
        for name, value in re.findall(r'name="(_xsrf|scopes)" value="([^"]*)"', answer.text)
    ]
    return person.browser.post(answer.url, data=fields, timeout=60)


def test_two_members_are_in_one_server_under_their_own_names(site: Site) -> None:
    ada, bea, eve = (site.hub.person(name) for name in ("ada", "bea", "eve"))
    site.let_in("bea")
    site.start()
    for person in (ada, bea):
        visit(person, "lab")
        told = visit(person)
        assert told.status_code == 200, told.text
        who = told.json()["identity"]
        assert (who["username"], who["display_name"]) == (person.name, person.name)
    room = site.hub.work / "groups"
    assert [one.name for one in room.iterdir()] == [ACCOUNT.removeprefix("collab-")]

    answer = visit(eve, "lab")
    assert (answer.status_code, SENTENCE in answer.text) == (403, True)

    assert site.hub.ask("DELETE", f"{site.group}/users", {"users": ["bea"]}).ok
    site.hub.until(lambda: visit(bea).status_code == 403, "the end of what the session believed")
    assert visit(bea, "lab").status_code == 403
    # the session's own page says "Forbidden"; a browser that has nothing of it yet hears from us
    answer = visit(site.hub.person("bea"), "lab")
    assert (answer.status_code, SENTENCE in answer.text) == (403, True)
    assert visit(ada).status_code == 200


def test_the_session_s_own_token_is_no_person_s(site: Site) -> None:
    site.start()
    environ = _environment(site)
    told = site.hub.ask("GET", "user", token=environ["JUPYTERHUB_API_TOKEN"]).json()
    assert told["name"] == ACCOUNT
    assert {one for one in told["scopes"] if one.startswith("access:")} == {
        f"access:servers!server={ACCOUNT}/"
    }
    assert site.hub.ask("GET", "users/ada", token=environ["JUPYTERHUB_API_TOKEN"]).status_code in (
        403, 404,
    )  # fmt: skip
    assert environ["MLINFN_CHARGE"] == MEMBERS
    assert "TOKEN" not in "".join(set(environ) - {"JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN"})


def _environment(site: Site) -> dict[str, str]:
    """Of the session's process, as the machine has it."""
    pid = site.hub.ask("GET", f"users/{ACCOUNT}?include_stopped_servers").json()["servers"][""]
    number = pid["state"]["pid"]
    return psutil.Process(number).environ()
