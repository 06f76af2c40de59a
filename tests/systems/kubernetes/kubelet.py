"""A kubelet for tests: it runs the pods of its nodes as processes of this machine.

What is simulated is this alone: no image is pulled, no container is made, host paths are simply
there. Nodes, their leases, what they have, and the true state of each pod are told to a real API
server; a pod that is deleted gets SIGTERM, its grace, then SIGKILL.

A virtual node runs its pods where ``/tmp``, in which all that tests make lies, is another one.

``python -m tests.systems.kubernetes.kubelet PORT CA_FILE TOKEN_FILE LOGS NODES`` with NODES the
JSON ``{"name": {"cpu": "2", "nvidia.com/gpu": "2", …}}``; one with a ``taint`` is a virtual node of
interLink. An image whose name begins with ``missing`` is never pulled.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

import psutil

from tests.systems.kubernetes.api import Api, Said

_LOOK_EVERY = 0.15
_BEAT_EVERY = 5.0
_KEYED = re.compile(r"metadata\.(annotations|labels)\['(.+)'\]")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.][\w.-]*)\)")


@dataclass
class Run:
    """A pod's process, and what it was given."""

    process: subprocess.Popen[bytes]
    node: str
    devices: dict[str, list[str]]
    started: str
    told_at: float = 0.0
    over: bool = False


