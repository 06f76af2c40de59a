"""What a Job may be: what our back-end writes passes, and nothing else does."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from jupyter_mlinfn.hub.broker.allowance import Allowance
from jupyter_mlinfn.hub.broker.checking import check_job
from jupyter_mlinfn.hub.broker.manifest import Job
from jupyter_mlinfn.hub.broker.passing import job_of
from jupyter_mlinfn.hub.broker.reading import read
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.errors import InputError, MlinfnError, Refused
from jupyter_mlinfn.model.kubernetes import OWNER
from tests.hub.broker.offers import BOB, GROUP, IMAGE, allow, book, job, sweep
from tests.jobs.workplace import make_spec

POD = ("spec", "template", "spec")
BOX = (*POD, "containers", 0)
_ONE = "A job has one container and no other."
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def may(tmp_path_factory: pytest.TempPathFactory) -> Allowance:
    return allow(book(tmp_path_factory.mktemp("offer")))


def passed(document: dict[str, Any], may: Allowance, *, kueue: bool = True) -> dict[str, Any]:
    """What Kubernetes would be told."""
    found = read(Job, json.dumps(document).encode())
    check_job(found, may, kueue=kueue)
    return job_of(found, may)


def refused(document: dict[str, Any], may: Allowance, *, kueue: bool = True) -> dict[str, str]:
    """The sentences by path."""
    with pytest.raises(MlinfnError) as caught:
        passed(document, may, kueue=kueue)
    assert isinstance(caught.value, InputError | Refused)
    assert all(one.field and one.text.endswith((".", "0")) for one in caught.value.problems)
    return {str(one.field): one.text for one in caught.value.problems}


def at(document: Any, *path: str | int) -> Any:
    for part in path:
        document = document[part]
    return document


def put(*path: str | int, value: Any) -> Change:
    """Sets what is there, or is not."""

    def change(document: dict[str, Any]) -> None:
        at(document, *path[:-1])[path[-1]] = value

    return change


def add(*path: str | int, value: Any) -> Change:
    """Appends to a list."""

    def change(document: dict[str, Any]) -> None:
        at(document, *path).append(value)

    return change


# --- what passes ------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", ["default", "closed"])
def test_what_our_back_end_writes_passes_and_is_whole(may: Allowance, queue: str) -> None:
    told = job(may, queue=queue)
    made = passed(told, may)
    kubernetes_validate.validate(made, "1.37", strict=True)
    assert at(made, "metadata", "namespace") == "jobs-ada"
    assert at(made, *POD, "nodeSelector") == {"pool": "ml"}
    assert at(made, *POD, "automountServiceAccountToken") is False
    assert "serviceAccountName" not in at(made, *POD)
    left = copy.deepcopy(made)
    for path in (("metadata", "namespace"), (*POD, "nodeSelector"), (*POD, "tolerations")):
        del at(left, *path[:-1])[path[-1]]
    del left["metadata"]["labels"]["jupyter-mlinfn/person"]
    at(left, *BOX, "env").pop()
    assert left == told


@pytest.mark.parametrize("points", [1, 40])
def test_sweeps_pass(may: Allowance, points: int) -> None:
    told = sweep(
        may,
        Array(points=f"0-{points - 1}" if points > 1 else "0", offset=0),
        make_spec(memory=2**30),
    )
    made = passed(told, may)
    kubernetes_validate.validate(made, "1.37", strict=True)
    assert at(made, "spec", "completionMode") == "Indexed"


def test_a_job_that_may_be_evicted_and_one_that_travels_pass(may: Allowance) -> None:
    spec = make_spec(memory=2**30, evictable=True)
    told = job(may, spec, priority="evictable", staged="/opt/conda/bin/python")
    made = passed(told, may)
    kubernetes_validate.validate(made, "1.37", strict=True)
    secrets = [one["secret"]["secretName"] for one in at(made, *POD, "volumes") if "secret" in one]
    # in the cluster it has a name that nobody else's can have
    assert secrets == [f"mlinfn-{spec.id}-{may.person.owner}"]


def test_without_kueue_there_is_no_queue(may: Allowance) -> None:
    assert passed(job(may, queue=None), may, kueue=False)["spec"]["suspend"] is False
    assert refused(job(may), may, kueue=False)
    assert refused(job(may, queue=None), may, kueue=True)


def test_accelerators_go_to_nodes_of_the_offer_alone(may: Allowance) -> None:
    spec = make_spec(memory=2**30, gpus=1)
    whole = passed(job(may, spec), may)
    (term,) = at(
        whole, *POD, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    )  # fmt: skip
    assert at(term, "matchExpressions", 0, "values") == ["Tesla-T4"]
    assert [one["key"] for one in at(whole, *POD, "tolerations")] == ["everywhere"]
    slice_ = passed(job(may, spec, gpu="nvidia.com/mig-1g.10gb"), may)
    assert [one["key"] for one in at(slice_, *POD, "tolerations")] == ["everywhere", "slices"]
    shown = {one["name"] for one in at(slice_, *BOX, "env")}
    assert "NVIDIA_VISIBLE_DEVICES" not in shown


def test_without_an_accelerator_a_pod_is_shown_none(may: Allowance) -> None:
    (said,) = [
        one["value"]
        for one in at(passed(job(may), may), *BOX, "env")
        if one["name"] == "NVIDIA_VISIBLE_DEVICES"
    ]
    assert said == "void"


# --- what does not ----------------------------------------------------------------------------

FORBIDDEN: dict[str, tuple[Change, str]] = {
    "privileged": (put(*BOX, "securityContext", "privileged", value=True), "securityContext"),
    "root": (put(*BOX, "securityContext", "runAsUser", value=0), "runAsUser"),
    "another user": (put(*BOX, "securityContext", "runAsUser", value=1001), "runAsUser"),
    "root allowed": (put(*BOX, "securityContext", "runAsNonRoot", value=False), "runAsNonRoot"),
    "escalation": (
        put(*BOX, "securityContext", "allowPrivilegeEscalation", value=True), "Escalation",
    ),
    "capabilities": (
        put(*BOX, "securityContext", "capabilities", value={"add": ["SYS_ADMIN"]}), "capabilities",
    ),
    "capabilities beside": (
        put(*BOX, "securityContext", "capabilities", "add", value=["SYS_ADMIN"]), "capabilities",
    ),
    "unconfined": (
        put(*BOX, "securityContext", "seccompProfile", value={"type": "Unconfined"}), "seccomp",
    ),
    "proc": (put(*BOX, "securityContext", "procMount", value="Unmasked"), "procMount"),
    "group of another": (
        put(*POD, "securityContext", value={"supplementalGroups": [2001, 0]}), "supplementalGroups",
    ),
    "fsGroup": (put(*POD, "securityContext", "fsGroup", value=0), "fsGroup"),
    "sysctls": (put(*POD, "securityContext", "sysctls", value=[{"name": "a"}]), "sysctls"),
    "host folder": (
        add(*POD, "volumes", value={"name": "h", "hostPath": {"path": "/"}}), "volumes",
    ),
    "host folder above the offer's": (
        put(*POD, "volumes", 0, "hostPath", value={"path": "/srv", "type": "Directory"}), "volumes",
    ),
    "another's home": (
        add(*POD, "volumes", value={"name": "h", "nfs": {"server": "nfs.example.org",
                                                         "path": "/home/bob", "readOnly": False}}),
        "volumes",
    ),
    "a claim": (
        add(*POD, "volumes", value={"name": "h", "persistentVolumeClaim": {"claimName": "bob"}}),
        "volumes",
    ),
    "a token of an account": (
        add(*POD, "volumes", value={"name": "t", "projected": {
            "sources": [{"serviceAccountToken": {"path": "token"}}]}}),
        "volumes",
    ),
    "another's secret": (
        add(*POD, "volumes", value={"name": "mlinfn-access", "secret": {"secretName": "mlinfn-b"}}),
        "volumes",
    ),
    "written where it was read": (put(*BOX, "volumeMounts", 0, "readOnly", value=False), "Mounts"),
    "mounted elsewhere": (put(*BOX, "volumeMounts", 0, "mountPath", value="/etc"), "Mounts"),
    "below a mount": (put(*BOX, "volumeMounts", 0, "subPath", value="../.."), "volumeMounts"),
    "another image": (put(*BOX, "image", value="registry.invalid/other:1"), "image"),
    "image of a digest": (put(*BOX, "image", value=f"{IMAGE}@sha256:{'0' * 64}"), "image"),
    "always pulled": (put(*BOX, "imagePullPolicy", value="Always"), "imagePullPolicy"),
    "pull secret": (add(*POD, "imagePullSecrets", value={"name": "admin"}), "imagePullSecrets"),
    "more CPUs": (put(*BOX, "resources", "limits", "cpu", value="3"), "limits.cpu"),
    "more memory": (
        put(*BOX, "resources", "limits", "memory", value=str(4 * 2**30 + 1)), "limits.memory",
    ),
    "memory with a unit": (put(*BOX, "resources", "limits", "memory", value="1Gi"), "memory"),
    "less sure than used": (put(*BOX, "resources", "requests", "cpu", value="0"), "requests"),
    "no limit": (put(*BOX, "resources", value={"requests": {}, "limits": {}}), "limits"),
    "a device of nobody's": (
        put(*BOX, "resources", "limits", "xilinx.com/fpga", value="1"), "xilinx.com/fpga",
    ),
    "more accelerators": (
        put(*BOX, "resources", value={
            kind: {"cpu": "1", "memory": "1024", "nvidia.com/gpu": "2"}
            for kind in ("requests", "limits")}),
        "limits",
    ),
    "a negative number": (
        put(*BOX, "resources", "limits", "nvidia.com/gpu", value="-1"), "nvidia.com/gpu",
    ),
    "devices by a variable": (
        add(*BOX, "env", value={"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}), "env",
    ),
    "secret in a variable": (
        add(*BOX, "env", value={"name": "X", "valueFrom": {
            "secretKeyRef": {"name": "hub", "key": "token"}}}),
        "secretKeyRef",
    ),
    "of the cluster in a variable": (
        add(*BOX, "env", value={"name": "X", "valueFrom": {
            "fieldRef": {"fieldPath": "metadata.labels"}}}),
        "fieldPath",
    ),
    "neither text nor field": (add(*BOX, "env", value={"name": "X"}), "env"),
    "secrets as variables": (
        add(*BOX, "envFrom", value={"secretRef": {"name": "hub"}}), "envFrom",
    ),
    "a second container": (add(*POD, "containers", value={"name": "side", "image": IMAGE}), "1"),
    "no container": (put(*POD, "containers", value=[]), "containers"),
    "init": (put(*POD, "initContainers", value=[{"name": "i", "image": IMAGE}]), "init"),
    "ephemeral": (put(*POD, "ephemeralContainers", value=[]), "ephemeralContainers"),
    "lifecycle": (put(*BOX, "lifecycle", value={}), "lifecycle"),
    "ports": (put(*BOX, "ports", value=[{"hostPort": 22}]), "ports"),
    "devices": (put(*BOX, "volumeDevices", value=[]), "volumeDevices"),
    "account": (put(*POD, "serviceAccountName", value="hub"), "serviceAccountName"),
    "old account": (put(*POD, "serviceAccount", value="hub"), "serviceAccount"),
    "its token": (put(*POD, "automountServiceAccountToken", value=True), "automount"),
    "token by nothing said": (
        lambda document: at(document, *POD).pop("automountServiceAccountToken"), "automount",
    ),
    "node": (put(*POD, "nodeName", value="master"), "nodeName"),
    "node selector": (put(*POD, "nodeSelector", value={}), "nodeSelector"),
    "affinity": (put(*POD, "affinity", value={}), "affinity"),
    "tolerations": (put(*POD, "tolerations", value=[{"operator": "Exists"}]), "tolerations"),
    "priority class": (put(*POD, "priorityClassName", value="system-node-critical"), "priority"),
    "runtime": (put(*POD, "runtimeClassName", value="nvidia"), "runtimeClassName"),
    "scheduler": (put(*POD, "schedulerName", value="mine"), "schedulerName"),
    "hosts": (put(*POD, "hostAliases", value=[]), "hostAliases"),
    "starts again": (put(*POD, "restartPolicy", value="OnFailure"), "restartPolicy"),
    "long grace": (put(*POD, "terminationGracePeriodSeconds", value=86400), "Grace"),
    "pod annotations": (
        put("spec", "template", "metadata", "annotations", value={"x": "y"}), "annotations",
    ),
    "pod labels": (
        put("spec", "template", "metadata", "labels", "hub.jupyter.org/network-access-hub",
            value="true"),
        "network-access-hub",
    ),
    "pod of another": (
        put("spec", "template", "metadata", "labels", OWNER, value=BOB.owner), OWNER,
    ),
    "job of another": (put("metadata", "labels", OWNER, value=BOB.owner), OWNER),
    "another id": (put("metadata", "labels", "jupyter-mlinfn/job", value="a" * 10), "job"),
    "another label": (put("metadata", "labels", "x", value="y"), "labels.x"),
    "annotation": (put("metadata", "annotations", "x", value="y"), "annotations.x"),
    "no token": (put("metadata", "annotations", value={}), "jupyter-mlinfn/token"),
    "owners": (put("metadata", "ownerReferences", value=[]), "ownerReferences"),
    "finalizers": (put("metadata", "finalizers", value=["x/y"]), "finalizers"),
    "namespace": (put("metadata", "namespace", value="kube-system"), "namespace"),
    "made name": (put("metadata", "generateName", value="mlinfn-"), "generateName"),
    "name": (put("metadata", "name", value="kube-proxy"), "metadata.name"),
    "traversal": (put("metadata", "name", value="mlinfn-abcdefghij/../x"), "metadata.name"),
    "queue": (put("metadata", "labels", "kueue.x-k8s.io/queue-name", value="others"), "queue"),
    "priority": (
        put("metadata", "labels", "kueue.x-k8s.io/priority-class", value="admins"), "priority",
    ),
    "past the queue": (put("spec", "suspend", value=False), "spec.suspend"),
    "no end": (put("spec", "activeDeadlineSeconds", value=None), "activeDeadlineSeconds"),
    "late end": (put("spec", "activeDeadlineSeconds", value=10**9), "activeDeadlineSeconds"),
    "tries": (put("spec", "backoffLimit", value=6), "backoffLimit"),
    "many pods": (put("spec", "parallelism", value=501), "parallelism"),
    "two pods": (put("spec", "completions", value=2), "completions"),
    "for ever": (put("spec", "ttlSecondsAfterFinished", value=10**9), "ttlSeconds"),
    "selector": (put("spec", "selector", value={}), "selector"),
    "manual": (put("spec", "manualSelector", value=True), "manualSelector"),
    "managed elsewhere": (put("spec", "managedBy", value="x"), "managedBy"),
    "status": (put("status", value={}), "status"),
    "another kind": (put("kind", value="CronJob"), "kind"),
    "another group": (put("apiVersion", value="apps/v1"), "apiVersion"),
    "text as truth": (put("spec", "suspend", value="true"), "spec.suspend"),
    "text as number": (put("spec", "completions", value="1"), "completions"),
    **{
        name: (put(*POD, name, value=True), name)
        for name in ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_is_forbidden_is_refused_with_its_path_and_a_sentence(
    may: Allowance, name: str
) -> None:
    change, where = FORBIDDEN[name]
    document = job(may)
    change(document)
    assert document != job(may)
    told = refused(document, may)
    assert any(where in field for field in told), told


def test_a_second_container_like_the_first_is_refused(may: Allowance) -> None:
    document = job(may)
    at(document, *POD, "containers").append(at(document, *BOX))
    assert refused(document, may) == {"spec.template.spec.containers": _ONE}


def test_every_mistake_is_told_at_once(may: Allowance) -> None:
    document = job(may)
    for name in ("another image", "more memory", "devices by a variable", "past the queue"):
        FORBIDDEN[name][0](document)
    assert len(refused(document, may)) >= 4


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b'"x"',
        '{"apiVersion": "batch/v1"}'.encode("utf-16"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(InputError):
        read(Job, body)


@pytest.mark.parametrize("key", ["kind", "name", "image"])
def test_a_key_that_is_there_twice_is_refused(may: Allowance, key: str) -> None:
    text = json.dumps(job(may))
    doubled = text.replace(f'"{key}":', f'"{key}": "a", "{key}":', 1)
    assert doubled != text
    with pytest.raises(InputError, match="twice"):
        read(Job, doubled.encode())


def test_the_offer_of_this_moment_counts(tmp_path: Path) -> None:
    found = book(tmp_path)
    with pytest.raises(Refused):
        allow(found, groups=())
    with pytest.raises(Refused, match="offers no jobs"):
        allow(found, profile="alone")
    with pytest.raises(InputError):
        allow(found, profile="gone")
    assert allow(found, groups=(GROUP,), cpu=1).cpu == 2
