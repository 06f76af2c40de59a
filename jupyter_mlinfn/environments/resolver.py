"""The environments behind this server's kernels, as jobs ask for them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.environments.inventories import Inventories
from jupyter_mlinfn.environments.inventory import digest, inventory
from jupyter_mlinfn.environments.kernels import FoundKernel, SpecFinder, find_kernels
from jupyter_mlinfn.environments.own.references import locked_reference, runnable
from jupyter_mlinfn.environments.own.relocking import remedy_of
from jupyter_mlinfn.environments.own.verifying import what_changed, what_to_do
from jupyter_mlinfn.environments.programs import KernelProgram, find_program
from jupyter_mlinfn.model.environments import EnvironmentRef, Mismatch, Package
from jupyter_mlinfn.model.errors import NotFound, PartMissing

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.own.store import OwnEnvironments

_SHOWN_KERNELS = 12

Read = Callable[[Path, str, Sequence[Path]], tuple[Package, ...]]
"""What is installed in a prefix: read anew, or known while nothing in it comes or goes."""


class KernelEnvironments:
    """Implements ``model.environments.EnvironmentResolver`` on kernel specs and own environments.

    ``finder`` is the server's kernel spec manager where there is one, so that a site's own
    class and allow-list count; else Jupyter's default.
    """

    def __init__(
        self, finder: SpecFinder | None = None, own: OwnEnvironments | None = None
    ) -> None:
        self._finder = finder
        self._own = own
        self._read = Inventories().of
        self._named: tuple[str | None, tuple[Package, ...]] = (None, ())

    def choices(self) -> tuple[EnvironmentRef, ...]:
        """Every kernel whose ``kernel.json`` can be read, without digests; then own and managed
        environments that are no kernels.
        """
        kernels = find_kernels(self._finder)
        found = [
            EnvironmentRef(name=name, kernel=kernel.command)
            for name, kernel in kernels.items()
            if kernel.command is not None
        ]
        return (*found, *(self._without_kernel(kernels) if self._own else ()))

    def problem(self, ref: EnvironmentRef) -> str | None:
        """Why the kernel cannot run, in words; ``None`` when its program is there."""
        return find_program(ref.kernel).problem

    def resolve(self, name: str) -> EnvironmentRef:
        """The environment of kernel ``name``, or the own or managed environment ``name``.

        One with a lock is given with the lock's digest, any other with that of its inventory.
        ``NAME@DIGEST`` names a state of an own environment; a kernel's name will do for NAME.
        Raises :class:`PartMissing` (code ``environment-missing``) when there is neither, its
        ``kernel.json`` is broken or its program is not there.
        """
        kernels = find_kernels(self._finder)
        found = kernels.get(name.partition("@")[0].lower())
        if self._own is not None and (locked := self._locked(name, found)) is not None:
            return locked
        if found is None or "@" in name:
            raise _missing(f"There is no kernel named '{name}' here.", _offer(name, kernels))
        ref, packages = _of_kernel(found, self._read)
        self._named = (ref.digest, packages)
        return ref

    def _locked(self, name: str, found: FoundKernel | None) -> EnvironmentRef | None:
        """The reference with its lock's digest; ``None`` when ``name`` names no lock."""
        assert self._own is not None
        plain, at, digest = name.partition("@")
        if found is not None and found.environment is not None and found.lock is not None:
            plain, digest = found.environment, digest or found.lock
        elif found is not None and not at:
            return None  # a kernel of this name goes before an environment of this name
        ref = locked_reference(self._own, f"{plain}@{digest}" if digest else plain, found)
        return ref if ref is None or ref.digest else _inventoried(ref, self._read)

    def _without_kernel(self, kernels: Mapping[str, FoundKernel]) -> Iterator[EnvironmentRef]:
        assert self._own is not None
        taken = {kernel.environment for kernel in kernels.values()} | set(kernels)
        for one in runnable(self._own):
            if one.name not in taken:
                yield one

    def packages(self, ref: EnvironmentRef) -> tuple[Package, ...]:
        """What the lock of ``ref`` names, else the sorted inventory; empty where none is had."""
        if ref.locked and self._own is not None:
            try:
                return self._own.packages(f"{ref.name}@{ref.digest}")
            except NotFound:
                return ()  # an image without its lock
        known, packages = self._named
        if known is not None and known == ref.digest:
            return packages  # a digest names these and no others
        return present_packages(ref, self._read)

    def changed(self, ref: EnvironmentRef) -> Mismatch | None:
        """What is other in the files of a locked ``ref`` than was installed, and what to do.

        ``None`` when all is as recorded, or where there is nothing to compare with.
        """
        if not ref.locked or ref.prefix is None or not Path(ref.prefix).is_dir():
            return None
        told = what_changed(ref, self.packages(ref))
        if not told:
            return None
        remedy = remedy_of(self._own, ref) if self._own else None
        done = f"Now {told}." if remedy else f"Now {told}. {what_to_do(ref)}"
        return Mismatch(text=done, remedy=remedy)

    def lock(self, ref: EnvironmentRef) -> str | None:
        """The ``conda-lock.yml`` behind a locked ``ref``; ``None`` where there is none.

        An image may come without its lock. Raises :class:`PartMissing` when it is not there.
        """
        if not ref.locked or self._own is None:
            return None
        try:
            return self._own.lock_text(f"{ref.name}@{ref.digest}")
        except NotFound as error:
            if ref.image is not None:
                return None
            raise _missing(error.text, error.hint) from error


def _of_kernel(found: FoundKernel, read: Read) -> tuple[EnvironmentRef, tuple[Package, ...]]:
    """A kernel with the digest of what is installed behind it, and what that is: not locked."""
    if found.command is None:
        raise _missing(f"The kernel '{found.name}' cannot start. {found.problem}", None)
    program = find_program(found.command)
    if program.problem:
        raise _missing(
            f"The kernel '{found.name}' cannot start. {program.problem}",
            "Install its environment again, or choose another kernel.",
        )
    packages = _inventory(program, read)
    ref = EnvironmentRef(
        name=found.name,
        digest=digest(packages) if packages else None,
        prefix=str(program.prefix) if program.prefix else None,
        kernel=found.command,
    )
    return ref, packages


def _inventoried(ref: EnvironmentRef, read: Read) -> EnvironmentRef:
    """A managed environment that has no lock, with the digest of its inventory."""
    packages = present_packages(ref, read)
    return ref.model_copy(update={"digest": digest(packages) if packages else None})


def present_packages(ref: EnvironmentRef, read: Read = inventory) -> tuple[Package, ...]:
    """What is installed now in the environment of ``ref``; the job runner asks this at start.

    Raises :class:`PartMissing` (code ``environment-missing``) when its program is gone.
    """
    program = find_program(ref.kernel)
    if program.problem:
        raise _missing(
            f"The environment '{ref.name}' cannot start. {program.problem}",
            "Install it again, or choose another kernel.",
        )
    return _inventory(program, read)


def _inventory(program: KernelProgram, read: Read) -> tuple[Package, ...]:
    if program.prefix is None:
        return ()
    return read(program.prefix, program.python, program.path)


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
