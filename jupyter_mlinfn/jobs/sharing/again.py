"""A colleague's run as a job of one's own: her code, one's own rights, environment and secrets."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.jobs.exactness.packages import by_name, differences, in_words
from jupyter_mlinfn.jobs.sharing.looking import SharedLook
from jupyter_mlinfn.jobs.sweeps.again import again
from jupyter_mlinfn.model.environments import EnvironmentResolver
from jupyter_mlinfn.model.errors import InputError, MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, JobSpec
from jupyter_mlinfn.model.sharing import SharedRerun
from jupyter_mlinfn.model.sweeps import Sweep

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.submission import Submission

FOLDER: Final = "shared"
"""Where code goes that nobody named a folder for."""

_CHANGED: Final = {"parameters", "environment", "resources", "backend", "queue", "charge", "seed"}


class Rerunning:
    """Submits runs of others. ``places``: the back-ends that are here."""

    def __init__(
        self,
        submission: Submission,
        environments: EnvironmentResolver,
        places: frozenset[str],
    ) -> None:
        self._submission = submission
        self._environments = environments
        self._places = places

    def run(
        self, look: SharedLook, into: Path, changes: SharedRerun, key: str | None = None
    ) -> JobRecord:
        """Copy the code into ``into``, a folder of one's own, and submit it from there.

        Raises :class:`Refused` (``other-environment``) where the environment here is not the one
        that was recorded, unless the person wants hers; and what
        :meth:`~jupyter_mlinfn.jobs.submission.Submission.submit` raises. Then only the code lies
        in ``into``, so that what was missing can be put there.
        """
        spec = look.found.note.details.spec
        sweep = _sweep(look, changes)
        if not changes.environment and not changes.other_environment:
            self._check_environment(look, spec)
        source = _copy_code(look, spec, into)
        return self._submission.submit(self._request(spec, source, changes, sweep), key=key)

    def _request(
        self, spec: JobSpec, source: Path, changes: SharedRerun, sweep: Sweep | None
    ) -> JobRequest:
        request = JobRequest(
            source=str(source),
            name=spec.name if spec.name.isprintable() else None,
            parameters=dict(spec.parameters),
            environment=spec.environment.kernel.name,
            resources=spec.resources,
            backend=spec.backend if spec.backend in self._places else "auto",
            create_parameters_cell=spec.injection == "new-cell",
            inputs=tuple(one.path for one in spec.files if one.role == "input"),
            outputs=spec.outputs,
            evictable=spec.evictable,
            seed=spec.seed,
            retries=spec.retries,
            retry_on=spec.retry_on,
            secrets=spec.secrets,
            sweep=sweep,
        )
        given = changes.model_dump(exclude_none=True, include=_CHANGED)
        if changes.resources is not None:
            given["resources"] = changes.resources
        return request.model_copy(update=given)

    def _check_environment(self, look: SharedLook, spec: JobSpec) -> None:
        """What is not here at all, the submit says."""
        recorded = spec.environment
        try:
            here = self._environments.resolve(recorded.kernel.name)
        except MlinfnError:
            return
        if recorded.digest is None or here.digest == recorded.digest:
            return
        theirs = by_name(look.folders.read_environment(spec.id).packages)
        mine = by_name(self._environments.packages(here))
        other = in_words(differences(theirs, mine)) or "it was made in another way"
        raise Refused(
            f"Your environment '{here.name}' is not the one this run had: {other}.",
            code="other-environment",
            field="environment",
            hint="Run it with yours all the same, name another one, or clone theirs if it is "
            "shared.",
        )


def _sweep(look: SharedLook, changes: SharedRerun) -> Sweep | None:
    """The points that shall run: all, those that did not succeed, or those of these numbers.

    Raises :class:`InputError` (``no-points``, ``no-sweep``).
    """
    spec = look.found.note.details.spec
    if spec.points:
        return again(look.points, look.folders, spec, changes.points)
    if changes.points is not None:
        text = "This job is no sweep, so it cannot run some of its points only."
        raise InputError(text, code="no-sweep", field="points")
    return None


def _copy_code(look: SharedLook, spec: JobSpec, into: Path) -> Path:
    """The copy of the notebook or script, with its modules beside it; nothing is written over."""
    bundle = look.folders.bundle(spec.id)
    captured = bundle / ("script.py" if spec.kind == "script" else "notebook.ipynb")
    source = into / _file_name(spec, captured.suffix)
    try:
        _copy(captured, source)
        for one in spec.files:
            if one.role == "module":
                _copy(bundle / "modules" / one.path, into.joinpath(*PurePosixPath(one.path).parts))
    except OSError as error:
        raise Unavailable(
            f"The code could not be copied into {into}: {error.strerror}. Nothing was submitted.",
            code="folder",
        ) from error
    return source


def _file_name(spec: JobSpec, suffix: str) -> str:
    stem = PurePosixPath(spec.source).stem.lstrip(".")
    return f"{stem if stem and stem.isprintable() else 'shared'}{suffix}"


def _copy(source: Path, target: Path) -> None:
    """What lies there with the same content stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    content = source.read_bytes()
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        if target.is_file() and target.read_bytes() == content:
            return
        raise
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def free_folder(root: Path, spec: JobSpec) -> Path:
    """A folder below ``root`` for the code of this run, which may be there from before."""
    stem = PurePosixPath(spec.source).stem.lstrip(".")
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in stem)
    return root / FOLDER / f"{plain[:80] or 'job'}-{spec.id}"
