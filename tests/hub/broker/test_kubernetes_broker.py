"""Jobs of real sessions of a real hub, through its broker, on a real Kubernetes with Kueue.

The cluster has what ``deploy/kubernetes/broker.yaml`` gives and no more; sessions have a hub token.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from jupyter_mlinfn.hub.broker.definition import NAME, TOLD
from jupyter_mlinfn.jobs.backends.kubernetes.calls import Absent, Calls
from jupyter_mlinfn.model.errors import Refused, Unavailable
from jupyter_mlinfn.model.kubernetes import OWNER, owner
from jupyter_mlinfn.model.sweeps import Sweep
from tests.hub.broker.offers import GROUP, OFFER
from tests.jobs.backends.desk import Desk, texts
from tests.systems import hub as hubs
from tests.systems.daemons import Missing, free_ports
from tests.systems.kubernetes import control, kueue
from tests.systems.kubernetes.api import Api, Said

pytestmark = [pytest.mark.system, pytest.mark.slow]

NAMESPACE = "mlinfn-jobs"
ACCOUNTS = "/api/v1/namespaces/jupyterhub/serviceaccounts"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
YAML = Path(__file__).parents[3] / "deploy" / "kubernetes" / "broker.yaml"
PEOPLE = ("ada", "bob")


class Cluster(control.Kubernetes):
    """One cluster, with the hub's account in it and the rights of ``broker.yaml``."""

    def start(self) -> None:
        super().start()
        self.api.apply("/api/v1/namespaces", {"metadata": {"name": "jupyterhub"}})
        self.api.apply(ACCOUNTS, {"metadata": {"name": "hub"}})
        for one in yaml.safe_load(YAML.read_text(encoding="utf-8"))["items"]:
            self.apply(one)
        kueue.make_queues(self.api, NAMESPACE, control.QUOTA)
        told = self.api.post(f"{ACCOUNTS}/hub/token", {"spec": {"expirationSeconds": 36000}})
        self.hubs_token: str = told["status"]["token"]
        self._tokens["hub"] = self.hubs_token
        self.hubs_kubeconfig = self.work / "hub.yaml"
        self._write_kubeconfig(self.hubs_kubeconfig, "hub", "default")

    def apply(self, one: dict[str, Any]) -> None:
        group = "/api/v1" if one["apiVersion"] == "v1" else f"/apis/{one['apiVersion']}"
        space = one["metadata"].get("namespace")
        kind = one["kind"].lower() + "s"
        self.api.apply(f"{group}{f'/namespaces/{space}' if space else ''}/{kind}", one)

    def objects(self, kind: str) -> list[Any]:
        group = {"jobs": "apis/batch/v1", "pods": "api/v1"}.get(kind, "apis/kueue.x-k8s.io/v1beta2")
        found: list[Any] = self.api.get(f"/{group}/namespaces/{NAMESPACE}/{kind}")["items"]
        return found

    def remove_jobs(self) -> None:
        """Nothing of anybody is left."""
        for job in self.objects("jobs"):
            name = job["metadata"]["name"]
            self.api.delete(f"{JOBS}/{name}", propagationPolicy="Background")
        self.until(lambda: not (self.objects("jobs") or self.objects("pods")), "the end of all")


