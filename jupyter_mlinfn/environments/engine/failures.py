"""What went wrong underneath, as an error for people: what, why, what to do, what was kept.

Rattler tells a chain of causes in one text, with the system's numbers as ``(os error 28)``.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

from jupyter_mlinfn.environments.locks.conflicts import reason
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable

_NUMBER = re.compile(r"\(os error (\d+)\)")
_FETCH = re.compile(r"failed to fetch (?P<file>\S+)")
_LINK = re.compile(r"failed to link (?P<file>\S+)")
_MISMATCH = re.compile(r"hash mismatch.*expected (?P<expected>[0-9a-f]+), got (?P<got>[0-9a-f]+)")
_BROKEN = ("EOF reached", "zstd", "invalid Zip", "Invalid checksum", "corrupt", "unexpected end")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


def of_system(error: OSError, folder: Path) -> MlinfnError:
    """An error of the operating system while something was written below ``folder``."""
    return of_number(error.errno or 0, error.strerror or str(error), error.filename or folder)


def of_number(number: int, words: str, path: object) -> MlinfnError:
    """The same from ``errno``."""
    if number in _FULL:
        quota = "Your quota is used up" if number == errno.EDQUOT else "The disk is full"
        return Unavailable(
            f"{quota}: {path} could not be written. What was half made is removed; the "
            "environment is as it was before.",
            code="disk-full",
            hint="Free some space, for example with 'mlinfn env gc', then try again.",
        )
    if number in _CLOSED:
        return Refused(
            f"You may not write {path}: {words}. Nothing was changed.",
            code="data-folder-read-only",
            hint="Ask who owns the data folder, or set another one (JUPYTER_DATA_DIR).",
        )
    return Unavailable(
        f"{path}: {words}. The environment is as it was before.",
        code="file-error",
        hint="Try again; if it stays so, ask who keeps this file system.",
    )


def of_installer(message: str, urls: Sequence[str], staging: Path) -> MlinfnError:
    """What rattler's installer said. ``urls`` are the addresses of the packages."""
    if (found := _NUMBER.search(message)) and int(found[1]) in _FULL:
        return of_number(int(found[1]), os.strerror(int(found[1])), staging)
    if fetch := _FETCH.search(message):
        return _of_fetch(message, fetch["file"], urls)
    if link := _LINK.search(message):
        return Unavailable(
            f"The package {link['file']} could not be put in place: {reason(message)}. "
            "The environment is as it was before.",
            code="link-failed",
            hint="Two packages may want the same file. Leave this one out or take another version.",
        )
    if found and int(found[1]) in _CLOSED:
        return of_number(int(found[1]), os.strerror(int(found[1])), staging)
    return Unavailable(
        f"The packages could not be installed: {reason(message)}. "
        "The environment is as it was before.",
        code="install-failed",
        hint="Try again.",
    )


def wrong_hash(file_name: str, channel: str, expected: str, got: str) -> Refused:
    """A package file whose bytes are not those that were recorded."""
    return Refused(
        f"The package {file_name} of the channel {channel} is not the one that was recorded: its "
        f"SHA-256 is {got[:12]}…, recorded is {expected[:12]}…. It was not installed; the "
        "environment is as it was before.",
        code="wrong-hash",
        hint="The channel was changed or the file is damaged. Tell who keeps the channel.",
    )


def _of_fetch(message: str, file_name: str, urls: Sequence[str]) -> MlinfnError:
    url = next((url for url in urls if url.endswith("/" + file_name)), "")
    channel = url.rsplit("/", 2)[0] or "unknown"
    if mismatch := _MISMATCH.search(message):
        return wrong_hash(file_name, channel, mismatch["expected"], mismatch["got"])
    if any(sign in message for sign in _BROKEN):
        return Unavailable(
            f"The package {file_name} of the channel {channel} is cut off or damaged "
            f"({reason(message)}). The environment is as it was before.",
            code="package-damaged",
            hint="Try again; if it stays so, tell who keeps the channel.",
        )
    return Unavailable(
        f"The package {file_name} could not be had from the channel {channel}: "
        f"{reason(message)}. The environment is as it was before.",
        code="package-unreachable",
        hint="Look whether the channel still has it and the network is there, then try again.",
    )
