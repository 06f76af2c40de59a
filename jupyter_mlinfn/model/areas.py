"""Storage areas: where they are, what survives, who sees them, whether batch nodes see them.

An area is told to a session by the hub (``MLINFN_AREAS``, one JSON document) or by the settings;
the storage room measures it. Paths are those of the session; a hub's own paths never reach it.
Sizes in bytes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from jupyter_mlinfn.model.states import Frozen

AreaKind = Literal["private", "shared", "collabspace", "envs", "cvmfs", "bucket", "scratch"]
Audience = Literal["you", "group", "everyone"]


class Area(Frozen):
    """One storage area as a session sees it.

    ``survives`` means: what lies there is kept when the session's container is removed.
    ``group`` is the full path of the group that ``audience`` speaks of. ``batch`` names the
    back-ends whose nodes see the area; ``None`` where nobody said. ``quota`` in bytes where one
    is declared (the file system's own is measured). ``snapshots`` is the folder with the dated
    read-only copies, where backups are kept.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    title: str
    kind: AreaKind
    path: str
    writable: bool
    survives: bool
    audience: Audience
    group: str | None = None
    batch: tuple[str, ...] | None = None
    quota: int | None = Field(default=None, gt=0)
    snapshots: str | None = None
    bucket: str | None = None
    """Address of the bucket, for kind ``bucket``: ``s3://name``; never with a key in it."""


class AreaUse(Frozen):
    """How full an area is: of its quota when there is one, else of its file system."""

    used: int | None
    total: int | None
    of: Literal["quota", "file system", "unknown"]
    files: int | None = None
    measured_at: AwareDatetime


class Note(Frozen):
    """ "In use by …": somebody says that she works on something in a collabspace."""

    person: str
    text: str
    path: str
    since: AwareDatetime
