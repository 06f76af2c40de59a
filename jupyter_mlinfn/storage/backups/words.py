"""What is different after a restore, in words."""

from __future__ import annotations

from jupyter_mlinfn.model.quantities import show_count
from jupyter_mlinfn.storage.backups.restoring import Progress, Restored


def told(name: str, done: Restored, progress: Progress) -> dict[str, str | int | None]:
    """The fields of the task of a restore that is done."""
    text = words_of(name, done, progress)
    ended = {"state": "done", "text": text, "result": done.result, "trash": done.trash}
    return {**counted(progress), **ended}


def counted(progress: Progress) -> dict[str, int]:
    """How much is copied by now."""
    return {"files": progress.files, "size": progress.size, "missed": progress.missed}


def words_of(name: str, done: Restored, progress: Progress) -> str:
    """The sentence that says what is different now."""
    text = f"{name} is back as '{done.result}' ({show_count(progress.files, 'file')})."
    if done.trash:
        text += f" What was there before is kept in '{done.trash}'."
    if progress.missed:
        text += f" {show_count(progress.missed, 'name')} could not be read and stayed behind."
    return text