@dataclass
class Kubelet:
    """All nodes of one machine. ``free``: devices by node and resource."""

    api: Api
    nodes: dict[str, dict[str, str]]
    logs: Path
    runs: dict[str, Run] = field(default_factory=dict)
    free: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    beat: float = 0.0

    def register(self) -> None:
        """Make the nodes, and say that they are ready."""
        for name, has in self.nodes.items():
            labels = {"kubernetes.io/hostname": name}
            spec = {}
            if taint := has.get("taint", ""):
                labels["virtual-node.interlink/type"] = "virtual-kubelet"
                spec["taints"] = [{"key": taint, "value": "true", "effect": "NoSchedule"}]
            about = {"name": name, "labels": labels}
            node = {"kind": "Node", "apiVersion": "v1", "metadata": about, "spec": spec}
            self.api.apply("/api/v1/nodes", node)
            self.free[name] = {
                resource: [f"GPU-{name}-{resource.split('/')[1]}-{n}" for n in range(int(number))]
                for resource, number in has.items()
                if "/" in resource
            }
        self._beats()

    def run(self) -> None:
        """For ever: pods are looked at, nodes stay ready."""
        while True:
            try:
                if time.monotonic() - self.beat > _BEAT_EVERY:
                    self._beats()
                for pod in self.api.get("/api/v1/pods")["items"]:
                    if pod["spec"].get("nodeName") in self.nodes:
                        self._look(pod)
            except (OSError, Said) as error:
                print(f"{_now()} {error}", flush=True)
                time.sleep(0.5)
            time.sleep(_LOOK_EVERY)

    # --- nodes ----------------------------------------------------------------------------------

    def _beats(self) -> None:
        self.beat = time.monotonic()
        for name, has in self.nodes.items():
            has = {"pods": "110", **{key: much for key, much in has.items() if key != "taint"}}
            ready = {
                "type": "Ready", "status": "True", "reason": "KubeletReady",
                "message": "simulated", "lastHeartbeatTime": _now(), "lastTransitionTime": _now(),
            }  # fmt: skip
            told = {"capacity": has, "allocatable": has, "conditions": [ready]}
            self.api.merge(f"/api/v1/nodes/{name}/status", {"status": told})
            self._lease(name)

    def _lease(self, name: str) -> None:
        place = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now}
        try:
            self.api.merge(f"{place}/{name}", {"spec": spec})
        except Said:
            kind = {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1"}
            self.api.apply(place, {**kind, "metadata": {"name": name}, "spec": spec})

    # --- pods -----------------------------------------------------------------------------------

    def _look(self, pod: Any) -> None:
        uid, leaving = pod["metadata"]["uid"], pod["metadata"].get("deletionTimestamp")
        run = self.runs.get(uid)
        if run is None:
            if pod["status"].get("phase") in ("Succeeded", "Failed"):
                if leaving:
                    self._forget(pod)
            elif leaving:
                self._tell(pod, "Failed", None)
                self._forget(pod)
            elif not _waiting(pod):
                self._start(pod)
            return
        code = run.process.poll()
        if leaving and code is None:
            self._end(pod, run)
        if code is not None and not run.over:
            run.over = True
            _kill_all(run)
            for resource, names in run.devices.items():
                self.free[run.node][resource] += names
            self._tell(pod, "Succeeded" if code == 0 else "Failed", run)
        if leaving and run.over:
            self._forget(pod)

    def _start(self, pod: Any) -> None:
        container = pod["spec"]["containers"][0]
        if container["image"].startswith("missing"):
            self._tell_waiting(pod, container)
            return
        node = pod["spec"]["nodeName"]
        devices = self._devices(node, container)
        environ = {"PATH": os.environ["PATH"], "HOSTNAME": pod["metadata"]["name"]}
        environ |= {item["name"]: _value(item, pod) for item in container.get("env", ())}
        if devices:
            given = [name for names in devices.values() for name in names]
            environ["NVIDIA_VISIBLE_DEVICES"] = ",".join(given)
        words = [*container.get("command", ()), *container.get("args", ())]
        words = [_expand(word, environ) for word in words]
        if "taint" in self.nodes[node]:
            words = self._elsewhere(pod, words)
        log = (self.logs / f"{pod['metadata']['name']}.log").open("ab")
        try:
            process = subprocess.Popen(
                words,
                env=environ,
                cwd=container.get("workingDir", "/"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            log.close()
        run = Run(process, node, devices, _now())
        self.runs[pod["metadata"]["uid"]] = run
        self._tell(pod, "Running", run)

    def _elsewhere(self, pod: Any, words: list[str]) -> list[str]:
        """The same command where ``/tmp`` is another one, with what the pod's volumes bring."""
        about, lines = pod["metadata"], ["mount -t tmpfs elsewhere /tmp"]
        named = {one["name"]: one for one in pod["spec"].get("volumes", ())}
        if any(
            one.get("hostPath", {}).get("path", "").startswith("/tmp/") for one in named.values()
        ):
            return words  # a site that sees the same folders
        for mount in pod["spec"]["containers"][0].get("volumeMounts", ()):
            volume, path = named[mount["name"]], mount["mountPath"]
            if "emptyDir" in volume or "secret" in volume:
                lines.append(f"mkdir -p {quote(path)}")
            if "secret" in volume:
                name = volume["secret"]["secretName"]
                secret = self.api.get(f"/api/v1/namespaces/{about['namespace']}/secrets/{name}")
                for file, text in secret["data"].items():
                    lines.append(f"echo {text} | base64 -d > {quote(f'{path}/{file}')}")
        lines.append('exec "$@"')
        return [
            "unshare",
            "-m",
            "--propagation",
            "private",
            "sh",
            "-ec",
            "\n".join(lines),
            "sh",
            *words,
        ]

    def _devices(self, node: str, container: Any) -> dict[str, list[str]]:
        asked = container.get("resources", {}).get("limits", {})
        taken = {}
        for resource in asked.keys() & self.free[node].keys():
            store, number = self.free[node][resource], int(asked[resource])
            taken[resource], self.free[node][resource] = store[:number], store[number:]
        return taken

    def _end(self, pod: Any, run: Run) -> None:
        """SIGTERM to the container's first process; when its grace is over, SIGKILL to all."""
        grace = pod["metadata"].get("deletionGracePeriodSeconds", 30)
        if not run.told_at:
            run.told_at = time.monotonic()
            run.process.send_signal(signal.SIGTERM)
        elif time.monotonic() - run.told_at > grace:
            _kill_all(run)

    def _tell(self, pod: Any, phase: str, run: Run | None) -> None:
        ready = "True" if phase == "Running" else "False"
        told: dict[str, Any] = {
            "phase": phase,
            "conditions": _conditions(pod, Initialized="True", Ready=ready, ContainersReady=ready),
        }
        if run is not None:
            told |= {"startTime": run.started, "hostIP": "127.0.0.1", "podIP": "127.0.0.1"}
            state: dict[str, Any] = {"running": {"startedAt": run.started}}
            if phase != "Running":
                code = run.process.returncode
                code = 128 - code if code < 0 else code
                state = {
                    "terminated": {
                        "exitCode": code, "reason": "Completed" if code == 0 else "Error",
                        "startedAt": run.started, "finishedAt": _now(),
                    }
                }  # fmt: skip
            told["containerStatuses"] = [_status(pod, state)]
        self._patch(pod, told)

    def _tell_waiting(self, pod: Any, container: Any) -> None:
        why = f'Back-off pulling image "{container["image"]}"'
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": why}}
        told = {"startTime": _now(), "containerStatuses": [_status(pod, waiting)]}
        self._patch(pod, {"phase": "Pending", **told})

    def _patch(self, pod: Any, status: Any) -> None:
        try:
            self.api.merge(f"{_path(pod)}/status", {"status": status})
        except Said as error:
            if error.code != 404:
                raise

    def _forget(self, pod: Any) -> None:
        uid = pod["metadata"]["uid"]
        try:
            self.api.delete(_path(pod), gracePeriodSeconds=0, preconditions={"uid": uid})
        except Said as error:
            if error.code not in (404, 409):
                raise

    def stop(self, *_about: object) -> None:
        """End every pod's processes, and this one."""
        for run in self.runs.values():
            _kill_all(run)
        os._exit(0)


def _kill_all(run: Run) -> None:
    """What a container's end does to its processes, those that left the group too."""
    try:
        below = psutil.Process(run.process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        below = []
    for child in below:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    with suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGKILL)


def _waiting(pod: Any) -> bool:
    return any("waiting" in one["state"] for one in pod["status"].get("containerStatuses", ()))


def _status(pod: Any, state: dict[str, Any]) -> dict[str, Any]:
    container = pod["spec"]["containers"][0]
    return {
        "name": container["name"], "image": container["image"], "imageID": "simulated",
        "ready": "running" in state, "restartCount": 0, "state": state,
    }  # fmt: skip


def _conditions(pod: Any, **told: str) -> list[dict[str, str]]:
    """Those of others (PodScheduled, DisruptionTarget) stay."""
    kept = [one for one in pod["status"].get("conditions", ()) if one["type"] not in told]
    ours = [
        {"type": name, "status": value, "lastTransitionTime": _now()}
        for name, value in told.items()
    ]
    return [*kept, *ours]


def _value(item: Any, pod: Any) -> str:
    if "value" in item:
        return str(item["value"])
    path = item.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
    if named := _KEYED.fullmatch(path):
        return str(pod["metadata"].get(named[1], {}).get(named[2], ""))
    found: Any = pod
    for step in path.split("."):
        found = found.get(step, "") if isinstance(found, dict) else ""
    return str(found)


def _expand(word: str, environ: dict[str, str]) -> str:
    """As Kubernetes does: ``$(NAME)`` is the variable if there is one, ``$$`` is ``$``."""

    def put(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else environ.get(match[1], match[0])

    return _REFERENCE.sub(put, word)


def _path(pod: Any) -> str:
    about = pod["metadata"]
    return f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main(argv: list[str]) -> None:
    """Run until told to end."""
    port, ca, token, logs, nodes = argv[1:]
    api = Api(int(port), ca, Path(token).read_text().strip())
    kubelet = Kubelet(api, json.loads(nodes), Path(logs))
    signal.signal(signal.SIGTERM, kubelet.stop)
    kubelet.register()
    kubelet.run()


if __name__ == "__main__":
    main(sys.argv)
