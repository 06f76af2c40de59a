"""Environments without files of their own: each state is a layer over one read-only image.

Two files in place of 20,000. The image is somebody else's, or of another environment, and is never
written to; the layer of each state is packed anew over it. What is in the environment is said by
its papers, as for all others. What packs is imported only when there is something to pack: every
task asks here how its environment is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.basing import find_base
from jupyter_mlinfn.environments.engine.leaving import Leaving
from jupyter_mlinfn.environments.engine.papers import write_papers
from jupyter_mlinfn.environments.engine.plans import Plan
from jupyter_mlinfn.environments.engine.records import to_record
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.engine.sizes import estimate
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own.linking import way_between
from jupyter_mlinfn.environments.own.record import (
    EnvironmentRecord,
    HistoryEntry,
    read_record,
    write_record,
)
from jupyter_mlinfn.model.environment_tasks import (
    Change,
    Clone,
    ImageBelow,
    PackedImage,
    TaskRequest,
)
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, Refused


class Layering:
    """What one task makes over ``below``; ``why`` says in words why there is no other way."""

    def __init__(self, assignment: Assignment, below: ImageBelow, why: str = "") -> None:
        self._task = assignment
        self._platform = assignment.policy.platform
        self.below = below
        self.why = why

    def expected(self, lock: Lock, change: Change) -> Change:
        """``change`` with the size and files of the layer, as far as they can be told."""
        from jupyter_mlinfn.environments.image.below import differing, look_below

        base = look_below(Path(self.below.path), lock, self._platform)
        new = differing(base.lock, lock, self._platform).new
        told = None
        if all(package.manager == "conda" for package in new):
            told = estimate([to_record(one) for one in new], self._task.layout.packages)
        size, _ = told or (None, None)
        return change.model_copy(update={"size": size, "files": 2, "note": self._note()})

    def build(self, lock: Lock, reporter: Reporter, leaving: Leaving) -> PackedImage:
        """The layer with what ``lock`` has more than the image, or less.

        Raises :class:`MlinfnError` in words, also when the image is not what it was.
        """
        from jupyter_mlinfn.environments.image.layer import pack_layer
        from jupyter_mlinfn.environments.image.verifying import verify_base

        path = Path(self.below.path)
        if self.below.digest:
            digests = self._task.layout.images / ".digests"
            verify_base(path, self.below.digest, f"'{self._task.request.name}'", digests)
        return pack_layer(
            lock,
            self._platform,
            path,
            self._task.layout,
            reporter,
            cancelled=leaving.wished.is_set,
        )

    def record(self, plan: Plan, lock: Lock, image: PackedImage, said: str) -> EnvironmentRecord:
        """Write the papers, then replace the record: the one moment of change."""
        place, policy = self._task.place, self._task.policy
        digest = lock.digest(self._platform)
        write_papers(place.papers(digest), lock, plan.wish, self._platform)
        now = datetime.now(UTC)
        entry = HistoryEntry(
            digest=digest, at=now, action=plan.action, text=said, task=self._task.identifier
        )
        python = [p.version for p in lock.of(self._platform) if p.name == "python"]
        fields: dict[str, object] = {
            "digest": digest,
            "channels": lock.channels,
            "python": python[0] if python else None,
            "size": image.size,
            "files": 2,
            "base": image.base,
        }
        if place.record.exists():
            before = read_record(place)
            images = [one for one in before.images if one.digest != image.digest]
            fields |= {"images": (*images, image), "history": (*before.history, entry)}
            record = before.model_copy(update=fields)
        else:
            record = EnvironmentRecord.model_validate(
                {
                    "name": place.name,
                    "platform": self._platform,
                    "made_by": policy.user,
                    "made_at": now,
                    "origin": plan.origin,
                    "history": (entry,),
                    "images": (image,),
                    **fields,
                }
            )
        write_record(place, record)
        return record

    def done(self, change: Change, image: PackedImage) -> Change:
        """``change`` as it was made."""
        update = {"size": image.size, "files": 2, "note": self._note()}
        return change.model_copy(update=update)

    def _note(self) -> str:
        told = (
            f"It has no files of its own: it is a layer over {self.below.path}, and runs with it."
        )
        return f"{self.why} {told}".lstrip()


def layering(assignment: Assignment, present: EnvironmentRecord | None) -> Layering | None:
    """How the environment is kept, when it is kept as a layer; ``None`` for one with files.

    Raises :class:`Conflict` (``base-not-packed``, …) when a clone is to be a layer and its source
    is not packed, and :class:`Refused` for what a layer cannot be asked.
    """
    request = assignment.request
    if present is not None:
        if present.base is None:
            return None
        _check(request)
        return Layering(assignment, present.base)
    if not isinstance(request, Clone) or request.mode == "files":
        return None
    if request.mode == "layer":
        return Layering(assignment, _below(assignment, request.source))
    layout = assignment.layout
    for folder in (layout.packages, layout.own):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if way_between(layout.packages, layout.own) != "copies":
        return None
    try:
        below = _below(assignment, request.source)
    except MlinfnError:
        return None  # there is nothing to lie over: its files are copied
    return Layering(assignment, below, "This file system cannot share files.")


def _below(assignment: Assignment, source: str) -> ImageBelow:
    """The image for a clone of ``source``: its packed file, or what it lies over itself."""
    if source.startswith("/"):
        raise Conflict(
            f"{source} is a folder, and a layer lies over an image.",
            code="base-not-packed",
            field="source",
            hint="Clone it with files of its own, or name an environment that is packed.",
        )
    name = source.partition("@")[0]
    place = assignment.layout.place(name)
    if place.record.is_file() and (below := read_record(place).base) is not None:
        return below
    path = find_base(assignment, source)
    return ImageBelow(path=str(path), digest="")


def _check(request: TaskRequest) -> None:
    if request.action == "relock":
        raise Refused(
            f"'{request.name}' is a layer over an image: nothing in it can be changed by hand.",
            code="nothing-to-lock",
            field="name",
            hint=f"Change it so: mlinfn env add {request.name} PACKAGE",
        )
