"""The record of one own environment: what it is now, and what it was."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from jupyter_mlinfn.environments.own.layout import Place
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import ImageBelow, PackedImage
from jupyter_mlinfn.model.errors import NotFound, Unavailable
from jupyter_mlinfn.model.nearness import did_you_mean
from jupyter_mlinfn.process.durable import write_durably

_LARGEST = 16 * 2**20


class HistoryEntry(BaseModel):
    """One state the environment was in. ``text`` says in words what had been done.

    ``task`` made it; by this, a task whose engine died after the record was replaced is known
    to be done.
    """

    model_config = ConfigDict(frozen=True)

    digest: str
    at: AwareDatetime
    action: Literal["create", "clone", "change", "restore", "relock"]
    text: str
    task: str | None = None


class EnvironmentRecord(BaseModel):
    """``environment.json``. ``digest`` is that of the lock in use; ``history`` oldest first.

    With ``base`` nothing is installed: each state is a layer over that image, among ``images``.
    ``origin`` is what it was cloned from, as ``NAME@DIGEST`` or a path. Sizes in bytes.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1] = 1
    name: str
    digest: str
    platform: str
    channels: tuple[str, ...]
    python: str | None
    size: int
    files: int
    made_by: str
    made_at: AwareDatetime
    origin: str | None = None
    history: tuple[HistoryEntry, ...]
    images: tuple[PackedImage, ...] = ()
    base: ImageBelow | None = None
    kernel: str | None = None

    def image_of(self, digest: str) -> PackedImage | None:
        """The file packed last of the state ``digest``; it may have been removed since."""
        return next((one for one in reversed(self.images) if one.lock == digest), None)


def not_yours(place: Place) -> NotFound:
    """There is no environment at ``place``, and which one beside it may have been meant."""
    beside = [one.parent.name for one in place.folder.parent.glob("*/environment.json")]
    meant = did_you_mean(place.name, sorted(beside))
    return NotFound(
        f"You have no environment named '{place.name}'.{meant}",
        code="environment-not-found",
        hint="'mlinfn env list' shows the environments there are.",
    )


def read_record(place: Place) -> EnvironmentRecord:
    """The record of the environment at ``place``.

    Raises :class:`NotFound` when there is none, :class:`Unavailable` when it cannot be read.
    """
    try:
        content = read_head(place.record, _LARGEST)
        return EnvironmentRecord.model_validate_json(content)
    except FileNotFoundError:
        raise not_yours(place) from None
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"The record of the environment '{place.name}' cannot be read: {error}",
            code="environment-record",
            hint=f"Its packages are untouched in {place.folder}.",
        ) from error


def write_record(place: Place, record: EnvironmentRecord) -> None:
    """Put ``record`` in the place of the present one, at once for every reader and durably."""
    write_durably(place.record, record.model_dump_json(indent=1))
