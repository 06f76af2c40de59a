"""``deploy/``: it parses, has the versions that the tests run with, agrees with the product."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jupyterlab_server import settings_utils
from traitlets.config import Config

from jupyter_mlinfn.gpus.simulated import library
from jupyter_mlinfn.profiles import reading
from jupyter_mlinfn.profiles.document import Book
from tests.parts import missed, took_part

TREE = Path(__file__).parents[2]
DEPLOY = TREE / "deploy"
COMPOSE = DEPLOY / "compose"
ROLE = DEPLOY / "ansible" / "roles" / "mlinfn_hub"
SECRETS = {
    "CONFIGPROXY_AUTH_TOKEN": "a" * 64,
    "IAM_CLIENT_SECRET": "client-secret",
    "JUPYTERHUB_CRYPT_KEY": "b" * 64,
    "POSTGRES_PASSWORD": "c" * 64,
}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def pinned(path: Path) -> dict[str, str]:
    """The exact versions in a file of requirements."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [line.split("==") for line in lines if "==" in line]
    return {re.sub(r"[-_.]+", "-", name).lower(): version.strip() for name, version in found}


def settings() -> dict[str, str]:
    """``.env.example`` with its secrets filled in."""
    lines = (COMPOSE / ".env.example").read_text(encoding="utf-8").splitlines()
    told = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert {name for name, value in told.items() if not value} == set(SECRETS)
    return told | SECRETS


@pytest.fixture
def book() -> Book:
    return reading.load(COMPOSE / "profiles.toml")


