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
    end.json         the end, for good                            supervisor
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_mlinfn.process.durable import append_line

TOKEN_VARIABLE = "MLINFN_ATTEMPT_TOKEN"  # noqa: S105 - the variable's name
"""Every process of an attempt was started with this variable: escapees are found by it."""


@dataclass(frozen=True)
class Slot:
    """``claim.json``: one attempt and what it may use.

    ``slots`` is the machine's key in the index, ``machine`` its identity as
    :meth:`~jupyter_mlinfn.process.identity.MachineIdentity.as_dict` tells it. Memory in bytes,
    ``time`` in seconds, ``cpu_set`` CPU numbers (empty: any). ``dispatcher`` is the argv that
    starts a dispatcher (empty: none is watched), its lock lies in ``state_dir``. ``system`` is
    the batch system that gave the slot and ``system_id`` the job's number there; both are empty
    on one's own machine.
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
        return f"{self.token}-{self.attempt}"


class AttemptFolder:
    """Names of the files, and reading them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job_folder = path.parent.parent
        self.bundle = self.job_folder / "bundle"
        self.cancel = self.job_folder / "cancel"
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
        self.reserve = path / ".reserve"

    def read_slot(self) -> Slot | None:
        """The claim, or ``None`` while it is not written or when it is damaged."""
        try:
            return Slot.from_json(self.claim.read_bytes())
        except (OSError, ValueError, TypeError):
            return None

    def spec(self) -> dict[str, Any]:
        """``job.json`` as it stands (a JobSpec). Raises OSError or ValueError."""
        found: dict[str, Any] = json.loads((self.job_folder / "job.json").read_bytes())
        return found

    def event(self, kind: str, **fields: object) -> None:
        """Append one line to ``events.jsonl``."""
        append_line(self.events, json.dumps({"at": now(), "kind": kind, **fields}))


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
