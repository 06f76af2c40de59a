"""What is wrong with a request is told before it is submitted: each of many faults, and several
at once.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from jupyter_mlinfn.jobs import drafting
from jupyter_mlinfn.jobs.backends import shapes
from jupyter_mlinfn.jobs.bundle import InputHashes
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.placing import Placing
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.environments import EnvironmentRef, Mismatch
from jupyter_mlinfn.model.errors import MlinfnError, Problem
from jupyter_mlinfn.model.jobs import Forecast, JobRequest, Resources
from tests.jobs.workplace import Kernels, Listener, code, reference, write_notebook

GIB = 2**30
KINDS = (shapes.Shape("t4", 16 * GIB, 2, "n1"), shapes.Shape("1g.10gb", 10 * GIB, 7, "n2"))


class Away(Listener):
    """A batch system with two queues, two accounts and two kinds of GPUs."""

    name: ClassVar[str] = "away"
    title: ClassVar[str] = "The cluster"
    here = True

    def missing(self) -> str:
        return "" if self.here else "The cluster's programs are not here."

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        found = shapes.problems(KINDS, resources, "in the cluster")
        for name, most in (("cpus", 32), ("memory", 64 * GIB), ("gpus", 7), ("time", 86400)):
            if getattr(resources, name) > most:
                text = f"The cluster gives {most}."
                found.append(Problem(code="asks-too-much", text=text, field=f"resources.{name}"))
        if queue not in (None, "long"):
            text = "There are: normal, long."
            found.append(Problem(code="unknown-queue", text=text, field="queue"))
        if charge not in (None, "cms"):
            found.append(Problem(code="unknown-charge", text="There is: cms.", field="charge"))
        return tuple(found)

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        return Forecast(starts_now=True, text="Would start now in the cluster.")


class Island(Away):
    """The same without a shared folder."""

    name: ClassVar[str] = "island"
    title: ClassVar[str] = "The island"
    shares_folder: ClassVar[bool] = False


class Environments(Kernels):
    """Those of the tests, one that lies in a folder of one's own, one that was edited."""

    def __init__(self, own: Path) -> None:
        self.own = own

    def resolve(self, name: str) -> EnvironmentRef:
        if name in ("mine", "edited"):
            prefix = self.own / name
            prefix.mkdir(exist_ok=True)
            return reference().model_copy(update={"name": name, "prefix": str(prefix)})
        return super().resolve(name)

    def changed(self, ref: EnvironmentRef) -> Mismatch | None:
        return Mismatch(text="Now numpy is 2.1.") if ref.name == "edited" else None


@dataclass
class Scene:
    """A person's folders: ``work`` is seen everywhere, ``own`` on this machine alone."""

    work: Path
    own: Path
    request: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)

    def asked(self) -> JobRequest:
        values = {"source": str(self.work / "train.ipynb"), "backend": "away", **self.request}
        return JobRequest(
            **values,
            resources=Resources(**self.resources),
            raw_parameters=self.parameters,
        )


@dataclass(frozen=True)
class Fault:
    """``spoils`` what; ``then``: the code and the field that the draft must name."""

    spoils: str
    do: Callable[[Scene], Any]
    then: tuple[str, str]


def _request(**values: Any) -> Callable[[Scene], Any]:
    return lambda scene: scene.request.update(values)


def _resources(**values: Any) -> Callable[[Scene], Any]:
    return lambda scene: scene.resources.update(values)


def _parameter(name: str, value: str) -> Callable[[Scene], Any]:
    return lambda scene: scene.parameters.update({name: value})


def _source(name: str, text: str | None) -> Callable[[Scene], Any]:
    def do(scene: Scene) -> None:
        path = scene.work / name
        if text is None:
            path.mkdir()
        elif text:
            path.write_text(text)
        scene.request["source"] = str(path)

    return do


