"""Packages of two environments against each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jupyter_mlinfn.model.environments import Package, PackageDifference

_NAMED = 4


def by_name(packages: Iterable[Package]) -> dict[str, str]:
    """``name`` → version and build; a name from two sources has both versions."""
    texts: dict[str, list[str]] = {}
    for package in packages:
        build = f" ({package.build})" if package.build else ""
        texts.setdefault(package.name, []).append(f"{package.version}{build}")
    return {name: " and ".join(sorted(versions)) for name, versions in sorted(texts.items())}


def differences(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[PackageDifference, ...]:
    """What is other in ``b`` than in ``a``, sorted by name."""
    return tuple(
        PackageDifference(name=name, recorded=a.get(name), present=b.get(name))
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name)
    )


def in_words(found: Sequence[PackageDifference]) -> str:
    """``numpy 1.26.4 → 2.0.0, torch 2.3 is gone, and 3 more``."""
    told = [_one(difference) for difference in found[:_NAMED]]
    if len(found) > _NAMED:
        told.append(f"and {len(found) - _NAMED} more")
    return ", ".join(told)


def _one(difference: PackageDifference) -> str:
    if difference.present is None:
        return f"{difference.name} {difference.recorded} is gone"
    if difference.recorded is None:
        return f"{difference.name} {difference.present} is new"
    return f"{difference.name} {difference.recorded} → {difference.present}"
