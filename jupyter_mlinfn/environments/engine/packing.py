"""Pack an environment into one file, and note the image in its record."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.basing import find_base
from jupyter_mlinfn.environments.engine.holding import holding
from jupyter_mlinfn.environments.engine.leaving import Leaving
from jupyter_mlinfn.environments.engine.records import to_record
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.engine.sizes import estimate
from jupyter_mlinfn.environments.image.below import differing, look_below
from jupyter_mlinfn.environments.image.layer import pack_layer
from jupyter_mlinfn.environments.image.pack import lock_in_use, pack
from jupyter_mlinfn.environments.own.asking import check_request
from jupyter_mlinfn.environments.own.record import (
    EnvironmentRecord,
    read_record,
    write_record,
)
from jupyter_mlinfn.model.environment_tasks import Pack, PackedImage, TaskResult
from jupyter_mlinfn.model.errors import Conflict, Refused
from jupyter_mlinfn.model.quantities import show_count, show_memory

_NAMED = 4


def perform_pack(
    assignment: Assignment, request: Pack, reporter: Reporter, leaving: Leaving
) -> TaskResult:
    """The result. Raises :class:`MlinfnError`, OSError; nothing is left half made then."""
    leaving.be_gentle()
    place = assignment.place
    check_request(request, assignment.policy)
    container = _container(assignment, request)
    if request.preview:
        return _succeeded(_expected(assignment, request, read_record(place)), None)
    with holding(place, leaving.hold):
        record = read_record(place)
        try:
            image = _pack(assignment, request, record, container, reporter, leaving)
        except Conflict:
            if leaving.wished.is_set():
                return leaving.cancelled()
            raise
        others = tuple(one for one in record.images if one.digest != image.digest)
        write_record(place, record.model_copy(update={"images": (*others, image)}))
    said = f"'{record.name}' is packed: {show_memory(image.size)} in {image.path}."
    if image.base is not None:
        said += (
            f" It is a layer: it runs together with {image.base.path}, which must stay as it is."
        )
    return _succeeded(said, image)


def _pack(
    assignment: Assignment,
    request: Pack,
    record: EnvironmentRecord,
    container: Path | None,
    reporter: Reporter,
    leaving: Leaving,
) -> PackedImage:
    place, layout, stopped = assignment.place, assignment.layout, leaving.wished.is_set
    if request.over is None:
        return pack(
            place,
            record,
            layout,
            request.format,
            reporter,
            container=container,
            cancelled=stopped,
        )
    lock, base = lock_in_use(place, record), find_base(assignment, request.over)
    return pack_layer(lock, record.platform, base, layout, reporter, cancelled=stopped)


def _container(assignment: Assignment, request: Pack) -> Path | None:
    """The root for a SIF file that runs by itself. Raises :class:`Refused` where none is set."""
    if not request.container:
        return None
    if assignment.policy.container is None:
        raise Refused(
            "No container's root is set here, so a SIF file cannot run by itself.",
            code="no-container-root",
            field="container",
            hint="Pack it without: Apptainer runs it in any container, with -B FILE:/env. Your "
            "administrators may name a root (Mlinfn.container_root).",
        )
    return Path(assignment.policy.container)


def _expected(assignment: Assignment, request: Pack, record: EnvironmentRecord) -> str:
    """What packing would come to, as far as it can be told."""
    if request.over is None:
        most = show_memory(record.size)
        return f"'{record.name}' would become one file of at most {most}."
    lock = lock_in_use(assignment.place, record)
    base = find_base(assignment, request.over)
    below = look_below(base, lock, record.platform)
    change = differing(below.lock, lock, record.platform)
    conda = [to_record(package) for package in change.new if package.manager == "conda"]
    names = ", ".join(package.name for package in change.new[:_NAMED])
    more = len(change.new) - _NAMED
    names += f" and {show_count(more, 'more package')}" if more > 0 else ""
    told = [f"'{record.name}' would become a layer over {base.name} ({_size(base)})."]
    if not change.new:
        told.append("It would hold no package: all of them are in that image.")
    elif (sizes := estimate(conda, assignment.layout.packages)) and len(conda) == len(change.new):
        size, files = sizes
        told.append(
            f"It would hold about {show_count(files, 'file')} and be at most {show_memory(size)}: "
            f"{names}."
        )
    else:
        told.append(f"It would hold {names}; how large that is cannot be told before.")
    if change.old:
        count = show_count(len(change.old), "package")
        told.append(f"Files of {count} of that image are not used, or others take their place.")
    told.append("To run it, both files are needed.")
    return " ".join(told)


def _size(file: Path) -> str:
    return show_memory(file.stat().st_size)


def _succeeded(text: str, image: PackedImage | None) -> TaskResult:
    return TaskResult(state="succeeded", ended_at=datetime.now(UTC), text=text, image=image)
