"""The settings of the hub's service: one file that the hub writes before it starts it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from jupyter_mlinfn.hub.reclaim.settings import ReclaimSettings
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.process.durable import write_atomically

VARIABLE = "MLINFN_SERVICE_SETTINGS"


class ServiceSettings(Frozen):
    """``leases``: the address of the leases' database (which may hold a password).

    ``state`` is the folder of the sessions' files and of the journal; ``address`` is where
    sessions and the culler reach the service, ``listen`` where the service listens.
    """

    leases: str
    state: Path
    address: str = Field(pattern=r"^https?://[^\s]+/$")
    listen: str = Field(pattern=r"^http://[^\s/]+$")
    reclaim: ReclaimSettings = ReclaimSettings()

    @property
    def sessions(self) -> Path:
        """The folder of :class:`jupyter_mlinfn.hub.reclaim.sessions.Sessions`."""
        return self.state / "sessions"

    @property
    def journal(self) -> Path:
        """The file of :class:`jupyter_mlinfn.hub.reclaim.journal.Journal`."""
        return self.state / "decisions.jsonl"

    def write(self, file: Path) -> None:
        """Replace ``file`` (mode 0600). Raises OSError."""
        write_atomically(file, self.model_dump_json(indent=2))


def read_settings(file: Path) -> ServiceSettings:
    """The settings in ``file``. Raises :class:`InputError` without its content, and OSError."""
    try:
        return ServiceSettings.model_validate_json(file.read_bytes())
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise InputError(f"{file} is not a file of settings; wrong: {fields}.") from None
