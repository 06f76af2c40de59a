"""What the pods of jobs look like: as a file says, as the session's own, and on virtual nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from jupyter_mlinfn.jobs.backends.kubernetes import offloading, template
from jupyter_mlinfn.jobs.backends.kubernetes.bucket import Bucket
from jupyter_mlinfn.jobs.backends.kubernetes.manifest import Place, manifest
from jupyter_mlinfn.jobs.backends.kubernetes.template import Session
from jupyter_mlinfn.jobs.backends.protocol import OffloadSettings, StagingSettings, offload_settings
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.kubernetes import ACCESS, ACCESS_FILE
from jupyter_mlinfn.model.kubernetes import FOLDER as IN_THE_POD
from tests.jobs.workplace import make_spec

FOLDER = Path("/data/mlinfn/jobs/abcdefghij")
POD: Mapping[str, Any] = {
    "metadata": {},
    "spec": {"containers": [{"name": "job", "image": "registry.invalid/session:1"}]},
}
ADA = Session(1000, 100, {"HOME": "/home/ada", "LANG": "it_IT.UTF-8"})

# --- the pod of a session -----------------------------------------------------------------------

SESSION: Mapping[str, Any] = {
    "metadata": {"name": "jupyter-ada", "labels": {"hub.jupyter.org/username": "ada"}},
    "spec": {
        "nodeName": "gpu-1",
        "serviceAccountName": "batch",
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "initContainers": [{"name": "init", "image": "x"}],
        "containers": [
            {"name": "proxy", "image": "mesh:1"},
            {
                "name": "notebook",
                "image": "session:2",
                "command": ["jupyterhub-singleuser"],
                "ports": [{"containerPort": 8888}],
                "resources": {"limits": {"nvidia.com/gpu": "1"}},
                "envFrom": [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "site"}}],
                "env": [
                    {"name": "LANG", "value": "C.UTF-8"},
                    {"name": "JUPYTERHUB_API_TOKEN", "value": "t"},
                    {"name": "AWS_SECRET_ACCESS_KEY", "value": "t"},
                    {"name": "DB", "value": "postgres://ada:pass@db/x"},
                    {"name": "PIN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                ],
                "volumeMounts": [
                    {"name": "home", "mountPath": "/home/ada"},
                    {"name": "grid", "mountPath": "/grid"},
                    {"name": "api", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
                ],
            },
        ],
        "volumes": [
            {"name": "home", "persistentVolumeClaim": {"claimName": "ada"}},
            {"name": "unused", "emptyDir": {}},
            {"name": "grid", "secret": {"secretName": "grid"}},
            {"name": "api", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        ],
    },
}


def test_a_job_gets_image_and_mounts_of_the_session_and_none_of_its_secrets() -> None:
    made = manifest("mlinfn-x", make_spec(), FOLDER, template.derived(SESSION, ADA), Place("batch"))
    kubernetes_validate.validate(made, "1.37", strict=True)
    spec = made["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == "session:2"
    assert [mount["name"] for mount in container["volumeMounts"]] == ["home"]
    assert [volume["name"] for volume in spec["volumes"]] == ["home"]
    names = {item["name"] for item in container["env"]}
    assert names == {"HOME", "LANG", "NODE", "MLINFN_POD", "MLINFN_NODE", "MLINFN_GRACE_SECONDS"}
    assert container["envFrom"] == [{"configMapRef": {"name": "site"}}]
    assert "nvidia.com/gpu" not in container["resources"]["limits"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["tolerations"]
    assert not {"nodeName", "serviceAccountName", "initContainers"} & spec.keys()
    assert "hub.jupyter.org/username" not in made["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize(
    "text", ["", "spec: [", "a: 1", "spec: {containers: []}", "spec: {containers: [{}]}", "- 1"]
)
def test_a_file_that_is_no_pod_is_told_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(text)
    with pytest.raises(Unavailable, match=r"pod\.yaml"):
        template.read(file)


def test_a_file_may_be_a_pod_or_its_spec(tmp_path: Path) -> None:
    for found in (dict(POD), POD["spec"]):
        (tmp_path / "pod.yaml").write_text(yaml.safe_dump(found))
        assert template.read(tmp_path / "pod.yaml")["spec"] == POD["spec"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REFRESH_TOKEN", "x"), ("IAM_CLIENT_SECRET", "x"), ("MINIO_ACCESSKEY", "x"),
        ("AWS_ACCESS_KEY_ID", "x"), ("SSH_KEYS", "x"), ("HTTP_AUTHORIZATION", "x"),
        ("SLACK_WEBHOOK_URL", "x"), ("SENTRY_DSN", "x"), ("JUPYTERHUB_USER", "ada"),
        ("STORE", "https://ada:pass@s3.example.org/x"), ("MEM_LIMIT", "1"),
    ],
)  # fmt: skip
def test_what_is_a_secret_by_name_or_value_stays_in_the_session(name: str, value: str) -> None:
    made = template.derived(_session(env=[{"name": name, "value": value}]), ADA)
    assert name not in {item["name"] for item in made["spec"]["containers"][0]["env"]}


@pytest.mark.parametrize("name", ["KEYBOARD", "IAM_SERVER", "AUTHOR", "OMP_NUM_THREADS"])
def test_what_only_looks_a_little_like_one_comes_along(name: str) -> None:
    made = template.derived(_session(env=[{"name": name, "value": "x"}]), ADA)
    assert name in {item["name"] for item in made["spec"]["containers"][0]["env"]}


def test_a_job_is_the_persons_as_her_session_is() -> None:
    """Images may begin as root, name the person and her home, and go on as her."""
    told = [{"name": "HOME", "value": "/root"}, {"name": "LANG", "value": "C.UTF-8"}]
    safe = {"allowPrivilegeEscalation": False, "runAsUser": 0}
    made = template.derived(_session(env=told, securityContext=safe), ADA)
    container = made["spec"]["containers"][0]
    asked = {"allowPrivilegeEscalation": False, "runAsUser": 1000, "runAsGroup": 100}
    assert container["securityContext"] == asked
    assert {item["name"]: item["value"] for item in container["env"]} == {
        "HOME": "/home/ada", "LANG": "C.UTF-8",
    }  # fmt: skip


def test_a_store_of_secrets_is_no_folder() -> None:
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("store", "cvmfs")]
    session = _session(volumeMounts=mounts)
    session["spec"]["volumes"] = [
        {"name": "store", "csi": {"driver": "secrets-store.csi.k8s.io"}},
        {"name": "cvmfs", "csi": {"driver": "cvmfs.csi.cern.ch"}},
    ]
    made = template.derived(session, ADA)["spec"]
    assert [volume["name"] for volume in made["volumes"]] == ["cvmfs"]
    assert [mount["name"] for mount in made["containers"][0]["volumeMounts"]] == ["cvmfs"]


# --- virtual nodes ------------------------------------------------------------------------------

LEONARDO = OffloadSettings(
    node_selector={"virtual-node.interlink/type": "virtual-kubelet"},
    annotations={"slurm-job.vk.io/flags": "--qos=boost"},
    folders=("/cvmfs",),
)


def test_a_pod_for_virtual_nodes_takes_along_only_what_can_be_there() -> None:
    mounts = [
        {"name": name, "mountPath": path}
        for name, path in (("home", "/home/ada"), ("cms", "/cvmfs/cms.cern.ch"), ("tmp", "/tmp"))
    ]
    session = _session(volumeMounts=mounts)
    session["spec"]["volumes"] = [
        {"name": "home", "persistentVolumeClaim": {"claimName": "ada"}},
        {"name": "cms", "hostPath": {"path": "/cvmfs/cms.cern.ch"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    here = template.derived(session, ADA)
    assert offloading.volumes(here) == ("/home/ada", "/cvmfs/cms.cern.ch", "/tmp")
    there = offloading.admitted(here, LEONARDO)
    made = manifest("mlinfn-x", make_spec(), FOLDER, there, Place("batch"))
    kubernetes_validate.validate(made, "1.37", strict=True)
    pod = made["spec"]["template"]
    assert pod["metadata"]["annotations"]["slurm-job.vk.io/flags"] == "--qos=boost"
    spec = pod["spec"]
    tolerated = {"key": "virtual-node.interlink/no-schedule", "operator": "Exists"}
    assert spec["tolerations"] == [*here["spec"]["tolerations"], tolerated]
    assert spec["nodeSelector"] == {"virtual-node.interlink/type": "virtual-kubelet"}
    assert {volume["name"] for volume in spec["volumes"]} == {"cms", "tmp"}
    assert {mount["name"] for mount in spec["containers"][0]["volumeMounts"]} == {"cms", "tmp"}
    assert len(offloading.volumes(here)) == 3, "the pods of other jobs stay as they are"


def test_what_a_site_says_of_virtual_nodes() -> None:
    assert offload_settings({}) is None
    told = offload_settings({"taint": "site/far", "folders": ["/cvmfs"]})
    assert told == OffloadSettings(taint="site/far", folders=("/cvmfs",))


# --- pods that see no folder of ours ------------------------------------------------------------


def test_a_staged_pod_finds_its_addresses_in_a_file_and_names_no_folder_of_ours() -> None:
    made = manifest("mlinfn-x", make_spec(), FOLDER, POD, Place("batch", staged="/opt/python"))
    kubernetes_validate.validate(made, "1.37", strict=True)
    spec = made["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"][0] == "/opt/python"
    assert container["command"][-2:] == [f"{ACCESS}/{ACCESS_FILE}", IN_THE_POD]
    assert str(FOLDER) not in str(made)
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert places == {"mlinfn": IN_THE_POD, "mlinfn-access": ACCESS}
    assert {"name": "mlinfn-access", "secret": {"secretName": "mlinfn-x"}} in spec["volumes"]


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file where S3's tools look for keys, while no variable tells them."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path / "credentials"


def test_keys_of_a_profile_sign_addresses(credentials: Path) -> None:
    credentials.write_text("[site]\naws_access_key_id = ada\naws_secret_access_key = very%secret\n")
    told = StagingSettings("jobs", "https://s3.example.org", prefix="ml", profile="site")
    address = Bucket(told).address("GET", "jobs/x/parcel", 3600)
    assert address.startswith("https://s3.example.org/jobs/ml/jobs/x/parcel?X-Amz-Algorithm=")
    assert "ada%2F" in address
    assert "very" not in address


@pytest.mark.parametrize(
    "text", ["", "[default]\n", "[default", "[other]\naws_access_key_id = a\n"]
)
def test_without_keys_the_store_is_silent_and_says_why(credentials: Path, text: str) -> None:
    credentials.write_text(text)
    with pytest.raises(Unavailable, match="no keys for S3"):
        Bucket(StagingSettings("jobs")).address("GET", "jobs/x/parcel", 3600)


def _session(**notebook: Any) -> dict[str, Any]:
    """A session's pod whose own container is otherwise."""
    containers = [{**one, **notebook} for one in SESSION["spec"]["containers"][1:]]
    return {**SESSION, "spec": {**SESSION["spec"], "containers": containers}}
