"""The settings of the broker: one file that the hub writes before it starts it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationError

from jupyter_mlinfn.hub.broker.persons import check_template
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.process.durable import write_atomically
from jupyter_mlinfn.profiles.spawners.sites import KubeSite

VARIABLE: Final = "MLINFN_BROKER_SETTINGS"


class Broker(Frozen):
    """What ``configure(…, broker=Broker(…))`` is told.

    ``namespace``: where jobs go, ``{user}`` in it is the safe form of a name; it has to be there.
    ``kubeconfig`` empty: the account of the hub's pod. ``site`` ``None``: the hub's own (with
    KubeSpawner). ``priorities``: Kueue's WorkloadPriorityClasses that jobs may name.
    ``accelerators``: so many devices one pod may ask for. ``host`` and ``port``: where it listens;
    ``address``: where sessions reach it, empty: just there.
    """

    namespace: Annotated[str, AfterValidator(check_template)]
    kubeconfig: str = ""
    site: KubeSite | None = None
    priorities: tuple[str, ...] = ()
    accelerators: int = Field(default=1, ge=0, le=64)
    host: str = "127.0.0.1"
    port: int = Field(default=10102, ge=1, le=65535)
    address: str = Field(default="", pattern=r"^(https?://[^\s?#@]+/)?$")


class BrokerSettings(Frozen):
    """``profiles`` is the file of the offer, ``state`` the folder of the audit's lines; ``address``
    is where sessions reach the broker, ``listen`` where it listens."""

    broker: Broker
    site: KubeSite
    profiles: Path
    state: Path
    address: str = Field(pattern=r"^https?://[^\s]+/$")
    listen: str = Field(pattern=r"^http://[^\s/]+$")

    @property
    def audit(self) -> Path:
        """The file with a line for each write."""
        return self.state / "broker.jsonl"

    def write(self, file: Path) -> None:
        """Replace ``file`` (mode 0600). Raises OSError."""
        write_atomically(file, self.model_dump_json(indent=2))


def read_settings(file: Path) -> BrokerSettings:
    """The settings in ``file``. Raises :class:`InputError` without its content, and OSError."""
    try:
        return BrokerSettings.model_validate_json(file.read_bytes())
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise InputError(f"{file} is not a file of settings; wrong: {fields}.") from None
