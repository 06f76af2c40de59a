"""Running a job again exactly: same code, environment and inputs, or a refusal that says why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_mlinfn.jobs.exactness.inputs import Changed, changed_files, changed_inputs
from jupyter_mlinfn.jobs.exactness.packages import by_name, differences, in_words
from jupyter_mlinfn.jobs.exactness.reading import read_outputs
from jupyter_mlinfn.jobs.sweeps import pointfile
from jupyter_mlinfn.model.environments import EnvironmentRef, EnvironmentResolver, KernelCommand
from jupyter_mlinfn.model.errors import InputError, MlinfnError, NotFound, Problem, Refused
from jupyter_mlinfn.model.jobs import JobRequest, JobSpec, RerunRequest
from jupyter_mlinfn.process.redaction import is_secret_name

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.drafting import Prepared
    from jupyter_mlinfn.jobs.folders import JobFolders

CODE: Final = "not-exact"

_FIXED: Final = {
    "parameters": "parameters",
    "environment": "the environment",
    "resources": "what it may use",
    "try_first": "how long it is tried",
    "points": "the points",
    "seed": "the seed",
}


def check_unchanged(changes: RerunRequest) -> None:
    """Refuse changes that an exact rerun cannot have; only the place may be another.

    Raises :class:`InputError` (``not-exact``) that names all of them.
    """
    problems = [
        Problem(
            code=CODE,
            text=f"An exact rerun changes nothing: {what} cannot be given. "
            "Leave it out, or run the job again without asking for an exact rerun.",
            field=name,
        )
        for name, what in _FIXED.items()
        if getattr(changes, name, None) is not None
    ]
    if problems:
        text = "\n".join(problem.text for problem in problems)
        raise InputError(text, code=CODE, field=problems[0].field, problems=problems)


def exact_request(request: JobRequest, spec: JobSpec) -> JobRequest:
    """The request that asks for the recorded state of the environment, not the present one."""
    ref = spec.environment
    state = f"{ref.kernel.name}@{ref.digest}" if ref.locked and ref.digest else ref.kernel.name
    return request.model_copy(update={"environment": state, "seed": spec.seed})


def first_outputs(folders: JobFolders, spec: JobSpec) -> bytes:
    """What the first run published, for the bundle of its exact rerun.

    Nothing for a sweep: its points are compared one by one, when somebody asks.
    """
    if spec.points:
        return b"null"
    found = read_outputs(folders.job(spec.id), Path(spec.output_folder))
    files = None if found is None else [file.model_dump(mode="json") for file in found]
    return json.dumps({"job": spec.id, "files": files}, indent=1).encode()


class ExactCheck:
    """Compares what is here now with what a job recorded."""

    def __init__(self, folders: JobFolders, environments: EnvironmentResolver) -> None:
        self._folders = folders
        self._environments = environments

    def raise_damaged(self, spec: JobSpec) -> None:
        """Raise :class:`Refused` (``not-exact``) when the captured files are not as recorded."""
        files = [file.model_dump() for file in spec.files]
        bundle = self._folders.bundle(spec.id)
        problems = [_captured(changed) for changed in changed_files(files, bundle)]
        if spec.points:
            problems += _points(self._folders.job(spec.id), spec.points_sha256)
        _refuse(spec, problems)

    def raise_differences(self, spec: JobSpec, prepared: Prepared) -> None:
        """Raise :class:`Refused` (``not-exact``) with everything that differs, if anything does.

        ``prepared`` is what the request of :func:`exact_request` came to.
        """
        mine = [*self._inputs(spec), *self._environment(spec, prepared)]
        told = {problem.field for problem in mine}
        _refuse(spec, [*mine, *(one for one in prepared.problems if one.field not in told)])

    def _inputs(self, spec: JobSpec) -> Iterator[Problem]:
        files = [file.model_dump() for file in spec.files]
        workdir = Path(spec.workdir)
        if not workdir.is_dir():
            yield Problem(
                code="folder-gone",
                text=f"The folder {workdir}, where the job worked, is not there any more.",
                field="source",
                hint="Make it again, with the inputs in it.",
            )
        for number, changed in enumerate(changed_inputs(files, workdir)):
            yield _input(changed, number, spec)

    def _environment(self, spec: JobSpec, prepared: Prepared) -> Iterator[Problem]:
        before, now = spec.environment, prepared.environment
        if before.digest is None:
            yield Problem(
                code="environment-unknown",
                text=f"What was installed behind '{before.name}' was not known when the job ran, "
                "so nobody can tell whether it is still the same.",
                field="environment",
                hint="Run it again without asking for an exact rerun, or use a kernel of Python.",
            )
        elif now is None:
            return  # the problem is in what the request came to
        elif now.digest != before.digest:
            yield self._other_packages(spec, now)
        elif now.image_digest != before.image_digest:
            yield _other_image(before, now)
        if now is not None and (told := _kernel_differences(before.kernel, now.kernel)):
            yield Problem(
                code="kernel-changed",
                text=f"The kernel '{before.kernel.name}' is started in another way now: {told}.",
                field="environment",
                hint=f"Change it back in {now.kernel.resource_dir}/kernel.json.",
            )

    def _other_packages(self, spec: JobSpec, now: EnvironmentRef) -> Problem:
        try:
            recorded = self._folders.read_environment(spec.id).packages
            present = self._environments.packages(now)
            told = in_words(differences(by_name(recorded), by_name(present)))
        except (NotFound, MlinfnError):
            told = ""
        what = f" Now {told}." if told else ""
        hint = "Install these versions again"
        if not spec.environment.locked:
            hint += ". It had no lock, so it cannot be built again by itself; lock it for next time"
        return Problem(
            code="environment-mismatch",
            text=f"The environment '{spec.environment.name}' is not what it was.{what}",
            field="environment",
            hint=f"{hint}.",
        )


def _refuse(spec: JobSpec, problems: Sequence[Problem]) -> None:
    if problems:
        parts = "\n".join(problem.text for problem in problems)
        raise Refused(
            f"The job {spec.id} cannot be run again exactly. Nothing was submitted.\n{parts}",
            code=CODE,
            problems=problems,
        )


def _points(job: Path, sha256: str | None) -> list[Problem]:
    try:
        pointfile.read(job, sha256)
    except (OSError, ValueError) as error:
        text = f"The parameters of the sweep's points cannot be used: {error}."
        return [Problem(code="bundle-damaged", text=text, field="points")]
    return []


def _captured(changed: Changed) -> Problem:
    return Problem(
        code="bundle-damaged",
        text=f"The job's own copy of {changed.name} is not what was captured: {changed.why}.",
        field=f"files.{changed.name}",
        hint=f"Restore {changed.path} from a backup.",
    )


def _input(changed: Changed, number: int, spec: JobSpec) -> Problem:
    named = [file.path for file in spec.files if file.role == "input"]
    position = named.index(changed.name) if changed.name in named else number
    return Problem(
        code="input-changed",
        text=f"The input {changed.name} is not what it was: {changed.why}.",
        field=f"inputs.{position}",
        hint=f"Put the file of then back at {changed.path}.",
    )


def _other_image(before: EnvironmentRef, now: EnvironmentRef) -> Problem:
    def name(digest: str | None) -> str:
        return f"the image {digest[:19]}…" if digest else "no image"

    return Problem(
        code="environment-mismatch",
        text=f"The environment '{before.name}' ran out of {name(before.image_digest)} and would "
        f"now run out of {name(now.image_digest)}.",
        field="environment",
        hint=f"Put the image back at {before.image}." if before.image else "Take its kernel away.",
    )


def _kernel_differences(before: KernelCommand, now: KernelCommand) -> str:
    """How the start of a kernel differs; secrets in its variables are never told."""
    told = []
    if before.argv != now.argv:
        told.append("its command is another")
    old, new = _variables(before), _variables(now)
    changed: Sequence[str] = sorted(
        name for name in old.keys() | new.keys() if old.get(name) != new.get(name)
    )
    if changed:
        told.append(f"its variables {', '.join(changed)} differ")
    return " and ".join(told)


def _variables(command: KernelCommand) -> dict[str, Any]:
    return {name: text for name, text in command.env.items() if not is_secret_name(name)}
