"""How the files of a locked environment differ from what was installed, in words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jupyter_mlinfn.environments.inventory import compare, inventory
from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.environments.own.layout import Place, short
from jupyter_mlinfn.environments.prefixes import minor_version
from jupyter_mlinfn.model.environments import EnvironmentRef, Package, PackageDifference

_SHOWN = 4


def what_changed(ref: EnvironmentRef, packages: Iterable[Package]) -> str | None:
    """What is other in the prefix of ``ref``; ``None`` when every file is what it was.

    ``packages`` are those of its lock. A manifest that is missing or was edited counts as a
    change: then nobody can tell what the files were. Raises OSError when the prefix is not there.
    """
    assert ref.prefix is not None
    prefix = Path(ref.prefix)
    try:
        recorded = manifest.read(Place(prefix.parents[1]).manifest(ref.digest or ""))
    except (OSError, ValueError):
        return "the list of what it should contain cannot be read"
    found = manifest.verify(prefix, recorded)
    if not found:
        return None if recorded.digest == ref.contents else "it was installed with other files"
    present = inventory(prefix, minor_version(prefix))
    told = [in_words(one) for one in compare(plain(packages), plain(present))]
    return "; ".join([*told[:_SHOWN], manifest.describe(found)])


def what_to_do(ref: EnvironmentRef) -> str:
    """How to get back what was recorded, and how to keep what is there now."""
    return (
        f"To have it as it was: mlinfn env undo {ref.name} --to {short(ref.digest or '')}. To keep "
        f"what is there now, make an environment of it: mlinfn env clone {ref.prefix} NEWNAME."
    )


def plain(packages: Iterable[Package]) -> Iterable[Package]:
    """The packages by name and version alone: locks and inventories note builds otherwise."""
    return (Package(name=package.name, version=package.version) for package in packages)


def in_words(one: PackageDifference) -> str:
    """``numpy 2.0 was added``, ``numpy 2.0 is gone``, ``numpy is 2.0 instead of 1.26``."""
    if one.present is None:
        return f"{one.name} {one.recorded} is gone"
    if one.recorded is None:
        return f"{one.name} {one.present} was added"
    return f"{one.name} is {one.present} instead of {one.recorded}"
