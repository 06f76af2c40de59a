"""Rows of the catalogue for own and managed environments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jupyter_mlinfn.environments.inventory import digest as digest_of
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own.cuda import Verdicts, Version, cuda_need, stated_need
from jupyter_mlinfn.environments.own.kernels import is_there
from jupyter_mlinfn.environments.own.layout import Place
from jupyter_mlinfn.environments.own.managed import ManagedEnvironment
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.own.states import packages_in, read_papers
from jupyter_mlinfn.environments.own.using import Users
from jupyter_mlinfn.model.environment_answers import Usage
from jupyter_mlinfn.model.environments import Environment, Package
from jupyter_mlinfn.model.errors import MlinfnError

_TELLING = (
    "torch", "pytorch", "tensorflow", "jax", "root", "geant4", "scikit-learn", "xgboost",
    "lightgbm", "transformers", "keras", "uproot", "awkward", "coffea", "dask", "polars",
    "pandas", "scipy", "numpy", "matplotlib", "ipykernel",
)  # fmt: skip
_TELLING_SHOWN = 3
_AFTER_MAKING = timedelta(minutes=1)


def telling(packages: Sequence[Package]) -> tuple[Package, ...]:
    """The few packages that tell what an environment is for."""
    by_name = {package.name: package for package in packages}
    return tuple(by_name[name] for name in _TELLING if name in by_name)[:_TELLING_SHOWN]


class Rows:
    """Makes rows out of what was looked up once for all of them."""

    def __init__(self, users: Users, verdicts: Verdicts) -> None:
        self._users = users
        self._verdicts = verdicts

    def own(
        self, place: Place, record: EnvironmentRecord, digest: str, kernels: Iterable[str] = ()
    ) -> Environment:
        """One state of an own environment."""
        prefix = place.prefix(digest)
        current = digest == record.digest
        images = tuple(image for image in record.images if image.lock == digest)
        packages, need, problem = self._of_papers(place.papers(digest), record)
        used = self._users.of_record(place, record)
        if record.base is not None:
            image = record.image_of(digest)
            if image is None or not is_there(image):
                problem = (
                    "A file that it runs out of is gone. "
                    f"Make its layer anew: mlinfn env undo {record.name} --to {digest[7:19]}"
                )
        elif not prefix.is_dir():
            problem = (
                "Its files are gone. "
                f"Install them again: mlinfn env undo {record.name} --to {digest[7:19]}"
            )
        return Environment(
            name=record.name,
            kind="own",
            source="image" if record.base else "conda",
            language="python" if record.python else "",
            python=record.python,
            prefix=None if record.base else str(prefix),
            kernels=tuple(sorted(kernels)),
            packages=len(packages) or None,
            telling=telling(packages),
            size=record.size if current else None,
            files=record.files if current else None,
            measured_at=record.history[-1].at if current and record.history else None,
            problem=problem,
            digest=digest,
            packed=bool(images),
            images=record.images,
            cuda=self._verdicts.of(need),
            made_by=record.made_by,
            made_at=record.made_at,
            origin=record.origin,
            states=len(record.history),
            kernel=record.kernel,
            used_by_kernels=sum(use.kind == "kernel" for use in used),
            used_by_jobs=self._jobs(used),
            last_used=self._last_used(prefix, record.made_at),
        )

    def managed(
        self, one: ManagedEnvironment, installed: Sequence[Package], kernels: Iterable[str] = ()
    ) -> Environment:
        """A managed environment; ``installed`` is its inventory where it has no papers."""
        record = one.record
        packages, need, problem = tuple(installed), cuda_need(installed), None
        if one.papers and record:
            packages, need, problem = self._of_papers(one.papers, record)
        python = next((p.version for p in packages if p.name == "python"), None)
        prefix = one.prefix or one.path
        usage = self._users.of_prefix(prefix, one.digest or "", [i.path for i in one.images])
        return Environment(
            name=one.name,
            kind="managed",
            source="conda" if one.prefix or not one.images else "image",
            language="python",
            python=record.python if record else python,
            prefix=str(one.prefix) if one.prefix else None,
            kernels=tuple(sorted(kernels)),
            packages=len(packages) or None,
            telling=telling(packages),
            size=record.size if record else one.images[0].size if one.images else None,
            files=record.files if record else 1 if one.images else None,
            measured_at=one.made_at,
            problem=problem,
            digest=one.digest,
            inventoried=digest_of(installed) if installed and not one.digest else None,
            packed=bool(one.images),
            images=one.images,
            cuda=self._verdicts.of(need),
            made_by=record.made_by if record else None,
            made_at=one.made_at,
            origin=record.origin if record else None,
            states=len(record.history) if record else 0,
            used_by_kernels=sum(use.kind == "kernel" for use in usage),
            used_by_jobs=self._jobs(usage),
            last_used=self._last_used(prefix, one.made_at),
        )

    def _jobs(self, used: Sequence[Usage]) -> int | None:
        return sum(use.kind == "job" for use in used) if self._users.jobs_known else None

    def _of_papers(
        self, papers: Path, record: EnvironmentRecord
    ) -> tuple[tuple[Package, ...], Version | None, str | None]:
        """Packages, what they need of CUDA, and why that cannot be told."""
        try:
            lock = read_papers(papers, record.name)
        except MlinfnError as error:
            return (), None, error.text
        packages = packages_in(lock, record.platform)
        needs = (cuda_need(packages), stated_need(_dependencies(lock, record.platform)))
        return packages, max((need for need in needs if need), default=None), None

    def _last_used(self, prefix: Path, made_at: datetime | None) -> datetime | None:
        """When Python last looked into its packages, or when the newest process was started.

        The time of access of a folder; file systems keep it to about a day, some not at all.
        """
        started = self._users.newest_start(prefix)
        times = [started] if started else []
        for folder in prefix.glob("lib/python3.*/site-packages"):
            looked = datetime.fromtimestamp(folder.stat().st_atime, UTC)
            if made_at is None or looked - made_at > _AFTER_MAKING:
                times.append(looked)
        return max(times, default=None)


def broken_row(place: Place, error: MlinfnError) -> Environment:
    """An own environment whose record cannot be read."""
    return Environment(name=place.name, kind="own", source="conda", prefix=None, problem=error.text)


def _dependencies(lock: Lock, platform: str) -> list[dict[str, str]]:
    return [package.dependencies for package in lock.of(platform)]
