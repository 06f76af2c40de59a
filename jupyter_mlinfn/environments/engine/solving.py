"""Asking rattler's solver. Needs the network, writes only its cache of what channels offer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rattler import (
    Gateway,
    GenericVirtualPackage,
    MatchSpec,
    Override,
    PackageRecord,
    RepoDataRecord,
    VirtualPackage,
    VirtualPackageOverrides,
    solve,
)
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

from jupyter_mlinfn.environments.locks.conflicts import bad_requirement, explain, unreachable
from jupyter_mlinfn.environments.locks.requirements import check_conda

_LONGEST = timedelta(seconds=120)


@dataclass(frozen=True)
class Question:
    """What to solve: ``specs`` must hold; ``locked`` is kept where it can be.

    ``forbidden`` names may not be in the answer. ``cuda`` stands in for the detected driver.
    """

    channels: tuple[str, ...]
    specs: tuple[str, ...]
    platform: str
    locked: Sequence[RepoDataRecord] = ()
    forbidden: tuple[str, ...] = ()
    cuda: str | None = None


def answer(question: Question, cache: Path) -> list[RepoDataRecord]:
    """The packages that fulfil ``question``, sorted by name.

    Raises :class:`InputError` for requirements that are none, name packages that do not exist or
    exclude each other, and :class:`Unavailable` when a channel cannot be read.
    """
    specs = [_spec(text) for text in question.specs]
    constraints = [MatchSpec(f"{name} <0a0", strict=False) for name in question.forbidden]
    gateway = Gateway(cache_dir=cache)
    return asyncio.run(_answer(question, specs, constraints, gateway))


async def _answer(
    question: Question,
    specs: list[MatchSpec],
    constraints: list[MatchSpec],
    gateway: Gateway,
) -> list[RepoDataRecord]:
    platforms = [question.platform, "noarch"]
    try:
        records = await solve(
            list(question.channels),
            specs,
            gateway=gateway,
            platforms=platforms,  # type: ignore[arg-type]  # any platform's name may come
            locked_packages=list(question.locked),
            virtual_packages=virtual_packages(question.cuda),
            timeout=_LONGEST,
            constraints=constraints or None,
            channel_relations="disabled",  # else channels could lead past the allowed ones
        )
    except SolverError as error:
        names = await _names(question, gateway)
        raise explain(str(error), question.specs, names) from error
    except GatewayError as error:
        raise unreachable(str(error), question.channels) from error
    return sorted(records, key=lambda record: record.name.normalized)


def virtual_packages(cuda: str | None) -> list[GenericVirtualPackage]:
    """What this machine (or the admin, for the GPU's driver) offers to packages."""
    overrides = VirtualPackageOverrides.from_env()
    if cuda is not None:
        overrides.cuda = Override.string(cuda)
    return [package.into_generic() for package in VirtualPackage.detect(overrides)]


def matches(spec: str, record: PackageRecord) -> bool:
    """Whether ``record`` fulfils the requirement ``spec``."""
    return _spec(spec).matches(record)


async def _names(question: Question, gateway: Gateway) -> list[str]:
    """All names that the channels offer; they have just been read for the solver."""
    try:
        found = await gateway.names(
            list(question.channels),
            [question.platform, "noarch"],  # type: ignore[list-item]
        )
    except GatewayError:
        return []  # the solver's own message is then all there is to say
    return [name.normalized for name in found]


def _spec(text: str) -> MatchSpec:
    checked = check_conda(text)
    try:
        return MatchSpec(checked, strict=False)
    except InvalidMatchSpecError as error:
        raise bad_requirement(checked, str(error)) from error
