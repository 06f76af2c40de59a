"""What people do with shared jobs: share, take back, list, look, run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sharing import giving, taking
from jupyter_mlinfn.jobs.sharing.again import Rerunning, free_folder
from jupyter_mlinfn.jobs.sharing.areas import area_named, areas
from jupyter_mlinfn.jobs.sharing.looking import SharedLook
from jupyter_mlinfn.model.environments import EnvironmentResolver
from jupyter_mlinfn.model.jobs import JobRecord
from jupyter_mlinfn.model.sharing import (
    ShareArea,
    SharedDetails,
    SharedJob,
    SharedJobs,
    SharedRerun,
)

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.actions import JobActions
    from jupyter_mlinfn.jobs.submission import Submission
    from jupyter_mlinfn.jobs.sweeps.index import SweepIndex


class JobSharing:
    """The verbs. ``areas``: the folders that the settings name."""

    def __init__(
        self,
        *,
        folders: JobFolders,
        actions: JobActions,
        points: SweepIndex,
        submission: Submission,
        environments: EnvironmentResolver,
        places: frozenset[str],
        areas: Sequence[str],
    ) -> None:
        self._folders = folders
        self._actions = actions
        self._points = points
        self._rerunning = Rerunning(submission, environments, places)
        self._areas = tuple(areas)

    @property
    def areas(self) -> tuple[ShareArea, ...]:
        """The areas that are there now."""
        return areas(self._areas)

    def share(self, job: str, area: str | None = None) -> SharedJob:
        """Share an ended job of one's own; see :func:`~.giving.share`."""
        chosen = area_named(self.areas, area)
        details = self._actions.details(job)
        points = self._points.all(details.job.id) if details.job.sweep else ()
        giving.share(self._folders, details, chosen, points)
        return taking.read_note(chosen, details.job.id).shown

    def unshare(self, job: str, area: str | None = None) -> tuple[ShareArea, ...]:
        """Take it away again from one area, or from all; where it was.

        Raises :class:`~jupyter_mlinfn.model.errors.NotFound` where it is not shared.
        """
        known = self.areas
        where = (area_named(known, area),) if area else giving.shared_in(job, known)
        for one in where or known[:1]:
            giving.unshare(job, one)
        return where

    def listed(self) -> SharedJobs:
        """All that is shared here, one's own too."""
        return taking.listed(self.areas)

    def look(self, name: str) -> SharedLook:
        """A shared job by ``ID``, its beginning, or ``AREA/ID``; see :func:`~.taking.find`."""
        return SharedLook(taking.find(self.areas, name), self._folders.data_dir / "shared")

    def details(self, name: str) -> SharedDetails:
        """All that is told of it."""
        return taking.details_of(self.look(name).found)

    def rerun(
        self, name: str, changes: SharedRerun, root: Path, key: str | None = None
    ) -> JobRecord:
        """Run it as a job of one's own; its code goes into ``changes.into``, a full path, else into
        a folder below ``root``. See :meth:`~.again.Rerunning.run`."""
        look = self.look(name)
        into = changes.into and Path(changes.into)
        spec = look.found.note.details.spec
        return self._rerunning.run(look, into or free_folder(root, spec), changes, key)
