"""Writes the folder that makes a job self-contained, and the manifest of what is in it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final, Literal

from jupyter_mlinfn.jobs.continuing import copy_checkpoints
from jupyter_mlinfn.jobs.folders import BundledEnvironment, JobFolders
from jupyter_mlinfn.jobs.sweeps import pointfile
from jupyter_mlinfn.model.environments import EnvironmentRef
from jupyter_mlinfn.model.errors import InputError, Unavailable
from jupyter_mlinfn.model.jobs import BundledFile, JobRequest, JobSpec
from jupyter_mlinfn.process.durable import sync_folder
from jupyter_mlinfn.process.redaction import is_secret_name

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Contents:
    """What goes into a bundle: files by their path below ``bundle/``.

    ``lock`` is the ``conda-lock.yml`` that the environment can be made again from.
    """

    main: str
    content: bytes
    mtime: float
    modules: Mapping[str, Path]
    root: Path
    environment: BundledEnvironment
    lock: str | None = None


class InputHashes:
    """SHA-256 of input files, remembered by device, inode, size and time of change.

    Above ``limit`` bytes nothing is hashed: such an input is known by size and time only.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._known: dict[tuple[int, int, int, int], str] = {}

    def of(self, stream: BufferedReader) -> str | None:
        """The hash of an open regular file."""
        facts = os.fstat(stream.fileno())
        if facts.st_size > self.limit:
            return None
        key = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if key not in self._known:
            self._known[key] = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._known[key]


@contextmanager
def open_regular(path: Path, inside: Path | None = None) -> Iterator[BufferedReader]:
    """Open a regular file without waiting; with ``inside``, only when it really lies there.

    What is opened is what is checked, so swapping a link in between gains nothing.
    Raises :class:`OSError`; ``ELOOP`` for a file that is not inside.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # fdopen refuses a folder and leaves it open
        os.close(handle)
        raise OSError(errno.EINVAL, "It is not a file", str(path))
    with os.fdopen(handle, "rb") as stream:
        if inside is not None:
            real = os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115 - of an open file
            if os.path.commonpath((inside, real)) != str(inside):
                raise OSError(errno.ELOOP, "It leads out of the folder", str(path))
        yield stream


def record_input(text: str, folder: Path, hashes: InputHashes, field: str) -> BundledFile:
    """What is recorded of one declared input; relative paths are meant from ``folder``.

    Raises :class:`InputError` naming ``field`` when it cannot be read or is no file.
    """
    path = Path(os.path.normpath(folder / text))
    try:
        with open_regular(path) as stream:
            facts = os.fstat(stream.fileno())
            digest = hashes.of(stream)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no path"
        raise InputError(
            f"The input {text[:200]} cannot be read: {why}.", code="bad-input-file", field=field
        ) from error
    return BundledFile(
        path=os.path.relpath(path, folder),
        size=facts.st_size,
        mtime=facts.st_mtime,
        sha256=digest,
        role="input",
    )


class BundleWriter:
    """Writes one job's folder in staging, then gives it its name: whole or not at all.

    Use as a context manager; leaving it by an error removes what was written.
    """

    def __init__(self, folders: JobFolders, job: str) -> None:
        self._folders = folders
        self._job = job
        self._files: list[Path] = []

    def __enter__(self) -> BundleWriter:
        with _explained():
            self._folder = self._folders.new_staging(self._job)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None:
            self._folders.discard_staging(self._job)

    def capture(self, contents: Contents) -> tuple[BundledFile, ...]:
        """Write ``bundle/``; gives the manifest of its files."""
        with _explained():
            kernel = contents.environment.ref.kernel.model_dump_json(indent=1).encode()
            self._write("bundle/kernel.json", kernel)
            recorded = without_secrets(contents.environment.ref)
            environment = contents.environment.model_copy(update={"ref": recorded})
            self._write("bundle/environment.json", environment.model_dump_json(indent=1).encode())
            self._write(f"bundle/{contents.main}", contents.content)
            captured = [_manifest(contents.main, contents.content, contents.mtime, "notebook")]
            if contents.lock is not None:
                lock = contents.lock.encode()
                self._write("bundle/conda-lock.yml", lock)
                captured.append(_manifest("conda-lock.yml", lock, time.time(), "lock"))
            for name, path in sorted(contents.modules.items()):
                captured.append(self._copy(name, path, contents.root))
            return tuple(captured)

    def attach(self, name: str, content: bytes) -> None:
        """Write one more file into ``bundle/``, beside what runs."""
        with _explained():
            self._write(f"bundle/{name}", content)

    def keep(self, name: str, content: bytes) -> None:
        """Write one more file beside ``bundle/``, which only we read."""
        with _explained():
            self._write(name, content)

    def bring_checkpoints(self, source: Path) -> None:
        """Copy the checkpoints of another job: this one goes on from them."""
        with _explained():
            copy_checkpoints(source, self._folder / "checkpoints")

    def finish(self, spec: JobSpec, request: JobRequest, points: bytes | None = None) -> None:
        """Write spec, request and the ``points`` of a sweep, make all durable, and give the
        folder its name."""
        with _explained():
            if points is not None:
                self._write(pointfile.NAME, points)
            self._write("request.json", request.model_dump_json(indent=1).encode())
            self._write("job.json", spec.model_dump_json(indent=1).encode())
            # all waited for before the folder has its name: what has a row, and what a system
            # runs, is found whole after a power cut
            _sync(self._files)
            inside = (path.relative_to(self._folder) for path in self._files)
            for folder in {folder for path in inside for folder in path.parents}:
                sync_folder(self._folder / folder)
            self._folders.adopt_staging(self._job)

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files.append(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as stream:
            stream.write(content)

    def _copy(self, name: str, path: Path, root: Path) -> BundledFile:
        try:
            with open_regular(path, inside=root) as source:
                content, mtime = source.read(), os.fstat(source.fileno()).st_mtime
        except OSError as error:
            raise InputError(
                f"The module {name} cannot be copied: {error.strerror}.",
                code="bad-module",
                field="source",
            ) from error
        self._write(f"bundle/modules/{name}", content)
        return _manifest(name, content, mtime, "module")


def without_secrets(ref: EnvironmentRef) -> EnvironmentRef:
    """``ref`` for records: without variables of the kernel spec that are secrets by their name.

    The kernel still gets them: ``bundle/kernel.json`` is what it is started from.
    """
    env = {name: text for name, text in ref.kernel.env.items() if not is_secret_name(name)}
    return ref.model_copy(update={"kernel": ref.kernel.model_copy(update={"env": env})})


def _manifest(
    path: str, content: bytes, mtime: float, role: Literal["notebook", "module", "lock"]
) -> BundledFile:
    digest = hashlib.sha256(content).hexdigest()
    return BundledFile(path=path, size=len(content), mtime=mtime, sha256=digest, role=role)


def _sync(paths: Sequence[Path]) -> None:
    """Make the files durable: all at once, so that the file system writes its journal once."""
    with ThreadPoolExecutor(max_workers=min(8, len(paths))) as pool:
        # going through the results raises what a thread met
        list(pool.map(_sync_one, paths))


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Unavailable(
                "The disk is full, so the job could not be written down. Nothing was submitted. "
                "Free some space, then submit again.",
                code="disk-full",
            ) from error
        raise Unavailable(
            f"The job could not be written down: {error.strerror}. Nothing was submitted.",
            code="data-folder",
        ) from error
