"""What lies in a bucket: a page of a folder, how much there is, one object, its end.

Nothing is ever read whole: lists come in pages, objects in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Final, Literal, TypeVar

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import Conflict, InputError, Refused
from jupyter_mlinfn.model.storage import BucketEntry, BucketFolder, StoredPiece
from jupyter_mlinfn.storage.bucket.keys import Keys, KeySource
from jupyter_mlinfn.storage.bucket.place import Place, place_of
from jupyter_mlinfn.storage.bucket.talking import s3_client
from jupyter_mlinfn.storage.bucket.wording import KEYS_ENDED, code_of, speaking
from jupyter_mlinfn.storage.descent import shown

T = TypeVar("T")

PAGE: Final = 1000
"""Names in one page; S3 gives no more."""
MOST_COUNTED: Final = 10_000
PIECE: Final = 2**20
"""Bytes read at once."""


@dataclass(frozen=True)
class Found:
    """One name below a folder, without the folder's. A folder has neither size nor time."""

    path: str
    size: int | None
    modified: datetime | None


@dataclass(frozen=True)
class Page:
    """Folders first; ``more`` continues the list, ``None`` at its end."""

    found: tuple[Found, ...]
    more: str | None


@dataclass(frozen=True)
class Amount:
    """Bytes of so many objects; ``at_least``: there are more that were not counted."""

    used: int
    objects: int
    at_least: bool


@dataclass(frozen=True)
class Content:
    """An object's bytes from ``start`` on; ``pieces`` is read once, in order."""

    size: int
    start: int
    length: int
    pieces: Generator[bytes, None, None]


