"""The list of environments for people: those behind kernels, and those found beside them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlinfn.environments.discovery import find_prefixes
from jupyter_mlinfn.environments.inventories import mtime
from jupyter_mlinfn.environments.inventory import digest, python_version
from jupyter_mlinfn.environments.kernels import FoundKernel, SpecFinder, find_kernels
from jupyter_mlinfn.environments.measurements import Measurement, Measurements, Wanted
from jupyter_mlinfn.environments.own.cuda import cuda_need
from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.environments.own.rows import telling
from jupyter_mlinfn.environments.own.store import OwnEnvironments
from jupyter_mlinfn.environments.prefixes import minor_version
from jupyter_mlinfn.environments.programs import KernelProgram, find_program
from jupyter_mlinfn.environments.worker import ensure_worker
from jupyter_mlinfn.model.environments import Environment, EnvironmentList

_SYSTEM_PREFIXES = {"/", "/usr", "/usr/local"}
"""Prefixes that hold the whole system: their size says nothing about an environment."""


@dataclass
class _Place:
    """One prefix with the kernels that run in it."""

    prefix: Path
    python: str
    kernels: list[str] = field(default_factory=list)


class Catalogue:
    """Reads what is there at every call; sizes come from a worker process in the background.

    ``root`` is where the notebooks are (default: the folder this process was started in); ``own``
    tells own and managed environments, which come first; ``container_root``: one is set.
    Methods may be called from any thread; :meth:`list` reads files and must not be called on an
    event loop.
    """

    def __init__(
        self,
        data_dir: Path,
        folders: Iterable[str | Path] = (),
        *,
        root: Path | None = None,
        finder: SpecFinder | None = None,
        own: OwnEnvironments | None = None,
        container_root: bool = False,
    ) -> None:
        self.own = own or OwnEnvironments(Layout.of(data_dir))
        self.measurements = Measurements(data_dir / "environments")
        self._folders = [Path(folder) for folder in folders]
        self._root = root or Path.cwd()
        self._finder = finder
        self._container_root = container_root

    def list(self, *, measure: bool = True) -> EnvironmentList:
        """All environments; with ``measure`` the worker is started for sizes that are missing."""
        kernels = find_kernels(self._finder)
        programs = {
            name: find_program(kernel.command) for name, kernel in kernels.items() if kernel.command
        }
        prefixes = {name: program.prefix for name, program in programs.items() if program.prefix}
        owners = self.own.kernel_owners(kernels, prefixes)
        ours = [self._sized(row) for row in self.own.rows(owners)]
        foreign = {name: program for name, program in programs.items() if name not in owners}
        known = {os.path.realpath(row.prefix) for row, _ in ours if row.prefix}
        rows = [self._row(place) for place in self._places(foreign, known)]
        loose = [
            _loose_row(kernel, programs.get(name))
            for name, kernel in kernels.items()
            if name not in owners and name not in prefixes
        ]
        questions = self.measurements.open_questions(
            [wanted for _, wanted in (*ours, *rows) if wanted is not None]
        )
        measuring = measure and self._ask(questions)
        ordered = sorted((row for row, _ in rows), key=lambda row: (not row.kernels, row.name))
        shown = (*(row for row, _ in ours), *ordered, *loose)
        return EnvironmentList(
            environments=shown, measuring=measuring, container_root=self._container_root
        )

    def sized(self, row: Environment) -> Environment:
        """``row`` with the size that was measured, where nobody else tells it."""
        return self._sized(row)[0]

    def stop_measuring(self) -> None:
        """Give up what is being measured; the worker then ends."""
        if self.measurements.folder.is_dir():
            self.measurements.want(())

    def _ask(self, questions: Sequence[Wanted]) -> bool:
        """Have the questions answered; ``False`` when there are none or nobody can."""
        if not questions:
            return False
        try:
            self.measurements.create()
            if not set(questions) <= set(self.measurements.wanted()):
                self.measurements.want(questions)
            ensure_worker(self.measurements)
        except OSError:
            return False  # no room or no right in the data folder: the list goes without sizes
        return True

    def _places(self, programs: Mapping[str, KernelProgram], known: Set[str]) -> tuple[_Place, ...]:
        """Every prefix once, with the names of its kernels; without those ``known`` already."""
        places: dict[tuple[str, str], _Place] = {}
        for name, program in programs.items():
            if program.prefix is not None:
                key = (os.path.realpath(program.prefix), program.python)
                places.setdefault(key, _Place(program.prefix, program.python)).kernels.append(name)
        for prefix in find_prefixes(self._folders, self._root):
            if os.path.realpath(prefix) in known:
                continue
            python = minor_version(prefix)
            places.setdefault((os.path.realpath(prefix), python), _Place(prefix, python))
        return tuple(places.values())

    def _sized(self, row: Environment) -> tuple[Environment, Wanted | None]:
        """A managed prefix that came without papers is measured as found ones are."""
        if row.prefix is None or row.inventoried is None or row.size is not None:
            return row, None
        wanted = Wanted(prefix=row.prefix, stamp=_stamp(Path(row.prefix), row.inventoried))
        return row.model_copy(update=_sizes(self.measurements.read(row.prefix))), wanted

    def _row(self, place: _Place) -> tuple[Environment, Wanted | None]:
        packages = self.own.inventories.of(place.prefix, place.python)
        inventoried = digest(packages)
        prefix = str(place.prefix)
        wanted = None
        if prefix not in _SYSTEM_PREFIXES:
            wanted = Wanted(prefix=prefix, stamp=_stamp(place.prefix, inventoried))
        measured = self.measurements.read(prefix) if wanted else None
        source = _source(place.prefix)
        row = Environment(
            name=_name(place),
            source=source,
            language="python" if place.python else "",
            python=python_version(place.prefix, place.python) if place.python else None,
            prefix=prefix,
            kernels=tuple(place.kernels),
            packages=len(packages),
            telling=telling(packages),
            inventoried=inventoried,
            cuda=self.own.verdicts.of(cuda_need(packages)),
            problem=None if place.python or source == "conda" else "It holds no Python any more.",
        )
        return row.model_copy(update=_sizes(measured)), wanted


def _loose_row(kernel: FoundKernel, program: KernelProgram | None) -> Environment:
    """A kernel whose prefix is unknown: another language, a wrapper script, or broken."""
    command = kernel.command
    return Environment(
        name=command.display_name if command else kernel.name,
        source="kernel",
        language=command.language if command else "",
        kernels=(kernel.name,),
        problem=program.problem if program else kernel.problem,
    )


def _source(prefix: Path) -> str:
    if (prefix / "conda-meta").is_dir():
        return "conda"
    return "venv" if (prefix / "pyvenv.cfg").is_file() else "system"


def _name(place: _Place) -> str:
    """What people call it: the folder's name, with its parent's where that says too little."""
    prefix = place.prefix
    if _source(prefix) == "system":
        return f"Python {place.python} of {prefix}"
    if (prefix / "conda-meta").is_dir() and (prefix / "condabin").is_dir():
        return "base"
    generic = prefix.name.lstrip(".") in {"venv", "env", "virtualenv"}
    return f"{prefix.parent.name}/{prefix.name}" if generic else prefix.name


def _stamp(prefix: Path, inventoried: str) -> str:
    """Changes with the packages, and when files come or go in the prefix's main folders."""
    times = [mtime(prefix / name) for name in ("", "bin", "lib", "share", "conda-meta")]
    return hashlib.sha256(f"{inventoried} {times}".encode()).hexdigest()[:32]


def _sizes(found: Measurement | None) -> dict[str, object]:
    """What a row tells of what was measured."""
    return found.model_dump(include={"size", "files", "measured_at"}) if found else {}
