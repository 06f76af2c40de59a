"""Where an area lies in its bucket, which names are inside, and the rights that keys to it have."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from jupyter_mlinfn.model.areas import Area, BucketStore
from jupyter_mlinfn.model.errors import InputError, NotFound

LONGEST: Final = 1024
"""Bytes of an object's name (S3)."""

_PLACE = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
    r"(?:/(?P<prefix>(?!\.+(?:/|$))[A-Za-z0-9._-]+(?:/(?!\.+(?:/|$))[A-Za-z0-9._-]+)*))?",
    re.ASCII,
)
_READ = ("s3:GetObject",)
_WRITE = (
    "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A bucket and the prefix of all names of the area in it: empty, or ending with ``/``."""

    bucket: str
    prefix: str
    store: BucketStore
    writable: bool

    @property
    def address(self) -> str:
        """``s3://bucket/prefix/``."""
        return f"s3://{self.bucket}/{self.prefix}"

    def key(self, path: str, *, field: str = "path") -> str:
        """The name in the bucket of a path in the area.

        Raises :class:`InputError` for what is no plain name below the prefix: ``..``, a slash
        at the beginning, two in a row, NUL, what is no UTF-8 or longer than the store takes.
        """
        try:
            length = len((self.prefix + path).encode())
        except UnicodeEncodeError:
            raise _odd(field, "it is no text") from None
        if length > LONGEST:
            raise _odd(field, f"with its folders it is longer than {LONGEST} bytes")
        if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
            raise _odd(field, "a part of it is empty, '.', '..' or no text")
        return self.prefix + path

    def folder(self, path: str) -> str:
        """What all names in a folder of the area begin with; ``""`` is the area itself."""
        return f"{self.key(path)}/" if path else self.prefix

    def inside(self, key: str) -> str:
        """The path in the area of a name in the bucket."""
        return key.removeprefix(self.prefix)

    def policy(self) -> str:
        """The rights that keys to this area have, as S3 writes them: this prefix, nothing else."""
        bucket = f"arn:aws:s3:::{self.bucket}"
        listing: dict[str, object] = {
            "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket],
        }  # fmt: skip
        if self.prefix:
            listing["Condition"] = {"StringLike": {"s3:prefix": [f"{self.prefix}*"]}}
        objects = {
            "Effect": "Allow",
            "Action": [*_READ, *(_WRITE if self.writable else ())],
            "Resource": [f"{bucket}/{self.prefix}*"],
        }
        told = {"Version": "2012-10-17", "Statement": [listing, objects]}
        return json.dumps(told, separators=(",", ":"))


def place_of(area: Area) -> Place:
    """Where an area lies. Raises :class:`NotFound` (``no-bucket``) for one that is no bucket, or of
    which nobody said how it is reached, and :class:`InputError` (``bad-areas``)."""
    if area.kind != "bucket" or area.store is None:
        raise NotFound(
            f"The area '{area.name}' is no bucket that can be looked into from here.",
            code="no-bucket",
            field="area",
        )
    found = _PLACE.fullmatch(area.bucket or "")
    if found is None:
        raise InputError(
            f"The area '{area.name}' is not told rightly: {(area.bucket or '')[:80]!r} is no "
            "bucket. Tell your admin.",
            code="bad-areas",
        )
    prefix = found["prefix"]
    return Place(
        bucket=found["bucket"],
        prefix=f"{prefix}/" if prefix else "",
        store=area.store,
        writable=area.writable,
    )


def _odd(field: str, why: str) -> InputError:
    return InputError(
        f"This name cannot be used in a bucket here: {why}.", code="bad-path", field=field
    )
