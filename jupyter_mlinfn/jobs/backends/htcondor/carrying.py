"""Sweeps of pools whose machines see none of our folders: one parcel in the spool for all points.

A spooled job has files of its own, so 10,000 spooled points would be 10,000 parcels. Therefore one
job that never runs, the *carrier*, has the parcel in its folder in the schedd's spool, and the
points are ordinary jobs whose folder that is: HTCondor sends the parcel from there to the machine
of each, and puts there what each brings, under a name of its own. Some of these files at a time
are fetched as if the carrier had made them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.backends.handing import Handing
from jupyter_mlinfn.jobs.backends.htcondor import there
from jupyter_mlinfn.jobs.backends.htcondor.away import PROGRAM, Away, files_of
from jupyter_mlinfn.jobs.backends.htcondor.calls import Calls, silent
from jupyter_mlinfn.jobs.backends.htcondor.describing import listed, plain
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.travel import parcel
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import JobId, JobSpec
from jupyter_mlinfn.process.detach import isolation

_KEPT: Final = 60 * 86400
"""Seconds after which HTCondor removes a carrier that nobody removed."""


class Carrier:
    """``half_sent`` tells whether a job's files never came, and takes it away then."""

    def __init__(
        self,
        folders: JobFolders,
        calls: Calls,
        away: Away,
        python: str,
        half_sent: Callable[[CondorJob], bool],
    ) -> None:
        self._folders = folders
        self._calls = calls
        self._away = away
        self._python = python or sys.executable
        self._half_sent = half_sent
        self._handing = Handing("htcondor-carrier", "HTCondor")

    def prepare(self, spec: JobSpec) -> None:
        """Have the sweep's parcel in the spool, once. Raises :class:`Refused`,
        :class:`Unavailable`, :class:`NotFound` and OSError."""
        number = self._once(spec, None)
        if self._calls.place(number) is None:  # somebody removed it
            self._once(spec, number)

    def number(self, job: JobId) -> str | None:
        """HTCondor's number of the carrier; ``None`` before there is one."""
        return self._handing.note(self._folders.job(job)).id

    def fetch(self, job: JobId, names: Sequence[str]) -> None:
        """Have these files written into ``away``. Raises as :meth:`Calls.fetch`."""
        number = self.number(job)
        if number is None:
            raise Refused("Nothing of this sweep was sent.", code="nothing-there")
        self._calls.fetch(number, names)

    def points(self, spec: JobSpec, given: Mapping[str, str]) -> dict[str, str]:
        """The submit description of points that travel, from that of those that see their folder.

        Raises :class:`Unavailable` while the parcel is not there.
        """
        number = self.number(spec.id)
        folder = None if number is None else self._calls.place(number)
        if folder is None:
            raise silent("the files of the sweep are not there")
        images = parcel.images(self._folders.job(spec.id))
        words = [*isolation(), "-m", PROGRAM]
        words += [f"{digest}={path.name}" for digest, path in images.items()]
        names = [there.PARCEL, *(path.name for path in images.values())]
        mine = "$(Number)"
        return {
            **given,
            "executable": plain(self._python),
            "arguments": listed([*words, there.POINT], f"'{mine}'"),
            "initialdir": plain(folder),
            "output": "/dev/null",
            "error": "/dev/null",
            "should_transfer_files": "YES",
            "when_to_transfer_output": "ON_EXIT_OR_EVICT",
            "transfer_input_files": plain(",".join(names)),
            "transfer_output_files": f"{there.home_file(mine)},{there.news_file(mine)}",
            "My.WantIOProxy": "true",
        }

    # --- inside ---------------------------------------------------------------------------------

    def _once(self, spec: JobSpec, after: str | None) -> str:
        folder, token = self._folders.job(spec.id), f"{spec.token}.carrier"

        def find() -> str | None:
            found = [one for one in self._calls.queued(spec.id, token) if not self._half_sent(one)]
            return str(found[-1].cluster) if found else None

        def give() -> str:
            size = self._away.pack(folder)
            number = self._calls.send(self._description(spec, folder, token), size)
            self._away.sent(folder)
            return number

        return self._handing.once(
            folder, find, give, submitted_at=spec.submitted_at, after=after, lost=after is not None
        )

    def _description(self, spec: JobSpec, folder: Path, token: str) -> dict[str, str]:
        return {
            "universe": "vanilla",
            "executable": plain(self._python),
            "transfer_executable": "false",
            "initialdir": plain(str(folder / "away")),
            "output": "/dev/null",
            "error": "/dev/null",
            "notification": "never",
            "should_transfer_files": "YES",
            "when_to_transfer_output": "ON_EXIT",
            "transfer_input_files": plain(",".join(files_of(folder))),
            "requirements": "false",
            "request_cpus": "1",
            "request_memory": "1",
            "batch_name": f"mlinfn-{spec.id}",
            "periodic_remove": f"time() - QDate > {_KEPT}",
            "My.MLInfnJobId": f'"{spec.id}"',
            "My.MLInfnToken": f'"{token}"',
        }
