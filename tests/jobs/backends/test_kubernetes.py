"""Jobs on a real Kubernetes with Kueue: what only they have."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import yaml

from jupyter_mlinfn.jobs.backends.kubernetes import backend as backend_module
from jupyter_mlinfn.jobs.backends.kubernetes import calls
from jupyter_mlinfn.jobs.backends.kubernetes.backend import KubernetesBackend
from jupyter_mlinfn.model.errors import PartMissing
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, RerunRequest, Resources
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.workplace import code, write_notebook
from tests.systems.kubernetes.control import IMAGE, LABEL, NAMESPACE, Kubernetes

pytestmark = [pytest.mark.system, pytest.mark.slow]

GIB = 2**30
SLEEPS = "import time; time.sleep(300)"


def until_told(desk: Desk, job: str, words: str) -> JobRecord:
    """Wait until the job's reason holds these words."""
    until = time.monotonic() + 30
    while words not in ((record := desk.look(job)).reason or record).model_dump_json():
        assert time.monotonic() < until, record.reason
        time.sleep(0.2)
    return record


def test_the_job_is_one_job_with_its_token_and_nothing_of_a_person(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    job = kubernetes_desk.submit("print(1)", name="Ada's secret name", queue="closed")
    (made,) = kubernetes.jobs(job.id)
    spec = kubernetes_desk.bench.folders.read_spec(job.id)
    assert made["metadata"]["name"] == job.backend_id == f"mlinfn-{job.id}"
    assert made["metadata"]["annotations"]["jupyter-mlinfn/token"] == spec.token
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "closed"
    assert made["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "interactive"
    assert made["spec"]["suspend"] is True
    assert "Ada" not in str(made).replace("'", "")


def test_a_gpu_of_a_size_is_the_smallest_slice_that_has_it(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    cell = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    job = kubernetes_desk.submit(cell, gpus=1, gpu_memory=5 * GIB)
    (made,) = kubernetes.jobs(job.id)
    asked = made["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert asked["nvidia.com/mig-1g.10gb"] == "1"
    done = kubernetes_desk.until(job.id, "succeeded")
    assert "mig-1g.10gb" in texts(done.output)[0]


def test_a_job_behind_others_says_why_and_where_it_stands(kubernetes_desk: Desk) -> None:
    desk = kubernetes_desk
    first = desk.submit(SLEEPS, cpus=2)
    desk.until(first.id, "running")
    second = desk.submit("print(2)", cpus=2, file="second.ipynb")
    time.sleep(1.1)  # Kubernetes tells times in whole seconds
    third = desk.submit("print(3)", cpus=2, file="third.ipynb")
    told = until_told(desk, third.id, "number 2 of 2").reason
    assert told is not None
    assert told.code == "waits-in-queue"
    next_one = until_told(desk, second.id, "until enough of its quota is free").reason
    assert next_one is not None
    assert "insufficient unused quota for cpu" in next_one.text
    assert "number 1 of 2" in next_one.text
    desk.bench.actions.cancel(first.id)
    assert texts(desk.until(second.id, "succeeded").output) == ["2\n"]
    assert texts(desk.until(third.id, "succeeded").output) == ["3\n"]


def test_an_image_that_cannot_be_had_is_told(kubernetes_desk: Desk) -> None:
    desk = kubernetes_desk
    template = desk.root / "pod.yaml"
    pod = yaml.safe_load(template.read_text())
    pod["spec"]["containers"][0]["image"] = "missing/session:1"
    template.write_text(yaml.safe_dump(pod))
    job = desk.submit("print(1)")
    told = until_told(desk, job.id, "cannot get the container image")
    assert told.reason is not None
    assert (told.state, told.reason.code) == ("queued", "held")
    assert "missing/session:1" in told.reason.text
    desk.bench.actions.cancel(job.id)
    assert desk.until(job.id, "cancelled").attempts == 0


def test_a_job_without_room_on_any_machine_says_so(kubernetes_desk: Desk) -> None:
    """Kueue has quota for it, and no machine is so large."""
    desk = kubernetes_desk
    job = desk.submit("print(1)", cpus=3)
    told = until_told(desk, job.id, "Insufficient cpu")
    assert told.reason is not None
    assert (told.state, told.reason.code) == ("queued", "waits-in-queue")
    desk.bench.actions.cancel(job.id)
    desk.until(job.id, "cancelled")


def test_a_job_that_was_deleted_there_is_cancelled_and_says_where(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    desk = kubernetes_desk
    job = desk.submit("print(1)", queue="closed")
    place = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{job.backend_id}"
    kubernetes.api.delete(place, propagationPolicy="Background")
    done = desk.until(job.id, "cancelled")
    assert done.reason is not None
    assert "cancelled in Kubernetes" in done.reason.text


def test_a_program_killed_from_outside_is_no_success(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    """Taken away with no grace, before it could say a word."""
    desk = kubernetes_desk
    job = desk.submit("print('so far')", SLEEPS)
    desk.until(job.id, "running")
    desk.until_partial(job.id, ["so far\n"])
    (pod,) = kubernetes.objects("pods")
    place = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}"
    kubernetes.api.delete(place, gracePeriodSeconds=1)
    done = desk.until(job.id, "failed")
    assert done.reason is not None
    assert done.reason.code == "preempted", desk.story(job.id)
    assert done.attempts == 1


def test_the_offer_tells_queues_and_quotas(kubernetes_desk: Desk) -> None:
    backend = kubernetes_desk.bench.backends["kubernetes"]
    queues = {queue.name: queue for queue in backend.queues()}
    assert set(queues) == {"default", "closed"}
    assert queues["default"].default
    assert (queues["default"].cpus, queues["default"].memory) == (3, 6 * GIB)
    assert queues["default"].gpus == 6
    assert queues["default"].gpu_models == ("gpu", "mig-1g.10gb")
    assert queues["default"].free is not None
    assert queues["default"].free.cpus == 3
    assert "Closed" in queues["closed"].text
    assert backend.limits().cpus == 3
    assert backend.forecast(Resources()).starts_now
    assert not backend.forecast(Resources(), "closed").starts_now
    assert not backend.forecast(Resources(cpus=4)).starts_now


@pytest.mark.parametrize(
    ("asked", "code", "named"),
    [
        ({"queue": "night"}, "unknown-queue", "closed, default"),
        ({"charge": "ml"}, "unknown-queue", "closed, default"),
        ({"queue": "closed", "charge": "default"}, "unknown-charge", "queue is what pays"),
        ({"resources": Resources(gpus=5)}, "asks-too-much", "4 GPUs"),
        ({"resources": Resources(gpus=1, gpu_memory=90 * GIB)}, "asks-too-much", "mig-1g.10gb"),
        ({"resources": Resources(memory=7 * GIB)}, "asks-too-much", "6.0 GiB"),
    ],
)
def test_what_kueue_could_never_admit_is_a_problem_of_the_draft(
    kubernetes_desk: Desk, asked: dict[str, object], code: str, named: str
) -> None:
    kubernetes_desk.submit("print(1)", file="other.ipynb", queue="closed")
    source = str(kubernetes_desk.work / "other.ipynb")
    request = JobRequest(source=source, backend="kubernetes", **asked)
    draft = kubernetes_desk.bench.submission.draft(request)
    assert [problem.code for problem in draft.problems] == [code]
    assert named in draft.problems[0].text


def test_without_rights_on_the_quotas_the_queues_are_still_offered(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    place = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    binding = kubernetes.api.get(f"{place}/mlinfn-quotas")
    kubernetes.api.delete(f"{place}/mlinfn-quotas")
    try:
        queues = kubernetes_desk.bench.backends["kubernetes"].queues()
        assert {(queue.name, queue.free) for queue in queues} == {
            ("default", None), ("closed", None),
        }  # fmt: skip
        job = kubernetes_desk.submit("print(1)")
        assert texts(kubernetes_desk.until(job.id, "succeeded").output) == ["1\n"]
    finally:
        about = {key: binding[key] for key in ("roleRef", "subjects")}
        kubernetes.api.apply(place, {"metadata": {"name": "mlinfn-quotas"}, **about})


def test_what_the_cluster_refuses_for_good_fails_with_its_words(kubernetes_desk: Desk) -> None:
    template = kubernetes_desk.root / "pod.yaml"
    pod = yaml.safe_load(template.read_text())
    pod["spec"]["containers"][0]["imagePullPolice"] = "Always"
    template.write_text(yaml.safe_dump(pod))
    job = kubernetes_desk.submit("print(1)")
    assert job.state == "failed"
    assert job.reason is not None
    assert job.reason.code == "refused-by-system"
    assert "imagePullPolice" in job.reason.text


def test_a_template_that_cannot_be_read_lets_jobs_wait(kubernetes_desk: Desk) -> None:
    template = kubernetes_desk.root / "pod.yaml"
    whole = template.read_text()
    template.write_text("spec: [")
    job = kubernetes_desk.submit("print(1)")
    assert (job.state, job.backend_id) == ("queued", None)
    template.write_text(whole)
    spec = kubernetes_desk.bench.folders.read_spec(job.id)
    assert kubernetes_desk.bench.backends["kubernetes"].submit(spec) == f"mlinfn-{job.id}"


def test_kueue_before_its_newest_version_is_spoken_to(
    kubernetes_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own webhook makes the old form of the objects."""
    monkeypatch.setattr(calls, "_KUEUE_VERSIONS", ("v1beta1",))
    desk = kubernetes_desk
    backend = cast("KubernetesBackend", desk.bench.backends["kubernetes"])
    assert backend._calls.kueue() == "v1beta1"
    assert {queue.name: queue.cpus for queue in backend.queues()}["default"] == 3
    first = desk.submit(SLEEPS, cpus=2)
    desk.until(first.id, "running")
    second = desk.submit("print(2)", cpus=2, file="second.ipynb")
    until_told(desk, second.id, "insufficient unused quota for cpu")
    desk.bench.actions.cancel(first.id)
    desk.until(second.id, "succeeded")


def test_in_a_hub_pod_a_job_is_made_like_the_pod_of_the_session(
    own_folders: Path, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session's pod is there, and its account is all that may be asked with."""
    kubernetes.act_as_session(own_folders, monkeypatch)
    monkeypatch.setattr(calls, "ACCOUNT", own_folders / "account")
    monkeypatch.setattr(backend_module, "ACCOUNT", own_folders / "account")
    desk = Desk(own_folders, "kubernetes", "c.Mlinfn.kubernetes_poll_seconds = 0.5\n")
    try:
        assert desk.bench.backends["kubernetes"].missing() == ""
        job = desk.submit("import os; print(os.environ.get('TZ'), os.environ.get('LANG'))")
        (made,) = kubernetes.jobs(job.id)
        pod = made["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] == IMAGE
        assert "secret" not in str(pod).replace("imagePullSecrets", "")
        assert texts(desk.until(job.id, "succeeded").output) == ["Europe/Rome C.UTF-8\n"]
    finally:
        desk.close()
        kubernetes.clear()


@pytest.fixture
def offloading_desk(kubernetes: Kubernetes, own_folders: Path) -> Iterator[Desk]:
    """A desk of a site that lets jobs go to its virtual nodes."""
    site = f"c.Mlinfn.kubernetes_offload = {FAR!r}\n"
    made = Desk(own_folders, "kubernetes", kubernetes.settings(own_folders) + site)
    yield made
    made.close()
    if kubernetes.objects("jobs"):
        kubernetes.clear()


FAR = {"node_selector": {"virtual-node.interlink/type": "virtual-kubelet"}}


def test_a_job_that_may_run_elsewhere_goes_to_a_virtual_node(
    offloading_desk: Desk, kubernetes: Kubernetes
) -> None:
    """The nodes of the first site see the same folders; those of the other have another taint."""
    desk, config = offloading_desk, offloading_desk.root / "config" / "jupyter_mlinfn_config.py"
    told = config.read_text()
    site = {**FAR, "folders": ["/"], "annotations": {"site/flags": "--qos=boost"}}
    config.write_text(f"{told}c.Mlinfn.kubernetes_offload = {site!r}\n")
    desk.bench = desk.another()
    job = desk.submit("print(1)", offload=True)
    (made,) = kubernetes.jobs(job.id)
    assert made["spec"]["template"]["metadata"]["annotations"]["site/flags"] == "--qos=boost"
    assert desk.until(job.id, "succeeded").offload
    config.write_text(f"{told}c.Mlinfn.kubernetes_offload = { {**site, 'taint': 'a/b'}!r}\n")
    desk.bench = desk.another()
    again = desk.bench.submission.rerun(job.id, RerunRequest())
    assert (until_told(desk, again.id, "untolerated taint").state, again.offload) == (
        "queued",
        True,
    )
    nodes = {
        pod["metadata"]["labels"][LABEL]: pod["spec"].get("nodeName")
        for pod in kubernetes.objects("pods")
    }
    assert nodes == {job.id: "far", again.id: None}
    desk.bench.actions.cancel(again.id)
    desk.until(again.id, "cancelled")


def test_all_that_needs_a_shared_folder_is_told_at_once(offloading_desk: Desk) -> None:
    submission = offloading_desk.bench.submission
    notebook = write_notebook(offloading_desk.work / "study.ipynb", code("print(1)"))
    (offloading_desk.work / "data.csv").write_text("1,2\n")
    request = JobRequest(
        source=str(notebook), backend="kubernetes", offload=True, inputs=("data.csv",)
    )
    draft = submission.draft(request)
    assert {(one.code, one.field) for one in draft.problems} == {
        ("needs-shared-folder", field)
        for field in ("source", "inputs.0", "environment", "data_dir", "program")
    }
    with pytest.raises(PartMissing):
        submission.submit(request)
    here = submission.draft(request.model_copy(update={"backend": "local"}))
    assert [(one.code, one.field) for one in here.problems] == [("no-offload", "offload")]
    anywhere = submission.draft(request.model_copy(update={"backend": "auto"}))
    assert (anywhere.backend, anywhere.problems) == ("local", ())
    offered = {one.name: one.offloads for one in submission.form(notebook).backends}
    assert (offered["local"], offered["kubernetes"]) == (False, True)


def test_nothing_is_said_of_jobs_that_were_given_to_another_cluster(
    kubernetes_desk: Desk, kubernetes: Kubernetes, tmp_path: Path
) -> None:
    """The person has changed the context of her kubeconfig meanwhile."""
    desk = kubernetes_desk
    job = desk.submit("print(1)", queue="closed")
    where = desk.bench.folders.job(job.id) / "kubernetes-where.json"
    before = where.read_text()
    where.write_text(before.replace("127.0.0.1", "elsewhere.invalid"))
    kubernetes.clear()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        seen = desk.look(job.id)
        assert seen.state == "queued"
        time.sleep(0.3)
    assert seen.unknown_since is not None
