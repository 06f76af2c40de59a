"""Checks a request against the notebook, the environment and the back-end: all problems at once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from pydantic import JsonValue

from jupyter_mlinfn.jobs import parameters as typing_rules
from jupyter_mlinfn.jobs.backends.protocol import Backend
from jupyter_mlinfn.jobs.bundle import InputHashes, record_input
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.literals import assignments
from jupyter_mlinfn.jobs.modules import LocalModules, local_modules
from jupyter_mlinfn.jobs.parameter_cell import read_parameters
from jupyter_mlinfn.jobs.placing import Placing
from jupyter_mlinfn.jobs.sources import Source, check_path, read_source
from jupyter_mlinfn.jobs.sweeps.asking import Asked
from jupyter_mlinfn.jobs.sweeps.pointfile import written
from jupyter_mlinfn.model.environments import EnvironmentRef, EnvironmentResolver, Package, Remedy
from jupyter_mlinfn.model.errors import InputError, MlinfnError, PartMissing, Problem, Refused
from jupyter_mlinfn.model.jobs import BundledFile, JobRequest, Parameter, Resources
from jupyter_mlinfn.model.nearness import near_miss
from jupyter_mlinfn.model.places import Outlook
from jupyter_mlinfn.model.sweeps import Sweep

TRY_FIRST_SECONDS: Final = 300
DEFAULT_KERNEL: Final = "python3"

_LEAST_PATIENCE: Final = 1.0
"""Seconds all places get, however long the source took."""

Injection = Literal["cell", "new-cell", "environment", "none"]


@dataclass
class Prepared:
    """What a request comes to. With ``errors`` the rest holds as far as it could be found.

    ``lock`` is the text of the environment's ``conda-lock.yml``, where it has one; ``packages``
    are those that an earlier job recorded, where only that job knows the environment.
    ``outlook`` is what the chosen place says, as far as it was asked; ``outlooks`` what all say;
    ``why`` says which place was chosen automatically. ``within``: seconds in which all places have
    to answer, if not the usual ones. ``queue`` is where it goes of those that are offered.
    """

    request: JobRequest
    within: float | None = None
    errors: list[MlinfnError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    source: Source | None = None
    name: str = ""
    resources: Resources = field(default_factory=Resources)
    environment: EnvironmentRef | None = None
    packages: tuple[Package, ...] = ()
    lock: str | None = None
    remedy: Remedy | None = None
    backend: Backend | None = None
    queue: str | None = None
    outlook: Outlook | None = None
    outlooks: tuple[Outlook, ...] = ()
    why: str | None = None
    parameters: tuple[Parameter, ...] = ()
    has_parameters_cell: bool = False
    accepted: dict[str, JsonValue] = field(default_factory=dict)
    points: list[dict[str, JsonValue]] = field(default_factory=list)
    injection: Injection = "none"
    modules: LocalModules = field(default_factory=LocalModules)
    inputs: tuple[BundledFile, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong."""
        return tuple(problem for error in self.errors for problem in error.problems)

    @cached_property
    def points_file(self) -> tuple[bytes | None, str | None]:
        """The bytes of a sweep's file of points and their SHA-256, when no point changes more."""
        return written(self.points) if self.points else (None, None)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep an error of the tree for later, so that the other checks are made too."""
        try:
            yield
        except MlinfnError as error:
            self.errors.append(error)

    def refuse(self, text: str, code: str, field: str, hint: str | None = None) -> None:
        """Note a problem with what the person gave."""
        self.errors.append(InputError(text, code=code, field=field, hint=hint))

    def raise_problems(self) -> None:
        """Raise one error that holds all problems, if there are any.

        What the person can correct names its kind: :class:`InputError`, then what is missing
        (:class:`PartMissing`), then what is refused.
        """
        if not self.errors:
            return
        first = min(self.errors, key=lambda error: error.exit_code)
        raise type(first)(
            "\n".join(problem.text for problem in self.problems),
            code=first.code,
            field=first.field,
            hint=first.hint,
            problems=self.problems,
        )


class Drafting:
    """Turns requests into :class:`Prepared`; starts nothing and writes nothing."""

    def __init__(
        self,
        placing: Placing,
        environments: EnvironmentResolver,
        hashes: InputHashes,
        folders: JobFolders,
    ) -> None:
        self._placing = placing
        self._environments = environments
        self._folders = folders
        self._hashes = hashes

    def prepare(
        self,
        request: JobRequest,
        source: Source | None = None,
        *,
        everywhere: bool = False,
        within: float | None = None,
    ) -> Prepared:
        """Check everything. ``source`` is given when it is not the file as it is now (rerun).
        ``everywhere``: ask every place what it would do, not only the one the job goes to.
        ``within``: seconds for all of this; what checking the source takes is not left to places.
        """
        began = time.monotonic()
        prepared = Prepared(request=request, within=within, resources=_resources(request))
        with prepared.collecting():
            prepared.source = source or read_source(check_path(request.source), request.cell)
        if prepared.source is not None:
            self._check_source(prepared, given=source is not None)
        if within is not None:
            left = within - (time.monotonic() - began)
            prepared.within = max(left, min(within, _LEAST_PATIENCE))
        with prepared.collecting():
            self._placing.place(prepared, everywhere=everywhere)
        return prepared

    def _check_source(self, prepared: Prepared, *, given: bool) -> None:
        """Environment, parameters, modules, files; ``given``: the code is that of a job."""
        assert prepared.source is not None
        prepared.notes += prepared.source.notes
        prepared.name = _name(prepared)
        with prepared.collecting():
            self._choose_environment(prepared)
        _check_parameters(prepared)
        with prepared.collecting():
            _check_folder(prepared.source.path.parent)
        if not given and _language(prepared) == "python":
            with prepared.collecting():
                folder = prepared.source.path.parent
                prepared.modules = local_modules(prepared.source.texts, folder)
                prepared.notes += prepared.modules.notes
        self._check_files(prepared)

    def _choose_environment(self, prepared: Prepared) -> None:
        asked, source = prepared.request.environment, prepared.source
        own = source.kernel if source else None
        name = asked or own or DEFAULT_KERNEL
        if not asked and not own and source and source.notebook is not None:
            prepared.notes.append(f"The notebook names no kernel; the job uses {name}.")
        try:
            self._resolve(prepared, name)
        except PartMissing as error:
            known = [ref.name for ref in self._environments.choices()]
            near = near_miss(name, known)
            hint = error.hint or (f"Did you mean {near}?" if near else None)
            raise PartMissing(
                error.text, code=error.code, field="environment", hint=hint
            ) from error
        _note_language(prepared)
        _note_inventory(prepared)
        _note_rebuild(prepared)
        self._check_unchanged(prepared)

    def _check_unchanged(self, prepared: Prepared) -> None:
        """Refuse at once what the job would refuse when it starts."""
        ref = prepared.environment
        if ref is not None and (found := self._environments.changed(ref)):
            prepared.remedy = found.remedy
            raise Refused(
                f"The files of the environment '{ref.name}' are not what its lock says. "
                f"{found.text}",
                code="environment-mismatch",
                field="environment",
                hint=found.remedy.hint if found.remedy else None,
            )

    def _resolve(self, prepared: Prepared, name: str) -> None:
        """Find the environment; a state that is gone is found in the jobs that ran in it."""
        try:
            ref = self._environments.resolve(name)
            prepared.lock = self._environments.lock(ref)
        except PartMissing:
            plain, at, digest = name.partition("@")
            recorded = self._folders.recorded_lock(plain, digest) if at else None
            if recorded is None:
                raise
            ref, prepared.lock = recorded.ref, recorded.text
            prepared.packages = recorded.packages
        prepared.environment = ref

    def _check_files(self, prepared: Prepared) -> None:
        assert prepared.source is not None
        folder, found = prepared.source.path.parent, []
        for number, text in enumerate(prepared.request.inputs):
            with prepared.collecting():
                where = f"inputs.{number}"
                check_path(str(folder / text), where)
                found.append(record_input(text, folder, self._hashes, where))
        prepared.inputs = tuple(found)
        for number, pattern in enumerate(prepared.request.outputs):
            path = PurePosixPath(pattern)
            if not pattern.isprintable() or path.is_absolute() or ".." in path.parts:
                prepared.refuse(
                    "An output is named relative to the folder where the job works, without '..'.",
                    "bad-output",
                    f"outputs.{number}",
                )


def _resources(request: JobRequest) -> Resources:
    asked = request.resources
    if not asked.gpus and (asked.gpu_memory or asked.gpu_model):
        # who says what GPU it shall be wants one
        asked = asked.model_copy(update={"gpus": 1})
    if not request.try_first:
        return asked
    return asked.model_copy(update={"time": min(TRY_FIRST_SECONDS, asked.time)})


def _name(prepared: Prepared) -> str:
    source, name = prepared.source, prepared.request.name
    assert source is not None
    if name is None:
        return f"{source.path.stem} (cell)" if source.kind == "cell" else source.path.stem
    if not name.strip() or not name.isprintable():
        prepared.refuse(
            "A job's name is one line of text without control characters.", "bad-name", "name"
        )
    return name.strip()


def _language(prepared: Prepared) -> str:
    if prepared.environment is not None:
        return prepared.environment.kernel.language.lower()
    return (prepared.source.language if prepared.source else None) or "python"


def _note_language(prepared: Prepared) -> None:
    told = prepared.source.language if prepared.source else None
    runs = _language(prepared)
    if told and told != runs:
        prepared.notes.append(f"The notebook is written in {told}; this environment runs {runs}.")


def _note_inventory(prepared: Prepared) -> None:
    if prepared.environment is not None and prepared.environment.digest is None:
        prepared.notes.append(
            f"What is installed behind {prepared.environment.name} cannot be listed, so the job "
            "cannot tell whether it is still the same when it starts."
        )


def _note_rebuild(prepared: Prepared) -> None:
    ref = prepared.environment
    if ref is not None and ref.locked and ref.prefix and not Path(ref.prefix).is_dir():
        prepared.notes.append(
            f"The files of {ref.name} in this state are not there any more. They are installed "
            "again from the recorded lock before the job starts."
        )


def _check_folder(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"The folder {folder} cannot be written, and the results go there. "
            "Copy the notebook into a folder of your own.",
            code="output-folder",
            field="source",
        )


def _check_parameters(prepared: Prepared) -> None:
    source, request = prepared.source, prepared.request
    assert source is not None
    language = _language(prepared)
    try:
        found = None if source.notebook is None else read_parameters(source.notebook, language)
    except InputError as error:
        prepared.errors.append(error)
        return
    prepared.has_parameters_cell = found is not None
    prepared.parameters = found or ()
    given = {**request.parameters, **request.raw_parameters}
    if not given and request.sweep is None:
        return
    prepared.injection = _injection(prepared, language)
    by_name = {parameter.name: parameter for parameter in prepared.parameters}
    for name in given:
        with prepared.collecting():
            typing_rules.check_name(name, language)
            if prepared.injection == "cell":
                _check_known(name, by_name)
            value = _value(request, name, by_name.get(name))
            if prepared.injection in ("cell", "new-cell"):
                assignments({name: value}, language)  # refuses what the language cannot write
            prepared.accepted[name] = value
    if request.sweep is not None:
        with prepared.collecting():
            prepared.points = _asked(prepared, request.sweep, language, by_name).points()


def _asked(
    prepared: Prepared, sweep: Sweep, language: str, known: Mapping[str, Parameter]
) -> Asked:
    source = prepared.source
    assert source is not None

    def check(name: str) -> None:
        typing_rules.check_name(name, language)
        if prepared.injection == "cell":
            _check_known(name, known)

    return Asked(
        sweep=sweep,
        folder=source.path.parent,
        known=known,
        check=check,
        language=language if prepared.injection in ("cell", "new-cell") else "",
        fixed={*prepared.request.parameters, *prepared.request.raw_parameters},
    )


def _injection(prepared: Prepared, language: str) -> Injection:
    source = prepared.source
    if source is None or source.notebook is None or not typing_rules.can_inject(language):
        what = "a script" if source and source.notebook is None else f"a {language} notebook"
        prepared.notes.append(
            f"Parameters of {what} are not put into the code: it finds them as JSON in the "
            "environment variables MLINFN_PARAM_<NAME>."
        )
        return "environment"
    if prepared.has_parameters_cell:
        return "cell"
    if prepared.request.create_parameters_cell:
        prepared.notes.append("The parameters go into a new first cell of the job's copy.")
    else:
        prepared.refuse(
            f"{source.path.name} has no cell tagged 'parameters', so the values given would "
            "change nothing.",
            "no-parameters-cell",
            "parameters",
            "Tag the cell that sets them, or have a new first cell made for them "
            "(create_parameters_cell, --create-parameters-cell).",
        )
    return "new-cell"


def _check_known(name: str, known: Mapping[str, Parameter]) -> None:
    if name in known:
        return
    near = near_miss(name, known)
    raise InputError(
        f"The parameters cell sets no {name}."
        + (f" Did you mean {near}?" if near else f" It sets: {', '.join(known) or 'nothing'}."),
        code="unknown-parameter",
        field=f"parameters.{name}",
        hint=near,
    )


def _value(request: JobRequest, name: str, parameter: Parameter | None) -> JsonValue:
    if name in request.raw_parameters:
        return typing_rules.coerce(request.raw_parameters[name], parameter, name=name)
    return typing_rules.checked(request.parameters[name], parameter)
