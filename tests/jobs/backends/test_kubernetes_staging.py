"""Jobs on a virtual node that sees no folder of ours: there and home through a real S3 gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.kubernetes.bucket import Bucket
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.model.sweeps import Sweep
from tests.jobs.backends.conftest import running
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.engine.training import TELLS, TRAINING, WAITS
from tests.jobs.workplace import code, write_notebook
from tests.systems import s3
from tests.systems.kubernetes.control import NAMESPACE, Kubernetes

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(scope="session")
def store() -> Iterator[s3.S3]:
    """A running S3 gateway."""
    if Path(__file__).is_relative_to("/tmp"):
        pytest.skip("this checkout lies in /tmp, of which the pods have another one")
    yield from running(s3.start, "S3 gateway")


@pytest.fixture
def far_desk(kubernetes: Kubernetes, store: s3.S3, own_folders: Path) -> Iterator[Desk]:
    """A desk whose jobs may run where none of its folders are."""
    offload = {
        "node_selector": {"virtual-node.interlink/type": "virtual-kubelet"},
        "folders": [str(Path(__file__).parents[3])],  # the image there has the same program
    }
    staging = {"bucket": s3.BUCKET, "endpoint": store.endpoint}
    site = f"c.Mlinfn.kubernetes_offload = {offload!r}\nc.Mlinfn.kubernetes_staging = {staging!r}\n"
    desk = Desk(own_folders, "kubernetes", kubernetes.settings(own_folders) + site)
    yield desk
    desk.close()
    if kubernetes.objects("jobs"):
        kubernetes.clear()


def secrets(kubernetes: Kubernetes) -> list[str]:
    place = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    return [one["metadata"]["name"] for one in kubernetes.api.get(place)["items"]]


def test_what_cannot_travel_is_told_before(far_desk: Desk) -> None:
    (far_desk.root / "beside.csv").write_text("1,2\n")
    (far_desk.work / "below.csv").write_text("1,2\n")
    notebook = write_notebook(far_desk.work / "study.ipynb", code("a = 1", "parameters"))
    request = JobRequest(
        source=str(notebook),
        backend="kubernetes",
        offload=True,
        inputs=("../beside.csv", "below.csv"),
        sweep=Sweep(axes={"a": [1, 2]}),
    )
    draft = far_desk.bench.submission.draft(request)
    assert [(one.code, one.field) for one in draft.problems] == [
        ("needs-shared-folder", "inputs.0"), ("no-sweeps", "backend"),
    ]  # fmt: skip


def test_its_inputs_go_there_and_its_results_come_home(
    far_desk: Desk, kubernetes: Kubernetes, store: s3.S3
) -> None:
    desk = far_desk
    (desk.work / "data.csv").write_text("1,2\n")
    cell = (
        "import os, pathlib\n"
        f"print(pathlib.Path({str(desk.work)!r}).exists(), open('data.csv').read().strip())\n"
        "pathlib.Path('made.txt').write_text('made there')"
    )
    asked = {"inputs": ("data.csv",), "outputs": ("made.txt",), "offload": True}
    job = desk.submit(cell, **asked)
    failing = desk.submit("print('so far')", "1 / 0", file="bad.ipynb", offload=True)
    (made,) = kubernetes.jobs(job.id)
    (secret,) = (one for one in secrets(kubernetes) if job.id in one)
    assert "X-Amz-Signature" not in json.dumps(made)
    assert store.keys["AWS_SECRET_ACCESS_KEY"] not in json.dumps(
        kubernetes.api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{secret}")
    )
    done = desk.until(job.id, "succeeded")
    assert texts(done.output) == ["False 1,2\n"]
    assert (Path(done.output_folder) / "made.txt").read_text() == "made there"
    bad = desk.until(failing.id, "failed")
    assert bad.reason is not None
    assert bad.reason.code == "notebook-error"
    assert texts(bad.output)[0] == "so far\n"
    assert secrets(kubernetes) == []
    assert Bucket(store.settings).marks("") == {}


def test_what_runs_there_is_followed_and_cancelled_and_one_that_is_killed_says_so(
    far_desk: Desk, kubernetes: Kubernetes
) -> None:
    desk, cells = far_desk, ("print('so far')", "import time; time.sleep(300)")
    job = desk.submit(*cells, offload=True)
    lost = desk.submit(*cells, file="lost.ipynb", offload=True)
    for one in (job, lost):
        desk.until(one.id, "running")
        desk.until_seen(one.id, lambda one=one: desk.partial(one.id) == ["so far\n"])
    desk.bench.actions.cancel(job.id)
    (pod,) = (pod for pod in kubernetes.objects("pods") if lost.id in pod["metadata"]["name"])
    place = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}"
    kubernetes.api.delete(place, gracePeriodSeconds=1)
    done = desk.until(job.id, "cancelled")
    assert (done.attempts, texts(done.output)) == (1, ["so far\n"])
    killed = desk.until(lost.id, "failed")
    assert killed.reason is not None
    # it had a second to say a word, and its store is far
    assert killed.reason.code in ("preempted", "runner-died")
    assert killed.attempts == 1
    assert desk.partial(lost.id) == ["so far\n"]


def test_evicted_there_it_goes_on_from_its_checkpoint(
    far_desk: Desk, kubernetes: Kubernetes
) -> None:
    """Its second pod begins with what the first one brought to the store."""
    desk = far_desk
    job = desk.submit(TRAINING, WAITS, TELLS, evictable=True, offload=True)
    desk.until(job.id, "running")
    desk.until_seen(job.id, lambda: len(desk.bench.actions.details(job.id).values) >= 8)
    kubernetes.delete_pods()
    done = desk.until(job.id, "succeeded", within=120)
    assert (done.attempts, done.evictions) == (2, 1), desk.story(job.id)
    resumed, _digest = texts(done.output)[-1].split()
    assert int(resumed) >= 8