class Bucket:
    """One area in a bucket; all methods may be used from several threads.

    All raise :class:`~jupyter_mlinfn.model.errors.MlinfnError` as :func:`~.wording.speaking` and
    :meth:`~.keys.KeySource.keys` do, and for a name that is none
    :class:`~jupyter_mlinfn.model.errors.InputError` (``bad-path``).
    """

    def __init__(self, area: Area, source: KeySource) -> None:
        self.area = area
        self.place: Place = place_of(area)
        self._source = source
        self._lock = Lock()
        self._made: tuple[Keys, Any] | None = None

    def list(self, folder: str = "", more: str | None = None, search: str = "") -> Page:
        """A page of what lies in ``folder``; ``search``: only names that begin so."""
        prefix = self.place.folder(folder)
        asked = {"Prefix": prefix + search, "Delimiter": "/"}
        if more is not None:
            asked["ContinuationToken"] = more
        told = self._page(asked)
        folders = [
            Found(self.place.inside(one["Prefix"]).removesuffix("/"), None, None)
            for one in told.get("CommonPrefixes", ())
        ]
        files = [
            Found(self.place.inside(one["Key"]), int(one["Size"]), one["LastModified"])
            for one in told.get("Contents", ())
            if one["Key"] != prefix  # what some programs leave to say that a folder is there
        ]
        return Page((*folders, *files), told.get("NextContinuationToken"))

    def folder(self, folder: str, more: str | None, search: str) -> BucketFolder:
        """:meth:`list` as it is told; names that cannot be used here are told as ``odd``."""
        page = self.list(folder, more, search)
        start = f"{folder}/" if folder else ""
        return BucketFolder(
            path=folder,
            entries=tuple(self._told(one, start) for one in page.found),
            more=page.more,
        )

    def amount(self) -> Amount:
        """How much lies in the area, as far as :data:`MOST_COUNTED` objects tell."""
        used = objects = 0
        more: str | None = None
        while True:
            asked = {"ContinuationToken": more} if more else {}
            told = self._page({"Prefix": self.place.prefix, **asked})
            found = told.get("Contents", ())
            used += sum(int(one["Size"]) for one in found)
            objects += len(found)
            more = told.get("NextContinuationToken")
            if more is None or objects >= MOST_COUNTED:
                return Amount(used, objects, more is not None)

    def read(self, path: str, start: int = 0) -> Content:
        """An object from byte ``start`` on, piece by piece."""
        key = self.place.key(path)
        asked = {"Range": f"bytes={start}-"} if start else {}
        told = self._do(lambda s3: s3.get_object(Bucket=self.place.bucket, Key=key, **asked))
        length = int(told["ContentLength"])
        return Content(start + length, start, length, self._pieces(told["Body"]))

    def remove(self, path: str) -> None:
        """Remove one object; harmless where there is none."""
        self._may_write()
        key = self.place.key(path)
        self._do(lambda s3: s3.delete_object(Bucket=self.place.bucket, Key=key))

    def begin(self, path: str, *, replace: bool) -> str:
        """Begin to put an object together from pieces; what the store calls that.

        Raises :class:`Conflict` (``object-there``) where one is there and not to be replaced.
        """
        self._may_write()
        bucket, key = self.place.bucket, self.place.key(path)
        if not replace:
            told = self._do(lambda s3: s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1))
            if any(one["Key"] == key for one in told.get("Contents", ())):
                raise Conflict(f"There is a '{path}' already.", code="object-there", field="path")
        told = self._do(lambda s3: s3.create_multipart_upload(Bucket=bucket, Key=key))
        return str(told["UploadId"])

    def put_piece(self, path: str, upload: str, number: int, content: bytes) -> StoredPiece:
        """Store a piece; all but the last have 5 MiB at least."""
        self._may_write()
        bucket, key = self.place.bucket, self.place.key(path)
        told = self._do(
            lambda s3: s3.upload_part(
                Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=content
            )
        )
        return StoredPiece(number=number, mark=str(told["ETag"]))

    def end(self, path: str, upload: str, pieces: Sequence[StoredPiece]) -> None:
        """Put the pieces together; without any, throw away what was sent."""
        self._may_write()
        asked = {"Bucket": self.place.bucket, "Key": self.place.key(path), "UploadId": upload}
        if not pieces:
            self._do(lambda s3: s3.abort_multipart_upload(**asked))
            return
        parts = [{"PartNumber": one.number, "ETag": one.mark} for one in pieces]
        told = {"Parts": parts}
        self._do(lambda s3: s3.complete_multipart_upload(MultipartUpload=told, **asked))

    def _told(self, found: Found, start: str) -> BucketEntry:
        usable = True
        try:
            self.place.key(found.path)
        except InputError:
            usable = False
        kind: Literal["folder", "object"] = "folder" if found.size is None else "object"
        return BucketEntry(
            name=shown(found.path.removeprefix(start)) or "/",
            path=found.path,
            kind=kind if usable else "odd",
            size=found.size,
            modified=found.modified,
        )

    def _page(self, asked: dict[str, str]) -> dict[str, Any]:
        bucket = self.place.bucket
        return self._do(lambda s3: dict(s3.list_objects_v2(Bucket=bucket, MaxKeys=PAGE, **asked)))

    def _pieces(self, body: Any) -> Generator[bytes, None, None]:
        with speaking(self.area):
            try:
                yield from body.iter_chunks(PIECE)
            finally:
                body.close()

    def _may_write(self) -> None:
        if not self.place.writable:
            raise Refused(f"{self.area.title} is read-only for you.", code="bucket-refused")

    def _do(self, call: Callable[[Any], T]) -> T:
        """``call`` with a client of the keys of now; with others where these have ended."""
        from botocore.exceptions import ClientError

        keys = self._source.keys(self.area)
        with speaking(self.area):
            try:
                return call(self._client(keys))
            except ClientError as error:
                if code_of(error) not in KEYS_ENDED:
                    raise
            keys = self._source.keys(self.area, refused=keys)
            return call(self._client(keys))

    def _client(self, keys: Keys) -> Any:
        with self._lock:
            if self._made is None or self._made[0] != keys:
                self._made = keys, s3_client(self.place.store, keys)
            return self._made[1]
