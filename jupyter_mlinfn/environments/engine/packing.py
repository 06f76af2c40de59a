"""Pack an environment into one file, and note the image in its record."""

from __future__ import annotations

from datetime import UTC, datetime

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.holding import holding
from jupyter_mlinfn.environments.engine.leaving import Leaving
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.image.pack import pack
from jupyter_mlinfn.environments.own.record import read_record, write_record
from jupyter_mlinfn.model.environment_tasks import Pack, PackedImage, TaskResult
from jupyter_mlinfn.model.errors import Conflict
from jupyter_mlinfn.model.quantities import show_memory


def perform_pack(
    assignment: Assignment, request: Pack, reporter: Reporter, leaving: Leaving
) -> TaskResult:
    """The result. Raises :class:`MlinfnError`, OSError; nothing is left half made then."""
    leaving.be_gentle()
    place = assignment.place
    if request.preview:
        record = read_record(place)
        most = show_memory(record.size)
        return _succeeded(f"'{record.name}' would become one file of at most {most}.", None)
    with holding(place, leaving.hold):
        record = read_record(place)
        try:
            image = pack(
                place,
                record,
                assignment.layout,
                request.format,
                reporter,
                cancelled=leaving.wished.is_set,
            )
        except Conflict:
            if leaving.wished.is_set():
                return leaving.cancelled()
            raise
        others = tuple(one for one in record.images if one.digest != image.digest)
        write_record(place, record.model_copy(update={"images": (*others, image)}))
    said = f"'{record.name}' is packed: {show_memory(image.size)} in {image.path}."
    return _succeeded(said, image)


def _succeeded(text: str, image: PackedImage | None) -> TaskResult:
    return TaskResult(state="succeeded", ended_at=datetime.now(UTC), text=text, image=image)
