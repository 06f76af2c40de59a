"""Where own environments lie, and the names they may have.

::

    <data>/environments/
        own/<name>/environment.json      the record; replacing it is the one moment of change
        own/<name>/lock                  held by whoever changes the environment
        own/<name>/prefixes/<short>/     one installation per lock, never changed by us afterwards
        own/<name>/locks/<short>/        environment.yml, conda-lock.yml, explicit.txt,
                                           manifest.json
        own/<name>/current               link to the prefix in use, for people
        own/<name>/staging-<task>/       what is being built; nothing points to it
        own/<name>/edited/<task>/        files that somebody edited, when the locked ones came back
        images/<digest>.{sqfs,sif}       packed environments
        tasks/<id>/                      request, events, result of one task
        packages/                        the package cache

A change installs a new prefix beside the old one and then replaces the record, so a running
kernel keeps the files it was started from, and a job can run in a lock that is no longer current.
``<short>`` is the first twelve hexadecimal digits of the lock's digest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.model.environment_tasks import ENVIRONMENT_NAME, TASK_ID
from jupyter_mlinfn.model.errors import InputError

KERNEL_PREFIX = "mlinfn-"
RESERVED = frozenset({"tasks", "packages", "difference", "gc"})
"""Addresses of the interface beside those of environments: they can be no environment's name."""
SHORT = 12


def check_name(name: str) -> str:
    """``name`` itself, if an environment may be called so. Raises :class:`InputError`."""
    if re.fullmatch(ENVIRONMENT_NAME, name, re.ASCII) is None:
        raise InputError(
            f"An environment cannot be called {name[:80]!r}.",
            code="bad-name",
            field="name",
            hint="Use up to 64 letters (a to z), digits, dots, dashes and underscores, and begin "
            "with a letter or a digit.",
        )
    if name in RESERVED:
        raise InputError(
            f"'{name}' is a word of this program and cannot be an environment's name.",
            code="bad-name",
            field="name",
            hint=f"Choose another one, such as 'my-{name}'.",
        )
    return name


def short(digest: str) -> str:
    """The first digits of ``sha256:…``, which name folders."""
    return digest.removeprefix("sha256:")[:SHORT]


@dataclass(frozen=True)
class Place:
    """The folder of one own environment; nothing here looks at the disk."""

    folder: Path

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.folder.name

    @property
    def record(self) -> Path:
        """The record."""
        return self.folder / "environment.json"

    @property
    def lock(self) -> Path:
        """The lock file."""
        return self.folder / "lock"

    @property
    def current(self) -> Path:
        """The link to the prefix in use."""
        return self.folder / "current"

    def prefix(self, digest: str) -> Path:
        """Where the lock ``digest`` is installed."""
        return self.folder / "prefixes" / short(digest)

    def papers(self, digest: str) -> Path:
        """Where the files that describe the lock ``digest`` are."""
        return self.folder / "locks" / short(digest)

    def manifest(self, digest: str) -> Path:
        """The manifest of all files of the prefix of ``digest``."""
        return self.papers(digest) / "manifest.json"

    @property
    def edited(self) -> Path:
        """Where files that people edited by hand are kept when the locked ones come back."""
        return self.folder / "edited"

    def staging(self, task: str) -> Path:
        """Where ``task`` builds."""
        return self.folder / f"staging-{task}"


@dataclass(frozen=True)
class Layout:
    """All own environments below the data folder."""

    folder: Path

    @classmethod
    def of(cls, data_dir: Path) -> Layout:
        """The layout in a data folder."""
        return cls(data_dir / "environments")

    @property
    def own(self) -> Path:
        """The folder of environments."""
        return self.folder / "own"

    @property
    def images(self) -> Path:
        """The folder of packed environments."""
        return self.folder / "images"

    @property
    def tasks(self) -> Path:
        """The folder of tasks."""
        return self.folder / "tasks"

    @property
    def packages(self) -> Path:
        """The package cache."""
        return self.folder / "packages"

    @property
    def bytecode(self) -> Path:
        """Compiled modules, by package digest and Python version."""
        return self.folder / "bytecode"

    @property
    def policy(self) -> Path:
        """The policy of the newest task: what a job that installs files again goes by."""
        return self.folder / "policy.json"

    def place(self, name: str) -> Place:
        """The folder of ``name``. Raises :class:`InputError` for a name that cannot be one."""
        return Place(self.own / check_name(name))

    @classmethod
    def around(cls, prefix: Path) -> Layout | None:
        """The layout that ``prefix`` is an installation in; ``None`` for any other folder."""
        parts = prefix.parts
        ours = len(parts) > 5 and (parts[-2], parts[-4]) == ("prefixes", "own")
        return cls(prefix.parents[3]) if ours else None

    def task(self, identifier: str) -> Path:
        """The folder of a task. Raises :class:`InputError` for what is no task's name."""
        if re.fullmatch(TASK_ID, identifier, re.ASCII) is None:
            raise InputError("This is not the name of a task.", code="bad-task", field="task")
        return self.tasks / identifier
