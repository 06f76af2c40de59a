"""Problems of a file, each with the line it is in and the name of what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_mlinfn.model.errors import InputError, Problem
from jupyter_mlinfn.profiles.nearness import shown
from jupyter_mlinfn.profiles.positions import KeyPath


class ProfilesError(InputError):
    """A ``profiles.toml`` that cannot be used; each problem's text begins ``FILE:LINE: ``."""

    default_code = "bad-profiles"


class Places:
    """The lines of one file: ``file`` as the admin called it, ``raw`` what ``tomllib`` read."""

    def __init__(self, file: str, raw: Mapping[str, Any], lines: Mapping[KeyPath, int]) -> None:
        self.file = file
        self._raw = raw
        self._lines = lines

    def line(self, path: KeyPath) -> int:
        """The line of ``path``, or of the nearest thing around it that has one."""
        for end in range(len(path), 0, -1):
            if (found := self._lines.get(path[:end])) is not None:
                return found
        return 1

    def name(self, path: KeyPath) -> str:
        """``path`` as people call it: ``profile.gpu-small.cpu``."""
        parts: list[str] = []
        for depth, part in enumerate(path):
            if isinstance(part, str):
                parts.append(part)
            elif depth == 1 and path[0] == "profile":
                parts.append(self._profile_name(part))
        return ".".join(shown(part)[1:-1] for part in parts)

    def path(self, field: str | None) -> KeyPath:
        """The reverse of :meth:`name`, as far as it leads."""
        parts = (field or "").split(".")
        if parts[0] != "profile" or len(parts) < 2:
            return tuple(parts)
        entries = self._raw.get("profile")
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, Mapping) and entry.get("name") == parts[1]:
                return ("profile", number, *parts[2:])
        return ("profile",)

    def problem(self, path: KeyPath, text: str, code: str = "bad-profiles") -> Problem:
        """A problem at ``path``: its text says where, what it is about, and what is wrong."""
        name = self.name(path)
        about = f"{name}: " if name else ""
        return Problem(
            code=code, field=name or None, text=f"{self.file}:{self.line(path)}: {about}{text}"
        )

    def _profile_name(self, number: int) -> str:
        """The profile's name, or ``#2`` for the second where it has none."""
        entries = self._raw.get("profile")
        entry = entries[number] if isinstance(entries, list) and number < len(entries) else None
        name = entry.get("name") if isinstance(entry, Mapping) else None
        return name if isinstance(name, str) and name else f"#{number + 1}"


def failed(file: str, problems: list[Problem]) -> ProfilesError:
    """The error with all ``problems``, in the order of their lines."""
    ordered = sorted(problems, key=line_of)
    count = "1 mistake" if len(ordered) == 1 else f"{len(ordered)} mistakes"
    return ProfilesError(f"{file} cannot be used: {count}.", problems=ordered)


def line_of(problem: Problem) -> int:
    """The line that a problem's text begins with."""
    before = problem.text.split(": ", 1)[0]
    return int(before.rpartition(":")[2])
