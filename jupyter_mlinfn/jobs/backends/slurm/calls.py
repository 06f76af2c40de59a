"""Slurm's programs: argv lists, deadlines, capped output, and what a failure means."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from datetime import datetime
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
LARGEST_ANSWER: Final = 32 * 2**20
TOLD: Final = (
    *(("LC_ALL", "C"), ("SLURM_TIME_FORMAT", "standard"), ("TZ", "UTC0")),
    ("SLURM_BITSTR_LEN", "0"),
)
"""What Slurm's programs are told of language, format and zone of what they answer, and that they
must not cut off which elements of an array wait."""

_PASSED: Final = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "SLURM_CONF", "LD_LIBRARY_PATH")

_NEVER: Final = re.compile(
    r"Batch job submission failed: (?:Invalid (?:partition|account|qos|generic resource|wckey"
    r"|user id|job array)|Requested (?:node configuration|time limit|partition configuration)"
    r"|Memory (?:specification|required)|More processors requested|Node count specification"
    r"|User's group not permitted|Access/permission denied|Unable to allocate resources: Invalid)"
)
"""What Slurm says when it will never take this job; all else is silence or may change."""


_ENDED_ALREADY: Final = re.compile(
    r"Invalid job id|already completing or completed|Job is pending execution|not running"
)
_ARRAY: Final = (1001, 1001)
_NAMES_AT_ONCE: Final = 500


_FAILED: Final = "Batch job submission failed:"
_NOTHING: Final = b"#!/bin/sh\n"


class Transport(Protocol):
    """Where Slurm's programs are run."""

    def missing(self) -> str:
        """Why they cannot be run there; empty when they can."""
        ...

    def person(self) -> str | None:
        """Who one is there; ``None``: the same person as here."""
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
        first = self._find(NEEDED[0])
        # all lie in one folder as a rule, and the path may be long
        beside = os.devnull if first is None else str(Path(first).parent)
        absent = [
            name
            for name in NEEDED
            if shutil.which(name, path=beside) is None and self._find(name) is None
        ]
        if not absent:
            return ""
        if len(absent) == len(NEEDED):
            return "Slurm's programs are not on this machine."
        return f"Of Slurm's programs, {', '.join(absent)} are not on this machine."

    def person(self) -> str | None:
        """See :class:`Transport`."""
        return None

    def run(self, program: str, *arguments: str, deadline: float, stdin: bytes = b"") -> Completed:
        """See :class:`Transport`."""
        path = self._find(program)
        if path is None:
            raise PartMissing(f"{program} is not on this machine.", code="program-missing")
        environ = {name: os.environ[name] for name in _PASSED if name in os.environ}
        return run(
            (path, *arguments),
            deadline=deadline,
            env=environ | dict(TOLD),
            cwd=Path("/"),
            stdin=stdin,
            max_output=LARGEST_ANSWER,
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

    def accounted(self, ids: Sequence[str]) -> dict[str, list[SlurmJob]] | None:
        """What the accounting knows of these jobs and elements, by name; ``None``: there is no
        accounting."""
        try:
            done = self._must(
                "sacct", "-n", "-P", "-X", f"--delimiter={parsing.SEPARATOR}",
                f"--jobs={','.join(ids)}", f"--format={','.join(parsing.ACCOUNTED_FIELDS)}",
            )  # fmt: skip
        except PartMissing:
            return None
        if "accounting storage is disabled" in _said(done):
            return None
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

    def trial(self, options: Sequence[str]) -> datetime | None:
        """When a job with these options would start by Slurm's own word; ``None``: it does not
        tell. Nothing is submitted. Raises :class:`Refused` for what Slurm never takes."""
        done = self.transport.run(
            "sbatch", "--test-only", *options, deadline=_TELLS_WITHIN, stdin=_NOTHING
        )
        said = _said(done)
        if done.returncode and _NEVER.search(said.replace("allocation failure:", _FAILED)):
            told = said.split("failure:", 1)[-1].strip()
            raise Refused(f"Slurm would not take this job: {told}.", code="refused-by-system")
        return parsing.trial(said)

    def waiting(self, queue: str) -> int | None:
        """How many jobs of all people wait in ``queue``; ``None``: that cannot be told."""
        done = self._ask("squeue", "-h", "-t", "PENDING", "-p", queue, "-o", "%i")
        return None if done.returncode else len(done.text.splitlines())

    def cancel(self, number: str, *, gently: bool) -> None:
        """End a job; ``gently``: tell our own program in it, which saves what there is."""
        how = ("--batch", "--signal=TERM") if gently else ()
        done = self._must("scancel", *how, "--", number)
        if done.returncode and "Invalid job id" not in _said(done):
            raise _silent("scancel", _said(done))

    def array_limits(self) -> tuple[int, int]:
        """How many elements an array may have, and one more than the largest index; Slurm's own
        default where it does not tell."""
        done = self._run("scontrol", "show", "config")
        found = parsing.array_limits(done.text) if done and not done.returncode else None
        return found or _ARRAY

    def cancel_elements(self, names: Sequence[str], *, gently: bool) -> None:
        """End arrays (``7``) or elements (``7_3``); ``gently``: those that wait go, and our own
        program in those that run is told."""
        hows: tuple[tuple[str, ...], ...] = ((),)
        if gently:
            hows = (("--state=PENDING",), ("--batch", "--signal=TERM"))
        for how in hows:
            for first in range(0, len(names), _NAMES_AT_ONCE):
                done = self._must("scancel", *how, "--", *names[first : first + _NAMES_AT_ONCE])
                if done.returncode and not _ENDED_ALREADY.search(_said(done)):
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
