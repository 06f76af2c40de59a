"""Carry out a plan in the staging folder: packages, pip, protection, manifest."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.committing import Installed, put_in_place, python_in
from jupyter_mlinfn.environments.engine.installing import install_conda, install_pip
from jupyter_mlinfn.environments.engine.overlaps import Overlap, overlaps
from jupyter_mlinfn.environments.engine.pip_packages import Pip
from jupyter_mlinfn.environments.engine.plans import Plan
from jupyter_mlinfn.environments.engine.records import note_constraints
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.engine.sharing import Way, unrun_scripts, way_of
from jupyter_mlinfn.environments.engine.unpacked import Seen
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own import manifest


@dataclass(frozen=True)
class Built:
    """A prefix ready to be put in place; ``listed`` is its manifest.

    ``seen`` are the files of its packages in the cache. ``scripts`` are the packages whose
    post-link scripts were not run, ``overlaps`` the files that two packages bring.
    """

    installed: Installed
    way: Way
    scripts: tuple[str, ...]
    listed: Path
    seen: Seen
    overlaps: tuple[Overlap, ...] = ()


class Builder:
    """Builds one plan. All that it makes before :meth:`put_in_place` lies in the staging folder."""

    def __init__(self, assignment: Assignment, reporter: Reporter) -> None:
        self._task = assignment
        self._reporter = reporter
        self._staging = assignment.staging

    def settle(self, plan: Plan) -> Lock:
        """The lock that ``plan`` comes to.

        pip's resolver looks at the installed packages, so conda's are installed for it first.
        """
        platform = self._task.policy.platform
        if not plan.pip_wanted:
            return plan.lock(platform, plan.pip)
        self._conda(plan, str(self._staging))
        self._reporter.say("solving", "pip: " + ", ".join(plan.pip_wanted[:4]))
        pip = Pip(self._staging, self._task.folder, self._task.policy.pip_indexes)
        found = pip.resolve(plan.pip_wanted, plan.pip, platform)
        shutil.rmtree(self._staging)
        lock = plan.lock(platform, found)
        plan.wish.check_hashes(lock)
        self._task.policy.check_packages(package.name for package in found)
        return lock

    def build(self, plan: Plan, lock: Lock) -> Built:
        """Install everything and list it. Raises :class:`MlinfnError` in words, OSError."""
        platform = self._task.policy.platform
        final = str(self._task.place.prefix(lock.digest(platform)))
        seen = self._conda(plan, final)
        if plan.from_lock:
            note_constraints(self._staging, plan.records, self._task.layout.packages)
        pip = [package for package in lock.of(platform) if package.manager == "pip"]
        scratch = self._task.folder
        install_pip(pip, self._staging, final, scratch=scratch, reporter=self._reporter)
        self._reporter.say("finishing", "Looking through the files")
        listed = self._task.folder / "manifest.json"
        found = manifest.write(self._staging, listed, seen.files)
        if not seen.still_there():
            found = manifest.write(self._staging, listed)
        installed = Installed(found.size, found.files, python_in(self._staging))
        way = way_of(self._staging, self._task.layout.packages)
        scripts = tuple(unrun_scripts(self._staging))
        return Built(installed, way, scripts, listed, seen, overlaps(self._staging))

    def put_in_place(self, lock: Lock, built: Built) -> None:
        """Give the staged prefix its final name. Raises OSError."""
        digest = lock.digest(self._task.policy.platform)
        place, task = self._task.place, self._task.identifier
        put_in_place(place, digest, self._staging, built.listed, task)

    def _conda(self, plan: Plan, final: str) -> Seen:
        cache, reporter = self._task.layout.packages, self._reporter
        return install_conda(plan.records, self._staging, final, cache=cache, reporter=reporter)
