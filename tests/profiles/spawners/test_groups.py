"""The groups of a session: those of everybody, and those of the group folders it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_mlinfn.hub.configuring import configure
from jupyter_mlinfn.model.plans import Mount, Plan
from jupyter_mlinfn.profiles.spawners import docker, kube
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, KubeSite
from tests.profiles.spawners import offers, plans

IDS: dict[str, Any] = {"groups": (2001,), "group_ids": (("cms", 3001), ("lhcb", 3002))}


def shown(*groups: str) -> Plan:
    mounts = [
        Mount(
            kind="bind", source=f"/srv/{group}", target=f"/{group}", read_only=False,
            shared_with=group,
        )
        for group in groups
    ]  # fmt: skip
    return plans.NOTHING.model_copy(update={"mounts": (*mounts, plans.HOME)})


@pytest.mark.parametrize(
    ("groups", "ids"),
    [((), [2001]), (("cms",), [2001, 3001]), (("lhcb", "cms", "unknown"), [2001, 3001, 3002])],
)
def test_a_session_is_in_the_groups_whose_folders_it_sees(
    groups: tuple[str, ...], ids: list[int]
) -> None:
    told = docker.traits(shown(*groups), DockerSite(roots=("/srv",), **IDS))
    assert told["extra_host_config"]["group_add"] == ids
    told = kube.traits(shown(*groups), KubeSite(roots=("/srv",), **IDS))
    assert told["supplemental_gids"] == ids


@pytest.mark.parametrize("site", [DockerSite(**IDS), KubeSite(**IDS)])
def test_the_hub_tells_its_spawners_the_ids_that_folders_are_made_with(
    site: Any, tmp_path: Path
) -> None:
    c = Config()
    c.JupyterHub.template_paths, c.JupyterHub.services, c.JupyterHub.load_roles = [], [], []
    kind: Any = "docker" if isinstance(site, DockerSite) else "kube"
    desk = configure(
        c, offers.FOLDER / "ml-infn.toml", spawner=kind, site=site, devices="simulated",
        state=tmp_path / "state", group_ids={"atlas": 3003},
    )  # fmt: skip
    made: Any = desk.way
    assert dict(made.site.group_ids) == {"cms": 3001, "lhcb": 3002, "atlas": 3003}