def _elsewhere(scene: Scene) -> None:
    """The notebook lies where only this machine sees it."""
    cells = code("epochs = 3", "parameters"), code("print(epochs)")
    scene.request["source"] = str(write_notebook(scene.own / "train.ipynb", *cells))


def _no_cell(scene: Scene) -> None:
    bare = write_notebook(scene.work / "bare.ipynb", code("x = 1"))
    scene.request["source"] = str(bare)
    scene.parameters["x"] = "2"


def _local_input(scene: Scene) -> None:
    (scene.own / "data.csv").write_text("1,2\n")
    scene.request["inputs"] = (str(scene.own / "data.csv"),)


FAULTS: dict[str, Fault] = {
    "notebook missing": Fault("source", _source("gone.ipynb", ""), ("source-missing", "source")),
    "notebook damaged": Fault("source", _source("bad.ipynb", "{"), ("bad-notebook", "source")),
    "notebook a folder": Fault("source", _source("folder.ipynb", None), ("bad-source", "source")),
    "no notebook at all": Fault("source", _source("notes.txt", "x"), ("bad-source", "source")),
    "no cell for parameters": Fault("source", _no_cell, ("no-parameters-cell", "parameters")),
    "folder not seen there": Fault("source", _elsewhere, ("not-visible", "source")),
    "kernel missing": Fault(
        "environment", _request(environment="gone"), ("environment-missing", "environment")
    ),
    "environment not seen": Fault(
        "environment", _request(environment="mine"), ("not-visible", "environment")
    ),
    "environment edited": Fault(
        "environment", _request(environment="edited"), ("environment-mismatch", "environment")
    ),
    "environment not packed": Fault(
        "place",
        _request(environment="mine", backend="island"),
        ("environment-not-packed", "environment"),
    ),
    "parameter mistyped": Fault(
        "parameters", _parameter("epoch", "1"), ("unknown-parameter", "parameters.epoch")
    ),
    "parameter of another type": Fault(
        "parameters", _parameter("epochs", "many"), ("bad-parameter", "parameters.epochs")
    ),
    "parameter no name": Fault(
        "parameters", _parameter("__builtins__", "1"), ("bad-parameter", "parameters.__builtins__")
    ),
    "input missing": Fault("inputs", _request(inputs=("no.csv",)), ("bad-input-file", "inputs.0")),
    "input not seen there": Fault("inputs", _local_input, ("not-visible", "inputs.0")),
    "input a device": Fault(
        "inputs", _request(inputs=("/dev/null",)), ("bad-input-file", "inputs.0")
    ),
    "output elsewhere": Fault("outputs", _request(outputs=("../*",)), ("bad-output", "outputs.0")),
    "output absolute": Fault("outputs", _request(outputs=("/etc/*",)), ("bad-output", "outputs.0")),
    "name of two lines": Fault("name", _request(name="a\nb"), ("bad-name", "name")),
    "model of GPU unknown": Fault(
        "gpus", _resources(gpu_model="H100"), ("unknown-gpu-model", "resources.gpu_model")
    ),
    "GPU too large": Fault(
        "gpus", _resources(gpu_memory=90 * GIB), ("asks-too-much", "resources.gpu_memory")
    ),
    "too many such GPUs": Fault(
        "gpus", _resources(gpu_model="t4", gpus=3), ("asks-too-much", "resources.gpus")
    ),
    "too many GPUs": Fault("gpus", _resources(gpus=8), ("asks-too-much", "resources.gpus")),
    "too many CPUs": Fault("cpus", _resources(cpus=33), ("asks-too-much", "resources.cpus")),
    "too much memory": Fault(
        "memory", _resources(memory=65 * GIB), ("asks-too-much", "resources.memory")
    ),
    "too long": Fault("time", _resources(time=86401), ("asks-too-much", "resources.time")),
    "queue unknown": Fault("queue", _request(queue="night"), ("unknown-queue", "queue")),
    "account unknown": Fault("charge", _request(charge="atlas"), ("unknown-charge", "charge")),
    "place unknown": Fault("place", _request(backend="moon"), ("backend-missing", "backend")),
    "place not here": Fault("place", _request(backend="absent"), ("backend-missing", "backend")),
}

