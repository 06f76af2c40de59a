"""Paths that clients send and see: inside the server's root folder, never beside it."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_mlinfn.model.errors import MlinfnError

DRIVE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*:(.*)", re.ASCII | re.DOTALL)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
SHOWN = 80


@dataclass(frozen=True)
class Root:
    """The folder the Jupyter server shows (its contents manager's root)."""

    folder: str
    allow_hidden: bool = False

    @property
    def real(self) -> str:
        """The folder with symbolic links resolved."""
        return os.path.realpath(self.folder)

    def resolve(self, text: str, field: str) -> Path:
        """The real path behind ``text``: relative to the root, or absolute and inside it.

        A drive's name in front (``RTC:a.ipynb``, as real-time collaboration writes it) is taken
        off. Raises :class:`~jupyter_mlinfn.model.errors.InputError` for a path outside (also by
        ``..`` or a link), for a hidden one unless the server shows hidden files, and for one
        with control characters. The file need not exist.
        """
        if CONTROL.search(text) or _not_text(text):
            raise _bad("bad-path", "This path holds characters no file name may have.", field)
        typed = self._typed(text)
        real = os.path.realpath(typed)
        for path in (typed, real):
            inside = self._inside(path)
            if inside is None:
                raise _bad(
                    "outside-root",
                    f"'{text[:SHOWN]}' lies outside the folder this server shows. "
                    "Choose a file inside it.",
                    field,
                )
            if not self.allow_hidden and any(p.startswith(".") for p in inside.parts):
                raise _bad("hidden-path", "Hidden files are not shown by this server.", field)
        return Path(real)

    def file(self, text: str, field: str) -> Path:
        """:meth:`resolve`, and it is a regular file: no folder, pipe or device.

        Raises :class:`~jupyter_mlinfn.model.errors.NotFound` (``source-missing``) as well.
        """
        from jupyter_mlinfn.model.errors import NotFound

        path = self.resolve(text, field)
        try:
            mode = path.stat().st_mode
        except OSError:
            raise NotFound(
                f"There is no file '{text[:SHOWN]}' in the folder this server shows.",
                code="source-missing",
                field=field,
            ) from None
        if not stat.S_ISREG(mode):
            raise _bad("not-a-file", f"'{text[:SHOWN]}' is not a file.", field)
        return path

    def show(self, path: str) -> str:
        """``path`` as clients know it: relative to the root when inside, else unchanged."""
        inside = self._inside(path) if Path(path).is_absolute() else None
        return path if inside is None else inside.as_posix()

    def plain(self, text: str) -> str:
        """``text`` as the contents manager has it: relative to the root, without a drive."""
        return self.show(self._typed(text))

    def _inside(self, path: str) -> Path | None:
        """``path`` relative to the root; compared part by part, so ``root-secret`` is outside."""
        for folder in (self.real, os.path.normpath(self.folder)):
            if os.path.commonpath([folder, path]) == folder:
                return Path(os.path.relpath(path, folder))
        return None

    def _typed(self, text: str) -> str:
        """The absolute path that was meant, ``..`` taken away, links left as they are."""
        drive = DRIVE.fullmatch(text)
        if drive and not os.path.lexists(Path(self.real, text)):
            text = drive[1].lstrip("/")
        return os.path.normpath(Path(self.real, text))


def _not_text(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _bad(code: str, text: str, field: str) -> MlinfnError:
    from jupyter_mlinfn.model.errors import InputError

    return InputError(text, code=code, field=field)
