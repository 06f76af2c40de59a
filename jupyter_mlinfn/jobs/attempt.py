"""The folder of one attempt: which file says what, and who writes it.

Standard library only, apart from the process room: the supervisor and the runner of every job
import this, and their start is on the way from submit to running. ::

    claim.json       the slot: what the attempt may use          whoever claimed it
    supervisor.lock  held by the living supervisor
    supervisor.json  who it is, its groups; mtime is the heartbeat
    supervisor.log   its own trouble
    runner.lock      held by the living runner
    runner.json      which process it is, how often it was tried  supervisor
    begun            user code runs from here on                  runner
    events.jsonl, log.txt, values.jsonl, notebook.ipynb, outputs/ runner and the job's code
    result.json      how the run went                             runner
    returned.json    nothing ran; the slot is given back          supervisor
    live.json        what it uses now, its newest checkpoint      supervisor
    hooks            the code wants to be told before its limit   the job's code
    stopping.json    why it must end, and by when                 supervisor
    end.json         the end, for good                            supervisor

Beside the attempts lies ``checkpoints/``, which all of them share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.sweeps.pointfile import parameters_of
from jupyter_mlinfn.process.durable import append_line

POINTS = "points"
"""The folder of a sweep's points in the job's."""

TRAVEL = "travel.json"
"""Lies in a job's folder that travelled to a place which sees none of the person's folders."""

WORK = "work"
"""Where a job works that travelled: its declared inputs are here."""

PUBLISHED = "published"
"""Where an attempt that travelled puts its results; they are published at home."""

AMENDMENTS = "amendments.json"
"""The file beside ``job.json`` in which it stands what the job asks for now; see ``amending``."""

TOKEN_VARIABLE = "MLINFN_ATTEMPT_TOKEN"  # noqa: S105 - the variable's name
"""Every process of an attempt was started with this variable: escapees are found by it."""


GRACE = 25.0
"""Less than what Slurm (KillWait) and Kubernetes give by default, 30 s."""


@dataclass(frozen=True)
class Slot:
    """``claim.json``: one attempt and what it may use.

    ``slots`` is the machine's key in the index, ``machine`` its identity as
    :meth:`~jupyter_mlinfn.process.identity.MachineIdentity.as_dict` tells it. Memory in bytes,
    ``time`` in seconds, ``cpu_set`` CPU numbers (empty: any). ``dispatcher`` is the argv that
    starts a dispatcher (empty: none is watched), its lock lies in ``state_dir``. ``system`` is
    the batch system that gave the slot and ``system_id`` the job's number there; both are empty
    on one's own machine. ``grace``: seconds between the system's warning and the end by force.
    ``point``: which of a sweep.
    """

    job: str
    attempt: int
    token: str
    cpus: int
    memory: int
    time: int
    slots: str
    machine: Mapping[str, str]
    claimed_at: str
    accelerators: tuple[str, ...] = ()
    cpu_set: tuple[int, ...] = ()
    dispatcher: tuple[str, ...] = ()
    state_dir: str = ""
    accelerator_locks: str = ""
    system: str = ""
    system_id: str = ""
    grace: float = GRACE
    point: int | None = None

    def to_json(self) -> str:
        """For ``claim.json``."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: bytes) -> Slot:
        """Raises ValueError or TypeError when ``text`` is no claim."""
        found = json.loads(text)
        lists = ("accelerators", "cpu_set", "dispatcher")
        return cls(**{**found, **{name: tuple(found.get(name, ())) for name in lists}})

    @property
    def attempt_token(self) -> str:
        """The value of :data:`TOKEN_VARIABLE` in every process of the attempt."""
        return f"{self.token}-{self.which}"

    @property
    def which(self) -> str:
        """The attempt's number, after its point's where it is one of a sweep."""
        return f"{self.attempt}" if self.point is None else f"{self.point}.{self.attempt}"


class AttemptFolder:
    """Names of the files, and reading them.

    The attempts of a job lie in its folder; those of a sweep's point in the point's, which lies
    in the job's: ``home`` is the one or the other.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = path.parent.parent
        of_sweep = self.home.parent.name == POINTS and self.home.name.isdecimal()
        self.point = int(self.home.name) if of_sweep else None
        self.job_folder = self.home.parent.parent if of_sweep else self.home
        self.bundle = self.job_folder / "bundle"
        self.cancel = self.home / "cancel"
        self.claim = path / "claim.json"
        self.supervisor_lock = path / "supervisor.lock"
        self.supervisor = path / "supervisor.json"
        self.supervisor_log = path / "supervisor.log"
        self.runner_lock = path / "runner.lock"
        self.runner = path / "runner.json"
        self.connection = path / "connection.json"
        self.begun = path / "begun"
        self.events = path / "events.jsonl"
        self.log = path / "log.txt"
        self.values = path / "values.jsonl"
        self.notebook = path / "notebook.ipynb"
        self.outputs = path / "outputs"
        self.result = path / "result.json"
        self.returned = path / "returned.json"
        self.end = path / "end.json"
        self.node = path / "node.json"
        self.reserve = path / ".reserve"
        self.live = path / "live.json"
        self.hooks = path / "hooks"
        self.stopping = path / "stopping.json"
        self.checkpoints = self.home / "checkpoints"

    @property
    def travelled(self) -> bool:
        """Whether the job's folder came here from elsewhere, and its attempts go back."""
        return (self.job_folder / TRAVEL).exists()

    def read_slot(self) -> Slot | None:
        """The claim, or ``None`` while it is not written or when it is damaged."""
        try:
            return Slot.from_json(self.claim.read_bytes())
        except (OSError, ValueError, TypeError):
            return None

    def spec(self) -> dict[str, Any]:
        """``job.json`` (a JobSpec) with the resources that are asked for now. Raises OSError or
        ValueError.

        A point publishes into a folder of its own; see :meth:`point_spec` for its parameters. A
        job that travelled works and publishes in its own folder, also where folders of the same
        names are there: they are not those that were meant.
        """
        found: dict[str, Any] = json.loads((self.job_folder / "job.json").read_bytes())
        found["resources"] = {**found["resources"], **_amended(self.job_folder)}
        if self.travelled:
            found["workdir"] = str(self.job_folder / WORK)
            found["output_folder"] = str(self.path / PUBLISHED)
            return found
        if self.point is not None:
            found["output_folder"] = str(Path(found["output_folder"]) / str(self.point))
        return found

    def point_spec(self) -> dict[str, Any]:
        """:meth:`spec` with the parameters of this point among those of the job.

        Raises OSError or ValueError where the points are not those that were submitted.
        """
        found = self.spec()
        if self.point is not None:
            own = parameters_of(self.job_folder, found.get("points_sha256"), self.point)
            found["parameters"] = {**(found.get("parameters") or {}), **own}
        return found

    def cancelled(self) -> bool:
        """Whether the person wants it to end: this job, or this point of it."""
        return self.cancel.exists() or (self.job_folder / "cancel").exists()

    def event(self, kind: str, **fields: object) -> None:
        """Append one line to ``events.jsonl``."""
        append_line(self.events, json.dumps({"at": now(), "kind": kind, **fields}))


def _amended(job_folder: Path) -> dict[str, Any]:
    """What the newest change of the job's resources says. Raises OSError or ValueError."""
    try:
        told = json.loads((job_folder / AMENDMENTS).read_bytes())
    except FileNotFoundError:
        return {}
    now = told[-1]["now"] if told else {}
    return {name: now[name] for name in ("cpus", "memory", "time") if name in now}


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in ``path``; ``None`` when it is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def now() -> str:
    """The time as job files tell it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
