"""Kubernetes that is silent, ill, full or killed: nothing is submitted twice or ends wrongly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from jupyter_mlinfn.jobs.backends.handing import Note
from jupyter_mlinfn.jobs.backends.kubernetes import calls, offer
from jupyter_mlinfn.jobs.backends.kubernetes.backend import KubernetesBackend
from jupyter_mlinfn.jobs.backends.kubernetes.calls import Calls
from jupyter_mlinfn.model.errors import Refused, Unavailable
from tests.faults.batch import sample
from tests.faults.systems import OnKubernetes
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.backends.silence import Clock, Silence, counted, until_known
from tests.systems.kubernetes.control import NAMESPACE, Kubernetes
from tests.systems.kubernetes.proxy import ILLNESSES, Proxy

pytestmark = [pytest.mark.system, pytest.mark.slow]

SHORT = {"absent": 1.0, "not-again": 1.0, "no-word": 1.0}
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"


@pytest.fixture
def proxy(kubernetes: Kubernetes) -> Iterator[Proxy]:
    made = Proxy(kubernetes.api)
    yield made
    made.ill = lambda _method, _path: ""
    made.close()


@pytest.fixture
def behind(
    kubernetes: Kubernetes, proxy: Proxy, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk that reaches Kubernetes through the proxy alone."""
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 0.8)
    monkeypatch.setattr(KubernetesBackend, "patience", SHORT)
    config = yaml.safe_load(kubernetes.kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": proxy.url}
    file = own_folders / "proxy.yaml"
    file.write_text(yaml.safe_dump(config))
    text = kubernetes.settings(own_folders).replace(str(kubernetes.kubeconfig), str(file))
    made = Desk(own_folders, "kubernetes", text)
    yield made
    made.close()
    kubernetes.clear()


def assert_unknown(desk: Desk, job: str, state: str) -> None:
    """For three seconds the job stays in ``state``, and then it is said that nobody knows."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        seen = desk.look(job)
        assert seen.state == state
        time.sleep(0.2)
    assert seen.unknown_since is not None


@pytest.mark.parametrize("illness", ILLNESSES)
def test_silence_is_unknown_and_never_an_end(behind: Desk, proxy: Proxy, illness: str) -> None:
    job = behind.submit("print(1)", queue="closed")
    assert behind.look(job.id).unknown_since is None
    proxy.ill = lambda _method, _path: illness
    time.sleep(0.6)
    assert_unknown(behind, job.id, "queued")
    proxy.ill = lambda _method, _path: ""
    until = time.monotonic() + 20
    while (seen := behind.look(job.id)).unknown_since is not None:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert seen.state == "queued"


def test_a_running_job_outlives_the_api_server(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    desk = kubernetes_desk
    job = desk.submit(desk.held(), "print('whole')")
    desk.until(job.id, "running")
    kubernetes.kill("kube-apiserver")
    time.sleep(0.6)
    assert desk.look(job.id).state == "running"
    time.sleep(0.6)
    assert desk.look(job.id).state == "running"
    kubernetes.start_again("kube-apiserver")
    kubernetes.until_answers()
    desk.go()
    done = desk.until(job.id, "succeeded")
    assert done.unknown_since is None
    assert texts(done.output) == ["whole\n"]


def test_a_job_waits_for_kueue_to_come_back(kubernetes_desk: Desk, kubernetes: Kubernetes) -> None:
    """Without its webhook Kubernetes takes no Job: that is no refusal for good."""
    desk = kubernetes_desk
    kubernetes.kill("kueue")
    job = desk.submit("print(1)")
    assert (job.state, job.backend_id) == ("queued", None)
    kubernetes.start_again("kueue")
    kubernetes.until_kueue_answers()
    number = desk.bench.backends["kubernetes"].submit(desk.bench.folders.read_spec(job.id))
    desk.bench.store.accepted(job.id, number)
    assert texts(desk.until(job.id, "succeeded").output) == ["1\n"]


def test_an_answer_that_is_lost_after_kubernetes_took_the_job_makes_one_job(
    behind: Desk, proxy: Proxy, kubernetes: Kubernetes
) -> None:
    proxy.ill = lambda method, _path: "lost" if method == "POST" else ""
    job = behind.submit("print(1)", queue="closed")
    assert (job.state, job.backend_id) == ("queued", None)
    assert len(kubernetes.jobs(job.id)) == 1
    spec = behind.bench.folders.read_spec(job.id)
    assert behind.another().backends["kubernetes"].submit(spec) == f"mlinfn-{job.id}"
    proxy.ill = lambda _method, _path: ""
    assert behind.bench.backends["kubernetes"].submit(spec) == f"mlinfn-{job.id}"
    assert len(kubernetes.jobs(job.id)) == 1


def test_killed_after_kubernetes_took_the_job_and_before_that_was_noted(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    desk = kubernetes_desk
    job = desk.submit("print(1)", queue="closed")
    note = desk.bench.folders.job(job.id) / "kubernetes.json"
    spec = desk.bench.folders.read_spec(job.id)
    for known in (Note(tried_at=time.time()), Note()):
        note.write_text(known.model_dump_json())
        assert desk.another().backends["kubernetes"].submit(spec) == job.backend_id
    assert len(kubernetes.jobs(job.id)) == 1


def test_a_name_that_somebody_else_took_is_refused(
    kubernetes_desk: Desk, kubernetes: Kubernetes
) -> None:
    desk = kubernetes_desk
    job = desk.submit("print(1)", queue="closed")
    (made,) = kubernetes.jobs(job.id)
    kubernetes.clear()
    theirs: dict[str, Any] = {"metadata": {"name": job.backend_id}, "spec": made["spec"]}
    theirs["spec"].pop("selector")
    theirs["spec"]["template"]["metadata"] = {}
    kubernetes.api.post(JOBS, theirs)
    (desk.bench.folders.job(job.id) / "kubernetes.json").unlink()
    spec = desk.bench.folders.read_spec(job.id)
    with pytest.raises(Refused, match="another job called"):
        desk.bench.backends["kubernetes"].submit(spec)


def test_a_full_namespace_lets_the_job_wait(kubernetes_desk: Desk, kubernetes: Kubernetes) -> None:
    """A ResourceQuota of the namespace, which Kubernetes itself enforces."""
    desk = kubernetes_desk
    quotas = f"/api/v1/namespaces/{NAMESPACE}/resourcequotas"
    spec = {"hard": {"count/jobs.batch": "0"}}
    kubernetes.api.apply(quotas, {"metadata": {"name": "full"}, "spec": spec})
    try:
        kubernetes.until_quota("full")
        job = desk.submit("print(1)")
        assert (job.state, job.backend_id) == ("queued", None)
    finally:
        kubernetes.api.delete(f"{quotas}/full")
    time.sleep(0.5)
    given = desk.bench.backends["kubernetes"].submit(desk.bench.folders.read_spec(job.id))
    assert given == f"mlinfn-{job.id}"


def test_a_list_that_grew_too_old_is_read_again(
    behind: Desk, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_PAGE", 1)
    jobs = [behind.submit("print(1)", queue="closed", file=f"n{n}.ipynb") for n in range(3)]
    gone = iter(["410"])

    def ill(_method: str, path: str) -> str:
        return next(gone, "") if "continue=" in path else ""

    proxy.ill = ill
    time.sleep(0.6)
    for job in jobs:
        seen = behind.look(job.id)
        assert (seen.state, seen.unknown_since) == ("queued", None)
    assert next(gone, None) is None
    assert len([path for _, path in proxy.asked if "continue=" in path]) >= 3


def test_a_server_that_does_not_know_its_groups_yet_has_kueue_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else jobs would go past Kueue for a while."""
    answers = iter(["", "v1beta2", ""])
    asked = Calls()
    monkeypatch.setattr(asked, "kueue", lambda: next(answers))
    monkeypatch.setattr(offer, "_OFFER_FOR", 0.0)
    monkeypatch.setattr(offer, "_KUEUE_FOR", 0.0)
    made = offer.Offer(asked, {}, {})
    assert [made.kueue() for _ in range(3)] == ["", "v1beta2", "v1beta2"]


def test_one_question_for_all_jobs(behind: Desk, proxy: Proxy) -> None:
    jobs = [behind.submit("print(1)", queue="closed", file=f"n{n}.ipynb") for n in range(5)]
    time.sleep(0.6)
    behind.look(jobs[0].id)
    time.sleep(0.6)
    proxy.asked.clear()
    behind.look(jobs[0].id)
    lists = [path.partition("?")[0].rpartition("/")[2] for _, path in proxy.asked]
    assert lists == ["jobs", "workloads"]


def test_a_login_that_ran_out_is_told_and_works_again_after_the_next_one(
    behind: Desk, kubernetes: Kubernetes, own_folders: Path
) -> None:
    file = own_folders / "proxy.yaml"
    good = file.read_text()
    job = behind.submit("print(1)", queue="closed")
    config = yaml.safe_load(good)
    config["users"][0]["user"]["token"] = "expired"
    file.write_text(yaml.safe_dump(config))
    cast("KubernetesBackend", behind.bench.backends["kubernetes"])._calls._forget()
    time.sleep(0.6)
    assert_unknown(behind, job.id, "queued")
    with pytest.raises(Unavailable, match="Log in"):
        behind.another().backends["kubernetes"].forecast(job.resources)
    file.write_text(good)
    until = time.monotonic() + 20
    while behind.look(job.id).unknown_since is not None:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert len(kubernetes.jobs(job.id)) == 1


@pytest.mark.fault
@pytest.mark.timeout(400)
def test_kill_9_at_random_points_of_submit_query_and_cancel(
    kubernetes: Kubernetes, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample; ``make faults N=1000 ON=kubernetes`` runs the whole."""
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "")
    sample("kubernetes", OnKubernetes(kubernetes), own_folders)
    kubernetes.clear()


def test_half_an_hour_of_silence_ends_no_job_wrongly(
    behind: Desk, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is put forward; the proxy before the real API server is ill in one way after the
    other."""
    job = behind.submit("print(1)", queue="closed")
    until_known(behind, job.id)

    def falls_ill(illness: str) -> Callable[[], None]:
        def begin() -> None:
            proxy.ill = lambda _method, _path: illness

        return begin

    silence = Silence(behind, Clock(monkeypatch), counted(behind, monkeypatch))
    illnesses = [falls_ill(one) for one in ILLNESSES if one != "sleeps"]
    silence.last({job.id: "queued"}, illnesses)
    silence.assert_backs_off()
    proxy.ill = lambda _method, _path: ""
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 15.0)
    silence.until_broken([job.id])
