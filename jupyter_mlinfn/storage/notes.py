"""Notes of a group's area: who works on what ("in use by …").

Each is a small JSON file of its writer's in ``.mlinfn/notes``. What it says of its writer is
believed only as far as the file system bears it out; its text is shown as text, nothing more.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import stat
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from jupyter_mlinfn.model.areas import Area, Note
from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound, Refused
from jupyter_mlinfn.model.storage import MAX_NOTE, AreaNote, NoteRequest
from jupyter_mlinfn.storage.descent import FILE, descend, facts_of, names_in, top
from jupyter_mlinfn.storage.keeping import HIDDEN, NOTES, kept_in

_NAME: Final = re.compile(r"[0-9a-f]{16}\.json", re.ASCII)
_LARGEST: Final = 8192
_MOST: Final = 200
_MOST_OWN: Final = 50


def read_notes(area: Area, person: str) -> tuple[AreaNote, ...]:
    """The notes of an area, newest first; files that are no notes are passed over.

    Raises OSError where the area cannot be read.
    """
    try:
        with top(area.path) as at, descend(at, (HIDDEN, NOTES)) as folder:
            names = sorted(name for name in names_in(folder) if _NAME.fullmatch(name))
            found = [_read(folder, name, person) for name in names[:_MOST]]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    notes = [note for note in found if note is not None]
    return tuple(sorted(notes, key=lambda note: note.since, reverse=True))


def add_note(area: Area, person: str, asked: NoteRequest) -> AreaNote:
    """Write a note. Raises :class:`InputError`, :class:`Refused`, :class:`Conflict`
    (``too-many-notes``) and OSError."""
    check_notes(area)
    text, path = _one_line(asked.text), _one_line(asked.path)
    if not text:
        raise InputError("Say in a few words what you work on.", code="no-text", field="text")
    note = Note(person=person, text=text, path=path, since=datetime.now(UTC))
    name = f"{secrets.token_hex(8)}.json"
    with top(area.path) as at, kept_in(at, NOTES) as folder:
        mine = [one for one in names_in(folder) if _is_mine(folder, one)]
        if len(mine) >= _MOST_OWN:
            raise Conflict(
                f"You have {len(mine)} notes here. Remove some first.", code="too-many-notes"
            )
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        draft = f".{name}"
        with os.fdopen(os.open(draft, flags, 0o600, dir_fd=folder), "wb") as file:
            file.write(note.model_dump_json().encode())
            os.fchmod(file.fileno(), 0o644)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    return AreaNote(**dict(note), id=name.removesuffix(".json"), mine=True)


def remove_note(area: Area, note: str) -> None:
    """Take one of your notes away. Raises :class:`NotFound`, :class:`Refused` (``not-yours``)
    and OSError."""
    check_notes(area)
    name = f"{note}.json"
    missing = NotFound("There is no such note any more.", code="no-such-note", field="note")
    if not _NAME.fullmatch(name):
        raise missing
    try:
        with top(area.path) as at, descend(at, (HIDDEN, NOTES)) as folder:
            facts = facts_of(folder, name)
            if facts is None:
                raise missing
            if facts.st_uid != os.geteuid():
                raise Refused("This note is somebody else's.", code="not-yours")
            os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise missing from error


def check_notes(area: Area) -> None:
    """Raises :class:`Refused` (``no-notes-here``) where several people do not write."""
    if area.kind != "collabspace" or not area.writable:
        text = f"{area.title} is not written by several people, so it has no notes."
        raise Refused(text, code="no-notes-here")


def _read(folder: int, name: str, person: str) -> AreaNote | None:
    try:
        handle = os.open(name, FILE, dir_fd=folder)
    except OSError:
        return None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST:
            return None
        note = Note.model_validate_json(os.read(handle, _LARGEST))
    except (ValidationError, OSError):
        return None
    finally:
        os.close(handle)
    ours = facts.st_uid == os.geteuid()
    note = note.model_copy(
        update={
            # where all sessions run as one user of the system, only the note itself tells
            "person": note.person if ours else _owner(facts.st_uid) or note.person,
            "text": _one_line(note.text)[:MAX_NOTE],
            "path": _one_line(note.path)[:1000],
            "since": min(note.since, datetime.now(UTC)),
        }
    )
    mine = ours and note.person == person
    return AreaNote(**dict(note), id=name.removesuffix(".json"), mine=mine)


def _one_line(text: str) -> str:
    plain = (character if character.isprintable() else " " for character in text)
    return " ".join("".join(plain).split())


def _is_mine(folder: int, name: str) -> bool:
    facts = facts_of(folder, name)
    return facts is not None and facts.st_uid == os.geteuid()


def _owner(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
