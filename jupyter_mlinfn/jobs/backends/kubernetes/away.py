"""What runs in the pod of a staged job: ``python -I -m …kubernetes.away ACCESS_FILE FOLDER``.

It fetches the job's parcel, runs :mod:`jupyter_mlinfn.jobs.batch` in it as ever, and brings news
while that runs, and all attempts when it has ended. What an earlier pod of the job brought is
fetched first, so that the next attempt goes on from its checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.backends.kubernetes.access import Access
from jupyter_mlinfn.jobs.travel import archive, parcel
from jupyter_mlinfn.jobs.travel.giving import attempts, give
from jupyter_mlinfn.jobs.travel.news import gather
from jupyter_mlinfn.model.errors import MlinfnError, Refused
from jupyter_mlinfn.model.kubernetes import SECRETS_FILE
from jupyter_mlinfn.process.child import start_child
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.durable import touch_durably

_LOOKS_EVERY: Final = 2.0
_ENDS_WITHIN: Final = 0.1
_WITHIN: Final = 60.0
_TRIED_FOR: Final = 600.0
"""Seconds for which what has to go or to come is tried again."""

_AGAIN_AFTER: Final = 3.0
_BEFORE: Final = frozenset({"attempts", "checkpoints"})


def main(argv: list[str]) -> int:
    """Run the job; 0 when it succeeded or nothing was left to do, else 1."""
    os.umask(0o077)
    away = Away(Path(argv[1]), Path(argv[2]))
    try:
        away.fetch()
        code = away.run()
        away.deliver()
    except (MlinfnError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return code


class Away:
    """A job that lies below ``root``, whose addresses the file ``access`` tells."""

    def __init__(self, access: Path, root: Path) -> None:
        self._file = access
        self._root = root
        self._folder = root / "jobs" / Access.read(access).job
        self._told = b""
        self._given = ""
        self._secrets = b""

    def fetch(self) -> None:
        """Have the job's folder here as its last pod left it. Raises :class:`Refused`, OSError."""
        images = self._root / "images"
        images.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.parent.mkdir(mode=0o700, exist_ok=True)
        for digest, address in Access.read(self._file).images.items():
            _fetch_image(address, images / parcel.image_name(digest), digest)
        with TemporaryFile(dir=self._root) as between:
            _must(_patiently(lambda: _get(self._access.parcel, between)), "the parcel")
            parcel.unpack(between, self._folder, image_folder=images)
        with TemporaryFile(dir=self._root) as between:
            if _patiently(lambda: _get(self._access.before, between)):
                self._put_back(between)
        self._settle_secrets()

    def run(self) -> int:
        """Run one attempt to its end, and tell of it; the exit code of its program."""
        if self._is_cancelled():
            touch_durably(self._folder / "cancel")
        argv = own_program("jupyter_mlinfn.jobs.batch", str(self._folder), "kubernetes")
        told = sys.stdout.fileno()
        process = start_child(argv, env=os.environ, cwd=self._root, output=told)
        # a pod that shall end is told so: the attempt saves what there is
        signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
        looked = time.monotonic()
        while (code := process.poll()) is None:
            if time.monotonic() - looked > _LOOKS_EVERY:
                self._look()
                looked = time.monotonic()
            time.sleep(_ENDS_WITHIN)
        return code

    def deliver(self) -> None:
        """Bring all attempts, then say that they are there. Raises OSError."""
        _patiently(self._give)
        _patiently(self._tell)

    # --- inside ---------------------------------------------------------------------------------

    @property
    def _access(self) -> Access:
        return Access.read(self._file)

    def _look(self) -> None:
        """One turn while it runs; what does not work now is done in the next one."""
        try:
            self._settle_secrets()
            if not (self._folder / "cancel").exists() and self._is_cancelled():
                touch_durably(self._folder / "cancel")
            self._tell()
            if (saved := self._saved()) and saved != self._given:
                self._give()
                self._given = saved
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{error}\n")

    def _settle_secrets(self) -> None:
        """Have the declared secrets in the job's folder as they are in the Secret now. Raises
        OSError and ValueError."""
        file = self._file.with_name(SECRETS_FILE)
        told = file.read_bytes() if file.exists() else b""
        if told != self._secrets:
            credentials.settle(self._folder, json.loads(told))
            self._secrets = told

    def _tell(self) -> bool:
        told = gather(self._folder, {}).model_dump_json().encode()
        if told != self._told:
            _put(self._access.news, told, len(told))
            self._told = told
        return True

    def _give(self) -> bool:
        with TemporaryFile(dir=self._root) as between:
            give(self._folder, between)
            size = between.tell()
            between.seek(0)
            _put(self._access.results, between, size)
        return True

    def _saved(self) -> str:
        """A word that changes with the attempts and the checkpoints there are."""
        begun = [one.path.name for one in attempts(self._folder)]
        checkpoints = self._folder / "checkpoints"
        whole = [path for path in checkpoints.glob("*") if not path.name.startswith(".")]
        saved = sorted((path.name, path.stat().st_mtime_ns) for path in whole)
        return f"{begun}{saved}" if begun else ""

    def _is_cancelled(self) -> bool:
        with TemporaryFile(dir=self._root) as nothing:
            return _get(self._access.cancel, nothing)

    def _put_back(self, source: BinaryIO) -> None:
        before = self._root / "before"
        shutil.rmtree(before, ignore_errors=True)
        before.mkdir(mode=0o700)
        archive.unpack(source, before, lambda parts: parts[0] in _BEFORE)
        for name in _BEFORE:
            if (before / name).is_dir():
                shutil.rmtree(self._folder / name, ignore_errors=True)
                (before / name).rename(self._folder / name)
        shutil.rmtree(before)


