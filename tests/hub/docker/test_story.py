"""The hub's whole story: real engine, DockerSpawner, OpenID provider, PostgreSQL, JupyterLab.

What is simulated: the accelerators are names in an inventory, and NVIDIA's hook is a stand-in that
notes which of them the engine was asked for (:mod:`tests.systems.docker_engine`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
import requests

from tests.systems.daemons import Missing
from tests.systems.docker_sessions import ADMINS, MEMBERS, DockerHub
from tests.systems.hub import Person
from tests.systems.session_image import HOME, NAME

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]
SLICES = 3
SLICE = {"profile": "slice"}
PLAIN = {"profile": "plain"}


@pytest.fixture(scope="module")
def site() -> Iterator[DockerHub]:
    try:
        running = DockerHub(SLICES)
    except Missing as error:
        pytest.skip(str(error))
    try:
        yield running
        print(running.hub.log("hub")[-8000:])
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def _at_rest(site: DockerHub) -> Iterator[None]:
    yield
    for one in site.hub.ask("GET", "users").json():
        if one["servers"]:
            site.hub.stop_session(one["name"])


def start(site: DockerHub, person: Person, options: dict[str, str]) -> str:
    """Start a session by the form; a token of its owner's."""
    answer = person.spawn(options)
    assert answer.status_code == 302, said(answer)
    site.hub.until_ready(person.name)
    return site.token(person.name)


def inside(
    site: DockerHub, name: str, token: str, path: str, method: str = "GET", body: Any = None
) -> Any:
    """Ask a person's session through the hub's proxy."""
    address = f"{site.hub.url}/user/{name}/{path}"
    headers = {"Authorization": f"token {token}"}
    answer = requests.request(method, address, headers=headers, json=body, timeout=120)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def variables(told: dict[str, Any]) -> dict[str, str]:
    return dict(one.split("=", 1) for one in told["Config"]["Env"])


def said(answer: requests.Response) -> str:
    """What a page or an answer says, in one line."""
    text = re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", answer.text)
    return f"{answer.status_code} {' '.join(text.split())}"


def notebook() -> dict[str, Any]:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("kept")])
    return {"type": "notebook", "content": json.loads(nbformat.writes(made))}


