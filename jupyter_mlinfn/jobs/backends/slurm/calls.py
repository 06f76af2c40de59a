"""Slurm's programs: argv lists, deadlines, capped output, and what a failure means."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from jupyter_mlinfn.jobs.backends.slurm import parsing
from jupyter_mlinfn.jobs.backends.slurm.parsing import Group, SlurmJob
from jupyter_mlinfn.model.errors import PartMissing, Refused, Unavailable
from jupyter_mlinfn.process.redaction import redact
from jupyter_mlinfn.process.run import Completed, run

NEEDED: Final = ("sbatch", "squeue", "scancel", "sinfo")

_ANSWERS_WITHIN: Final = 15.0
_TELLS_WITHIN: Final = 3.0
_SUBMITS_WITHIN: Final = 30.0
_LARGEST_ANSWER: Final = 32 * 2**20
_PASSED: Final = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "SLURM_CONF", "LD_LIBRARY_PATH")

_NEVER: Final = re.compile(
    r"Batch job submission failed: (?:Invalid (?:partition|account|qos|generic resource|wckey"
    r"|user id|job array)|Requested (?:node configuration|time limit|partition configuration)"
    r"|Memory (?:specification|required)|More processors requested|Node count specification"
    r"|User's group not permitted|Access/permission denied|Unable to allocate resources: Invalid)"
)
"""What Slurm says when it will never take this job; all else is silence or may change."""


class Transport(Protocol):
    """Where Slurm's programs are run."""

    def missing(self) -> str:
        """Why they cannot be run there; empty when they can."""
        ...

    def run(self, program: str, *arguments: str, deadline: float, stdin: bytes = b"") -> Completed:
        """Run one of them. Raises :class:`PartMissing` and :class:`Unavailable`."""
        ...


class Local:
    """The programs on this machine; ``folder``: where they lie, empty: on the path."""

    def __init__(self, folder: str = "") -> None:
        self._folder = folder

    def missing(self) -> str:
        """Which of the programs needed are not here."""
        absent = [name for name in NEEDED if self._find(name) is None]
        if not absent:
            return ""
        if len(absent) == len(NEEDED):
            return "Slurm's programs are not on this machine."
        return f"Of Slurm's programs, {', '.join(absent)} are not on this machine."

    def run(self, program: str, *arguments: str, deadline: float, stdin: bytes = b"") -> Completed:
        """See :class:`Transport`."""
        path = self._find(program)
        if path is None:
            raise PartMissing(f"{program} is not on this machine.", code="program-missing")
        environ = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return run(
            (path, *arguments),
            deadline=deadline,
            env={**environ, "LC_ALL": "C", "SLURM_TIME_FORMAT": "standard"},
            cwd=Path("/"),
            stdin=stdin,
            max_output=_LARGEST_ANSWER,
        )

    def _find(self, program: str) -> str | None:
        return shutil.which(program, path=self._folder or None)


class Calls:
    """Each program once. All raise :class:`Unavailable` when Slurm does not answer."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def jobs(self) -> dict[str, list[SlurmJob]]:
        """All jobs of this person that Slurm still knows, by name."""
        return self._listed("--states=all", "--me")

    def named(self, name: str) -> list[SlurmJob]:
        """The jobs of this name, the oldest one first."""
        return self._listed("--states=all", "--me", f"--name={name}").get(name, [])

    def accounted(self, ids: Sequence[str]) -> dict[str, list[SlurmJob]]:
        """What the accounting knows of these jobs; nothing where there is no accounting."""
        if not ids:
            return {}
        done = self._run(
            "sacct", "-n", "-P", "-X", f"--delimiter={parsing.SEPARATOR}",
            f"--jobs={','.join(ids)}", f"--format={','.join(parsing.ACCOUNTED_FIELDS)}",
        )  # fmt: skip
        if done is None or "accounting storage is disabled" in _said(done):
            return {}
        return _by_name(parsing.accounted(_answer(done, "sacct"))[0])

    def groups(self) -> tuple[Group, ...]:
        """What there is and what is free."""
        done = self._ask("sinfo", "-h", "-a", "-O", parsing.SINFO_FORMAT)
        found, unread = parsing.groups(_answer(done, "sinfo"))
        if unread and not found:
            raise _silent("sinfo", "its answer cannot be read")
        return found

    def accounts(self, user: str) -> tuple[str, ...] | None:
        """The accounts this person may charge; ``None``: that cannot be told."""
        done = self._run(
            "sacctmgr", "-n", "-P", "show", "associations", f"users={user}", "format=account"
        )
        if done is None or done.returncode:
            return () if done and "supported accounting_storage" in _said(done) else None
        return tuple(sorted({line for line in done.text.split() if line}))

    def submit(self, options: Sequence[str], script: bytes) -> str:
        """Hand a script over; the job's number.

        Raises :class:`Refused` when Slurm will never take it, :class:`Unavailable` when it may
        have taken it or may take it later.
        """
        done = self.transport.run("sbatch", *options, deadline=_SUBMITS_WITHIN, stdin=script)
        number = parsing.submitted(done.text)
        if done.returncode == 0 and number is not None:
            return number
        said = _said(done)
        if _NEVER.search(said):
            told = said.split("failed:", 1)[-1].strip()
            raise Refused(f"Slurm does not take this job: {told}.", code="refused-by-system")
        raise _silent("sbatch", said or "its answer cannot be read")

    def cancel(self, number: str, *, gently: bool) -> None:
        """End a job; ``gently``: tell our own program in it, which saves what there is."""
        how = ("--batch", "--signal=TERM") if gently else ()
        done = self._must("scancel", *how, "--", number)
        if done.returncode and "Invalid job id" not in _said(done):
            raise _silent("scancel", _said(done))

    def _listed(self, *which: str) -> dict[str, list[SlurmJob]]:
        done = self._must("squeue", "-h", *which, "-o", parsing.JOB_FORMAT)
        found, unread = parsing.jobs(_answer(done, "squeue"))
        if unread or done.truncated:
            # what cannot be read may be the line of a job that would count as gone
            raise _silent("squeue", "its answer cannot be read")
        return _by_name(found)

    def _must(self, program: str, *arguments: str) -> Completed:
        return self.transport.run(program, *arguments, deadline=_ANSWERS_WITHIN)

    def _ask(self, program: str, *arguments: str) -> Completed:
        """As :meth:`_must`, for what a person waits for."""
        return self.transport.run(program, *arguments, deadline=_TELLS_WITHIN)

    def _run(self, program: str, *arguments: str) -> Completed | None:
        """As :meth:`_ask`; ``None`` where the program is not installed."""
        try:
            return self._ask(program, *arguments)
        except PartMissing:
            return None


def _by_name(found: Sequence[SlurmJob]) -> dict[str, list[SlurmJob]]:
    named: dict[str, list[SlurmJob]] = {}
    for job in sorted(found, key=lambda job: int(job.id)):
        named.setdefault(job.name, []).append(job)
    return named


def _answer(done: Completed, program: str) -> str:
    if done.returncode:
        raise _silent(program, _said(done))
    return done.text


def _said(done: Completed) -> str:
    words = (done.stderr.decode("utf-8", "replace") or done.text).strip()
    return redact(" ".join(words.split())[:300])


def _silent(program: str, why: str) -> Unavailable:
    return Unavailable(f"Slurm does not answer ({program}: {why}).", code="slurm-silent")
