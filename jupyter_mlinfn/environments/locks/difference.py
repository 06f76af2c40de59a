"""What differs between two locks, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage
from jupyter_mlinfn.model.environment_tasks import Change, PackageChange

_NAMED = 3
"""So many packages are named in a sentence; of more, only the number."""


def difference(before: Lock | None, after: Lock, platform: str) -> Change:
    """Every package added, removed or changed on ``platform`` from ``before`` to ``after``.

    ``before`` ``None`` is an environment that is not there yet. A package that goes from conda to
    pip is removed and added. The change carries the digest of ``after``.
    """
    old = _by_name(before.of(platform) if before else ())
    new = _by_name(after.of(platform))
    return Change(
        added=tuple(_change(None, new[key]) for key in sorted(new.keys() - old.keys())),
        removed=tuple(_change(old[key], None) for key in sorted(old.keys() - new.keys())),
        changed=tuple(
            _change(old[key], new[key])
            for key in sorted(old.keys() & new.keys())
            if not _same(old[key], new[key])
        ),
        digest=after.digest(platform),
    )


def describe(change: Change) -> str:
    """One sentence: ``Added numpy 2.3.5, removed six and changed 7 packages.``"""
    parts = [
        _part("added", [f"{c.name} {_version(c.after)}" for c in change.added]),
        _part("removed", [c.name for c in change.removed]),
        _part("changed", [_step(c) for c in change.changed]),
    ]
    said = [part for part in parts if part]
    if not said:
        return "No package is different."
    sentence = _listed(said)
    return sentence[0].upper() + sentence[1:] + "."


def _by_name(packages: Sequence[LockedPackage]) -> dict[tuple[str, str], LockedPackage]:
    return {(package.name, package.manager): package for package in packages}


def _same(before: LockedPackage, after: LockedPackage) -> bool:
    """By file name and the best hash that both locks know, never by the address."""
    if (before.version, before.file_name) != (after.version, after.file_name):
        return False
    if before.sha256 and after.sha256:
        return before.sha256 == after.sha256
    return not (before.md5 and after.md5) or before.md5 == after.md5


def _change(before: LockedPackage | None, after: LockedPackage | None) -> PackageChange:
    known = after or before
    assert known is not None, "one of the two is there"
    old, new = _text(before), _text(after)
    if old is not None and old == new:
        new = f"{new} (another file)"
    return PackageChange(name=known.name, before=old, after=new, manager=known.manager)


def _text(package: LockedPackage | None) -> str | None:
    return None if package is None else f"{package.version} {package.build}".strip()


def _version(text: str | None) -> str:
    return (text or "").split(" ")[0]


def _step(change: PackageChange) -> str:
    old, new = _version(change.before), _version(change.after)
    if old == new:
        return f"{change.name} {new} (another build)"
    return f"{change.name} from {old} to {new}"


def _part(verb: str, names: list[str]) -> str:
    if not names:
        return ""
    if len(names) > _NAMED:
        return f"{verb} {len(names)} packages"
    return f"{verb} {_listed(names)}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
