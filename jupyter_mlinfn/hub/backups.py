"""The program that makes the backups which a ``profiles.toml`` asks for.

``python -m jupyter_mlinfn.hub.backups profiles.toml`` makes those that are due and ends, for a
timer; with ``--forever`` it goes on, for a service of the hub. It runs on the machine with the
folders, as root or as whoever may read them, and prints one JSON document for each area it copied.

A folder of every person or group is found on the disk, not in a list of people: also what belongs
to somebody who has left is still kept.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jupyter_mlinfn.hub.service.ending import end_with_parent
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.reading import load
from jupyter_mlinfn.profiles.sources import fill
from jupyter_mlinfn.storage.backup_program import document_of
from jupyter_mlinfn.storage.backups.copies import copies_in
from jupyter_mlinfn.storage.backups.making import make_copy
from jupyter_mlinfn.storage.backups.rule import Rule, parse_rule

ROUND = 60.0
"""Seconds between two looks for what is due."""
AFTER_FAILURE = timedelta(hours=1)

_SLUG = "[a-z][a-z0-9-]*"
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Wanted:
    """One area of which copies are kept: ``source`` into ``folder``, one ``every`` so long."""

    source: Path
    folder: Path
    every: timedelta
    rule: Rule


def wanted(book: Book) -> Iterator[Wanted]:
    """All areas whose folders are there now, in the file's order."""
    for volume in book.volume.values():
        backup = volume.backup
        if backup is None or volume.kind != "bind" or volume.source is None:
            continue
        for path, words in folders_of(volume.source):
            yield Wanted(
                source=path,
                folder=Path(fill(backup.source, words)),
                every=timedelta(seconds=backup.every),
                rule=parse_rule(backup.keep),
            )


def folders_of(template: str) -> list[tuple[Path, Mapping[str, str]]]:
    """The folders a source stands for, with what its braces are in each; no link is one."""
    found: list[tuple[Path, Mapping[str, str]]] = [(Path("/"), {})]
    for part in Path(template).parts[1:]:
        found = [deeper for path, words in found for deeper in _below(path, part, words)]
    return found


def is_due(one: Wanted, now: datetime) -> bool:
    """Whether the newest copy is old enough, or none is there. Raises OSError."""
    if not one.folder.is_dir():
        return True
    copies = copies_in(str(one.folder)).copies
    return not copies or now - copies[0].made_at >= one.every


class Keeper:
    """Makes what is due, round by round; what failed is tried again an hour later."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._failed: dict[Path, datetime] = {}

    def round(self) -> int:
        """One round over all areas; 0, or the exit code of the last error."""
        code = 0
        for one in wanted(load(self._file)):
            now = datetime.now(UTC)
            if now - self._failed.get(one.source, datetime.min.replace(tzinfo=UTC)) < AFTER_FAILURE:
                continue
            try:
                if is_due(one, now):
                    _say(one, document_of(make_copy(one.source, one.folder, one.rule)))
                self._failed.pop(one.source, None)
            except (MlinfnError, OSError) as error:
                # one area that fails must not keep the others from their copies
                self._failed[one.source] = now
                code = error.exit_code if isinstance(error, MlinfnError) else 3
                name = error.code if isinstance(error, MlinfnError) else "folder"
                _say(one, {"error": {"code": name, "text": str(error)}})
        return code

    def go_on(self) -> None:
        """One round after the other; a file that cannot be read is told, and read again."""
        while True:
            try:
                self.round()
            except MlinfnError as error:
                sys.stderr.write(f"{error.text}\n")
            time.sleep(ROUND)


def main(argv: Sequence[str] | None = None) -> int:
    """Make what is due; the exit code."""
    parser = argparse.ArgumentParser(prog="backups", description="Make the backups that are due.")
    parser.add_argument("profiles", type=Path, help="the profiles.toml that asks for them")
    parser.add_argument("--forever", action="store_true", help="go on, for a service")
    asked = parser.parse_args(argv)
    keeper = Keeper(asked.profiles)
    try:
        if asked.forever:
            end_with_parent()  # else a killed hub's would go on beside that of the next one
            keeper.go_on()
        return keeper.round()
    except MlinfnError as error:
        sys.stderr.write("".join(f"{problem.text}\n" for problem in error.problems))
        return error.exit_code


def _below(
    path: Path, part: str, words: Mapping[str, str]
) -> Iterator[tuple[Path, Mapping[str, str]]]:
    if not _BRACES.search(part):
        below = path / part
        if below.is_dir() and not below.is_symlink():
            yield below, words
        return
    pieces = _BRACES.split(part)
    pattern = "".join(
        re.escape(piece) if number % 2 == 0 else _group(piece, words)
        for number, piece in enumerate(pieces)
    )
    names = sorted(one.name for one in path.iterdir()) if path.is_dir() else []
    for name in names:
        below = path / name
        if (met := re.fullmatch(pattern, name)) and below.is_dir() and not below.is_symlink():
            yield below, {**words, **met.groupdict()}


def _group(word: str, words: Mapping[str, str]) -> str:
    """What may stand for a word: what it stood for before, else any safe name."""
    return re.escape(words[word]) if word in words else f"(?P<{word}>{_SLUG})"


def _say(one: Wanted, document: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps({"source": str(one.source), **document}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
