"""A stand-in for INFN's vkd, whose server is not public: five endpoints before a real Kubernetes.

Like vkd it clones the pod of a session into Jobs, and Kueue starts them. What it takes and answers
is what vkd's public client sends and reads (GitHub, landerlini/vkd-client at 35e1a62:
``vkd_client/templates/*.yaml``, ``BaseProcessor.py``, ``queue_tools.py``, ``__main__.py``,
``submit.yaml``, ``test.yaml``): a field that is not named there is refused. Names get the person's
before and five letters behind them, as ``test.yaml`` shows, so one that is asked for twice makes
two jobs. The files of ``sandbox`` lie in a folder of this machine.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tests.systems.answering import Answering
from tests.systems.kubernetes.api import Said
from tests.systems.kubernetes.control import IMAGE, NAMESPACE, PERSON, Kubernetes

TOKEN = "the-hub-s-own-token"
PRIORITIES = {"lowest": -100, "lower": -80, "higher": -50, "highest": -20, "fire": -10}
ILLNESSES = ("401", "403", "404", "500", "503", "302", "sleeps", "drips", "cut", "half", "html",
             "garbage", "null", "object", "numbers")  # fmt: skip
SESSION = "jupyter-ada"

_KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
_QUEUE = "kueue.x-k8s.io/queue-name"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_QUANTITY = r"[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi|Ti)?"
_SMALL = 10 * 2**30


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Volumes(_Asked):
    nfs: list[str] = []
    juicefs: list[str] = []


class Offloading(_Asked):
    enabled: bool
    node_name: str | None = None


class Bunshin(_Asked):
    """``templates/from_snakemake.yaml`` and ``submit.yaml``."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$")
    queue: str
    priority: Literal["lowest", "lower", "higher", "highest", "fire"] = "lowest"
    original_pod: str | None = SESSION
    script: str = Field(pattern=r"^/sandbox/[A-Za-z0-9._-]+$")
    sandbox: dict[str, str]
    completions: int = Field(default=1, ge=1)
    cpu_request: float | str = 1
    memory_request: str = Field(default="1Gi", pattern=f"^{_QUANTITY}$")
    gpu_memory_request: str | None = Field(default=None, pattern=r"^[0-9]+Mi$")
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int = 3600
    volumes: Volumes = Volumes()
    cvmfs_provisioning: Literal["none", "pvc-csi"] = "none"
    juicefs_provisioning: Literal["none", "pvc-csi", "sidecar"] = "none"
    offloading: Offloading = Offloading(enabled=False)
    provide_output_url: bool = False


class Named(_Asked):
    """``templates/kill.yaml``."""

    name: str


class Logs(_Asked):
    """``templates/logs.yaml``, ``test.yaml``."""

    job_name: str
    job_completion_index: int | None = None
    container: str | None = None


