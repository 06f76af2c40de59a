"""What ``configure(…, broker=…)`` sets, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from traitlets.config import Config

from jupyter_mlinfn.hub import configure
from jupyter_mlinfn.hub.broker.persons import person
from jupyter_mlinfn.hub.broker.settings import Broker, read_settings
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.spawners.sites import KubeSite
from tests.hub.broker.offers import OFFER

BROKER = Broker(namespace="jobs-{user}", port=10199)
ADDRESS = "http://127.0.0.1:10199/services/mlinfn-broker/"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "profiles.toml"
    place.write_text(OFFER, encoding="utf-8")
    return place


def of_list(value: object) -> list[dict[str, Any]]:
    return list(value.get_value([]))  # type: ignore[attr-defined]


def test_the_broker_is_a_service_with_least_scopes_and_sessions_know_it(file: Path) -> None:
    c = Config()
    state = file.parent / "state"
    desk = configure(c, file, spawner="kube", state=state, broker=BROKER)
    (service,) = [one for one in of_list(c.JupyterHub.services) if one["name"] == "mlinfn-broker"]
    assert service["command"][1:] == ["-m", "jupyter_mlinfn.hub.broker"]
    assert service["url"] == "http://127.0.0.1:10199"
    assert not {"admin", "api_token"} & service.keys()
    (role,) = [one for one in of_list(c.JupyterHub.load_roles) if one["name"] == "mlinfn-broker"]
    assert set(role["scopes"]) == {"read:users:groups", "read:servers"}
    assert ("MLINFN_KUBERNETES_BROKER", ADDRESS) in desk.way.site.environment  # type: ignore[attr-defined]
    told = Path(service["environment"]["MLINFN_BROKER_SETTINGS"])
    assert told.stat().st_mode & 0o077 == 0
    assert read_settings(told).broker == BROKER


def test_without_one_nothing_of_it_is_there(file: Path) -> None:
    c = Config()
    desk = configure(c, file, spawner="kube", state=file.parent / "state")
    assert "broker" not in json.dumps([*of_list(c.JupyterHub.services)])
    assert not desk.way.site.environment  # type: ignore[attr-defined]


def test_where_sessions_are_no_pods_the_site_of_pods_has_to_be_said(file: Path) -> None:
    state = file.parent / "state"
    with pytest.raises(TypeError, match="KubeSite"):
        configure(Config(), file, spawner="local", state=state, broker=BROKER)
    with_site = BROKER.model_copy(update={"site": KubeSite(uid=1234)})
    configure(Config(), file, spawner="local", state=state, broker=with_site)
    assert read_settings(state / "broker.json").site.uid == 1234


@pytest.mark.parametrize(
    "namespace",
    ["", "Jobs", "a/b", "-a", "{group}", "jobs_{user}", "a" * 64, f"{'a' * 16}{{user}}"],
)
def test_a_template_that_makes_no_namespace_is_refused(namespace: str) -> None:
    with pytest.raises(ValidationError):
        Broker(namespace=namespace)


@pytest.mark.parametrize("name", ["ada", "Ada", "a/../b", "kube-system", "é", "x" * 300, "{user}"])
def test_every_name_has_a_namespace_of_its_own(name: str) -> None:
    found = person((name, "gpu"), "jobs-{user}")
    assert found.namespace == f"jobs-{slug(name)}"
    assert len(found.namespace) <= 63
    assert found.namespace.replace("-", "").isalnum()
    assert found.namespace.isascii()
    if name != "ada":
        ada = person(("ada", ""), "jobs-{user}")
        assert ada.namespace != found.namespace
        assert ada.owner != found.owner


def test_settings_that_cannot_be_read_are_told_without_their_content(tmp_path: Path) -> None:
    file = tmp_path / "broker.json"
    content = {"broker": {"namespace": "x", "kubeconfig": ["hush-hush"]}, "hush": "hush-hush"}
    file.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        read_settings(file)
    assert "broker.kubeconfig" in caught.value.text
    assert "hush-hush" not in caught.value.text
