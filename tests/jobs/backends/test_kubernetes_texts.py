"""What Kubernetes and Kueue tell, and the one object we give them; no cluster is asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.backends.kubernetes import (
    calls,
    parsing,
    room,
    seen,
    states,
    sweeping,
)
from jupyter_mlinfn.jobs.backends.kubernetes.calls import Absent, Calls, Exists
from jupyter_mlinfn.jobs.backends.kubernetes.manifest import Place, manifest, sweep
from jupyter_mlinfn.jobs.backends.kubernetes.parsing import Amount, LocalQueue
from jupyter_mlinfn.jobs.batch.taking import point_of
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.jobs import Resources
from jupyter_mlinfn.model.kubernetes import JOB, JOB_UID, OWNER, owner
from tests.jobs.workplace import make_spec

GIB = 2**30
POD: Mapping[str, Any] = {
    "metadata": {},
    "spec": {"containers": [{"name": "job", "image": "registry.invalid/session:1"}]},
}
ARRAY = Array(offset=4, points="4,7-8", id="mlinfn-abcdefghij")
FOLDER = Path("/data/mlinfn/jobs/abcdefghij")
WHEN = "2026-11-21T15:30:03Z"

KEYS = st.sampled_from(
    ("metadata", "spec", "status", "labels", "name", "uid", "conditions", "type", "reason", "state",
     "containerStatuses", "waiting", "creationTimestamp", "queueName", "suspend", "priority")
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> Any:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def job(*conditions: Any, suspend: bool = False, **about: Any) -> parsing.KubernetesJob:
    labels = {JOB: "abcdefghij"}
    told = {"name": "mlinfn-abcdefghij", "uid": "u1", "labels": labels, **about}
    return parsing.job(
        {"metadata": told, "spec": {"suspend": suspend}, "status": {"conditions": [*conditions]}}
    )


def pod(phase: str = "Running", **status: Any) -> parsing.Pod:
    about = {"name": "p", "labels": {JOB: "abcdefghij"}, "creationTimestamp": WHEN}
    spec = {"nodeName": status.pop("node", "n1")}
    (made,) = parsing.pods(
        [{"metadata": about, "spec": spec, "status": {"phase": phase, **status}}]
    )
    return made


def workload(*conditions: Any, **spec: Any) -> parsing.Workload:
    about = {"labels": {JOB_UID: "u1"}, "creationTimestamp": WHEN}
    told = {"queueName": "batch", **spec}
    (made,) = parsing.workloads(
        [{"metadata": about, "spec": told, "status": {"conditions": [*conditions]}}]
    )
    return made


# --- the object ---------------------------------------------------------------------------------


@pytest.mark.parametrize("evictable", [False, True])
@pytest.mark.parametrize("queue", [None, "batch"])
def test_the_object_is_a_job_by_the_official_schema(evictable: bool, queue: str | None) -> None:
    spec = make_spec(evictable=evictable, resources=Resources(cpus=2, gpus=1))
    made = manifest("mlinfn-x", spec, FOLDER, POD, Place(queue, "evictable"))
    for version in ("1.29", "1.37"):
        kubernetes_validate.validate(made, version, strict=True)
    assert made["spec"]["suspend"] is (queue is not None)
    assert ("podFailurePolicy" in made["spec"]) is evictable
    limits = made["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "2", "memory": str(spec.resources.memory), "nvidia.com/gpu": "1"}


@pytest.mark.parametrize(("throttle", "at_once"), [(None, 3), (2, 2), (1, 1)])
def test_the_points_of_a_sweep_are_one_indexed_job(throttle: int | None, at_once: int) -> None:
    spec = make_spec(points=10, throttle=throttle, evictable=True)
    made = sweep("mlinfn-x-a0", spec, FOLDER, POD, Place("batch"), ARRAY, "token.0")
    kubernetes_validate.validate(made, "1.37", strict=True)
    asked = made["spec"]
    assert (asked["completions"], asked["parallelism"]) == (3, at_once)
    assert asked["template"]["spec"]["containers"][0]["command"][-1] == "4,7-8"
    assert made["metadata"]["annotations"]["jupyter-mlinfn/token"] == "token.0"
    least = "kueue.x-k8s.io/job-min-parallelism"  # must be less than what is asked for
    assert (least in made["metadata"]["annotations"]) is (at_once > 1)


def test_a_pod_of_a_sweep_knows_its_point() -> None:
    told = {"JOB_COMPLETION_INDEX": "1"}
    assert point_of("4,7-8", "kubernetes", told) == "7"
    assert point_of("5", "kubernetes", {}) == "5"
    assert point_of("5", "slurm", told) == "5"
    for hostile in ("", "x", "-1", "4,7-8;"):
        with pytest.raises(ValueError):
            point_of(hostile, "kubernetes", told)
    with pytest.raises(IndexError):
        point_of("4", "kubernetes", told)


def test_no_text_of_a_person_is_in_the_object() -> None:
    told = "MARK $(HOME)\nkind: Secret"
    spec = make_spec(name=told, user=told, source=f"/data/{told}", workdir=f"/data/{told}")
    made = manifest("mlinfn-x", spec, FOLDER, POD, Place("batch"))
    assert "MARK" not in yaml.safe_dump(made)
    assert made["metadata"]["labels"][OWNER] == owner(told)
    kubernetes_validate.validate(made, "1.37", strict=True)


def test_a_folder_whose_name_kubernetes_would_replace_comes_through_as_it_is() -> None:
    folder = Path("/data/$(HOME)/$$x/it's --wrap=id")
    made = manifest("mlinfn-x", make_spec(), folder, POD, Place(None))
    word = made["spec"]["template"]["spec"]["containers"][0]["command"][-2]
    # as Kubernetes reads it: $$ is $, and no $(NAME) is left that is not escaped
    assert word.replace("$$", "\0").count("$") == 0
    assert word.replace("$$", "$") == str(folder)


@pytest.mark.parametrize("hostile", ["a b", "x\nkind: Pod", "A", "x" * 64, "-x", "１", "a/b", "é"])
def test_what_is_no_name_of_a_queue_is_refused(hostile: str) -> None:
    for place in (Place(hostile), Place("batch", priority=hostile)):
        with pytest.raises(Refused):
            manifest("mlinfn-x", make_spec(), FOLDER, POD, place)


@given(st.text(min_size=1))
def test_every_name_of_a_person_makes_a_label(name: str) -> None:
    label = owner(name)
    assert label.isalnum()
    assert len(label) <= 63


# --- what is told -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3), ("500m", Fraction(1, 2)), ("8Gi", 8 * GIB), ("1k", 1000), ("1e3", 1000),
        ("0", 0), (4, 4), ("1.5G", 1_500_000_000), ("2E", 2 * 10**18), ("100n", Fraction(1, 10**7)),
    ],
)  # fmt: skip
def test_quantities(text: Any, number: Any) -> None:
    assert parsing.quantity(text) == number


@pytest.mark.parametrize("text", ["", "x", "1X", "1 Gi", "１", "NaN", "--1", None, [], "1e"])
def test_what_is_no_quantity_is_an_error(text: Any) -> None:
    with pytest.raises(ValueError):
        parsing.quantity(text)


@given(anything)
def test_no_object_whatever_is_taken_for_something_else(item: Any) -> None:
    for read in (parsing.jobs, parsing.pods, parsing.workloads):
        with suppress(ValueError):
            read([item])


def test_waiting_in_words() -> None:
    said = condition("QuotaReserved", "False", "Pending", "couldn't assign flavors: cpu")
    word = states.word(job(suspend=True), [], workload(said), (2, 5))
    assert word.phase == "waits"
    assert word.waits is not None
    assert word.waits.code == "waits-in-queue"
    for part in ("queue batch", "couldn't assign flavors: cpu", "number 2 of 5"):
        assert part in word.waits.text


@pytest.mark.parametrize(
    ("told", "code", "words"),
    [
        (workload(condition("QuotaReserved", "False", "Inadmissible", "it is stopped")),
         "waits-in-queue", "it is stopped"),
        (workload(condition("Evicted", "True", "Preempted")), "waits-in-queue", "took this job's"),
        (workload(active=False), "held", "put on hold"),
        (workload(), "waits-in-queue", "its turn"),
        (None, "waits-in-queue", "Kueue"),
        (workload(condition("QuotaReserved", "False", "SomethingNew")), "waits-in-queue",
         "SomethingNew"),
    ],
)  # fmt: skip
def test_reasons_of_kueue_in_words(told: Any, code: str, words: str) -> None:
    word = states.word(job(suspend=True), [], told, None)
    assert word.waits is not None
    assert (word.phase, word.waits.code) == ("waits", code)
    assert words in word.waits.text


def container(kind: str, reason: str, message: str = "") -> list[Any]:
    return [{"state": {kind: {"reason": reason, "message": message, "exitCode": 137}}}]


@pytest.mark.parametrize(
    ("one", "phase", "words"),
    [
        (pod("Pending", containerStatuses=container("waiting", "ContainerCreating")), "starts", ""),
        (pod("Pending", containerStatuses=container("waiting", "ErrImagePull", "no such image")),
         "waits", "no such image"),
        (pod("Pending", containerStatuses=container("waiting", "CreateContainerError", "bad")),
         "waits", "cannot be started"),
        (pod("Pending", node="", conditions=[
            condition("PodScheduled", "False", "Unschedulable", "0/2 nodes are available")]),
         "waits", "0/2 nodes"),
        (pod("Running"), "runs", ""),
        (pod("Failed"), "unclear", ""),
    ],
)  # fmt: skip
def test_phases_of_a_pod(one: Any, phase: str, words: str) -> None:
    word = states.word(job(), [one], None, None)
    assert word.phase == phase
    assert words in (word.waits.text if word.waits else "")


@pytest.mark.parametrize(
    ("over", "one", "code"),
    [
        ("BackoffLimitExceeded", pod("Failed", containerStatuses=container(
            "terminated", "OOMKilled")), "out-of-memory"),
        ("DeadlineExceeded", None, "time-limit"),
        ("BackoffLimitExceeded", pod("Failed", reason="NodeLost"), "node-lost"),
        ("BackoffLimitExceeded", pod("Failed", reason="Evicted"), "node-lost"),
        ("BackoffLimitExceeded", pod("Failed", conditions=[
            condition("DisruptionTarget", reason="PreemptionByScheduler")]), "preempted"),
        ("BackoffLimitExceeded", pod("Failed", conditions=[
            condition("DisruptionTarget", reason="DeletionByTaintManager")]), "node-lost"),
        ("BackoffLimitExceeded", pod("Failed"), "runner-died"),
    ],
)  # fmt: skip
def test_ends_in_words(over: str, one: Any, code: str) -> None:
    word = states.word(job(condition("Failed", reason=over)), [one] if one else [], None, None)
    assert word.phase == "over"
    never, begun = word.ended
    assert never is not None
    assert begun is not None
    assert begun.code == code
    assert "kept" in begun.text
    assert never.code == ("not-started" if code == "runner-died" else code)


def test_a_failure_that_is_not_yet_settled_is_no_end() -> None:
    for kind in ("FailureTarget", "SuccessCriteriaMet", "SomethingNew"):
        assert states.word(job(condition(kind)), [pod("Failed")], None, None).phase == "unclear"
    assert states.word(job(condition("Failed", "False")), [], None, None).phase != "over"


def points_told(one: parsing.KubernetesJob, *pods: parsing.Pod) -> dict[int, tuple[str, str]]:
    """By index in the array: phase, and why it waits."""
    whole = states.word(one, pods, None, None)
    told = {}
    for element in sweeping.elements(one, ARRAY, pods, whole):
        word = element.word()
        for index in element.indexes:
            assert index not in told
            told[index] = (element.phase, word.waits.text if word.waits else "")
    return told


def point_pod(index: int, phase: str = "Running", **status: Any) -> parsing.Pod:
    return pod(phase, **status).model_copy(update={"index": index, "owner": "mlinfn-abcdefghij"})


def indexed(*conditions: Any, suspend: bool = False, **told: str) -> parsing.KubernetesJob:
    return job(*conditions, suspend=suspend).model_copy(update={"indexed": True, **told})


def test_points_of_a_sweep_one_by_one() -> None:
    """The array has the points 4, 7 and 8; its index of a point is the number less 4."""
    told = points_told(indexed(completed="0"), point_pod(1))
    assert [told[index][0] for index in (0, 3, 4)] == ["over", "runs", "waits"]
    assert "other points" in told[4][1]
    assert {phase for phase, _ in points_told(indexed(suspend=True)).values()} == {"waits"}
    over = points_told(indexed(condition("Failed"), completed="0-1", failed="2"))
    assert {phase for phase, _ in over.values()} == {"over"}
    assert {phase for phase, _ in points_told(indexed(condition("Failed"))).values()} == {"over"}
    assert points_told(indexed(completed="0-99")).keys() == {0, 3, 4}


@pytest.mark.parametrize("text", ["x", "1-", "3-1", "0,,1", "9" * 12])
def test_indexes_that_cannot_be_read_are_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        points_told(indexed(completed=text))


def test_of_several_jobs_of_one_the_going_one_counts() -> None:
    over = job(condition("Failed"), name="mlinfn-abcdefghij-3")
    going = job(name="mlinfn-abcdefghij-2")
    assert seen.current([going, over], {"abcdefghij"}) == {"abcdefghij": going}
    assert seen.current([job(condition("Failed")), over], {"abcdefghij"}) == {"abcdefghij": over}
    assert seen.current([going], set()) == {}


# --- the offer ----------------------------------------------------------------------------------


def cluster_queue(**spec: Any) -> Any:
    def told(name: str, **more: Any) -> Any:
        return {"name": name, **more}

    resources = [told("cpu", nominalQuota="4"), told("nvidia.com/mig-1g.10gb", nominalQuota=2)]
    group = {"flavors": [{"name": "any", "resources": resources}]}
    used = [{"name": "any", "resources": [{"name": "cpu", "total": "1500m"}]}]
    return {
        "metadata": {"name": "shared"},
        "spec": {"resourceGroups": [group], **spec},
        "status": {"flavorsReservation": used},
    }


@pytest.mark.parametrize(("cohort", "limit"), [({}, 4), ({"cohortName": "all"}, 4096),
                                               ({"cohort": "all"}, 4096)])  # fmt: skip
def test_a_queue_has_what_is_behind_it(cohort: Any, limit: int) -> None:
    local = {"metadata": {"name": "batch"}, "spec": {"clusterQueue": "shared"}}
    queues = parsing.local_queues([local], [cluster_queue(**cohort)])
    (offered,) = room.offered(queues, room.default_queue(queues, {}), {})
    assert (offered.name, offered.default, offered.cpus, offered.gpus) == ("batch", True, 4, 2)
    assert offered.free is not None
    assert offered.free.cpus == 2
    (shape,) = offered.gpu_shapes
    assert (shape.name, shape.memory, shape.total, shape.free) == ("mig-1g.10gb", 10 * GIB, 2, 2)
    assert room.limits(queues).cpus == limit


def test_where_the_quota_may_not_be_seen_nothing_is_refused() -> None:
    queues = (LocalQueue(name="batch", cluster_queue="shared"),)
    assert not room.problems(queues, Resources(cpus=4000), "batch", {})
    assert room.limits(queues) == room.WIDEST
    assert not room.forecast(queues[0], Resources(), room.GPU).starts_now


@pytest.mark.parametrize(
    ("asked", "resource"),
    [
        ({"gpus": 1}, "nvidia.com/gpu"),
        ({"gpus": 1, "gpu_memory": 8 * GIB}, "nvidia.com/mig-1g.10gb"),
        ({"gpus": 1, "gpu_memory": 15 * GIB}, "nvidia.com/mig-2g.20gb"),
        ({"gpus": 1, "gpu_memory": 30 * GIB}, "nvidia.com/gpu"),
        ({"gpus": 1, "gpu_model": "1g.10gb"}, "nvidia.com/mig-1g.10gb"),
    ],
)
def test_the_smallest_device_that_is_enough(asked: Any, resource: str) -> None:
    names = ("cpu", "nvidia.com/gpu", "nvidia.com/mig-1g.10gb", "nvidia.com/mig-2g.20gb")
    amounts = {name: Amount(quota=Fraction(4)) for name in names}
    here = LocalQueue(name="batch", cluster_queue="shared", amounts=amounts)
    sizes = {"nvidia.com/gpu": 40 * GIB}
    assert room.gpu(here, Resources(**asked), {}, sizes) == resource


# --- the answers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (404, "not found", Absent), (410, "too old", Absent), (409, "exists", Exists),
        (401, "Unauthorized", Unavailable), (403, "forbidden", Refused),
        (403, "exceeded quota: full", Unavailable), (422, "invalid", Refused),
        (400, "unknown field", Refused), (429, "later", Unavailable), (500, "x", Unavailable),
        (504, "timeout", Unavailable), (302, "login", Unavailable),
    ],
)  # fmt: skip
def test_what_a_refusal_means(status: int, said: str, kind: type[MlinfnError]) -> None:
    with pytest.raises(kind):
        calls._read(status, f'{{"message": "{said}"}}'.encode())


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"\xff\x00", b'{"items":', b"null"])
def test_an_answer_that_cannot_be_read_is_silence(content: bytes) -> None:
    with pytest.raises(Unavailable):
        calls._read(200, content)


def test_without_a_kubeconfig_it_is_said_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(calls, "ACCOUNT", tmp_path)
    assert "no kubeconfig" in Calls().missing()
    assert Calls(str(tmp_path / "config")).missing() == ""
    with pytest.raises(Unavailable, match="cannot be used"):
        Calls(str(tmp_path / "config")).jobs("x")


@pytest.mark.parametrize("text", ["", "{}", "[]", "a: [", "current-context: x\nclusters: []\n"])
def test_a_kubeconfig_that_is_none_is_silence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(Unavailable, match="cannot be used"):
        _ = Calls(str(file)).place