STANDS_ALONE = {"source", "place"}
"""Without its code or its place a request cannot be looked through further."""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = Scene(tmp_path / "shared" / "work", tmp_path / "own")
    made.work.mkdir(parents=True)
    made.own.mkdir()
    write_notebook(
        made.work / "train.ipynb", code("epochs = 3", "parameters"), code("print(epochs)")
    )
    return made


@pytest.fixture
def submission(store: JobStore, folders: JobFolders, scene: Scene) -> Submission:
    absent = Away()
    absent.here = False
    seen = [str(scene.work.parent), str(folders.data_dir), os.sep + "usr", _program()]
    return Submission(
        store,
        folders,
        {"local": Listener(), "away": Away(), "island": Island(), "absent": absent},
        Environments(scene.own),
        user="me",
        shared_folders={"away": seen},
    )


def _program() -> str:
    import sys

    return sys.prefix


def told(submission: Submission, scene: Scene) -> set[tuple[str, str | None]]:
    draft = submission.draft(scene.asked())
    assert draft.ok is (not draft.problems)
    for problem in draft.problems:
        assert problem.text.endswith((".", "?")), problem
    return {(problem.code, problem.field) for problem in draft.problems}


def test_without_a_fault_nothing_is_wrong(submission: Submission, scene: Scene) -> None:
    assert told(submission, scene) == set()


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_told_before_submit(submission: Submission, scene: Scene, name: str) -> None:
    FAULTS[name].do(scene)
    assert FAULTS[name].then in told(submission, scene)
    with pytest.raises(MlinfnError):
        submission.submit(scene.asked())
    assert submission._store.counts().total == 0


def test_several_faults_are_told_at_once(
    submission: Submission, scene: Scene, tmp_path: Path
) -> None:
    draw, caught, made = random.Random(4), 0, 0
    together = [fault for fault in FAULTS.values() if fault.spoils not in STANDS_ALONE]
    for _ in range(150):
        spoilt: dict[str, Fault] = {}
        for fault in draw.sample(together, 4):
            spoilt.setdefault(fault.spoils, fault)
        case = Scene(scene.work, scene.own)
        for fault in spoilt.values():
            fault.do(case)
        found = told(submission, case)
        made += len(spoilt)
        caught += sum(fault.then in found for fault in spoilt.values())
    assert made >= 400
    assert caught == made


def test_what_only_one_machine_has_is_a_note_where_nobody_told_what_is_seen(
    store: JobStore, folders: JobFolders, scene: Scene, tmp_path: Path
) -> None:
    places = {"local": Listener(), "away": Away()}
    loose = Submission(store, folders, places, Environments(scene.own), user="me")
    draft = loose.draft(scene.asked())
    assert draft.ok
    lone = str(tmp_path).startswith("/tmp/")
    assert any("Usually only this machine sees" in note for note in draft.notes) is lone
    assert loose.draft(scene.asked().model_copy(update={"backend": "local"})).notes == ()


@pytest.mark.parametrize(
    ("within", "spent", "left"), [(2.0, 0.4, 1.6), (2.0, 9.0, 1.0), (0.3, 0.2, 0.3)]
)
def test_what_the_source_takes_is_not_left_to_the_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: float, spent: float, left: float
) -> None:
    clock = iter((100.0, 100.0 + spent))
    monkeypatch.setattr(drafting, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    asked: list[float | None] = []

    class Asks(Placing):
        def __init__(self) -> None: ...

        def place(self, prepared: drafting.Prepared, *, everywhere: bool) -> None:
            asked.append(prepared.within)

    checks = drafting.Drafting(Asks(), Kernels(), InputHashes(0), JobFolders(tmp_path))
    checks.prepare(JobRequest(source=str(tmp_path / "none.ipynb")), within=within)
    assert asked == [pytest.approx(left)]
