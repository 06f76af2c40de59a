"""The image that a layer is to lie over, by the name of its environment or by its path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.own.layout import short
from jupyter_mlinfn.environments.own.managed import find_managed
from jupyter_mlinfn.environments.own.naming import split_state
from jupyter_mlinfn.environments.own.states import find_state
from jupyter_mlinfn.model.environment_tasks import PackedImage
from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound


def find_base(assignment: Assignment, text: str) -> Path:
    """The image that ``text`` names: a path, or the packed file of an environment.

    Raises :class:`InputError` for what is no name, :class:`NotFound` when there is no such
    environment, and :class:`Conflict` (``base-not-packed``, ``base-is-layer``) when there is no
    whole image of it.
    """
    if "/" in text:
        if not text.startswith("/"):
            raise InputError("The path of an image begins with '/'.", code="bad-path", field="over")
        return Path(text)
    name, digest = split_state(text)
    if assignment.layout.place(name).record.is_file():
        state = find_state(assignment.layout, text)
        images = [image for image in state.record.images if image.lock == state.digest]
        return _whole(images, text, own=True)
    managed = find_managed(assignment.policy.managed, name)
    if digest and not (managed.digest or "").removeprefix("sha256:").startswith(
        digest.removeprefix("sha256:")
    ):
        raise NotFound(
            f"The managed environment '{name}' is in another state than {short(digest)}.",
            code="no-such-state",
            field="over",
            hint=f"Leave the digest out to lie over what it is now: {name}",
        )
    return _whole(managed.images, text, own=False)


def _whole(images: Iterable[PackedImage], text: str, *, own: bool) -> Path:
    """The newest whole image that is there; squashfs first, which every way can mount."""
    there = [image for image in images if Path(image.path).is_file()]
    whole = [image for image in there if image.base is None]
    if whole:
        return Path(([one for one in whole if one.format == "squashfs"] or whole)[-1].path)
    if there:
        below = there[-1].base
        assert below is not None, "it is no whole one"
        raise Conflict(
            f"'{text}' is packed as a layer only, and nothing is laid over a layer.",
            code="base-is-layer",
            field="over",
            hint=f"Take the image below it: --over {below.path}",
        )
    raise Conflict(
        f"'{text}' is not packed, so there is nothing that a layer could lie over.",
        code="base-not-packed",
        field="over",
        hint=f"Pack it first: mlinfn env pack {text.split('@')[0]}"
        if own
        else "Ask who keeps it to publish its packed file with it, or pack the environment whole.",
    )