class Sessions:
    """A hub with the broker, and a session of each person: its token, and where the broker is."""

    def __init__(self, kubernetes: Cluster) -> None:
        (port,) = free_ports(1)
        self.hub = hubs.Hub(
            "import os",
            "from jupyter_mlinfn.hub import configure",
            "from jupyter_mlinfn.hub.broker.settings import Broker",
            "from jupyter_mlinfn.profiles.spawners.sites import KubeSite",
            "from tests.systems.hub_way import FolderWay, inventory",
            f"broker = Broker(namespace={NAMESPACE!r}, port={port}, site=KubeSite(),"
            f" kubeconfig={str(kubernetes.hubs_kubeconfig)!r},"
            " priorities=('interactive', 'evictable'))",
            "configure(c, 'profiles.toml', spawner=FolderWay(), devices=inventory, broker=broker,"
            " service=('127.0.0.1', int(os.environ['MLINFN_TEST_SERVICE_PORT'])))",
        )
        self.address = f"http://127.0.0.1:{port}/services/{NAME}/"
        self.audit = self.hub.work / "mlinfn" / "broker.jsonl"
        offer = OFFER.replace('"home", "envs"', '"home"')
        (self.hub.work / "profiles.toml").write_text(offer, encoding="utf-8")
        (self.hub.work / "devices.json").write_text("{}", encoding="utf-8")
        self.hub = hubs.started(self.hub, hubs.PART)
        self.tokens = {name: self._begin(name) for name in PEOPLE}

    def _begin(self, name: str) -> str:
        self.hub.ask("POST", f"users/{name}")
        group = requests.utils.quote(GROUP, safe="")
        self.hub.ask("POST", f"groups/{group}")
        answer = self.hub.ask("POST", f"groups/{group}/users", {"users": [name]})
        assert answer.ok, answer.text
        answer = self.hub.ask("POST", f"users/{name}/server", {"profile": "cluster"})
        assert answer.ok, answer.text
        self.hub.until_ready(name)
        (told,) = [one for one in self.hub.session_files() if one["user"] == name]
        return str(told["environment"]["JUPYTERHUB_API_TOKEN"])

    def lines(self) -> list[dict[str, Any]]:
        """The audit's."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


@pytest.fixture(scope="module")
def kubernetes() -> Iterator[Cluster]:
    try:
        made = control.started(Cluster(), "Kubernetes, Kueue")
    except Missing as error:
        pytest.skip(f"no Kubernetes here: {error}")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def sessions(kubernetes: Cluster) -> Iterator[Sessions]:
    try:
        made = Sessions(kubernetes)
    except Missing as error:
        pytest.skip(f"JupyterHub: {error}")
    yield made
    made.hub.stop()


@pytest.fixture
def as_ada(
    kubernetes: Cluster, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sessions]:
    """This process is ada's session: it knows her token and the broker, and no kubeconfig."""
    for name in list(os.environ):
        if name.startswith("KUBE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", sessions.tokens["ada"])
    monkeypatch.setenv(TOLD, sessions.address)
    yield sessions
    kubernetes.remove_jobs()


