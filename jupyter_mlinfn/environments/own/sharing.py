"""Putting an environment where others read it: its papers, and the image of its present lock.

What is shared is a folder as :mod:`~jupyter_mlinfn.environments.own.managed` finds it, readable
by everybody who can get there. Installed files are not copied: their place is written into them.
From the papers others clone the very same packages, out of the image they run them at once.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from jupyter_mlinfn.environments.own.freeing import clear
from jupyter_mlinfn.environments.own.states import State
from jupyter_mlinfn.model.environment_answers import SharedEnvironment
from jupyter_mlinfn.model.environment_tasks import PackedImage
from jupyter_mlinfn.model.errors import Conflict, InputError, Unavailable
from jupyter_mlinfn.model.quantities import show_memory

_FILE = 0o644
_FOLDER = 0o755


def share(state: State, folder: Path) -> SharedEnvironment:
    """Copy the state below ``folder``, in the place of what was shared there under this name.

    Raises :class:`InputError` when ``folder`` is none, :class:`Conflict` when something else lies
    there, :class:`Unavailable` when it cannot be written.
    """
    name = state.record.name
    if not folder.is_absolute() or not folder.is_dir():
        raise InputError(
            f"There is no folder {folder}.",
            code="bad-folder",
            field="folder",
            hint="Name a folder that the others can read, such as your group's area.",
        )
    target = folder / name
    if target.exists() and not (target / "environment.json").is_file():
        raise Conflict(f"{target} exists and is no shared environment.", code="folder-taken")
    draft = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        _copy(state, draft, target)
        _put(draft, target)
    except OSError as error:
        raise Unavailable(
            f"'{name}' could not be shared in {folder}: {error.strerror}. Nothing was changed "
            "there.",
            code="folder",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sizes = [file.stat().st_size for file in target.rglob("*") if file.is_file()]
    return SharedEnvironment(
        name=name,
        folder=str(target),
        size=sum(sizes),
        files=len(sizes),
        text=_text(state, target, sum(sizes)),
    )


def _copy(state: State, draft: Path, target: Path) -> None:
    """Write everything into ``draft``, as it will lie in ``target``."""
    draft.mkdir()
    draft.chmod(_FOLDER)
    papers = draft / "locks" / state.papers.name
    papers.mkdir(parents=True)
    for paper in sorted(state.papers.iterdir()):
        if paper.is_file() and paper.name != "manifest.json":
            shutil.copyfile(paper, papers / paper.name)
    images = tuple(_copy_image(image, draft, target) for image in _images(state))
    record = state.record.model_copy(
        update={
            "digest": state.digest,
            "images": images,
            "kernel": None,
            "history": tuple(e for e in state.record.history if e.digest == state.digest)[-1:],
        }
    )
    (draft / "environment.json").write_text(record.model_dump_json(indent=1), encoding="utf-8")
    for folder, _, files in os.walk(draft):
        Path(folder).chmod(_FOLDER)
        for file in files:
            (Path(folder) / file).chmod(_FILE)


def _images(state: State) -> list[PackedImage]:
    return [
        image
        for image in state.record.images
        if image.lock == state.digest and Path(image.path).is_file()
    ]


def _copy_image(image: PackedImage, draft: Path, target: Path) -> PackedImage:
    """Copy an image, and say where it will lie."""
    (draft / "images").mkdir(exist_ok=True)
    name = Path(image.path).name
    shutil.copyfile(image.path, draft / "images" / name)
    return image.model_copy(update={"path": str(target / "images" / name)})


def _put(draft: Path, target: Path) -> None:
    """Rename; what was shared before is moved aside for that moment."""
    if not target.exists():
        draft.rename(target)
        return
    old = target.with_name(f".{target.name}.old-{secrets.token_hex(4)}")
    target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise
    clear(old)


def _text(state: State, target: Path, size: int) -> str:
    what = "its lock and its image" if _images(state) else "its lock"
    more = "" if _images(state) else " Pack it first, and others can run it without installing."
    return (
        f"'{state.record.name}' is shared: {what} ({show_memory(size)}) lie in {target}. Others "
        f"see it when {target.parent} is one of their managed environments.{more}"
    )