class Listener:
    """A REST service on loopback that wants :data:`TOKEN`; ``act`` does what is asked.

    ``ill(method, resource)`` names an illness, or is empty for a true answer; ``lost``: it was
    done, and nobody hears of it. ``asked`` holds what came: method, resource, body, headers.
    """

    def __init__(self, act: Callable[[str, str, Any], tuple[int, Any]]) -> None:
        self._act = act
        self.ill: Callable[[str, str], str] = lambda _method, _resource: ""
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []
        self._service = Answering(self.handle)
        self.close = self._service.close

    @property
    def url(self) -> str:
        """For ``VKD_API_URL``."""
        return f"{self._service.address}/api/v1"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """One request."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        method, resource = request.command, request.path.removeprefix("/api/v1/")
        asked = json.loads(body) if body else None
        self.asked.append((method, resource, asked, dict(request.headers)))
        illness = self.ill(method, resource)
        if illness in ("sleeps", "cut"):
            time.sleep(3 if illness == "sleeps" else 0)
            request.close_connection = True
            return
        if illness.isdigit():
            answer(request, int(illness), b'{"detail": "ill"}')
            return
        if request.headers.get("Authorization") != f"token {TOKEN}":
            answer(request, 403, b'{"message": "Forbidden"}')
            return
        status, told = self._act(method, resource, asked)
        if illness == "lost":
            request.close_connection = True
            return
        answer(request, status, _spoilt(illness, json.dumps(told).encode()), illness == "drips")


class Vkd(Listener):
    """The five endpoints. ``plain``: of a job's status it tells the numbers of pods alone."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes
        self._api = kubernetes.api
        self._sandboxes = kubernetes.work / f"sandboxes-{secrets.token_hex(3)}"
        self._sandboxes.mkdir()
        self.plain = False
        for name, value in PRIORITIES.items():
            made = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "WorkloadPriorityClass"}
            made |= {"metadata": {"name": name}, "value": value}
            self._api.apply(f"{_KUEUE}/workloadpriorityclasses", made)
        self._make_session()
        super().__init__(self._do)

    def settings(self, **more: Any) -> str:
        """The text of a configuration that sends jobs here, with a token in a file."""
        token = self._sandboxes / "token"
        token.write_text(f"{TOKEN}\n")
        told = {"url": self.url, "token_file": str(token), "points": 2, **more}
        return (
            f"c.Mlinfn.kubernetes_vkd = {told!r}\n"
            "c.Mlinfn.kubernetes_options = {'queue': 'shared'}\n"
            "c.Mlinfn.kubernetes_poll_seconds = 0.5\n"
        )

    def jobs(self, job: str) -> list[Any]:
        """The Jobs of one of our ids."""
        present = self._kubernetes.objects("jobs")
        return [one for one in present if f"mlinfn-{job}-" in one["metadata"]["name"]]

    def known(self, job: str) -> int:
        """How many of them have not ended; one that is just ending has."""
        until = time.monotonic() + 10
        while True:
            going = [one for one in self.jobs(job) if not _is_over(one)]
            if all(one["spec"].get("suspend") for one in going) or time.monotonic() > until:
                return len(going)
            time.sleep(0.2)

    def begin(self, name: str, cpus: int, seconds: int) -> None:
        """Somebody's interactive work, which Kueue prefers to all that vkd makes."""
        container = {
            "name": "notebook", "image": IMAGE, "command": ["sleep", str(seconds)],
            "resources": {"requests": {"cpu": str(cpus)}, "limits": {"cpu": str(cpus)}},
        }  # fmt: skip
        labels = {_QUEUE: "default", "kueue.x-k8s.io/priority-class": "interactive"}
        pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        spec = {"suspend": True, "template": pod}
        self._api.post(_JOBS, {"metadata": {"name": name, "labels": labels}, "spec": spec})

    def kill(self, name: str) -> None:
        """Remove a job, as somebody does with ``vkd kill``; or that interactive work."""
        self._api.delete(f"{_JOBS}/{name}", propagationPolicy="Background")

    # --- the endpoints --------------------------------------------------------------------------

    def _do(self, method: str, resource: str, asked: Any) -> tuple[int, Any]:
        acts: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("POST", "bunshinjobs"): self._submit,
            ("GET", "jobs"): self._jobs,
            ("DELETE", "jobs"): self._remove,
            ("GET", "logs"): self._logs,
            ("GET", "clusterqueues"): self._queues,
        }
        act = acts.get((method, resource))
        if act is None:
            return 404, {"detail": "Not Found"}
        try:
            return 200, act(asked)
        except ValidationError as error:
            return 422, {"detail": error.errors(include_url=False, include_context=False)}
        except Said as error:
            return error.code, {"detail": str(error)}

    def _submit(self, asked: Any) -> list[str]:
        return [self._make(one) for one in TypeAdapter(list[Bunshin]).validate_python(asked)]

    def _make(self, asked: Bunshin) -> str:
        name = f"{PERSON}-{asked.name}-{secrets.token_hex(3)[:5]}"
        sandbox = self._sandboxes / name
        sandbox.mkdir()
        for file, text in asked.sandbox.items():
            assert "/" not in file
            (sandbox / file).write_text(text)
        pod = self._api.get(f"{_PODS}/{asked.original_pod or SESSION}")
        (own,) = (one for one in pod["spec"]["containers"] if one["name"] == "notebook")
        resources = _resources(asked)
        container = {
            **{key: own[key] for key in ("name", "image", "env") if key in own},
            "command": ["bash", asked.script.replace("/sandbox", str(sandbox))],
            "resources": {"requests": resources, "limits": resources},
        }
        many = asked.completions
        spec = {
            "suspend": True,
            "completions": many,
            "parallelism": many,
            "completionMode": "Indexed" if many > 1 else "NonIndexed",
            "backoffLimit": 0,
            "activeDeadlineSeconds": asked.active_deadline_seconds,
            "ttlSecondsAfterFinished": asked.ttl_seconds_after_finished,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        }
        labels = {
            _QUEUE: self._local_queue(asked.queue),
            "kueue.x-k8s.io/priority-class": asked.priority,
            "vkd-queue": asked.queue,
        }
        self._api.post(_JOBS, {"metadata": {"name": name, "labels": labels}, "spec": spec})
        return name

    def _jobs(self, _asked: Any) -> list[Any]:
        return [
            {
                "user": PERSON,
                "name": one["metadata"]["name"],
                "queue": one["metadata"]["labels"]["vkd-queue"],
                "spec": one["spec"],
                "status": self._status(one),
            }
            for one in self._kubernetes.objects("jobs")
            if "vkd-queue" in one["metadata"].get("labels", {})
        ]

    def _status(self, job: Any) -> Any:
        status = job.get("status") or {}
        numbers = ("active", "succeeded", "failed")
        return {key: status[key] for key in numbers if key in status} if self.plain else status

    def _remove(self, asked: Any) -> list[str]:
        names = [one.name for one in TypeAdapter(list[Named]).validate_python(asked)]
        for name in names:
            self._api.delete(f"{_JOBS}/{name}", propagationPolicy="Background")
        return names

    def _logs(self, asked: Any) -> dict[str, str]:
        wanted = Logs.model_validate(asked)
        if wanted.container not in (None, "notebook"):
            raise Said(404, f"no container {wanted.container}")
        found = {}
        for pod in self._kubernetes.objects("pods"):
            about = pod["metadata"]
            if about.get("labels", {}).get("batch.kubernetes.io/job-name") == wanted.job_name:
                log = self._kubernetes.work / "pods" / f"{about['name']}.log"
                found[about["name"]] = log.read_text() if log.exists() else ""
        return found

    def _queues(self, _asked: Any) -> list[Any]:
        items = self._api.get(f"{_KUEUE}/clusterqueues")["items"]
        return [
            {"name": one["metadata"]["name"], "spec": one["spec"], "status": one.get("status", {})}
            for one in items
        ]

    def _local_queue(self, queue: str) -> str:
        items = self._api.get(f"{_KUEUE}/namespaces/{NAMESPACE}/localqueues")["items"]
        found = [one for one in items if one["spec"]["clusterQueue"] == queue]
        if not found:
            raise Said(400, f"no queue {queue}")
        return str(found[0]["metadata"]["name"])

    def _make_session(self) -> None:
        environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TZ": "Europe/Rome"}
        environ["JUPYTERHUB_API_TOKEN"] = "a secret"
        container = {
            "name": "notebook",
            "image": IMAGE,
            "command": ["sleep", "3000"],
            "env": [{"name": name, "value": value} for name, value in environ.items()],
        }
        spec = {"containers": [container]}
        self._api.apply(_PODS, {"metadata": {"name": SESSION}, "spec": spec})


