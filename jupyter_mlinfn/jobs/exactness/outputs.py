"""What a job published, by hash, and whether an exact rerun gave the same. Standard library only.

The supervisor writes both beside the attempt: ``outputs.json``, and ``verdict.json`` where the
bundle holds the outputs of the run that is repeated (``first-outputs.json``).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.exactness.notebooks import content_hash
from jupyter_mlinfn.process.durable import write_durably

OUTPUTS: Final = "outputs.json"
VERDICT: Final = "verdict.json"
FIRST_OUTPUTS: Final = "first-outputs.json"

MOST_FILES: Final = 20_000
MOST_HASHED: Final = 8 * 2**30
"""Bytes of one job's outputs that are hashed; the job's end waits for it."""

_NAMED: Final = 5


def note_outputs(folder: AttemptFolder, output: str) -> None:
    """Write the hashes of what was published, and the verdict of an exact rerun.

    ``output`` is the published notebook or folder. What cannot be read is noted, never raised:
    the job has ended well without it.
    """
    try:
        path = Path(output)
        files = list_outputs(path if path.is_dir() else path.parent)
        _write(folder.path / OUTPUTS, {"files": files})
        first = read_json(folder.bundle / FIRST_OUTPUTS)
        if first is not None:
            _write(folder.path / VERDICT, verdict(first, files))
    except (OSError, ValueError, KeyError, TypeError) as error:
        folder.event("note", text=f"The outputs could not be hashed: {error}")


def list_outputs(target: Path, most: int = MOST_HASHED) -> list[dict[str, Any]]:
    """Every file below ``target`` as an ``OutputFile``, sorted by path; links are not followed.

    Files beyond ``most`` bytes in all are told with their size alone. Raises OSError.
    """
    found = []
    for path in _files(target):
        size = path.stat(follow_symlinks=False).st_size
        one: dict[str, Any] = {"path": str(path.relative_to(target)), "size": size}
        if size <= most:
            most -= size
            with path.open("rb") as stream:
                one["sha256"] = hashlib.file_digest(stream, "sha256").hexdigest()
            if path.suffix == ".ipynb":
                one["content"] = content_hash(path)
        found.append(one)
    return sorted(found, key=lambda one: str(one["path"]))


def verdict(first: Mapping[str, Any], now: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How ``now`` compares with the outputs of the first run, as a ``Verdict``. Pure but its time.

    ``first`` is ``{"job", "files"}``; without files the first run left nothing to compare with.
    """
    before = {one["path"]: one for one in first["files"] or ()}
    after = {one["path"]: one for one in now}
    both = [path for path in after if path in before]
    told = {path: same_file(before[path], after[path]) for path in both}
    parts: dict[str, Any] = {
        "equal": [path for path in both if told[path]],
        "different": [path for path in both if told[path] is False],
        "missing": [path for path in before if path not in after],
        "new": [path for path in after if path not in before],
    }
    unsure = [path for path in both if told[path] is None]
    differs = bool(parts["different"] or parts["missing"] or parts["new"])
    same = None if not before or (unsure and not differs) else not differs
    return {
        "first": first["job"],
        "same": same,
        **parts,
        "text": _sentence(parts, unsure, len(before)),
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def same_file(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool | None:
    """Whether two files are equal, notebooks by what they say; ``None``: not hashed."""
    if a.get("content") is not None and b.get("content") is not None:
        return bool(a["content"] == b["content"])
    if a["size"] != b["size"]:
        return False
    if a.get("sha256") is None or b.get("sha256") is None:
        return None
    return bool(a["sha256"] == b["sha256"])


def _sentence(parts: Mapping[str, Sequence[str]], unsure: Sequence[str], before: int) -> str:
    if not before:
        return "The first run left no outputs to compare with."
    total = before + len(parts["new"])
    if len(parts["equal"]) == total:
        return (
            "Same output: the file is equal."
            if total == 1
            else f"Same output: all {total} files are equal."
        )
    told = [f"{len(parts['equal'])} of {total} files {'is' if total == 1 else 'are'} equal"]
    for key, one, many in (
        ("different", "differs", "differ"),
        ("missing", "is missing", "are missing"),
        ("new", "is new", "are new"),
    ):
        if parts[key]:
            told.append(f"{_names(parts[key])} {one if len(parts[key]) == 1 else many}")
    if unsure:
        verb = "is" if len(unsure) == 1 else "are"
        told.append(f"{_names(unsure)} {verb} too large to compare")
    return f"{'; '.join(told)}."


def _names(paths: Sequence[str]) -> str:
    shown = ", ".join(paths[:_NAMED])
    return f"{shown} and {len(paths) - _NAMED} more" if len(paths) > _NAMED else shown


def _files(target: Path) -> Iterator[Path]:
    left = MOST_FILES
    for where, folders, names in os.walk(target):
        folders.sort()
        for name in sorted(names):
            path = Path(where, name)
            if path.is_file() and not path.is_symlink():
                if left == 0:
                    return
                left -= 1
                yield path


def _write(path: Path, document: Mapping[str, Any]) -> None:
    write_durably(path, json.dumps(document, indent=1))
