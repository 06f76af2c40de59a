"""What is run on the far side: ``python -I -m jupyter_mlinfn.jobs.travel VERB FOLDER …``.

::

    ready FOLDER TOKEN [DIGEST…]  JSON: where the folder is, whether the job's parcel is there,
                                  which images are missing
    unpack FOLDER                 standard input: a parcel
    image FOLDER DIGEST           standard input: an image; it is kept under its digest
    secrets FOLDER                standard input: JSON, the job's secrets; files of theirs alone
    news ROOT                     standard input: JSON, what is known of each job; JSON: the news
    points FOLDER POINTS CLOSELY  standard input: JSON, what is known of these points; JSON: the
                                  news of them, with files of those named CLOSELY
    give FOLDER [POINTS]          standard output: all attempts; or of these points one lot
    cancel FOLDER [POINTS]        leave the word that the job, or these points, shall end
    remove FOLDER                 remove the job's folder

Folders may begin with ``~``. Images lie in ``images`` beside the folder of a job. Points are named
as ``0-4,7``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.attempt import POINTS, TRAVEL, read_json
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.jobs.travel import parcel
from jupyter_mlinfn.jobs.travel.giving import give
from jupyter_mlinfn.jobs.travel.news import gather
from jupyter_mlinfn.model.errors import InputError, MlinfnError, Refused
from jupyter_mlinfn.process.durable import touch_durably

_MOST_NEWS: Final = 2**24
_LOT: Final = 2**28
"""Bytes after which a lot gets no further point: what is interrupted is not too much."""

_JOB: Final = re.compile(r"[a-z0-9]{1,40}", re.ASCII)


def main(argv: list[str]) -> int:
    """Do one thing; the text of an error goes to standard error, its code is the exit code."""
    verb, words = argv[1] if len(argv) > 1 else "", argv[2:]
    os.umask(0o077)
    try:
        if verb not in _VERBS or not words:
            raise InputError(f"There is no {verb!r}.", code="bad-verb")
        _VERBS[verb](Path(words[0]).expanduser().absolute(), *words[1:])
    except MlinfnError as error:
        sys.stderr.write(f"{error.text}\n")
        return error.exit_code
    except (OSError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _ready(folder: Path, token: str, *digests: str) -> None:
    there = (read_json(folder / TRAVEL) or {}).get("token") == token
    missing = [one for one in digests if not _image(folder, one).exists()]
    _say({"folder": str(folder), "there": there, "missing": missing})


def _unpack(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    parcel.unpack(sys.stdin.buffer, folder, image_folder=_image_folder(folder))


def _settle_secrets(folder: Path) -> None:
    try:
        told = json.load(sys.stdin)
        if (folder / TRAVEL).exists():
            credentials.settle(folder, told)
    except (ValueError, KeyError, TypeError):
        # what came may be a part of a secret: nothing of it is said
        raise Refused("What came is no secret of a job.", code="bad-secrets") from None


def _keep_image(folder: Path, digest: str) -> None:
    target = _image(folder, digest)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    hashed = hashlib.sha256()
    try:
        with part.open("xb") as file:
            while chunk := sys.stdin.buffer.read(2**20):
                hashed.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if f"sha256:{hashed.hexdigest()}" != digest:
            raise Refused("The image that came is not the one that was named.", code="bad-digest")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _news(root: Path) -> None:
    left, told = _MOST_NEWS, {}
    asked: Mapping[str, Mapping[str, int]] = json.load(sys.stdin)
    for job, known in asked.items():
        if _JOB.fullmatch(job):
            news = gather(root / job, known, most=max(0, left))
            left -= news.size
            told[job] = news.model_dump(mode="json")
    _say(told)


def _points(folder: Path, points: str, closely: str) -> None:
    known: Mapping[str, int] = json.load(sys.stdin)
    asked, near = _numbers(points), _numbers(closely)
    found = gather(folder, known, most=_MOST_NEWS, points=asked, closely=near)
    _say(found.model_dump(mode="json"))


def _give(folder: Path, points: str = "") -> None:
    if points:
        give(folder, sys.stdout.buffer, points=_numbers(points), most=_LOT)
    else:
        give(folder, sys.stdout.buffer)


def _cancel(folder: Path, points: str = "") -> None:
    if not folder.is_dir():
        return
    if not points:
        touch_durably(folder / "cancel")
    for number in _numbers(points):
        home = folder / POINTS / str(number)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        touch_durably(home / "cancel")


def _numbers(points: str) -> tuple[int, ...]:
    try:
        return ranges.read(points) if points else ()
    except ValueError as error:
        raise InputError(str(error), code="bad-points") from error


def _remove(folder: Path) -> None:
    if not (folder / TRAVEL).exists():
        return  # never a folder that did not travel here
    aside = folder.with_name(f"{folder.name}.removed")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _image_folder(folder: Path) -> Path:
    return folder.parent / "images"


def _image(folder: Path, digest: str) -> Path:
    return _image_folder(folder) / parcel.image_name(digest)


def _say(document: object) -> None:
    """In a line of its own: a login may print something before."""
    sys.stdout.write(f"\n{json.dumps(document)}\n")


_VERBS: Final[Mapping[str, Callable[..., None]]] = {
    "ready": _ready,
    "unpack": _unpack,
    "image": _keep_image,
    "secrets": _settle_secrets,
    "news": _news,
    "points": _points,
    "give": _give,
    "cancel": _cancel,
    "remove": _remove,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv))
