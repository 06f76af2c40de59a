"""A small place to work: notebooks, specs, an environment and a back-end that only listens."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.submission import new_id
from jupyter_mlinfn.model.environments import EnvironmentRef, KernelCommand, Mismatch, Package
from jupyter_mlinfn.model.errors import PartMissing, Problem, Unavailable
from jupyter_mlinfn.model.jobs import (
    Forecast,
    JobId,
    JobRecord,
    JobRequest,
    JobSpec,
    Resources,
)
from jupyter_mlinfn.model.offer import Queue

LANGUAGES = {"python3": "python", "ir": "R", "julia-1.10": "julia", "xcpp17": "C++"}


def reference(name: str = "python3") -> EnvironmentRef:
    """The environment of a kernel."""
    kernel = KernelCommand(
        name=name,
        display_name=f"Kernel {name}",
        language=LANGUAGES[name],
        argv=(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
        resource_dir="/nowhere",
    )
    return EnvironmentRef(name=name, digest="sha256:" + "0" * 64, kernel=kernel)


class Kernels:
    """The kernels of :data:`LANGUAGES`."""

    def choices(self) -> tuple[EnvironmentRef, ...]:
        return tuple(map(reference, LANGUAGES))

    def resolve(self, name: str) -> EnvironmentRef:
        if name not in LANGUAGES:
            raise PartMissing(f"There is no kernel {name}.", code="environment-missing")
        return reference(name)

    def packages(self, ref: EnvironmentRef) -> tuple[Package, ...]:
        return (Package(name="numpy", version="2.0"),)

    def lock(self, ref: EnvironmentRef) -> str | None:
        return None

    def changed(self, ref: EnvironmentRef) -> Mismatch | None:
        return None


class Listener:
    """A back-end that notes what it is told, and answers what it was given to answer."""

    name: ClassVar[str] = "local"
    title: ClassVar[str] = "This machine"
    shares_folder: ClassVar[bool] = True
    sweeps: ClassVar[bool] = True

    def __init__(self) -> None:
        self.answers: dict[JobId, Observation] = {}
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self.queries = 0
        self.healed = 0
        self.silent = False
        self.waits = False

    def missing(self) -> str:
        return ""

    def queues(self) -> tuple[Queue, ...]:
        return ()

    def limits(self) -> Resources:
        return Resources(cpus=8, memory=16 * 2**30, gpus=1, time=86400)

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        text = "This machine has 8 CPUs and 1 GPU."
        asked = {"cpus": resources.cpus > 8, "gpus": resources.gpus > 1}
        nowhere = {"queue": queue, "charge": charge}
        return (
            *(
                Problem(code="asks-too-much", text=text, field=f"resources.{name}")
                for name, too_much in asked.items()
                if too_much
            ),
            *(
                Problem(code=f"unknown-{name}", text="There is none here.", field=name)
                for name, value in nowhere.items()
                if value is not None
            ),
        )

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        return Forecast(starts_now=True, text="Would start now.")

    def submit(self, spec: JobSpec) -> str:
        self._speak()
        self.submitted.append(spec.token)
        return spec.id

    def awaits(self, jobs: Sequence[JobRecord], *, sweep: bool) -> bool:
        return self.waits or not jobs

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        self.queries += 1
        self._speak()
        return {
            record.id: self.answers[record.id] for record in records if record.id in self.answers
        }

    def cancel(self, record: JobRecord) -> None:
        self._speak()
        self.cancelled.append(record.id)

    def heal(self) -> None:
        self.healed += 1

    def _speak(self) -> None:
        if self.silent:
            raise Unavailable("The line is dead.")


def make_spec(job: str | None = None, **changes: Any) -> JobSpec:
    """The spec of a small job; keys of :class:`Resources` go there."""
    resources = {key: changes.pop(key) for key in ("cpus", "memory", "gpus") if key in changes}
    job = job or new_id()
    values: dict[str, Any] = {
        "id": job,
        "name": f"job {job}",
        "token": f"token-{job}",
        "user": "somebody",
        "source": "/home/ada/train.ipynb",
        "workdir": "/home/ada",
        "kind": "notebook",
        "environment": reference(),
        "resources": Resources(**resources),
        "backend": "local",
        "output_folder": f"/home/ada/results/train-{job}",
        "submitted_at": datetime.now(UTC),
    }
    return JobSpec(**{**values, **changes})


REQUEST = JobRequest(source="/home/ada/train.ipynb")


def code(source: str, *tags: str) -> dict[str, Any]:
    """A code cell."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": list(tags)} if tags else {},
        "outputs": [],
        "source": source,
    }


def write_notebook(path: Path, *cells: dict[str, Any], kernel: str | None = "python3") -> Path:
    """A notebook in format 4.4 with these cells."""
    metadata: dict[str, Any] = {}
    if kernel:
        language = LANGUAGES.get(kernel, "python")
        metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": language}
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": list(cells)}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