def test_a_member_gets_her_device_and_her_areas_and_her_notebook_outlives_the_container(
    site: DockerHub,
) -> None:
    ada = site.inside("ada", MEMBERS)
    page = ada.page("spawn").text
    assert "With a slice of a GPU" in page
    assert "For administrators" not in page
    assert f"{SLICES} of {SLICES} free" in page
    token = start(site, ada, SLICE)
    told = site.inspect("ada")
    (uuid,) = site.held("ada")
    (lease,) = site.leases.held_by("ada", "")
    assert told["Config"]["Labels"]["mlinfn.lease"] == lease.id
    assert variables(told)["NVIDIA_VISIBLE_DEVICES"] == uuid
    (request,) = told["HostConfig"]["DeviceRequests"]
    assert (request["DeviceIDs"], request["Count"]) == ([uuid], 0)
    assert site.engine.devices(told["Id"]) == (uuid,)
    assert told["Config"]["User"] == "1000:1000"
    assert not told["HostConfig"]["Privileged"]
    mounted = {one["Destination"]: one["Source"] for one in told["Mounts"]}
    assert mounted[str(HOME)] == f"{site.areas}/private/ada"
    areas = inside(site, "ada", token, "mlinfn/api/v1/areas")["areas"]
    assert {one["area"]["kind"]: one["state"] for one in areas} == {
        "private": "ready",
        "collabspace": "ready",
    }
    inside(site, "ada", token, "api/contents/kept.ipynb", "PUT", notebook())
    site.hub.stop_session("ada")
    assert site.containers("ada") == []
    assert site.held("ada") == ()
    assert (site.areas / "private" / "ada" / "kept.ipynb").stat().st_uid == 1000
    token = start(site, ada, PLAIN)
    told = site.inspect("ada")
    kept = inside(site, "ada", token, "api/contents/kept.ipynb")
    assert kept["content"]["cells"][0]["source"] == "kept"
    assert variables(told)["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert not told["HostConfig"]["DeviceRequests"]
    assert site.engine.devices(told["Id"]) is None
    page = inside_page(site, "ada", token)
    assert "jupyter_mlinfn" in page


def inside_page(site: DockerHub, name: str, token: str) -> str:
    """JupyterLab's page of a session: it names the extensions that it loads."""
    address = f"{site.hub.url}/user/{name}/lab"
    answer = requests.get(address, headers={"Authorization": f"token {token}"}, timeout=120)
    assert answer.status_code == 200, said(answer)
    return answer.text


def test_who_is_no_member_stays_outside(site: DockerHub) -> None:
    _, page = site.arrive("eve", "users/other")
    assert page.status_code == 403
    assert "none of your groups opens this hub" in page.text


@pytest.mark.parametrize(
    ("forged", "sentence"),
    [
        ({"profile": "secret"}, "secret"),
        ({"profile": "no-such"}, "no-such"),
        ({"profile": "slice", "image": "evil.example/x"}, "evil.example/x"),
        ({"profile": "plain", "accelerator": "mig-1g10"}, "mig-1g10"),
        ({"profile": "plain", "memory": "900GiB"}, "900GiB"),
        ({"profile": "plain", "privileged": "true"}, "privileged"),
        ({"profile": "plain", "image": NAME}, NAME),
    ],
)
def test_what_is_not_offered_is_refused_by_form_and_by_rest(
    site: DockerHub, forged: dict[str, str], sentence: str
) -> None:
    bob = site.inside("bob", MEMBERS)
    fields = {
        key if key == "profile" else f"{key}--{forged['profile']}": value
        for key, value in forged.items()
    }
    by_form = bob.spawn(fields, follow=True)
    by_rest = site.hub.ask("POST", "users/bob/server", forged, token=site.token("bob"))
    for answer in (by_form, by_rest):
        assert sentence in said(answer)
        assert "Traceback" not in answer.text
    assert by_rest.status_code in (400, 403)
    assert site.containers("bob") == []
    assert site.held("bob") == ()


def test_who_is_removed_between_form_and_start_is_refused(site: DockerHub) -> None:
    cy = site.inside("cy", MEMBERS)
    assert "With a slice of a GPU" in cy.page("spawn").text
    site.iam.person("cy", "users/other")
    answer = cy.spawn(SLICE, follow=True)
    assert answer.status_code == 403, said(answer)
    assert "group" in said(answer)
    assert site.containers("cy") == []
    assert site.held("cy") == ()


def test_a_container_that_an_administrator_removes_gives_its_device_back(site: DockerHub) -> None:
    dan = site.inside("dan", MEMBERS, ADMINS)
    start(site, dan, SLICE)
    assert len(site.held("dan")) == 1
    (container,) = site.containers("dan")
    assert site.engine.docker("rm", "--force", container).returncode == 0
    site.hub.until(lambda: site.held("dan") == (), "the end of the lease", 180)
    site.hub.until_gone("dan")


def test_a_killed_hub_finds_what_runs_and_frees_what_is_gone(site: DockerHub) -> None:
    fay, gil, hal = (site.inside(name, MEMBERS) for name in ("fay", "gil", "hal"))
    start(site, fay, SLICE)
    start(site, gil, SLICE)
    kept, container = site.held("fay"), site.containers("fay")
    site.hub.kill("hub")
    (gone,) = site.containers("gil")
    site.engine.docker("rm", "--force", gone)
    site.hub.begin()
    site.hub.until(lambda: site.held("gil") == (), "the end of the lease", 300)
    assert site.held("fay") == kept
    assert site.containers("fay") == container
    start(site, hal, SLICE)
    assert set(site.held("hal")).isdisjoint(kept)
    assert site.hub.servers("fay")[""]["ready"]
    for name in ("fay", "hal"):
        site.hub.stop_session(name)
    assert site.leases.active() == ()