@pytest.fixture
def desk(as_ada: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    options = {"priority": "interactive", "evictable_priority": "evictable"}
    settings = (
        f"c.Mlinfn.kubernetes_options = {options!r}\nc.Mlinfn.kubernetes_poll_seconds = 0.5\n"
    )
    made = Desk(tmp_path, "kubernetes", settings)
    yield made
    made.close()


def calls(sessions: Sessions) -> Calls:
    return Calls(broker=sessions.address)


def test_a_job_runs_and_is_brought_home_and_nothing_but_the_token_was_needed(
    desk: Desk, kubernetes: Cluster, as_ada: Sessions
) -> None:
    job = desk.submit("print('from a pod')", queue="default")
    done = desk.until(job.id, "succeeded")
    assert texts(done.output)[0].strip() == "from a pod"
    (made,) = kubernetes.objects("jobs")
    assert made["metadata"]["labels"][OWNER] == owner("ada")
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "default"
    pod = made["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["image"] == "registry.invalid/session:1"
    assert as_ada.tokens["ada"] not in json.dumps(made)
    (line,) = [one for one in as_ada.lines() if one["name"] == f"mlinfn-{job.id}"]
    assert (line["user"], line["verb"], line["status"]) == ("ada", "POST", 201)
    everything = [path for path in desk.root.rglob("*") if path.is_file()]
    told = b"".join(path.read_bytes() for path in everything)
    assert as_ada.tokens["ada"].encode() not in told


def test_its_state_is_told_and_it_can_be_cancelled(desk: Desk, kubernetes: Cluster) -> None:
    job = desk.submit(desk.held())
    desk.until(job.id, "running")
    desk.bench.actions.cancel(job.id)
    desk.until(job.id, "cancelled")
    waiting = desk.submit("print(1)", queue="closed")
    assert desk.look(waiting.id).state == "queued"
    desk.bench.actions.cancel(waiting.id)
    desk.until(waiting.id, "cancelled")
    gone = f"mlinfn-{waiting.id}"
    assert gone not in {one["metadata"]["name"] for one in kubernetes.objects("jobs")}


def test_a_sweep_goes_through(desk: Desk, kubernetes: Cluster) -> None:
    job = desk.submit("print(x * 2)", cell="x = 1", sweep=Sweep(axes={"x": (1, 2, 3)}))
    desk.until(job.id, "succeeded")
    (made,) = kubernetes.objects("jobs")
    assert made["spec"]["completions"] == 3


def test_what_is_offered_is_what_can_be_chosen(desk: Desk) -> None:
    backend = desk.bench.backends["kubernetes"]
    assert [one.name for one in backend.queues()] == ["default", "closed"]
    assert backend.queues()[0].free is not None


def test_more_than_the_profile_offers_is_refused_in_words(desk: Desk, kubernetes: Cluster) -> None:
    job = desk.submit("print(1)", memory=5 * 2**30)
    record = desk.until(job.id, "failed")
    assert "4 GiB" in record.model_dump_json()
    assert not kubernetes.objects("jobs")


def test_a_person_sees_and_ends_only_what_is_hers(
    desk: Desk, as_ada: Sessions, monkeypatch: pytest.MonkeyPatch, kubernetes: Cluster
) -> None:
    job = desk.submit("print(1)", queue="closed")
    name = f"mlinfn-{job.id}"
    ada = calls(as_ada)
    assert [one["metadata"]["name"] for one in ada.jobs(f"{OWNER}={ada.owner}")] == [name]
    assert len(ada.workloads("v1beta2")) == 1
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", as_ada.tokens["bob"])
    bob = calls(as_ada)
    assert bob.jobs(f"{OWNER}={bob.owner}") == []
    with pytest.raises(Absent):
        bob.job(name)
    bob.delete(name)
    assert kubernetes.objects("jobs")
    with pytest.raises(Refused):
        bob.jobs(f"{OWNER}={ada.owner}")
    (place,) = bob.workloads("v1beta2")
    assert name not in json.dumps(place)


def test_secrets_are_made_renewed_and_removed_and_never_meet(
    as_ada: Sessions, kubernetes: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def secret(who: str, text: str) -> dict[str, Any]:
        labels = {
            "app.kubernetes.io/managed-by": "jupyter-mlinfn", OWNER: owner(who),
            "jupyter-mlinfn/job": "abcdefghij",
        }  # fmt: skip
        about = {"name": "mlinfn-abcdefghij", "labels": labels}
        told = {"access.json": text}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": about, "stringData": told}

    def stored() -> set[str]:
        found = kubernetes.api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets")["items"]
        return {one["metadata"]["name"] for one in found}

    ada = calls(as_ada)
    ada.put_secret(secret("ada", "one"))
    ada.put_secret(secret("ada", "two"))
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", as_ada.tokens["bob"])
    calls(as_ada).put_secret(secret("bob", "mine"))
    assert stored() == {f"mlinfn-abcdefghij-{owner(who)}" for who in PEOPLE}
    calls(as_ada).delete_secret("mlinfn-abcdefghij")
    assert stored() == {f"mlinfn-abcdefghij-{owner('ada')}"}
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", as_ada.tokens["ada"])
    ada.delete_secret("mlinfn-abcdefghij")
    assert not stored()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets"),
        ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/x"),
        ("GET", f"/api/v1/namespaces/{control.NAMESPACE}/pods"),
        ("GET", f"/apis/batch/v1/namespaces/{control.NAMESPACE}/jobs"),
        ("GET", "/api/v1/nodes"),
        ("POST", f"/api/v1/namespaces/{NAMESPACE}/pods"),
        ("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"),
        ("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/x"),
    ],
)
def test_the_brokers_own_account_may_do_nothing_else(
    kubernetes: Cluster, method: str, path: str
) -> None:
    account = Api(kubernetes.port, kubernetes.api.ca, kubernetes.hubs_token)
    assert account.get(JOBS)["kind"] == "JobList"
    with pytest.raises(Said) as said:
        account.call(method, path, {} if method == "POST" else None)
    assert said.value.code == 403


def test_without_its_rights_the_broker_makes_nothing_and_says_so(
    as_ada: Sessions, kubernetes: Cluster
) -> None:
    binding = f"{RBAC}/namespaces/{NAMESPACE}/rolebindings"
    kept = kubernetes.api.get(f"{binding}/mlinfn-broker")
    ada = calls(as_ada)
    assert ada.jobs(f"{OWNER}={ada.owner}") == []
    kubernetes.api.delete(f"{binding}/mlinfn-broker")
    try:
        kubernetes.until(lambda: _is_refused(ada), "the end of the rights")
        answer = requests.get(
            f"{as_ada.address}apis/batch/v1/namespaces/{NAMESPACE}/jobs",
            headers={"Authorization": f"token {as_ada.tokens['ada']}"},
            timeout=60,
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "kubernetes-refused")
    finally:
        about = {"name": "mlinfn-broker"}
        kubernetes.api.apply(binding, {**kept, "metadata": about})
    kubernetes.until(lambda: not _is_refused(ada), "the rights")


def _is_refused(who: Calls) -> bool:
    try:
        who.jobs(f"{OWNER}={who.owner}")
    except Refused as error:
        return "forbidden" in error.text
    return False


def test_a_session_that_has_ended_has_no_broker(
    as_ada: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_ada.hub.stop_session("bob")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", as_ada.tokens["bob"])
    with pytest.raises(Unavailable):
        calls(as_ada).session_pod()
