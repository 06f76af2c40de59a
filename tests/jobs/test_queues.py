"""A session offers the queues of its profile: in the form, in a draft, for what is submitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.evictable import evictable_queues
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.queues import OfferedQueues
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import InputError, Problem, Unavailable
from jupyter_mlinfn.model.jobs import JobRequest, Resources
from jupyter_mlinfn.model.offer import Queue
from jupyter_mlinfn.settings import Mlinfn, load_settings
from jupyter_mlinfn.workbench import Workbench
from tests.jobs.workplace import Kernels, Listener, code, write_notebook

OFFERED = OfferedQueues(("ai-infn", "leonardo", "night"))
SLURM = ("debug", "leonardo", "night")
NOT_OFFERED = "Your profile does not offer the queue 'debug': it offers leonardo, night."


class Batch(Listener):
    """A batch system with queues, the first of them its default."""

    def __init__(self, name: str, *queues: str, evictable: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.evictable_queues = evictable
        self.name = name  # type: ignore[misc]
        self.title = name.capitalize()  # type: ignore[misc]
        self.there = queues

    def queues(self) -> tuple[Queue, ...]:
        if self.silent:
            raise Unavailable("Mute.")
        return tuple(Queue(name=one, default=one == self.there[0]) for one in self.there)

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        if queue is None or queue in self.there:
            return ()
        return (Problem(code="unknown-queue", text="No such queue.", field="queue"),)


@pytest.fixture
def notebook(work: Path) -> Path:
    return write_notebook(work / "train.ipynb", code("print(1)"))


@pytest.fixture
def desk(store: JobStore, folders: JobFolders) -> Submission:
    # a queue that the system does not have, one that is not offered, and the one to take
    slurm = Batch("slurm", *SLURM, evictable=("ai-infn", "debug", "night"))
    kubernetes = Batch("kubernetes", "ai-infn", "other")
    there = {one.name: one for one in (Listener(), slurm, kubernetes)}
    return Submission(store, folders, there, Kernels(), user="me", queues=OFFERED)


def test_the_form_shows_the_offered_queues_of_each_place_and_a_default(
    desk: Submission, notebook: Path
) -> None:
    shown = {
        place.name: [(one.name, one.default) for one in place.queues]
        for place in desk.form(notebook).backends
    }
    assert shown == {
        "local": [],
        "slurm": [("leonardo", True), ("night", False)],
        "kubernetes": [("ai-infn", True)],
    }


def test_a_queue_that_the_profile_does_not_offer_is_refused_by_name(
    desk: Submission, notebook: Path
) -> None:
    asked = JobRequest(source=str(notebook), backend="slurm", queue="debug")
    (problem,) = desk.draft(asked).problems
    assert (problem.code, problem.field) == ("queue-not-offered", "queue")
    assert problem.text == NOT_OFFERED
    with pytest.raises(InputError, match="does not offer the queue 'debug'"):
        desk.submit(asked)
    anywhere = asked.model_copy(update={"backend": "auto"})
    assert f"Slurm: {NOT_OFFERED}" in [one.text for one in desk.draft(anywhere).problems]


@pytest.mark.parametrize(
    ("backend", "queue", "evictable", "goes_to"),
    [
        ("slurm", None, False, "leonardo"),
        ("slurm", None, True, "night"),
        ("slurm", "night", False, "night"),
        ("kubernetes", None, True, "ai-infn"),
        ("local", None, False, None),
    ],
)
def test_who_names_no_queue_gets_one_of_the_offer_and_never_the_system_s_own(
    desk: Submission,
    notebook: Path,
    backend: str,
    queue: str | None,
    evictable: bool,
    goes_to: str | None,
) -> None:
    asked = JobRequest(source=str(notebook), backend=backend, queue=queue, evictable=evictable)
    assert desk.draft(asked).ok
    job = desk.submit(asked)
    assert (job.backend, job.queue) == (backend, goes_to)


def test_our_back_ends_say_which_queues_the_site_has_for_evictable_jobs(tmp_path: Path) -> None:
    settings = Mlinfn(
        data_dir=str(tmp_path / "data"),
        slurm_options={"evictable_queue": "night"},
        kubernetes_options={"queue": "ml"},
    )
    there = Workbench(settings).backends
    assert {name: evictable_queues(one) for name, one in there.items()} == {
        "local": (), "slurm": ("night",), "htcondor": (), "kubernetes": (),
    }  # fmt: skip
    vkd = Mlinfn(
        data_dir=str(tmp_path / "data"),
        kubernetes_options={"evictable_queue": "late"},
        kubernetes_vkd={"url": "http://127.0.0.1:1"},
    )
    for one in (vkd, Mlinfn(data_dir=vkd.data_dir, kubernetes_options=vkd.kubernetes_options)):
        assert evictable_queues(Workbench(one).backends["kubernetes"]) == ("late",)


def test_a_silent_system_wants_a_name_and_one_without_an_offered_queue_is_told() -> None:
    slurm = Batch("slurm", *SLURM)
    slurm.silent = True
    assert OFFERED.take(slurm, "night") == "night"
    for queue, code_, said in (
        (None, "queue-needed", "night"),
        ("debug", "queue-not-offered", "'"),
    ):
        with pytest.raises(InputError, match=said) as refused:
            OFFERED.take(slurm, queue)
        assert refused.value.code == code_
    with pytest.raises(InputError, match="it offers none of Slurm"):
        OFFERED.take(Batch("slurm", "debug"), None)


def test_without_a_word_of_the_hub_every_queue_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = OfferedQueues()
    slurm = Batch("slurm", *SLURM)
    assert everything.among(slurm.queues()) == slurm.queues()
    assert (everything.take(slurm, None), everything.take(slurm, "debug")) == (None, "debug")
    assert load_settings().queues == []
    monkeypatch.setenv("MLINFN_QUEUES", "ai-infn,leonardo")
    assert load_settings().queues == ["ai-infn", "leonardo"]
    monkeypatch.setenv("MLINFN_QUEUES", "")
    assert load_settings().queues == []
