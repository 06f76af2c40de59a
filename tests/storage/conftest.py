"""An area with some work in it, its backups, and what one says to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.storage import RestoreRequest, RestoreTask
from jupyter_mlinfn.storage.backups.making import Made, make_copy
from jupyter_mlinfn.storage.backups.rule import Rule
from jupyter_mlinfn.storage.backups.worker import carry_out
from jupyter_mlinfn.storage.overview import Storage

ALL = Rule(everything=366 * 86400)


@dataclass
class Shelf:
    """A collabspace in a folder and its copies beside it."""

    base: Path

    def __post_init__(self) -> None:
        self.path = self.base / "collab"
        self.copies = self.base / "copies"
        self._made = 0

    def fill(self) -> Shelf:
        """Make its folder, with some work in it."""
        (self.path / "analysis").mkdir(parents=True)
        (self.path / "analysis" / "fit.py").write_text("print(1)\n")
        (self.path / "notes.txt").write_text("ours\n")
        for folder in (self.path, self.path / "analysis"):
            folder.chmod(0o755)
        for file in ("analysis/fit.py", "notes.txt"):
            (self.path / file).chmod(0o644)
        return self

    def area(self, **changes: Any) -> Area:
        told = Area(
            name="collab",
            title="Our group",
            kind="collabspace",
            path=str(self.path),
            writable=True,
            survives=True,
            audience="group",
            group="users/ours",
            snapshots=str(self.copies),
        )
        return told.model_copy(update=changes)

    def storage(self, **changes: Any) -> Storage:
        area = self.area(**changes)
        return Storage(lambda: (area,), "ada", tasks=self.base / "tasks")

    def copy(self, rule: Rule = ALL, hours_ago: float | None = None) -> Made:
        """Make a copy; each is an hour younger than the one before."""
        self._made += 1
        ago = 1000 - self._made if hours_ago is None else hours_ago
        return make_copy(self.path, self.copies, rule, datetime.now(UTC) - timedelta(hours=ago))

    def files(self, made: Made) -> Path:
        return self.copies / made.copy.id / "files"


def restored(storage: Storage, copy: str, path: str, where: str = "back") -> RestoreTask:
    """Restore in this process, as the program does it; how it ended."""
    asked = RestoreRequest.model_validate({"copy_id": copy, "path": path, "where": where})
    task = storage.restores.write_down(storage.area("collab"), asked)
    carry_out(storage.restores.place(task.id))
    return storage.restores.read(task.id)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path).fill()
