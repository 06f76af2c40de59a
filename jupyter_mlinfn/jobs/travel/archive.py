"""The tar that travels: written in one order, read as if it came from an enemy.

Nothing is compressed: what is sent is what it takes on disk, so a limit is a limit.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from jupyter_mlinfn.model.errors import Refused

_LONGEST: Final = 4096
_DEEPEST: Final = 64
_LARGEST_HEADER: Final = 2**20
"""Bytes of a header that holds a long name; tarfile reads it into memory as a whole."""

_LINKS_IN: Final = frozenset({"published", "outputs", "checkpoints"})
"""Only below these there may be links, and none that leads out of the one it lies in."""

_HEADERS: Final = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


@dataclass(frozen=True)
class Limits:
    """The most that is unpacked: entries, and bytes of all files together."""

    entries: int = 1_000_000
    size: int = 2**40


class Packer:
    """Writes entries into a tar. Owners are left out; names are relative, with slashes."""

    def __init__(self, target: BinaryIO) -> None:
        self._tar = tarfile.open(  # noqa: SIM115 - closed by close()
            fileobj=target, mode="w|", format=tarfile.PAX_FORMAT
        )

    @property
    def size(self) -> int:
        """Bytes that were written so far."""
        return self._tar.offset

    def text(self, name: str, content: bytes) -> None:
        """A file of this content."""
        about = tarfile.TarInfo(name)
        about.size, about.mode = len(content), 0o600
        self._tar.addfile(about, BytesIO(content))

    def file(self, name: str, path: Path) -> bool:
        """A regular file as it is now; whether there is one. Raises OSError."""
        try:
            with open_regular(path) as stream:
                about, facts = tarfile.TarInfo(name), os.fstat(stream.fileno())
                about.size, about.mtime = facts.st_size, facts.st_mtime
                about.mode = facts.st_mode & 0o777
                # what is appended meanwhile is not a part of it
                self._tar.addfile(about, stream)
        except FileNotFoundError:
            return False
        return True

    def tree(self, name: str, folder: Path, *, hidden: bool = True) -> None:
        """All files and folders below ``folder``, and links that stay in it; no pipes and such.

        Without ``hidden`` names that begin with a dot stay behind, and so does what may not be
        read. Raises OSError.
        """
        self._folder(name, folder)
        self._below(name, folder, folder, hidden=hidden)

    def _below(self, name: str, folder: Path, root: Path, *, hidden: bool) -> None:
        for path in sorted(folder.iterdir()):
            if not hidden and path.name.startswith("."):
                continue
            inner = f"{name}/{path.name}"
            kind = path.lstat().st_mode
            if stat.S_ISLNK(kind):
                if stays_inside(path, root):
                    about = tarfile.TarInfo(inner)
                    about.type, about.linkname = tarfile.SYMTYPE, str(path.readlink())
                    self._tar.addfile(about)
            elif not os.access(path, os.R_OK | (os.X_OK if stat.S_ISDIR(kind) else 0)):
                continue
            elif stat.S_ISDIR(kind):
                self._folder(inner, path)
                self._below(inner, path, root, hidden=hidden)
            elif stat.S_ISREG(kind):
                self.file(inner, path)

    def _folder(self, name: str, folder: Path) -> None:
        about = tarfile.TarInfo(name)
        about.type, about.mode = tarfile.DIRTYPE, folder.stat().st_mode & 0o777
        self._tar.addfile(about)

    def close(self) -> None:
        """Write the end of the tar."""
        self._tar.close()


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file without waiting; what is opened is what is checked. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "It is not a file", str(path))
        with os.fdopen(handle, "rb", closefd=False) as stream:
            yield stream
    finally:
        os.close(handle)


@contextmanager
def packing(target: BinaryIO) -> Iterator[Packer]:
    """A :class:`Packer` whose tar is whole when this is left without an error."""
    packer = Packer(target)
    yield packer
    packer.close()


def stays_inside(link: Path, root: Path) -> bool:
    """Whether a link is relative and leads nowhere out of ``root``, also by way of others."""
    if link.readlink().is_absolute():
        return False
    base = os.path.realpath(root)
    return os.path.commonpath((base, os.path.realpath(link))) == base


def unpack(
    source: BinaryIO,
    folder: Path,
    wanted: Callable[[tuple[str, ...]], bool],
    limits: Limits | None = None,
) -> None:
    """Unpack into the empty ``folder`` the entries whose parts of the name are ``wanted``.

    Files are durable when this returns. Raises :class:`Refused` (``bad-parcel``) for a tar that is
    cut off, too large, or holds a name, link or kind that it must not; OSError where it cannot be
    written.
    """
    reading = _Unpacking(folder, wanted, limits or Limits())
    try:
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_Checked) as tar:
            for about in tar:
                reading.take(tar, about)
    except (tarfile.TarError, UnicodeError, EOFError) as error:
        raise bad(f"it cannot be read ({error})") from error
    reading.make_links()


def bad(why: str) -> Refused:
    """What came is no parcel of ours."""
    return Refused(
        f"What came from the other place is not taken: {why}. Nothing here was changed.",
        code="bad-parcel",
    )


class _Checked(tarfile.TarInfo):
    """A member whose header is refused before tarfile reads what it announces."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Checked:
        found = super().frombuf(buf, encoding, errors)
        if found.type in _HEADERS and not 0 <= found.size <= _LARGEST_HEADER:
            raise bad("a name in it is too long")
        return found