def test_every_yaml_file_parses() -> None:
    found = [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")]
    assert len(found) >= 8
    for path in found:
        assert read(path), path


def test_the_session_has_exact_versions_and_those_of_the_hub() -> None:
    session, ours = (
        pinned(DEPLOY / "session" / "requirements.txt"),
        pinned(TREE / "constraints.txt"),
    )
    both = session.keys() & ours.keys()
    assert {"jupyterhub", "jupyterlab"} <= both
    assert {name: session[name] for name in both} == {name: ours[name] for name in both}
    assert {"jupyter-collaboration", "jupyterlab-git", "dask", "jupyter-server-proxy"} <= set(
        session
    )
    text = (DEPLOY / "session" / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(session)


def test_node_programs_have_the_versions_of_the_tests() -> None:
    here = json.loads((TREE / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    browser = json.loads((TREE / "ui-tests" / "package.json").read_text(encoding="utf-8"))
    there = browser.get("dependencies", {}) | browser.get("devDependencies", {})
    proxy = (DEPLOY / "proxy" / "Dockerfile").read_text(encoding="utf-8")
    iam = (DEPLOY / "iam" / "Dockerfile").read_text(encoding="utf-8")
    assert f"configurable-http-proxy@{here['configurable-http-proxy']}" in proxy
    assert f"oidc-provider@{there['oidc-provider']}" in iam


@pytest.mark.parametrize("name", ["hub", "session", "proxy", "iam"])
def test_dockerfiles_copy_what_is_there_and_take_no_latest(name: str) -> None:
    text = (DEPLOY / name / "Dockerfile").read_text(encoding="utf-8")
    # a place without a registry names a base of its own
    (base,) = re.findall(r"^ARG BASE=(\S+)", text, re.M)
    assert re.search(r":[0-9]", base), base
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${BASE}"}
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        for source in line.split()[:-1]:
            assert source.startswith("dist/") or list(TREE.glob(source)), source
            assert sent(source), f"{source} is not sent to the engine"


def sent(source: str) -> bool:
    """Whether ``.dockerignore`` lets it through."""
    lines = (TREE / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    return any(source == one or source.startswith(f"{one}/") for one in allowed)


def test_no_secret_and_no_environment_is_sent_to_the_engine() -> None:
    lines = (TREE / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert lines.index("deploy/compose/.env") > lines.index("!deploy")


@pytest.mark.parametrize("name", ["hub", "session"])
def test_images_bring_the_stand_in_library_as_the_product_compiles_it(name: str) -> None:
    text = (DEPLOY / name / "Dockerfile").read_text(encoding="utf-8")
    (said,) = re.findall(r"^RUN gcc (.+?)$", text.replace("\\\n", " "), re.M)
    options = library._command("gcc", Path(), Path("/tmp") / library.FILE, ())[1:-1]
    assert said.split() == [*options, f"/tmp/{library.SOURCE.name}"]
    place = re.findall(r"MLINFN_SIMULATED_LIBRARY=(\S+)", text)
    folder = re.findall(r"^COPY --from=simulated \S+ (\S+)$", text, re.M)
    assert place == [f"{folder[0]}{library.FILE}"]


def test_sessions_ask_nobody_for_news() -> None:
    told = json.loads((DEPLOY / "session" / "overrides.json").read_text(encoding="utf-8"))
    settings = told["@jupyterlab/apputils-extension:notification"]
    schema = Path(sys.prefix, "share/jupyter/lab/schemas/@jupyterlab/apputils-extension")
    known = json.loads((schema / "notification.json").read_text(encoding="utf-8"))["properties"]
    assert settings.keys() <= known.keys()
    assert settings == {"checkForUpdates": False, "fetchNews": "false"}


def test_sessions_of_a_first_hub_and_of_make_lab_are_told_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = json.loads((DEPLOY / "session" / "overrides.json").read_text(encoding="utf-8"))
    monkeypatch.setenv("MLINFN_HUB_SPAWNER", "local")
    monkeypatch.setenv("MLINFN_HUB_STATE", str(tmp_path))
    monkeypatch.syspath_prepend(str(DEPLOY / "hub"))
    path = DEPLOY / "hub" / "jupyterhub_config.py"
    c = Config()
    code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    exec(code, {"get_config": lambda: c, "__file__": str(path)})
    given = dict(c.JupyterHub.spawner_class.desk.way.site.environment)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", given["JUPYTER_CONFIG_PATH"])
    # as the server reads defaults; a setting of a person's own goes before them
    defaults, error = settings_utils._get_overrides(str(tmp_path))
    assert not error
    assert defaults.items() >= told.items()
    recipe = (TREE / "Makefile").read_text(encoding="utf-8").partition("\nlab:")[2]
    assert 'JUPYTER_CONFIG_PATH="$(CURDIR)/deploy/lab' in recipe.partition("\n\n")[0]


def test_the_stand_in_of_iam_says_all_that_the_provider_reads() -> None:
    provider = (TREE / "tests" / "systems" / "iam" / "provider.mjs").read_text(encoding="utf-8")
    start = (DEPLOY / "iam" / "start.mjs").read_text(encoding="utf-8")
    (told,) = re.findall(r"argv\[2\] = JSON\.stringify\(\{(.+?)\}\)", start)
    said = {one.split(":")[0].strip() for one in told.split(",")}
    assert set(re.findall(r"\bsettings\.(\w+)", provider)) <= said


def test_extras_that_images_ask_for_exist() -> None:
    with (TREE / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    for name in ("hub", "session"):
        text = (DEPLOY / name / "Dockerfile").read_text(encoding="utf-8")
        (asked,) = re.findall(r"whl\)\[([a-z0-9,]+)\]", text)
        assert set(asked.split(",")) <= extras.keys()


def test_nobody_but_the_hub_gets_the_engine_and_nothing_but_the_proxy_is_for_people() -> None:
    services = read(COMPOSE / "compose.yaml")["services"]
    for name, service in services.items():
        mounts = " ".join(service.get("volumes", ()))
        assert ("docker.sock" in mounts) == (name == "hub")
        assert "privileged" not in service
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
    assert "--api-ip=127.0.0.1" in services["proxy"]["command"]
    network = read(COMPOSE / "compose.yaml")["networks"]["sessions"]
    assert network["driver_opts"]["com.docker.network.bridge.enable_icc"] == "false"
    assert services["iam"]["profiles"] == ["try"]


def test_every_variable_of_the_compose_file_is_in_the_example() -> None:
    text = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    without_default = set(re.findall(r"\$\{([A-Z_]+)(?::\?[^}]*)?\}", text))
    assert without_default <= settings().keys()
    template = (ROLE / "templates" / "env.j2").read_text(encoding="utf-8")
    assert settings().keys() <= set(re.findall(r"^([A-Z_]+)=", template, re.M))


def test_the_offer_is_right_and_starts_the_image_that_is_built(book: Book) -> None:
    services = read(COMPOSE / "compose.yaml")["services"]
    assert {one.reference for one in book.image.values()} == {services["session-image"]["image"]}
    mounted = {line.split(":")[0] for line in services["hub"]["volumes"]}
    assert set(book.ceiling.roots) <= mounted
    people = json.loads((DEPLOY / "iam" / "people.json").read_text(encoding="utf-8"))
    groups = {group for one in book.profile for group in one.groups}
    assert [name for name, inside in people.items() if groups & set(inside)] == ["ada", "bea"]


def hub_config(path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> Config:
    """What a ``jupyterhub_config.py`` sets, with the paths of a container led into ``folder``."""
    environment = settings() | {"MLINFN_GATEWAY": "172.30.0.1", "MLINFN_DEVICES": "simulated"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    text = text.replace("/srv/jupyterhub", str(folder))
    text = text.replace("/etc/jupyterhub/profiles.toml", str(COMPOSE / "profiles.toml"))
    text = text.replace("/usr/local/etc/jupyterhub/mlinfn/profiles.toml", str(TREE / KUBE_OFFER))
    text = re.sub(r"database=f.*", f"database='sqlite:///{folder}/leases.sqlite',", text)
    c = Config()
    exec(compile(text, str(path), "exec"), {"get_config": lambda: c, "c": c})
    return c


KUBE_OFFER = Path("deploy") / "profiles" / "ai-infn.toml"


def test_the_compose_hub_can_be_configured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, book: Book
) -> None:
    path = COMPOSE / "jupyterhub_config.py"
    c = hub_config(path, monkeypatch, tmp_path, path.read_text(encoding="utf-8"))
    desk = c.JupyterHub.spawner_class.desk
    assert desk.groups() == {"ml-infn/users"}
    # there is no device to ask the engine for: sessions are told of theirs, and shown it
    assert desk.way.site.devices_by == "environment"
    assert dict(desk.way.site.environment) == {"MLINFN_GPUS": "simulated"}
    services = read(COMPOSE / "compose.yaml")
    assert desk.way.site.network == services["networks"]["sessions"]["name"]
    assert c.IamLogin.client_id == settings()["IAM_CLIENT"]
    assert c.IamLogin.administrator_groups == {"ml-infn/admins"}
    assert "client-secret" not in json.dumps(desk.way.site.model_dump())


def test_the_chart_s_hub_can_be_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = read(DEPLOY / "kubernetes" / "values.yaml")
    c = hub_config(tmp_path, monkeypatch, tmp_path, values["hub"]["extraConfig"]["mlinfn"])
    assert c.JupyterHub.spawner_class.desk.way.kind == "kube"
    assert values["cull"]["enabled"] is False
    secrets = {
        one["valueFrom"]["secretKeyRef"]["name"] for one in values["hub"]["extraEnv"].values()
    }
    assert secrets == {"mlinfn-iam"}


def test_compose_itself_takes_the_files() -> None:
    program = compose()
    if program is None:
        missed("Docker Compose", "not installed")
        pytest.skip("Docker Compose is not installed")
    environment = {**os.environ, **settings()}
    for files in (["compose.yaml"], ["compose.yaml", "compose.gpu.yaml"]):
        words = [word for file in files for word in ("-f", file)]
        argv = [*program, "--project-directory", str(COMPOSE), *words, "config"]
        done = subprocess.run(argv, cwd=COMPOSE, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told = yaml.safe_load(done.stdout)["services"]
        assert told["hub"]["environment"]["MLINFN_PUBLIC"] == settings()["MLINFN_PUBLIC"]
        assert ("runtime" in told["hub"]) == (len(files) == 2)


def compose() -> list[str] | None:
    """The program of Docker Compose, the plugin before the older one."""
    for argv in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(argv[0]) is None:
            continue
        done = subprocess.run([*argv, "version"], capture_output=True, text=True)
        if done.returncode == 0 and "ompose" in done.stdout:
            took_part("Docker Compose", done.stdout.splitlines()[0])
            return argv
    return None


def test_the_role_says_every_variable_that_it_uses() -> None:
    defaults = set(read(ROLE / "defaults" / "main.yml"))
    tasks = read(ROLE / "tasks" / "main.yml")
    vaulted = set(tasks[0]["loop"])
    made = {"mlinfn_answer", "mlinfn_files", "mlinfn_tries"}
    texts = [path.read_text(encoding="utf-8") for path in ROLE.rglob("*.*")]
    used = {name for text in texts for name in re.findall(r"\bmlinfn_[a-z_]+\b", text)}
    assert used - made - {"mlinfn_hub"} == defaults | vaulted
    assert all(task["name"] for task in tasks)


def test_the_role_itself_is_taken_by_ansible() -> None:
    program = shutil.which("ansible-playbook")
    if program is None:
        missed("Ansible", "not installed")
        pytest.skip("Ansible is not installed")
    argv = [program, "--syntax-check", "-i", "localhost,", "playbook.yml"]
    done = subprocess.run(argv, cwd=DEPLOY / "ansible", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    took_part("Ansible", "the role's syntax")


def test_the_topology_calls_the_playbook_with_what_the_role_takes() -> None:
    template = read(DEPLOY / "tosca" / "mlinfn_hub.yaml")["topology_template"]
    call = template["node_templates"]["hub"]["interfaces"]["Standard"]["configure"]
    playbook = DEPLOY / "tosca" / call["implementation"]
    assert read(playbook)[0]["roles"] == ["mlinfn_hub"]
    role = set(read(ROLE / "defaults" / "main.yml")) | set(
        read(ROLE / "tasks" / "main.yml")[0]["loop"]
    )
    assert call["inputs"].keys() <= role
    asked = {one["get_input"] for one in call["inputs"].values() if isinstance(one, dict)}
    assert asked <= template["inputs"].keys()
