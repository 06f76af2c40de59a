"""What a wheel requires, in conda's words."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from email.message import Message

from packaging.requirements import Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.utils import canonicalize_name

CONDA_NAMES = (
    "ipython_pygments_lexers",
    "jupyter_client",
    "jupyter_core",
    "jupyter_events",
    "jupyter_server",
    "jupyter_server_terminals",
    "jupyterlab_pygments",
    "jupyterlab_server",
    "jupyterlab_widgets",
    "pure_eval",
    "stack_data",
    "typing_extensions",
)
"""Names that conda-forge writes with an underscore; all others are as on the index."""

_UNDERSCORED = {canonicalize_name(name): name for name in CONDA_NAMES}
ENVIRONMENT = {
    "implementation_name": "cpython",
    "implementation_version": platform.python_version(),
    "os_name": "posix",
    "platform_machine": platform.machine(),
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": platform.python_version(),
    "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
    "sys_platform": "linux",
}


def conda_name(name: str) -> str:
    """The name that a project of the Python Package Index has in the channel."""
    canonical = canonicalize_name(name)
    return _UNDERSCORED.get(canonical, canonical)


def conda_spec(specifiers: SpecifierSet) -> str:
    """``~=1.4.2`` becomes ``==1.4.*,>=1.4.2``; every other comparison reads the same in conda."""
    return ",".join(sorted(part for one in specifiers for part in _parts(one)))


def _parts(one: Specifier) -> Iterator[str]:
    if one.operator == "~=":
        yield f">={one.version}"
        yield f"=={'.'.join(one.version.split('.')[:-1])}.*"
    else:
        yield f"{one.operator.replace('===', '==')}{one.version.replace('+', '_')}"


def depends(metadata: Message, others: Mapping[str, Message]) -> list[str]:
    """The dependencies of a wheel, those of the extras it asks of ``others`` with them.

    ``others`` has the metadata of every wheel of the channel by canonical name: conda knows no
    extras, so what ``jsonschema[format]`` needs must be said by who asks for it.
    """
    found: dict[str, None] = {}
    for requirement in _true(metadata, {""}):
        _collect(requirement, others, found)
    return sorted(found)


def _collect(
    requirement: Requirement, others: Mapping[str, Message], found: dict[str, None]
) -> None:
    line = f"{conda_name(requirement.name)} {conda_spec(requirement.specifier)}".strip()
    if line in found and not requirement.extras:
        return
    found[line] = None
    other = others.get(canonicalize_name(requirement.name))
    if other is None:
        return
    for more in _true(other, requirement.extras):
        if more.marker is not None and not more.marker.evaluate({**ENVIRONMENT, "extra": ""}):
            _collect(more, others, found)


def _true(metadata: Message, extras: set[str]) -> Iterator[Requirement]:
    """The requirements whose markers hold here for one of ``extras``."""
    for line in metadata.get_all("Requires-Dist") or ():
        requirement = Requirement(line)
        if requirement.marker is None:
            holds = bool(extras)
        else:
            holds = any(
                requirement.marker.evaluate({**ENVIRONMENT, "extra": extra}) for extra in extras
            )
        if holds and requirement.url is None:
            yield requirement