class _Unpacking:
    def __init__(
        self, folder: Path, wanted: Callable[[tuple[str, ...]], bool], limits: Limits
    ) -> None:
        self._folder = folder
        self._wanted = wanted
        self._entries, self._size = limits.entries, limits.size
        self._links: list[tuple[tuple[str, ...], str]] = []

    def take(self, tar: tarfile.TarFile, about: tarfile.TarInfo) -> None:
        """One entry; links come last, so that nothing is written through one."""
        parts = _parts(about.name)
        self._entries -= 1
        if self._entries < 0 or not 0 <= about.size <= self._size:
            raise bad("it is too large")
        self._size -= about.size
        if about.sparse is not None or about.type not in _KINDS:
            raise bad(f"{about.name[:200]!r} is neither a file nor a folder")
        if not self._wanted(parts):
            return
        if about.issym():
            self._links.append((parts, about.linkname))
        elif about.isdir():
            self._make(parts)
        else:
            self._make(parts[:-1])
            self._write(tar, about, self._folder.joinpath(*parts))

    def make_links(self) -> None:
        """Make the links, and refuse all if one of them leads out."""
        made = []
        for parts, target in self._links:
            depth = next((n for n, part in enumerate(parts[:-1]) if part in _LINKS_IN), None)
            if depth is None:
                raise bad(f"{'/'.join(parts)[:200]!r} is a link")
            self._make(parts[:-1])
            link = self._folder.joinpath(*parts)
            try:
                link.symlink_to(target)
            except (FileExistsError, ValueError) as error:
                raise bad(f"{'/'.join(parts)[:200]!r} comes twice, or is no link") from error
            made.append((link, self._folder.joinpath(*parts[: depth + 1])))
        for link, root in made:
            if not stays_inside(link, root):
                raise bad(f"the link {link.name[:200]!r} leads out of its folder")

    def _make(self, parts: tuple[str, ...]) -> None:
        folder = self._folder
        for part in parts:
            folder = folder / part
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError as error:
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise bad(f"{'/'.join(parts)[:200]!r} comes twice") from error

    def _write(self, tar: tarfile.TarFile, about: tarfile.TarInfo, path: Path) -> None:
        content = tar.extractfile(about)
        assert content is not None, "it is a regular file"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(path, flags, 0o600)
        except FileExistsError as error:
            raise bad(f"{about.name[:200]!r} comes twice") from error
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(content, file, 2**20)
            if file.tell() != about.size:
                raise bad("it ends too early")
            file.flush()
            os.fchmod(handle, about.mode & 0o777 | 0o600)
            with_time = max(0.0, min(float(about.mtime), 2.0**33))
            os.utime(handle, (with_time, with_time))
            os.fsync(handle)


_KINDS: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE})


def _parts(name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    if not name or len(name) > _LONGEST or path.is_absolute() or "\0" in name:
        raise bad(f"it holds the name {name[:200]!r}")
    if not path.parts or ".." in name.split("/") or len(path.parts) > _DEEPEST:
        raise bad(f"it holds the name {name[:200]!r}")
    return path.parts
