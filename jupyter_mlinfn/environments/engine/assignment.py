"""What one run of the engine has to do: the papers in the task's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from jupyter_mlinfn.environments.own.layout import Layout, Place
from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import TaskRequest
from jupyter_mlinfn.model.errors import InputError

_REQUEST: TypeAdapter[TaskRequest] = TypeAdapter(TaskRequest)
_LARGEST = 64 * 2**20


@dataclass(frozen=True)
class Assignment:
    """One task: ``folder`` is ``<data>/environments/tasks/<id>``, read by nobody else meanwhile."""

    folder: Path
    request: TaskRequest
    policy: Policy

    @property
    def identifier(self) -> str:
        """The task's name."""
        return self.folder.name

    @property
    def layout(self) -> Layout:
        """The own environments that the task belongs to."""
        return Layout(self.folder.parent.parent)

    @property
    def place(self) -> Place:
        """The environment that is made or changed. Raises :class:`InputError`."""
        return self.layout.place(self.request.name)

    @property
    def staging(self) -> Path:
        """Where this task builds; a preview builds where it needs no lock."""
        if self.request.preview:
            return self.folder / "staging"
        return self.place.staging(self.identifier)

    @property
    def repodata(self) -> Path:
        """Where the solver keeps what channels offer."""
        return self.layout.folder / "repodata"


def read_assignment(folder: Path) -> Assignment:
    """The task in ``folder``. Raises :class:`InputError` when its papers cannot be used."""
    try:
        request = _REQUEST.validate_json(read_head(folder / "request.json", _LARGEST))
        policy = Policy.model_validate_json(read_head(folder / "policy.json", _LARGEST))
    except (OSError, ValidationError) as error:
        raise InputError(
            f"The task in {folder} cannot be read: {error}",
            code="bad-task",
            hint="Nothing was changed. Start it again.",
        ) from error
    return Assignment(folder, request, policy)
