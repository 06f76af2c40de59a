"""Putting an environment where others read it: its papers, and the image of the shared state.

What is shared is a folder as :mod:`~jupyter_mlinfn.environments.own.managed` finds it, readable
by everybody who can get there. Installed files are not copied: their place is written into them.
From the papers others clone the very same packages, out of the image they run them at once. A
layer runs only over its base and is left out.

Everything is written into a hidden folder beside the target, which then takes its name at once:
a copy that was killed or cancelled leaves what others saw before.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from jupyter_mlinfn.environments.own.freeing import clear
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.own.states import State
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import PackedImage
from jupyter_mlinfn.model.errors import Conflict, InputError, Unavailable
from jupyter_mlinfn.model.quantities import show_memory
from jupyter_mlinfn.process.exchanging import aside_of, exchange

_FILE = 0o644
_FOLDER = 0o755
_CHUNK = 4 * 2**20
_LARGEST = 16 * 2**20
_RECORD = "environment.json"

Report = Callable[[str, int, int], None]
"""Told which file is copied, bytes done, bytes in all."""


class Stopped(Exception):
    """Whoever asked for it does not want it any more."""


@dataclass(frozen=True)
class Shared:
    """Where the copy lies, its bytes, and a sentence for people."""

    path: Path
    size: int
    text: str


def check_folder(folder: Path) -> None:
    """Raises :class:`InputError` when nothing can be shared in ``folder``."""
    if not folder.is_absolute() or not folder.is_dir():
        raise InputError(
            f"There is no folder {folder}.",
            code="bad-folder",
            field="folder",
            hint="Name a folder that the others can read, such as your group's area.",
        )


def share(
    state: State,
    folder: Path,
    task: str,
    *,
    report: Report = lambda name, done, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Shared:
    """Copy the state below ``folder``, in the place of what was shared there under this name.

    Raises :class:`InputError` when ``folder`` is none, :class:`Conflict` when something else lies
    there, :class:`Unavailable` when it cannot be written, :class:`Stopped` when ``stopped`` says
    so; then what lay there is as it was.
    """
    name = state.record.name
    check_folder(folder)
    target = folder / name
    if target.exists() and not (target / _RECORD).is_file():
        raise Conflict(f"{target} exists and is no shared environment.", code="folder-taken")
    draft = _draft(folder, name, task)
    try:
        size = _Copying(state, draft, target, report, stopped).run(task)
        if target.exists():
            exchange(draft, target)
        else:
            draft.rename(target)
    except OSError as error:
        raise Unavailable(
            f"'{name}' could not be shared in {folder}: {error.strerror}. Nothing was changed "
            "there.",
            code="folder",
        ) from error
    finally:
        clear(draft)
    return Shared(target, size, _text(state, target, size))


def conclude(folder: Path, name: str, task: str) -> bool:
    """Clear up after a copy that was killed; whether it had been done. Raises OSError."""
    target = folder / name
    if not target.exists() and aside_of(target).exists():
        aside_of(target).rename(target)
    clear(_draft(folder, name, task))
    try:
        record = EnvironmentRecord.model_validate_json(read_head(target / _RECORD, _LARGEST))
    except (FileNotFoundError, ValidationError):
        return False
    return any(entry.task == task for entry in record.history)


def images_to_share(state: State) -> list[PackedImage]:
    """The packed files of the state that run by themselves."""
    return [
        image
        for image in state.record.images
        if image.lock == state.digest and image.base is None and Path(image.path).is_file()
    ]


def _draft(folder: Path, name: str, task: str) -> Path:
    return folder / f".{name}.{task}"


@dataclass
class _Copying:
    """One copy on its way; ``done`` bytes are written."""

    state: State
    draft: Path
    target: Path
    report: Report
    stopped: Callable[[], bool]
    done: int = 0
    total: int = 0

    def run(self, task: str) -> int:
        """Write everything into the draft, as it will lie in the target; its bytes."""
        state = self.state
        images = images_to_share(state)
        papers = [
            path
            for path in sorted(state.papers.iterdir())
            if path.is_file() and path.name != "manifest.json"
        ]
        files = [(path, f"locks/{state.papers.name}/{path.name}") for path in papers]
        files += [(Path(one.path), f"images/{Path(one.path).name}") for one in images]
        self.total = sum(path.stat().st_size for path, _ in files)
        self._folder(self.draft)
        for path, place in files:
            self._copy(path, self.draft / place)
        text = self._record(images, task).model_dump_json(indent=1)
        (self.draft / _RECORD).write_text(text, encoding="utf-8")
        (self.draft / _RECORD).chmod(_FILE)
        return self.total + len(text.encode())

    def _record(self, images: list[PackedImage], task: str) -> EnvironmentRecord:
        """The record of the copy; the task in it tells that this copy was done."""
        record, digest = self.state.record, self.state.digest
        here = (
            one.model_copy(update={"path": str(self.target / "images" / Path(one.path).name)})
            for one in images
        )
        last = [entry for entry in record.history if entry.digest == digest][-1:]
        return record.model_copy(
            update={
                "digest": digest,
                "images": tuple(here),
                "kernel": None,
                "history": tuple(entry.model_copy(update={"task": task}) for entry in last),
            }
        )

    def _copy(self, source: Path, target: Path) -> None:
        self._folder(target.parent)
        with source.open("rb") as read, target.open("xb") as write:
            while chunk := read.read(_CHUNK):
                if self.stopped():
                    raise Stopped
                write.write(chunk)
                self.done += len(chunk)
                self.report(source.name, self.done, self.total)
            write.flush()
            os.fsync(write.fileno())
        target.chmod(_FILE)

    def _folder(self, folder: Path) -> None:
        for one in (*reversed(folder.parents), folder):
            if not one.exists():
                one.mkdir()
                one.chmod(_FOLDER)


def _text(state: State, target: Path, size: int) -> str:
    packed = bool(images_to_share(state))
    what = "its lock and its packed file" if packed else "its lock alone"
    more = (
        "can clone it, and run it at once"
        if packed
        else "can clone it; to let them run it at once, pack it and share it again"
    )
    return (
        f"'{state.record.name}' is shared: {what} ({show_memory(size)}) lie in {target}. Others "
        f"see it when {target.parent} is one of their managed environments, and {more}."
    )
