"""What the two lines set: one spawner class, the hooks, services with least scopes, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets.config import Config

from jupyter_mlinfn.hub import configure
from jupyter_mlinfn.hub.collaboration.installing import TEMPLATES as COLLABORATION
from jupyter_mlinfn.hub.page import TEMPLATES
from jupyter_mlinfn.hub.spawning import PlannedSpawner
from jupyter_mlinfn.hub.ways.docker import DockerWay, read_container
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.leases import Labelled
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, KubeSite
from tests.systems.hub_way import OFFER


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "profiles.toml"
    place.write_text(OFFER, encoding="utf-8")
    return place


def of_list(value: object) -> list[object]:
    """What a list of the configuration becomes when nobody else set it."""
    return list(value.get_value([]))


def test_the_two_lines_set_all_that_is_needed(file: Path) -> None:
    c = Config()
    configure(c, file, spawner="local", accounts=False, state=file.parent / "state")
    spawner = c.JupyterHub.spawner_class
    assert issubclass(spawner, PlannedSpawner)
    assert issubclass(spawner, SimpleLocalProcessSpawner)
    assert {"options_form", "options_from_form", "apply_user_options"} <= set(c.Spawner)
    paths = c.JupyterHub.template_paths.get_value(["the hub's own"])
    assert paths == [str(TEMPLATES), str(COLLABORATION), "the hub's own"]
    assert (file.parent / "state").stat().st_mode & 0o077 == 0


def test_no_service_is_an_administrator(file: Path) -> None:
    c = Config()
    configure(c, file, spawner="local", state=file.parent / "state")
    services = of_list(c.JupyterHub.services)
    assert {one["name"] for one in services} == {"mlinfn", "mlinfn-culler", "mlinfn-backups"}
    assert not any("admin" in one or "api_token" in one for one in services)
    scopes = {name for role in of_list(c.JupyterHub.load_roles) for name in role["scopes"]}
    assert scopes == {"list:users", "read:users:activity", "read:servers", "delete:servers"}


def test_services_and_roles_of_the_site_are_kept(file: Path) -> None:
    c = Config()
    c.JupyterHub.services = [{"name": "mine"}]
    c.JupyterHub.load_roles = [{"name": "mine"}]
    configure(c, file, spawner="local", state=file.parent / "state")
    assert {"name": "mine"} in c.JupyterHub.services
    assert {"name": "mine"} in c.JupyterHub.load_roles
    assert len(c.JupyterHub.services) == 4


def test_templates_of_the_site_come_before_what_only_adds_a_link(file: Path) -> None:
    c = Config()
    c.JupyterHub.template_paths = ["the site's"]
    configure(c, file, spawner="local", state=file.parent / "state")
    assert c.JupyterHub.template_paths == [str(TEMPLATES), "the site's", str(COLLABORATION)]


def test_two_hubs_of_one_process_do_not_share_a_desk(file: Path) -> None:
    one, two = Config(), Config()
    first = configure(one, file, spawner="local", state=file.parent / "one")
    second = configure(two, file, spawner="local", state=file.parent / "two")
    assert one.JupyterHub.spawner_class.desk is first
    assert two.JupyterHub.spawner_class.desk is second


@pytest.mark.parametrize(("spawner", "leases"), [("docker", True), ("kube", False)])
def test_kubernetes_leases_nothing(file: Path, spawner: str, leases: bool) -> None:
    c = Config()
    desk = configure(c, file, spawner=spawner, state=file.parent / "state")
    assert (desk.counter is not None) is leases


def test_a_wrong_file_is_no_hub(file: Path) -> None:
    file.write_text("schema = 2\n", encoding="utf-8")
    with pytest.raises(InputError):
        configure(Config(), file, state=file.parent / "state")


def test_a_site_of_another_spawner_is_a_mistake(file: Path) -> None:
    with pytest.raises(TypeError, match="DockerSite"):
        configure(Config(), file, spawner="docker", site=KubeSite(), state=file.parent / "state")


def test_who_may_log_in_is_who_has_a_profile(file: Path) -> None:
    desk = configure(Config(), file, spawner="local", state=file.parent / "state")
    assert desk.groups() == {"users/ai-infn"}


def test_a_container_is_read_by_its_labels() -> None:
    labels = {
        "mlinfn.lease": "l1", "mlinfn.user": "ada", "mlinfn.server": "two",
        "mlinfn.devices": "MIG-1",
    }  # fmt: skip
    told = {"Id": "abc", "State": "paused", "Labels": labels}
    assert read_container(told) == Labelled(
        container="abc", lease="l1", user="ada", server="two", devices=("MIG-1",), running=True
    )
    assert not read_container(told | {"State": "exited"}).running
    assert read_container(told | {"Labels": {"mlinfn.lease": "l1"}}).devices == ()


def test_folders_are_made_for_whom_containers_run_as() -> None:
    way = DockerWay(DockerSite(uid=1234, gid=567))
    assert way.owner(None) == (1234, 567)
