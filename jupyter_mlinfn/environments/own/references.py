"""References to locked environments, as jobs record them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.environments.kernels import FoundKernel
from jupyter_mlinfn.environments.own.kernels import (
    command_of,
    has_ipykernel,
    image_command,
    is_there,
    kernel_command,
    layer_command,
    runs_notebooks,
)
from jupyter_mlinfn.environments.own.layout import Place, short
from jupyter_mlinfn.environments.own.managed import ManagedEnvironment
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.own.states import State, all_states
from jupyter_mlinfn.environments.reading import read_text_head
from jupyter_mlinfn.model.environments import EnvironmentRef, KernelCommand
from jupyter_mlinfn.model.errors import InputError, MlinfnError, NotFound, PartMissing

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.own.store import OwnEnvironments

_HEAD = 4096
_DIGEST = re.compile(r'"digest": "(sha256:[0-9a-f]{64})"', re.ASCII)


def locked_reference(
    own: OwnEnvironments, text: str, found: FoundKernel | None
) -> EnvironmentRef | None:
    """The state that ``text`` (``NAME`` or ``NAME@DIGEST``) names, as it would run.

    ``found`` is the kernel it was asked by: its command is taken where it runs that very state.
    A managed one without a lock has no digest. ``None`` when there is no such environment.
    Raises :class:`PartMissing` when there is one, but not in that state.
    """
    try:
        state = own.state(text)
    except InputError:
        return None  # no name that an environment can have: it may be a kernel's
    except NotFound as error:
        if error.code == "no-such-state":
            raise _missing(error) from error
        return _of_managed(own, text)
    except MlinfnError as error:
        raise _missing(error) from error
    if found is not None and found.image is not None and found.lock == state.digest:
        return _of_image(state.record.name, found, state.digest)
    if state.record.base is not None:
        return _of_layer(state)
    own_command = kernel_command(state.record.name, state.prefix, state.record.python)
    return EnvironmentRef(
        name=state.record.name,
        digest=state.digest,
        locked=True,
        prefix=str(state.prefix),
        contents=_contents(state.papers / "manifest.json"),
        kernel=_command(found, state.prefix) or own_command,
    )


def runnable(own: OwnEnvironments) -> Iterator[EnvironmentRef]:
    """Own and managed environments that a notebook can run in, without digests (cheap)."""
    for place, record in all_states(own.layout):
        if isinstance(record, EnvironmentRecord):
            command = _startable(record, place)
            if command is not None:
                prefix = None if record.base else str(place.prefix(record.digest))
                yield EnvironmentRef(name=record.name, prefix=prefix, kernel=command)
    for one in own.managed():
        if one.prefix is not None and has_ipykernel(one.prefix):
            yield _choice(one.name, one.prefix, _python(one))
        elif one.prefix is None and one.images:
            yield _of_managed_image(one)


def _choice(name: str, prefix: Path, python: str | None) -> EnvironmentRef:
    return EnvironmentRef(
        name=name, prefix=str(prefix), kernel=kernel_command(name, prefix, python)
    )


def _startable(record: EnvironmentRecord, place: Place) -> KernelCommand | None:
    """How a notebook would run in the present state, if it can."""
    try:
        ready = runs_notebooks(record, place)
    except MlinfnError:
        return None  # its row in the catalogue says why
    return command_of(record, place, record.digest) if ready else None


def _of_layer(state: State) -> EnvironmentRef:
    """One state of an environment that has no files of its own."""
    image = state.record.image_of(state.digest)
    if image is None or not is_there(image):
        name, digits = state.record.name, short(state.digest)
        raise PartMissing(
            f"A file that '{name}' runs out of in the state {digits} is not there any more.",
            code="environment-missing",
            field="environment",
            hint=f"Make the layer anew: mlinfn env undo {name} --to {digits}",
        )
    return EnvironmentRef(
        name=state.record.name,
        digest=state.digest,
        locked=True,
        image=image.path,
        image_digest=image.digest,
        base=image.base.path if image.base else None,
        base_digest=image.base.digest if image.base else None,
        kernel=layer_command(state.record, image),
    )


def _of_managed(own: OwnEnvironments, text: str) -> EnvironmentRef | None:
    try:
        one = own.managed_state(text)
    except NotFound as error:
        if error.code == "no-such-state":
            raise _missing(error) from error
        return None
    if one.prefix is None:
        return _of_managed_image(one) if one.images else None
    if one.record is None or one.manifest is None:
        command = kernel_command(one.name, one.prefix, _python(one))
        return EnvironmentRef(name=one.name, prefix=str(one.prefix), kernel=command)
    return EnvironmentRef(
        name=one.name,
        digest=one.digest,
        locked=True,
        prefix=str(one.prefix),
        contents=_contents(one.manifest),
        kernel=kernel_command(one.name, one.prefix, one.record.python),
    )


def _of_managed_image(one: ManagedEnvironment) -> EnvironmentRef:
    image = one.images[0]
    return EnvironmentRef(
        name=one.name,
        digest=image.lock,
        locked=True,
        image=image.path,
        image_digest=image.digest,
        base=image.base.path if image.base else None,
        base_digest=image.base.digest if image.base else None,
        kernel=image_command(one.name, image, _python(one)),
    )


def _python(one: ManagedEnvironment) -> str | None:
    return one.record.python if one.record else None


def _of_image(name: str, found: FoundKernel, digest: str) -> EnvironmentRef:
    assert found.command is not None
    return EnvironmentRef(
        name=name,
        digest=digest,
        locked=True,
        image=found.image,
        image_digest=found.image_digest,
        base=found.base,
        base_digest=found.base_digest,
        kernel=found.command,
    )


def _command(found: FoundKernel | None, prefix: Path) -> KernelCommand | None:
    """The kernel's own command, with what a person added to it, where it runs in ``prefix``."""
    if found is None or found.command is None or not found.command.argv:
        return None
    runs_there = Path(found.command.argv[0]).parent == prefix / "bin"
    return found.command if runs_there else None


def _contents(manifest: Path) -> str | None:
    """The digest of the files, from the head of the manifest; the long list is not read."""
    try:
        found = _DIGEST.search(read_text_head(manifest, _HEAD))
    except OSError:
        return None  # without it the runner has nothing to compare with, and says so
    return found[1] if found else None


def _missing(error: MlinfnError) -> PartMissing:
    return PartMissing(error.text, code="environment-missing", field="environment", hint=error.hint)
