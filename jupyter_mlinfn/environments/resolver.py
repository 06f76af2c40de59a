"""The environments behind this server's kernels, as jobs ask for them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from jupyter_mlinfn.environments.inventory import digest, inventory
from jupyter_mlinfn.environments.kernels import FoundKernel, SpecFinder, find_kernels
from jupyter_mlinfn.environments.programs import KernelProgram, find_program
from jupyter_mlinfn.model.environments import EnvironmentRef, Package
from jupyter_mlinfn.model.errors import PartMissing

_SHOWN_KERNELS = 12


class KernelEnvironments:
    """Implements ``model.environments.EnvironmentResolver`` on kernel specs.

    ``finder`` is the server's kernel spec manager where there is one, so that a site's own
    class and allow-list count; else Jupyter's default.
    """

    def __init__(self, finder: SpecFinder | None = None) -> None:
        self._finder = finder

    def choices(self) -> tuple[EnvironmentRef, ...]:
        """Every kernel whose ``kernel.json`` can be read, without digests."""
        return tuple(
            EnvironmentRef(name=name, kernel=found.command)
            for name, found in find_kernels(self._finder).items()
            if found.command is not None
        )

    def problem(self, ref: EnvironmentRef) -> str | None:
        """Why the kernel cannot run, in words; ``None`` when its program is there."""
        return find_program(ref.kernel).problem

    def resolve(self, name: str) -> EnvironmentRef:
        """The environment of kernel ``name`` with the digest of its inventory.

        Raises :class:`PartMissing` (code ``environment-missing``) when no such kernel exists,
        its ``kernel.json`` is broken or its program is not there.
        """
        kernels = find_kernels(self._finder)
        found = kernels.get(name.lower())
        if found is None:
            raise _missing(f"There is no kernel named '{name}' here.", _offer(name, kernels))
        if found.command is None:
            raise _missing(f"The kernel '{name}' cannot start. {found.problem}", None)
        program = find_program(found.command)
        if program.problem:
            raise _missing(
                f"The kernel '{name}' cannot start. {program.problem}",
                "Install its environment again, or choose another kernel.",
            )
        packages = _inventory(program)
        return EnvironmentRef(
            name=found.name,
            digest=digest(packages) if packages else None,
            prefix=str(program.prefix) if program.prefix else None,
            kernel=found.command,
        )

    def packages(self, ref: EnvironmentRef) -> tuple[Package, ...]:
        """The sorted inventory behind ``ref.digest``; empty where none can be had."""
        return present_packages(ref)


def present_packages(ref: EnvironmentRef) -> tuple[Package, ...]:
    """What is installed now in the environment of ``ref``; the job runner asks this at start.

    Raises :class:`PartMissing` (code ``environment-missing``) when its program is gone.
    """
    program = find_program(ref.kernel)
    if program.problem:
        raise _missing(
            f"The environment '{ref.name}' cannot start. {program.problem}",
            "Install it again, or choose another kernel.",
        )
    return _inventory(program)


def _inventory(program: KernelProgram) -> tuple[Package, ...]:
    if program.prefix is None:
        return ()
    return inventory(program.prefix, program.python, program.path)


def _missing(text: str, hint: str | None) -> PartMissing:
    return PartMissing(text, code="environment-missing", field="environment", hint=hint)


def _offer(name: str, kernels: dict[str, FoundKernel]) -> str:
    usable = [kernel.name for kernel in kernels.values() if kernel.command is not None]
    if not usable:
        return "No kernel is installed. Install one, for example with: pip install ipykernel"
    near = _nearest(name, kernels.values())
    there = ", ".join(usable[:_SHOWN_KERNELS])
    more = f" and {len(usable) - _SHOWN_KERNELS} more" if len(usable) > _SHOWN_KERNELS else ""
    question = f"Did you mean '{near}'? " if near else ""
    return f"{question}Kernels found: {there}{more}."


def _nearest(name: str, kernels: Iterable[FoundKernel]) -> str | None:
    """The kernel whose name or title is most like what was asked."""
    titles: dict[str, str] = {}
    for kernel in kernels:
        if kernel.command is not None:
            titles[kernel.name] = kernel.name
            titles[kernel.command.display_name.lower()] = kernel.name
    close = difflib.get_close_matches(name.lower(), titles, n=1, cutoff=0.5)
    return titles[close[0]] if close else None
