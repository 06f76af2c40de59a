"""Installing the files of a recorded lock again, for a job whose environment was removed since.

The job runner asks for it, maybe on a day when no server runs: so the policy is that of the
newest task, which lies beside the environments.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from jupyter_mlinfn.environments.own.layout import Layout, short
from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.environments.own.record import read_record
from jupyter_mlinfn.environments.own.tasks import EnvironmentTasks
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import Create, Restore, Task
from jupyter_mlinfn.model.environments import EnvironmentRef
from jupyter_mlinfn.model.errors import NotFound, PartMissing

_LARGEST = 2**20


class Rebuilding:
    """Brings back the prefix of ``ref`` from the text of its ``conda-lock.yml``.

    Raises :class:`PartMissing` (``environment-missing``) where that cannot be done: the files do
    not belong to own environments, or nothing tells what is allowed here.
    """

    def __init__(self, ref: EnvironmentRef, lock: str) -> None:
        layout = Layout.around(Path(ref.prefix)) if ref.prefix else None
        if layout is None or ref.digest is None:
            raise _cannot(ref, "It was installed by somebody else.")
        try:
            policy = Policy.model_validate_json(read_head(layout.policy, _LARGEST))
        except (OSError, ValidationError) as error:
            raise _cannot(ref, "It is not known which channels are allowed.") from error
        self._ref = ref
        self._lock = lock
        self._digest = ref.digest
        self.tasks = EnvironmentTasks(layout, lambda: policy)

    def start(self) -> Task:
        """Start the task.

        An environment that was deleted is made again; one that is there keeps its present state.
        Raises :class:`Conflict` (``environment-busy``) while another task works on it.
        """
        name = self._ref.name
        try:
            read_record(self.tasks.layout.place(name))
        except NotFound:
            return self.tasks.start(
                Create(name=name, file_name="conda-lock.yml", file_text=self._lock)
            )
        return self.tasks.start(
            Restore(name=name, digest=self._digest, only_files=True, file_text=self._lock)
        )


def _cannot(ref: EnvironmentRef, why: str) -> PartMissing:
    lock = short(ref.digest or "")
    return PartMissing(
        f"The files of the environment '{ref.name}' in the state {lock} are gone. {why}",
        code="environment-missing",
        hint="Make it again from the lock in the job's folder: "
        f"mlinfn env create {ref.name} --file bundle/conda-lock.yml",
    )
