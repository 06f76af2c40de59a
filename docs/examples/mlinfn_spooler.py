"""Jobs through task-spooler (``tsp``), a queue for one machine: a back-end in one file."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jupyter_mlinfn.jobs.backends.protocol import BackendContext
from jupyter_mlinfn.jobs.backends.shared_folder import SharedFolderBackend
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.model.errors import PartMissing, Problem, Unavailable
from jupyter_mlinfn.model.jobs import Forecast, JobId, JobRecord, JobSpec, Reason, Resources
from jupyter_mlinfn.model.offer import Queue
from jupyter_mlinfn.model.quantities import MAX_DURATION
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.run import run

LINE = re.compile(
    r"(?P<number>\d+)\s+(?P<state>queued|running|finished|skipped)\s.*"
    r"\[mlinfn-(?P<job>[a-z2-7]{10}):(?P<token>[A-Za-z0-9_-]+)\]"
)
"""One line of ``tsp``: our label holds the job's id and its token, and nothing a person wrote."""

LARGEST = Resources(cpus=os.cpu_count() or 1, memory=8 * 2**30, gpus=0, time=MAX_DURATION)
PASSED = ("PATH", "HOME", "USER", "LANG", "TS_SOCKET", "TS_SLOTS")


class SpoolerBackend(SharedFolderBackend):
    """Four methods say how the system does things; five say what it has to offer."""

    name: ClassVar[str] = "spooler"
    title: ClassVar[str] = "Task spooler"

    def __init__(self, context: BackendContext) -> None:
        super().__init__(context, poll=1.0)

    # --- what it offers ---------------------------------------------------------------------------

    def missing(self) -> str:
        """Cheap: it is asked for every form."""
        return "" if shutil.which("tsp") else "The program tsp is not on this machine."

    def queues(self) -> tuple[Queue, ...]:
        """It has none to choose from."""
        return ()

    def limits(self) -> Resources:
        """The most one job can ask for."""
        return LARGEST

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """Why a job could never run here, with the field of the form that has to change."""
        found = []
        for field in ("cpus", "memory", "gpus"):
            most = getattr(LARGEST, field)
            if getattr(resources, field) > most:
                text = f"The spooler gives one job at most {most} ({field})."
                found.append(Problem(code="asks-too-much", text=text, field=f"resources.{field}"))
        return tuple(found)

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether it would start now."""
        going = sum(line["state"] in ("queued", "running") for line in self._lines())
        if not going:
            return Forecast(starts_now=True, text="Would start now.")
        return Forecast(starts_now=False, text=f"Would wait behind {going}.", position=going)

    # --- how it does things -----------------------------------------------------------------------

    def _give(self, spec: JobSpec, folder: Path) -> str:
        program = own_program("jupyter_mlinfn.jobs.batch", str(folder), self.name)
        self._call("-n", "-L", f"mlinfn-{spec.id}:{spec.token}", *program)
        number = self._find(spec, going=False)
        if number is None:
            raise Unavailable("The spooler did not say whether it took the job.")
        return number

    def _find(self, spec: JobSpec, *, going: bool) -> str | None:
        for line in reversed(self._lines()):
            over = line["state"] in ("finished", "skipped")
            if line["token"] == spec.token and not (going and over):
                return line["number"]
        return None

    def _words(self, records: Sequence[JobRecord]) -> Mapping[JobId, Word]:
        return {line["job"]: word(line) for line in self._lines()}

    def _end(self, number: str, *, gently: bool) -> None:
        if self._call("-s", number).strip() == "queued":
            self._call("-r", number)
            return
        # our own program in it saves what there is
        os.kill(int(self._call("-p", number)), signal.SIGTERM if gently else signal.SIGKILL)

    # --- inside -----------------------------------------------------------------------------------

    def _lines(self) -> list[re.Match[str]]:
        found = (LINE.match(line) for line in self._call().splitlines())
        return [line for line in found if line]

    def _call(self, *arguments: str) -> str:
        environ = {name: os.environ[name] for name in PASSED if name in os.environ}
        try:
            done = run(("tsp", *arguments), deadline=5, env=environ, cwd=Path("/"))
        except PartMissing as error:
            raise Unavailable(self.missing() or error.text) from error
        if done.returncode:
            raise Unavailable(f"The spooler does not answer ({done.stderr[:200]!r}).")
        return done.text


def word(line: re.Match[str]) -> Word:
    """What the spooler says of a job, in the words of all back-ends."""
    number, state = line["number"], line["state"]
    if state == "queued":
        reason = Reason(code="waits-in-queue", text="Waits for the jobs before it.")
        return Word(number, "waits", waits=reason)
    if state == "running":
        return Word(number, "runs")
    never = Reason(code="not-started", text="It ended before any of your code ran.")
    died = Reason(code="runner-died", text="The program that ran this job was killed.")
    return Word(number, "over", ended=(never, died))
