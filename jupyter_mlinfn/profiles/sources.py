"""Where folders of a session come from and where they go: what is allowed, and what never is.

Everything here is about texts of paths: the file may be checked on a machine that is not the
hub's. That a folder is no link to elsewhere is looked at by who makes and mounts it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

WORDS = ("user", "group")
"""What can stand in braces."""

SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root",
    "/run", "/sbin", "/sys", "/usr", "/var/run", "/var/lib/containerd", "/var/lib/containers",
    "/var/lib/docker", "/var/lib/kubelet", "/var/lib/rancher",
)  # fmt: skip
"""Folders of a host that no session sees, nor what is below or above them: who holds the socket of
the engine, or the folder it is in, is root on the host."""

NOT_TARGETS = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run",
    "/sbin", "/sys", "/usr", "/var/run",
)  # fmt: skip
"""Folders of a session that nothing is mounted over."""

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the name of a place in a session

_BRACES = re.compile(r"\{([^{}]*)\}")


def fill(template: str, words: Mapping[str, str]) -> str:
    """``template`` with each ``{word}`` replaced. Raises ``KeyError`` for a word that is not
    there: the check lets no such template through."""
    return _BRACES.sub(lambda found: words[found.group(1)], template)


def words_in(template: str) -> list[str]:
    """What stands in braces."""
    return _BRACES.findall(template)


def below_a_root(path: str, roots: Iterable[str]) -> bool:
    """Whether ``path`` lies below one of ``roots``, as texts of absolute paths."""
    return any(is_below(posixpath.normpath(path), posixpath.normpath(root)) for root in roots)


def is_below(path: str, folder: str) -> bool:
    """Whether ``path`` is inside ``folder`` and not ``folder`` itself; both normal, absolute."""
    return path != folder and posixpath.commonpath([path, folder]) == folder


def path_problem(template: str) -> str | None:
    """Why this is no path as it should be written; ``None`` where it is."""
    if not template.startswith("/"):
        return f"'{template}' is no absolute path: it begins with a slash."
    if (template != "/" and posixpath.normpath(template) != template) or template.startswith("//"):
        return f"'{template}' is not written plainly: no '.', no '..', no needless slash."
    if unknown := [word for word in words_in(template) if word not in WORDS]:
        return f"'{{{unknown[0]}}}' stands for nothing. There are: {{user}}, {{group}}."
    if "{" in _BRACES.sub("", template) or "}" in _BRACES.sub("", template):
        return f"'{template}' has a brace without its other half."
    return None


def source_problem(path: str) -> str | None:
    """Why no session may see this folder of the host; ``None`` where it may."""
    for system in SYSTEM:
        if path == system or is_below(path, system):
            return f"{path} belongs to the system: no session sees {system} of the host."
        if path == "/" or is_below(system, path):
            return f"{path} holds {system}: no session sees a folder above the system's own."
    if path.endswith(".sock"):
        return f"{path} is a socket: no session talks to the programs of the host."
    return None


def target_problem(path: str) -> str | None:
    """Why nothing may be mounted there in a session; ``None`` where it may."""
    if path == SHARED_MEMORY:
        return 'Shared memory is not mounted: write shm in the profile, such as shm = "8GiB".'
    for system in NOT_TARGETS:
        if path == system or is_below(path, system) or path == "/" or is_below(system, path):
            return f"Nothing can be mounted over {path}: the session's own system is there."
    return None


def can_meet(first: str, second: str) -> bool:
    """Whether two templates that differ can become one path for some names."""
    mine, theirs = first.split("/"), second.split("/")
    return first != second and len(mine) == len(theirs) and _all_meet(mine, theirs)


def can_hold(folder: str, path: str) -> bool:
    """Whether ``path`` can lie below ``folder`` for some names."""
    mine, theirs = folder.split("/"), path.split("/")
    return len(mine) < len(theirs) and _all_meet(mine, theirs[: len(mine)])


def _all_meet(mine: list[str], theirs: list[str]) -> bool:
    return all(_can_be_one(one, other) for one, other in zip(mine, theirs, strict=True))


def _can_be_one(one: str, other: str) -> bool:
    """Whether two folders can have one name: where both hold a word, only what stands before the
    first and after the last is compared, so that a doubt says yes."""
    if not words_in(one) or not words_in(other):
        return bool(_pattern(one).fullmatch(other) or _pattern(other).fullmatch(one))
    mine, theirs = _BRACES.split(one), _BRACES.split(other)
    begins = sorted((mine[0], theirs[0]), key=len)
    ends = sorted((mine[-1], theirs[-1]), key=len)
    return begins[1].startswith(begins[0]) and ends[1].endswith(ends[0])


def _pattern(part: str) -> re.Pattern[str]:
    """One folder of a path, with anything where a word stands in braces."""
    return re.compile(".*".join(re.escape(piece) for piece in _BRACES.split(part)[::2]))
