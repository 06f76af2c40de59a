"""Names of back-ends that people write: which there are, and what a wrong one may have meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import entry_points

from jupyter_mlinfn.jobs.backends.registry import GROUP
from jupyter_mlinfn.model.nearness import did_you_mean


def installed() -> tuple[str, ...]:
    """The names of all back-ends of this installation, also of those that the settings leave
    out. Loads none of them."""
    return tuple(sorted({"local", *(point.name for point in entry_points(group=GROUP))}))


def misnamed(named: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """A sentence for each name that no back-end of this installation has, of those that each
    setting names."""
    if not any(named.values()):
        return ()
    known = installed()
    return tuple(
        f"The setting {setting} names {name!r}, which no back-end here is called."
        f"{did_you_mean(name.lower(), known)} There are: {', '.join(known)}."
        for setting, names in named.items()
        for name in dict.fromkeys(names)
        if name not in known
    )


def not_here(name: str, offered: Collection[str]) -> str:
    """Why nothing called ``name`` is offered, and what may have been meant."""
    if name in installed():
        return f"The settings leave the back-end {name!r} out, or it cannot be loaded."
    return f"There is no back-end {name!r} here.{did_you_mean(name.lower(), offered)}"