def _patiently(do: Callable[[], bool]) -> bool:
    """Do it, again and again for a while where nobody answers. Raises OSError."""
    until = time.monotonic() + _TRIED_FOR
    while True:
        try:
            return do()
        except OSError as error:
            lasting = isinstance(error, HTTPError) and error.code < 500
            if lasting or time.monotonic() > until:
                raise
            sys.stderr.write(f"{error}\n")
            time.sleep(_AGAIN_AFTER)


def _get(address: str, target: BinaryIO) -> bool:
    """Write what is there into ``target``, from its beginning; whether there is something."""
    target.seek(0)
    target.truncate()
    try:
        with urlopen(_request(address), timeout=_WITHIN) as answer:  # noqa: S310 - see _request
            shutil.copyfileobj(answer, target, 2**20)
    except HTTPError as error:
        # who may not list a bucket is told 403 of what is not there
        if error.code in (403, 404):
            return False
        raise
    target.seek(0)
    return True


def _put(address: str, content: bytes | BinaryIO, size: int) -> None:
    asked = _request(address, "PUT")
    asked.data = content
    asked.add_header("Content-Length", str(size))
    asked.add_header("Content-Type", "application/octet-stream")
    with urlopen(asked, timeout=_WITHIN):  # noqa: S310 - see _request
        return


def _request(address: str, verb: str = "GET") -> Request:
    if not address.startswith(("https://", "http://")):
        raise ValueError("the pod was given an address that is none")
    return Request(address, method=verb)  # noqa: S310 - looked at just before


def _fetch_image(address: str, target: Path, digest: str) -> None:
    with target.open("w+b") as image:
        _must(_patiently(lambda: _get(address, image)), "an image")
        if f"sha256:{hashlib.file_digest(image, 'sha256').hexdigest()}" != digest:
            raise Refused("The image that came is not the one that was named.", code="bad-digest")


def _must(there: bool, what: str) -> None:
    if not there:
        raise Refused(f"The store has not, or not any more, {what} of this job.", code="not-staged")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
