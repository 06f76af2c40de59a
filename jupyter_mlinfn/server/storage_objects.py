"""Objects of buckets by HTTP: the store's address and the keys are the session's, no page's."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.storage import BucketFolder, StartedUpload, StoredPiece
from jupyter_mlinfn.server.handler import Download

if TYPE_CHECKING:
    from jupyter_mlinfn.server.handler import Call
    from jupyter_mlinfn.storage.bucket.objects import Bucket


def browse(call: Call) -> BucketFolder:
    """``GET areas/{name}/objects``."""
    query = call.query
    return _bucket(call).folder(query.path, query.more, query.search)


def delete(call: Call) -> None:
    """``DELETE areas/{name}/objects``."""
    _bucket(call).remove(call.query.path)


def content(call: Call) -> Download:
    """``GET areas/{name}/objects/content``: piece by piece, however large it is."""
    found = _bucket(call).read(call.query.path)
    return Download(call.query.path.rpartition("/")[2], found.length, found.pieces)


def start(call: Call) -> StartedUpload:
    """``POST areas/{name}/uploads``."""
    return StartedUpload(id=_bucket(call).begin(call.body.path, replace=call.body.replace))


def piece(call: Call) -> StoredPiece:
    """``POST areas/{name}/uploads/piece``."""
    body = call.body
    try:
        content = b64decode(body.content, validate=True)
    except ValueError:
        raise InputError("This piece is not written in base64.", field="content") from None
    return _bucket(call).put_piece(body.path, body.id, body.number, content)


def end(call: Call) -> None:
    """``POST areas/{name}/uploads/end``."""
    _bucket(call).end(call.body.path, call.body.id, call.body.pieces)


def _bucket(call: Call) -> Bucket:
    storage = call.workbench.storage
    return storage.buckets.bucket(storage.area(call.values["name"]))
