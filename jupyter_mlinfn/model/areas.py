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


ADDRESS = r"^https?://([A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:]{2,45}\])(:[0-9]{1,5})?$"
"""A web address of a host alone: no name in it, no path, no question."""


class BucketStore(Frozen):
    """Where a bucket is, and how short-lived keys to it are had. No key is ever in it.

    ``endpoint`` is the address of the store, ``sts`` that of its key service where that is
    another one. ``keys`` is ``web-identity``: S3's ``AssumeRoleWithWebIdentity``, with a token of
    the login service that is meant for ``audience``. ``role`` is the role to take (its ARN).
    """

    endpoint: str = Field(pattern=ADDRESS)
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$")
    keys: Literal["web-identity"] = "web-identity"
    sts: str | None = Field(default=None, pattern=ADDRESS)
    audience: str | None = Field(default=None, min_length=1, max_length=500)
    role: str | None = Field(default=None, pattern=r"^arn:[\x21-\x7e]{16,2044}$")


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
    """Address of the bucket, for kind ``bucket``: ``s3://name/prefix``; never with a key in it."""
    store: BucketStore | None = None
    """How the bucket is reached; ``None`` where nobody said, and it is only named."""


class AreaUse(Frozen):
    """How full an area is: of its quota when there is one, else of its file system.

    ``at_least``: counting ended early, there is more than that.
    """

    used: int | None
    total: int | None
    of: Literal["quota", "file system", "unknown"]
    files: int | None = None
    at_least: bool = False
    measured_at: AwareDatetime


class Note(Frozen):
    """ "In use by …": somebody says that she works on something in a collabspace."""

    person: str
    text: str
    path: str
    since: AwareDatetime
