"""A small batch system over folders, with two queues: what a site would add by entry point.

A job is a ticket ``<number>.json`` in the farm's folder; who plays the farm writes into it what
has become of it. The files ``absent`` and ``silent`` in that folder make the farm missing or mute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Observation
from jupyter_mlinfn.model.errors import Problem, Unavailable
from jupyter_mlinfn.model.jobs import Forecast, JobId, JobRecord, JobSpec, Reason, Resources
from jupyter_mlinfn.model.offer import Queue, Room

GIB = 2**30
FIRST_NUMBER = 1234
REPOSITORY = Path(__file__).parents[2]

QUEUES = (
    Queue(
        name="normal",
        default=True,
        time_limit=86400,
        cpus=64,
        memory=256 * GIB,
        gpus=2,
        gpu_models=("a100",),
        free=Room(cpus=12, memory=48 * GIB, gpus=0),
    ),
    Queue(
        name="opportunistic",
        time_limit=3600,
        cpus=16,
        memory=64 * GIB,
        text="Jobs here are interrupted when others need the room.",
    ),
)


class Farm:
    """Implements :class:`~jupyter_mlinfn.jobs.backends.protocol.Backend` over one folder."""

    name: ClassVar[str] = "farm"
    title: ClassVar[str] = "The farm"
    shares_folder: ClassVar[bool] = True
    sweeps: ClassVar[bool] = False

    def __init__(self, context: BackendContext) -> None:
        self.folder = context.state_dir / "farm"
        self.folder.mkdir(exist_ok=True)

    def missing(self) -> str:
        return "The farm is closed." if (self.folder / "absent").exists() else ""

    def queues(self) -> tuple[Queue, ...]:
        self._speak()
        return QUEUES

    def limits(self) -> Resources:
        self._speak()
        return Resources(cpus=32, memory=128 * GIB, gpus=2, time=7 * 86400)

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        if (self.folder / "silent").exists():
            return ()
        problems = []
        chosen = next((one for one in QUEUES if one.name == (queue or "normal")), None)
        if chosen is None:
            text = f"The farm has no queue '{queue}'. There are: normal, opportunistic."
            problems.append(Problem(code="unknown-queue", text=text, field="queue"))
        elif resources.gpus > chosen.gpus:
            text = f"The queue {chosen.name} has {chosen.gpus} GPUs, not {resources.gpus}."
            problems.append(Problem(code="asks-too-much", text=text, field="resources.gpus"))
        if charge not in (None, "cms"):
            text = f"The farm charges nobody called '{charge}'. There is: cms."
            problems.append(Problem(code="unknown-charge", text=text, field="charge"))
        return tuple(problems)

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        if (self.folder / "silent").exists():
            return Forecast(starts_now=False, text="Waits until the farm answers.")
        if queue == "opportunistic":
            return Forecast(starts_now=True, text="Would start now in opportunistic.")
        text = "Would wait in normal behind 3 jobs."
        return Forecast(starts_now=False, text=text, position=3)

    def submit(self, spec: JobSpec) -> str:
        self._speak()
        for path in self._tickets():
            if json.loads(path.read_text())["token"] == spec.token:
                return path.stem
        ticket = {"token": spec.token, "queue": spec.queue, "charge": spec.charge}
        number = str(FIRST_NUMBER + len(self._tickets()))
        (self.folder / f"{number}.json").write_text(json.dumps(ticket))
        return number

    def awaits(self, jobs: Sequence[JobRecord], *, sweep: bool) -> bool:
        return False

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        self._speak()
        return {
            record.id: self._observe(self.ticket(record.backend_id))
            for record in records
            if record.backend_id
        }

    def cancel(self, record: JobRecord) -> None:
        self._speak()
        if record.backend_id:
            path = self.folder / f"{record.backend_id}.json"
            path.write_text(json.dumps({**self.ticket(record.backend_id), "state": "cancelled"}))

    def heal(self) -> None:
        self._speak()

    def ticket(self, number: str) -> dict[str, Any]:
        """What the farm knows of a job."""
        found: dict[str, Any] = json.loads((self.folder / f"{number}.json").read_text())
        return found

    def _observe(self, ticket: Mapping[str, Any]) -> Observation:
        if "state" in ticket:
            return Observation(state=ticket["state"])
        reason = Reason(code="waits-in-queue", text="3 jobs are before this one.")
        return Observation(state="queued", reason=reason)

    def _tickets(self) -> list[Path]:
        return list(self.folder.glob("*.json"))

    def _speak(self) -> None:
        if (self.folder / "silent").exists():
            raise Unavailable("The farm does not answer.")


def install(folder: Path) -> Path:
    """Make a package that announces the farm by entry point; the folder to put on ``sys.path``."""
    announced = folder / "farm-1.0.dist-info"
    announced.mkdir(parents=True)
    (announced / "METADATA").write_text("Metadata-Version: 2.1\nName: farm\nVersion: 1.0\n")
    (announced / "entry_points.txt").write_text(
        "[jupyter_mlinfn.backends]\nfarm = tests.systems.farm:Farm\n"
    )
    return folder
