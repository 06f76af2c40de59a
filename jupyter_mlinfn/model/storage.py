"""What is told and asked of storage areas: their state, notes, backups, restores.

A path inside an area or a backup is told as a *key*: its bytes relative to the area,
percent-encoded (RFC 3986), parts joined by ``/``; so names that are no UTF-8, or hold a newline,
survive the way to a page and back. ``name`` is for eyes alone. Sizes in bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from jupyter_mlinfn.model.areas import Area, AreaUse, Note
from jupyter_mlinfn.model.states import Frozen

MAX_NOTE = 300
MAX_KEY = 12_288
"""Bytes of a path at its longest (4,096), each percent-encoded."""

MAX_PIECE = 8 * 2**20
"""Bytes of one piece of an upload."""

ObjectPath = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
UploadId = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
PathKey = Annotated[str, StringConstraints(max_length=MAX_KEY)]
CopyId = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}T[0-9]{6}Z$")]
EntryKind = Literal["folder", "file", "link", "other"]
RestoreState = Literal["running", "done", "failed", "cancelled"]


class AreaNote(Note):
    """A note with its name in the area; ``mine``: you wrote it and may take it away."""

    id: str
    mine: bool


class BackupCopy(Frozen):
    """One dated copy. ``files`` and ``size`` are all of it; ``added`` is what this copy alone
    took on the disk when it was made. ``changed`` files were written to while they were copied,
    ``unreadable`` ones are not in it."""

    id: CopyId
    made_at: AwareDatetime
    files: int = Field(ge=0)
    size: int = Field(ge=0)
    added: int = Field(ge=0)
    changed: int = Field(default=0, ge=0)
    unreadable: int = Field(default=0, ge=0)
    skipped: int = Field(default=0, ge=0)


class AreaState(Frozen):
    """One area as it is now. ``place`` is its folder as the file browser names it (``None``:
    outside of what the server shows). ``counting``: its size is being counted now."""

    area: Area
    state: Literal["ready", "silent", "missing", "refused"]
    problem: str | None = None
    use: AreaUse | None = None
    counting: bool = False
    place: str | None = None
    notes: tuple[AreaNote, ...] = ()
    copies: int = 0
    newest: AwareDatetime | None = None


class RestoreTask(Frozen):
    """How far a restore is, or how it ended. ``result`` is where it lies now and ``trash`` where
    the former one lies, both relative to the area, for eyes; ``missed`` could not be read."""

    id: str
    area: str
    name: str
    state: RestoreState
    files: int = 0
    size: int = 0
    missed: int = 0
    text: str | None = None
    code: str | None = None
    result: str | None = None
    trash: str | None = None
    started_at: AwareDatetime


class AreaList(Frozen):
    """All areas of this session. ``restores``: those that run, and those that ended within the
    last day, newest first."""

    areas: tuple[AreaState, ...]
    restores: tuple[RestoreTask, ...] = ()
    taken_at: AwareDatetime


class BucketEntry(Frozen):
    """One name in a bucket, relative to the area. ``odd``: it is one that cannot be used here."""

    name: str
    path: str
    kind: Literal["folder", "object", "odd"]
    size: int | None = None
    modified: AwareDatetime | None = None


class BucketFolder(Frozen):
    """One page of a folder of a bucket, folders first; ``more`` asks for the next page."""

    path: str
    entries: tuple[BucketEntry, ...]
    more: str | None = None


class ObjectUpload(Frozen):
    """A file for a bucket: its place, and whether one that is there is written over."""

    path: ObjectPath
    replace: bool = False


class StartedUpload(Frozen):
    """``id`` names the upload; ``piece``: so many bytes each, the last one may be shorter."""

    id: str
    piece: int = MAX_PIECE


class UploadPiece(Frozen):
    """One piece of a file, counted from 1; its bytes in base64."""

    path: ObjectPath
    id: UploadId
    number: int = Field(ge=1, le=10_000)
    content: Annotated[str, StringConstraints(max_length=MAX_PIECE // 3 * 4 + 4)]


class StoredPiece(Frozen):
    """What the store calls a piece that it has."""

    number: int = Field(ge=1, le=10_000)
    mark: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class EndedUpload(Frozen):
    """All pieces that were sent, or none: then what was sent is thrown away."""

    path: ObjectPath
    id: UploadId
    pieces: Annotated[tuple[StoredPiece, ...], Field(max_length=10_000)]


class NoteRequest(Frozen):
    """What somebody works on; ``path`` is relative to the area, for eyes."""

    text: str = Field(min_length=1, max_length=MAX_NOTE)
    path: str = Field(default="", max_length=1000)


class BackupList(Frozen):
    """The copies of an area, newest first."""

    copies: tuple[BackupCopy, ...]


class BackupEntry(Frozen):
    """One name in a copy. ``deleted``: it is not in the area any more."""

    name: str
    path: PathKey
    kind: EntryKind
    size: int | None = None
    modified: AwareDatetime
    deleted: bool


class BackupFolder(Frozen):
    """What lies in one folder of a copy: what was deleted since first, then folders, then files.
    ``more``: so many names are not listed."""

    copy_id: CopyId
    path: PathKey
    entries: tuple[BackupEntry, ...]
    more: int = 0


class DeletedFiles(Frozen):
    """What a copy holds that the area does not any more, the topmost name of each.
    ``complete``: everything was looked at."""

    copy_id: CopyId
    entries: tuple[BackupEntry, ...]
    complete: bool


class RestoreRequest(Frozen):
    """``beside``: under a new name next to the present one. ``back``: in its place; what lies
    there now goes to the area's trash first."""

    copy_id: CopyId
    path: Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY)]
    where: Literal["beside", "back"] = "beside"