def answer(request: BaseHTTPRequestHandler, status: int, told: bytes, drips: bool = False) -> None:
    """Send it, whole or byte by byte."""
    told = told.ljust(400) if drips else told
    request.send_response(status)
    if status == 302:
        request.send_header("Location", "/hub/login")
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(told)))
    request.end_headers()
    if not drips:
        request.wfile.write(told)
        return
    try:
        for byte in told[:40]:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            time.sleep(0.1)
    except OSError:
        return
    finally:
        request.close_connection = True


def _spoilt(illness: str, told: bytes) -> bytes:
    return {
        "half": told[: len(told) // 2],
        "html": b"<html>Log in</html>",
        "garbage": b"\x00\xff" * 500,
        "null": b"null",
        "object": b'{"detail": "nothing"}',
        "numbers": b"[1, 2]",
    }.get(illness, told)


def _resources(asked: Bunshin) -> dict[str, str]:
    """The smallest GPU that has the memory, as vkd picks the flavour."""
    found = {"cpu": str(asked.cpu_request), "memory": asked.memory_request}
    if asked.gpu_memory_request:
        size = int(asked.gpu_memory_request.removesuffix("Mi")) * 2**20
        found["nvidia.com/mig-1g.10gb" if size <= _SMALL else "nvidia.com/gpu"] = "1"
    return found


def _is_over(job: Any) -> bool:
    told = job.get("status", {}).get("conditions", ())
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in told)
