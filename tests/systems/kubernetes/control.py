"""A real Kubernetes control plane with Kueue on this one machine; only its kubelet is simulated.

etcd, kube-apiserver, kube-controller-manager, kube-scheduler and Kueue's controller are children
of the test process and keep their files in one folder; all ports are on loopback, several can run
side by side. :meth:`Kubernetes.stop` leaves no process behind.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts import took_part
from tests.systems.daemons import Daemons, free_ports, started
from tests.systems.kubernetes import building, kueue
from tests.systems.kubernetes.api import Api, Said

NAMESPACE = "analysis"
PERSON = "ada"
NODES = {
    f"n{number}": {
        "cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1", "nvidia.com/mig-1g.10gb": "2",
    }
    for number in (1, 2)
}  # fmt: skip
VIRTUAL = "virtual-node.interlink/no-schedule"
NODES["far"] = {"cpu": "2", "memory": "8Gi", "taint": VIRTUAL}
IMAGE = "registry.invalid/session:1"
LABEL = "jupyter-mlinfn/job"
QUOTA = {"cpu": "3", "memory": "6Gi", "nvidia.com/gpu": "2", "nvidia.com/mig-1g.10gb": "4"}
_REPOSITORY = Path(__file__).parents[3]
_CONTROLLERS = (
    "job-controller,garbage-collector-controller,namespace-controller,"
    "serviceaccount-controller,node-lifecycle-controller,taint-eviction-controller,"
    "pod-garbage-collector-controller,ttl-after-finished-controller,resourcequota-controller"
)


class Kubernetes(Daemons):
    """One cluster; ``kubeconfig`` is the person's, with the rights docs/kubernetes.md asks for.

    ``closed`` is a queue that starts nothing.
    """

    closed = "closed"
    not_yet = (OSError, Said)

    def __init__(self) -> None:
        super().__init__("kubernetes")
        self.kubeconfig = self.work / "ada.yaml"
        self.took = 0.0
        self._commands: dict[str, tuple[str, ...]] = {}

    def start(self) -> None:
        """Bring everything up, with queues. Raises :class:`Missing`."""
        self._programs = building.programs()
        began = time.monotonic()
        etcd, peer, self.port, webhook = free_ports(4)
        self._write_files()
        self._start_store(etcd, peer)
        self._start_server(etcd)
        self.api = Api(self.port, str(self._certificate), self._tokens["admin"])
        self.until_answers()
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._start_manager(name)
        kueue.install(self.api, self._programs.manifests, webhook)
        self._start_kueue(webhook)
        self._start_kubelet()
        self._make_person()
        self.until(self._queues_work, "Kueue")
        self.until(self._nodes_ready, "the nodes")
        self.took = time.monotonic() - began
        versions = f"{building.version(building.KUBERNETES)}, {building.version(building.KUEUE)}"
        took_part("Kubernetes, Kueue", f"{versions}, kubelet simulated, up in {self.took:.1f} s")

    def start_again(self, name: str) -> None:
        """Start one of the programs that was killed."""
        self._begin(name, *self._commands[name])

    def until_answers(self) -> None:
        """Wait until the API server is ready."""
        self.until(lambda: self.api.get("/readyz") == "ok", "kube-apiserver")

    def until_kueue_answers(self) -> None:
        """Wait until Kueue's webhooks take a Job, as a dry run."""
        pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": IMAGE}]}
        made = {"metadata": {"name": "probe"}, "spec": {"template": {"spec": pod}}}
        place = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs?dryRun=All"
        self.until(lambda: bool(self.api.post(place, made)), "Kueue")

    def until_quota(self, name: str) -> None:
        """Wait until Kubernetes enforces a ResourceQuota."""
        place = f"/api/v1/namespaces/{NAMESPACE}/resourcequotas/{name}"
        self.until(lambda: "hard" in self.api.get(place).get("status", {}), "the quota")

    def objects(self, kind: str) -> list[Any]:
        """All ``jobs``, ``pods`` or ``workloads`` of the person's namespace."""
        group = {"jobs": "apis/batch/v1", "pods": "api/v1"}.get(kind, "apis/kueue.x-k8s.io/v1beta2")
        found: list[Any] = self.api.get(f"/{group}/namespaces/{NAMESPACE}/{kind}")["items"]
        return found

    def settings(self, folder: Path) -> str:
        """The text of a configuration that sends jobs here; ``folder``: where jobs may work."""
        shared = [folder, _REPOSITORY, Path(sys.prefix)]
        mounts = [{"name": f"v{n}", "mountPath": str(path)} for n, path in enumerate(shared)]
        volumes = [
            {"name": f"v{n}", "hostPath": {"path": str(path)}} for n, path in enumerate(shared)
        ]
        environ = [{"name": name, "value": os.environ[name]} for name in ("PATH", "HOME")]
        container = {"name": "job", "image": IMAGE, "volumeMounts": mounts, "env": environ}
        pod = {"spec": {"containers": [container], "volumes": volumes}}
        template = folder / "pod.yaml"
        template.write_text(yaml.safe_dump(pod))
        options = {"priority": "interactive", "evictable_priority": "evictable"}
        return (
            f"c.Mlinfn.kubernetes_config = {str(self.kubeconfig)!r}\n"
            f"c.Mlinfn.kubernetes_template = {str(template)!r}\n"
            f"c.Mlinfn.kubernetes_options = {options!r}\n"
            "c.Mlinfn.kubernetes_poll_seconds = 0.5\n"
        )

    def act_as_session(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make a session's pod, and this process see what is seen from inside of it."""
        account = folder / "account"
        account.mkdir()
        (account / "token").write_text(self._tokens[PERSON])
        (account / "namespace").write_text(NAMESPACE)
        (account / "ca.crt").write_bytes(self._certificate.read_bytes())
        environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TZ": "Europe/Rome"}
        environ |= {"LANG": "C.UTF-8", "JUPYTERHUB_API_TOKEN": "a secret", "S3_SECRET": "a secret"}
        container = {
            "name": "notebook",
            "image": IMAGE,
            "command": ["sleep", "300"],
            "env": [{"name": name, "value": value} for name, value in environ.items()],
        }
        about = {"name": "jupyter-ada"}
        self.api.post(
            f"/api/v1/namespaces/{NAMESPACE}/pods",
            {"metadata": about, "spec": {"containers": [container]}},
        )
        told = {"HOSTNAME": "jupyter-ada", "KUBERNETES_SERVICE_HOST": "127.0.0.1"}
        for name, value in {**told, "KUBERNETES_SERVICE_PORT": str(self.port)}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("KUBECONFIG", raising=False)

    def known(self, job: str) -> int:
        """How many Jobs there are of this id that have not ended; one that is just ending has."""
        until = time.monotonic() + 10
        while True:
            jobs = [one for one in self.jobs(job) if not _has(one, "Complete", "Failed")]
            suspended = all(one["spec"].get("suspend") for one in jobs)
            if suspended or time.monotonic() > until:
                return len(jobs)
            time.sleep(0.2)

    def jobs(self, job: str) -> list[Any]:
        """All Jobs of this id."""
        present = self.objects("jobs")
        return [one for one in present if one["metadata"]["labels"].get(LABEL) == job]

    def delete_pods(self) -> None:
        """Take every pod away by hand, as an administrator may."""
        for pod in self.objects("pods"):
            self.api.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}")

    def clear(self) -> None:
        """Remove all jobs and wait until nothing is left."""
        for job in self.objects("jobs"):
            place = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{job['metadata']['name']}"
            with suppress(Said):
                self.api.delete(place, propagationPolicy="Background")
        for pod in self.objects("pods"):
            place = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}"
            with suppress(Said):
                self.api.delete(place, gracePeriodSeconds=3)
        empty = ("jobs", "pods", "workloads")
        self.until(lambda: not any(self.objects(kind) for kind in empty), "the end of all jobs")
        self.until(self._all_free, "Kueue's word that nothing is used")

    # --- inside ---------------------------------------------------------------------------------

    def _write_files(self) -> None:
        self._tokens = {name: secrets.token_hex(16) for name in ("admin", PERSON)}
        lines = [f"{self._tokens['admin']},admin,1,system:masters", f"{self._tokens[PERSON]},ada,2"]
        tokens = self.work / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text("\n".join(lines) + "\n")
        (self.work / "admin.token").write_text(self._tokens["admin"])
        key = self.work / "accounts.key"
        subprocess.run(
            ("openssl", "genrsa", "-out", str(key), "2048"), check=True, capture_output=True
        )
        self._certificate = self.work / "apiserver" / "apiserver.crt"
        for name in ("apiserver", "certificates", "pods"):
            (self.work / name).mkdir()
        self._write_kubeconfig(self.work / "admin.yaml", "admin", "default")
        self._write_kubeconfig(self.kubeconfig, PERSON, NAMESPACE)

    def _write_kubeconfig(self, path: Path, user: str, namespace: str) -> None:
        server = f"https://127.0.0.1:{self.port}"
        cluster = {"server": server, "certificate-authority": str(self._certificate)}
        context = {"cluster": "tests", "user": user, "namespace": namespace}
        made = {
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self._tokens[user]}}],
            "contexts": [{"name": "tests", "context": context}],
        }  # fmt: skip
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(made))

    def _start_store(self, port: int, peer: int) -> None:
        here, between = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
        self._control(
            "etcd", "--name=one", f"--data-dir={self.work}/etcd", "--unsafe-no-fsync",
            f"--listen-client-urls={here}", f"--advertise-client-urls={here}",
            f"--listen-peer-urls={between}", f"--initial-advertise-peer-urls={between}",
            f"--initial-cluster=one={between}", "--log-level=warn",
        )  # fmt: skip

    def _start_server(self, etcd: int) -> None:
        key = self.work / "accounts.key"
        self._control(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1", f"--secure-port={self.port}",
            "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
            f"--cert-dir={self.work}/apiserver", f"--token-auth-file={self.work}/tokens.csv",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
        )  # fmt: skip

    def _start_manager(self, name: str) -> None:
        more = ()
        if name == "kube-controller-manager":
            key = self.work / "accounts.key"
            more = (f"--controllers={_CONTROLLERS}", f"--service-account-private-key-file={key}")
        self._control(
            name, f"--kubeconfig={self.work}/admin.yaml", "--leader-elect=false",
            "--secure-port=0", *more,
        )  # fmt: skip

    def _start_kueue(self, webhook: int) -> None:
        folder, config = self.work / "certificates", self.work / "kueue.yaml"
        config.write_text(kueue.configuration(webhook, folder))
        self._begin(
            "kueue", str(self._programs.kueue), f"--config={config}",
            "--feature-gates=VisibilityOnDemand=false", "--zap-log-level=info",
        )  # fmt: skip
        self.until(lambda: kueue.certificates(self.api, folder), "Kueue's certificates")

    def _start_kubelet(self) -> None:
        import json

        self._begin(
            "kubelet", sys.executable, "-m", "tests.systems.kubernetes.kubelet", str(self.port),
            str(self._certificate), str(self.work / "admin.token"), str(self.work / "pods"),
            json.dumps(NODES),
        )  # fmt: skip

    def _make_person(self) -> None:
        """Her namespace, with what the page for admins says she needs and nothing more."""
        self.api.apply("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        for made in _roles():
            kind = made["kind"]
            place = "" if kind.startswith("Cluster") else f"/namespaces/{NAMESPACE}"
            self.api.apply(f"{rbac}{place}/{kind.lower()}s", made)

    def _queues_work(self) -> bool:
        kueue.make_queues(self.api, NAMESPACE, QUOTA)
        place = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{NAMESPACE}/localqueues/default"
        told = self.api.get(place).get("status", {}).get("conditions", ())
        return any(one["type"] == "Active" and one["status"] == "True" for one in told)

    def _nodes_ready(self) -> bool:
        nodes = self.api.get("/api/v1/nodes")["items"]
        taints = [taint["key"] for node in nodes for taint in node["spec"].get("taints", ())]
        return len(nodes) == len(NODES) and taints == [VIRTUAL]

    def _all_free(self) -> bool:
        queue = self.api.get("/apis/kueue.x-k8s.io/v1beta2/clusterqueues/shared")
        used = queue["status"].get("flavorsReservation", ())
        return all(one["total"] == "0" for flavour in used for one in flavour["resources"])

    def _control(self, name: str, *options: str) -> None:
        self._begin(name, str(self._programs.control), name, *options)

    def _begin(self, name: str, *argv: str) -> None:
        self._commands[name] = argv
        config = str(self.work / "admin.yaml")
        environ = {**os.environ, "KUBECONFIG": config, "PYTHONPATH": str(_REPOSITORY)}
        self.spawn(name, argv, environ)


def _has(item: Any, *kinds: str) -> bool:
    """Whether one of these conditions holds."""
    told = item.get("status", {}).get("conditions", ())
    return any(one["type"] in kinds and one["status"] == "True" for one in told)


def start() -> Kubernetes:
    """A running cluster. Raises :class:`Missing` with the reason, which is also noted."""
    return started(Kubernetes(), "Kubernetes, Kueue")


def _roles() -> list[Any]:
    """The roles of docs/kubernetes.md, bound to the person."""
    text = (_REPOSITORY / "docs" / "kubernetes.md").read_text()
    block = text.split("<!-- rights -->\n```yaml\n", 1)[1].split("```", 1)[0]
    roles = list(yaml.safe_load_all(block))
    user = {"kind": "User", "name": PERSON, "apiGroup": "rbac.authorization.k8s.io"}
    for role in list(roles):
        about = {"name": role["metadata"]["name"]}
        reference = {**about, "kind": role["kind"], "apiGroup": "rbac.authorization.k8s.io"}
        kind = f"{role['kind']}Binding"
        roles.append({"kind": kind, "metadata": about, "roleRef": reference, "subjects": [user]})
    return roles
