"""The way from a request to a job: form, draft, bundle, committed intent, back-end."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.jobs import after, keys, space
from jupyter_mlinfn.jobs.accepting import hand_over, made_before
from jupyter_mlinfn.jobs.amending import request_now
from jupyter_mlinfn.jobs.bundle import BundleWriter, Contents, InputHashes, without_secrets
from jupyter_mlinfn.jobs.choosing import WITHIN, Places
from jupyter_mlinfn.jobs.continuing import checkpoints_to_copy
from jupyter_mlinfn.jobs.drafting import DEFAULT_KERNEL, Drafting, Prepared
from jupyter_mlinfn.jobs.exactness import git, rebuilding
from jupyter_mlinfn.jobs.exactness.outputs import FIRST_OUTPUTS
from jupyter_mlinfn.jobs.folders import BundledEnvironment, JobFolders
from jupyter_mlinfn.jobs.offering import forecast_of, in_its_place, last_place, limits_at, offer
from jupyter_mlinfn.jobs.parameter_cell import read_parameters
from jupyter_mlinfn.jobs.placing import Placing
from jupyter_mlinfn.jobs.queues import EVERY, OfferedQueues
from jupyter_mlinfn.jobs.sources import Source, check_path, parse_notebook, read_source
from jupyter_mlinfn.jobs.sweeps.again import again
from jupyter_mlinfn.jobs.sweeps.asking import draft_of
from jupyter_mlinfn.jobs.visibility import Sight
from jupyter_mlinfn.jobs.wishing import Wishing
from jupyter_mlinfn.model.environments import EnvironmentResolver
from jupyter_mlinfn.model.errors import InputError, MlinfnError, NotFound
from jupyter_mlinfn.model.jobs import (
    Draft,
    EnvironmentName,
    JobRecord,
    JobRequest,
    JobSpec,
    Parameter,
    Reason,
    RerunRequest,
)
from jupyter_mlinfn.model.offer import BackendChoice, KernelChoice, SubmitForm

if TYPE_CHECKING:  # SQLAlchemy is loaded by whoever builds the store
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.jobs.store import JobStore

_log = logging.getLogger(__name__)

_ID_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"


def new_id() -> str:
    """A job id: 50 random bits as ten base-32 characters."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(10))


class Submission:
    """Submits jobs. ``output_folder`` is a pattern with ``{stem}`` and ``{id}``, relative to the
    notebook's folder; inputs above ``hash_limit`` bytes are recorded by size and time only.
    """

    def __init__(
        self,
        store: JobStore,
        folders: JobFolders,
        backends: Mapping[str, Backend],
        environments: EnvironmentResolver,
        *,
        user: str,
        output_folder: str = "results/{stem}-{id}",
        hash_limit: int = 4 * 2**30,
        places: Sequence[str] = (),
        answer_within: float = WITHIN,
        shared_folders: Mapping[str, Sequence[str]] | None = None,
        wishing: Wishing | None = None,
        queues: OfferedQueues = EVERY,
    ) -> None:
        self._store = store
        self._folders = folders
        self._backends = backends
        self._environments = environments
        self._user = user
        self._pattern = output_folder
        self._wishing = wishing or Wishing(store)
        self._places = Places(backends, places, within=answer_within, queues=queues)
        placing = Placing(backends, self._places, Sight(shared_folders or {}), folders.data_dir)
        self._drafting = Drafting(placing, environments, InputHashes(hash_limit), folders)

    def form(self, source: Path) -> SubmitForm:
        """All a form needs for ``source`` (absolute). Raises what :func:`read_source` raises."""
        read = read_source(check_path(str(source)))
        parameters = _parameters_or_none(read)
        last = self._store.last_request(str(read.path))
        places = offer(
            self._backends, self._places.usable(), self._places.within, self._places.queues
        )
        defaults = _defaults(read, last, parameters or (), places)
        return SubmitForm(
            source=str(read.path),
            defaults=defaults,
            remembered=last is not None,
            parameters=parameters or (),
            has_parameters_cell=parameters is not None,
            kernels=tuple(
                KernelChoice(
                    name=ref.name,
                    display_name=ref.kernel.display_name,
                    language=ref.kernel.language,
                )
                for ref in self._environments.choices()
            ),
            backends=places,
            limits=limits_at(defaults.backend, places, self._places.allowed()),
            last_used=self._store.last_usage(str(read.path)),
            secrets=self._wishing.secrets,
            saved_at=datetime.fromtimestamp(read.mtime, UTC),
        )

    def draft(self, request: JobRequest, within: float | None = None) -> Draft:
        """Check a request without submitting it: all problems at once, and a forecast.

        ``within``: seconds that all places together have to answer, if not the usual ones.
        """
        prepared = self._prepare(request, everywhere=True, within=within)
        environment, outlook = prepared.environment, prepared.outlook
        later = after.forecast(self._store, request)
        forecast = None if prepared.errors else later or forecast_of(outlook)
        source = prepared.source
        output = self._output_folder(source, "<job>") if source else None
        return Draft(
            ok=not prepared.errors,
            problems=prepared.problems,
            notes=(*prepared.notes, *space.notes(output, self._folders.data_dir)),
            forecast=forecast,
            backend=outlook and outlook.backend,
            why=prepared.why,
            places=prepared.outlooks,
            resources=prepared.resources,
            parameters=prepared.parameters,
            has_parameters_cell=prepared.has_parameters_cell,
            accepted=prepared.accepted,
            sweep=draft_of(prepared.points) if prepared.points else None,
            environment=environment
            and EnvironmentName(name=environment.name, digest=environment.digest),
            remedy=prepared.remedy,
            modules=tuple(prepared.modules.names),
            output_folder=output,
        )

    def submit(self, request: JobRequest, key: str | None = None) -> JobRecord:
        """Submit; the intent is durable when this returns. The same ``key`` gives the same job.

        Raises :class:`InputError`, :class:`PartMissing` or :class:`Refused` with all problems at
        once; then nothing was submitted. A back-end that is silent is no error: the job waits.
        """
        if key is not None and (present := self._store.by_key(key)) is not None:
            return present
        return self._submit(self._prepare(request), key)

    def rerun(self, job: str, changes: RerunRequest, key: str | None = None) -> JobRecord:
        """Run a job again with the code that it captured, with ``changes`` to what was asked.

        Raises :class:`NotFound` when its folder is gone, and what :meth:`submit` raises; an exact
        one :class:`Refused` (``not-exact``) when anything is not as it was.
        """
        if key is not None and (present := self._store.by_key(key)) is not None:
            return present
        before = self._folders.read_spec(job)
        request = in_its_place(request_now(self._folders, job), before)
        check = rebuilding.ExactCheck(self._folders, self._environments)
        if changes.exact:
            rebuilding.check_unchanged(changes)
            check.raise_damaged(before)
            request = rebuilding.exact_request(request, before)
        plain = {"environment", "parameters", "try_first", "backend", "queue", "charge", "seed"}
        given = changes.model_dump(exclude_none=True, include=plain)
        if changes.backend not in (None, request.backend):
            given = {"queue": None, "charge": None, **given}
        if changes.parameters is not None:
            given["raw_parameters"] = {}
        if changes.resources is not None:
            given["resources"] = changes.resources
        if before.points:
            given["sweep"] = again(self._store.points, self._folders, before, changes.points)
        given |= {"after": (), "after_ok": ()}  # it has waited for them once
        prepared = self._prepare(request.model_copy(update=given), source=self._bundled(before))
        if changes.exact:
            check.raise_differences(before, prepared)
        kept = checkpoints_to_copy(self._folders, before, changes)
        return self._submit(prepared, key, before=before, exact=changes.exact, kept=kept)

    def _prepare(
        self,
        request: JobRequest,
        source: Source | None = None,
        *,
        everywhere: bool = False,
        within: float | None = None,
    ) -> Prepared:
        prepared = self._drafting.prepare(request, source, everywhere=everywhere, within=within)
        self._wishing.check(prepared)
        return prepared

    def _bundled(self, spec: JobSpec) -> Source:
        name = "script.py" if spec.kind == "script" else "notebook.ipynb"
        path = self._folders.bundle(spec.id) / name
        try:
            content, mtime = path.read_bytes(), path.stat().st_mtime
        except FileNotFoundError as error:
            raise NotFound(
                f"The copy of the code in job {spec.id} is gone, so it cannot run again.",
                code="bundle-damaged",
            ) from error
        notebook = None if spec.kind == "script" else parse_notebook(content, name)[0]
        return Source(Path(spec.source), spec.kind, content, mtime, notebook)

    def _submit(
        self,
        prepared: Prepared,
        key: str | None,
        before: JobSpec | None = None,
        *,
        exact: bool = False,
        kept: Path | None = None,
    ) -> JobRecord:
        prepared.raise_problems()
        with ExitStack() as stack:
            claim = key and stack.enter_context(keys.held(self._folders.data_dir, key))
            if claim and (present := made_before(self._store, self._folders, claim)) is not None:
                return present
            spec = self._write(prepared, before, kept, key, exact=exact)
            if claim:
                claim.write(spec.id)
            try:
                self._wishing.bring(self._folders, spec)
                record = self._store.insert(
                    spec, prepared.request, key, prepared.points, prepared.points_file[0]
                )
            except MlinfnError:
                self._folders.remove(spec.id)
                raise
            if record.id != spec.id:  # an equal one was faster, where locks do not hold
                self._folders.remove(spec.id)
                return record
            self._folders.mark_committed(spec.id)
        return self._hand_over(spec, record)

    def _write(
        self,
        prepared: Prepared,
        before: JobSpec | None,
        kept: Path | None,
        key: str | None,
        *,
        exact: bool,
    ) -> JobSpec:
        source, environment = prepared.source, prepared.environment
        assert source is not None
        assert environment is not None
        assert prepared.backend is not None
        job, repository = new_id(), self._repository(source, before)
        packages = prepared.packages or self._environments.packages(environment)
        root, modules = self._modules(prepared, before)
        contents = Contents(
            main=source.file_name,
            content=source.content,
            mtime=source.mtime,
            modules=modules,
            root=root,
            environment=BundledEnvironment(ref=environment, packages=packages),
            lock=prepared.lock,
        )
        points, digest = prepared.points_file
        with BundleWriter(self._folders, job) as writer:
            files = writer.capture(contents)
            if exact and before is not None:
                writer.attach(FIRST_OUTPUTS, rebuilding.first_outputs(self._folders, before))
            spec = JobSpec(
                id=job,
                name=prepared.name,
                token=secrets.token_hex(16),
                user=self._user,
                source=str(source.path),
                workdir=str(source.path.parent),
                kind=source.kind,
                parameters=prepared.accepted,
                points=len(prepared.points),
                throttle=prepared.request.sweep and prepared.request.sweep.throttle,
                points_sha256=digest,
                injection=prepared.injection,
                environment=without_secrets(environment),
                resources=prepared.resources,
                backend=prepared.backend.name,
                queue=prepared.queue,
                charge=prepared.request.charge,
                evictable=prepared.request.evictable,
                try_first=prepared.request.try_first,
                files=files + prepared.inputs,
                outputs=prepared.request.outputs,
                output_folder=self._output_folder(source, job),
                rerun_of=before.id if before else None,
                exact=exact,
                seed=prepared.request.seed,
                git=git.attach(writer, repository),
                **self._wishing.recorded(prepared.request),
                submitted_at=datetime.now(UTC),
            )
            if kept is not None:
                writer.bring_checkpoints(kept)
            self._wishing.keep(writer, prepared.request)
            if key is not None:
                writer.keep(keys.NAME, key.encode())
            writer.finish(spec, prepared.request, points)
        return spec

    def _repository(self, source: Source, before: JobSpec | None) -> Future[git.Capture]:
        """The commit the code comes from, looked at beside the writing of the bundle."""
        if before is not None:
            return git.recorded(before.git, self._folders.bundle(before.id))
        return git.begin_capture(source.path.parent)

    def _modules(self, prepared: Prepared, before: JobSpec | None) -> tuple[Path, dict[str, Path]]:
        """The folder local modules are copied from, and the modules."""
        if before is not None:
            root = Path(os.path.realpath(self._folders.bundle(before.id) / "modules"))
            kept = [Path(file.path) for file in before.files if file.role == "module"]
        else:
            assert prepared.source is not None
            root = Path(os.path.realpath(prepared.source.path.parent))
            kept = prepared.modules.files
        return root, {str(path): root / path for path in kept}

    def _hand_over(self, spec: JobSpec, record: JobRecord) -> JobRecord:
        """Tell the back-end. When it is silent the job waits, and the reconciler tries again."""
        backend = self._backends[spec.backend]
        if after.waits_here(self._store, backend, spec):
            return self._store.get(spec.id)
        try:
            return hand_over(self._store, backend, spec)
        except (MlinfnError, OSError) as error:
            why = error.text if isinstance(error, MlinfnError) else str(error.strerror)
            _log.warning("The back-end %s did not take job %s: %s", spec.backend, spec.id, why)
            text = f"Waits for the back-end {spec.backend}, which does not answer: {why}"
            return record.model_copy(update={"reason": Reason(code="not-started", text=text)})

    def _output_folder(self, source: Source, job: str) -> str:
        try:
            name = self._pattern.format(stem=source.path.stem, id=job)
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(
                f"The setting output_folder, {self._pattern!r}, may hold {{stem}} and {{id}} only.",
                code="bad-setting",
                field="output_folder",
            ) from error
        return os.path.normpath(source.path.parent / name)


def _parameters_or_none(source: Source) -> tuple[Parameter, ...] | None:
    if source.notebook is None:
        return None
    try:
        return read_parameters(source.notebook, source.language or "python")
    except InputError:
        # the draft names this problem; the form is shown all the same
        return ()


def _defaults(
    source: Source,
    last: JobRequest | None,
    parameters: Sequence[Parameter],
    places: Sequence[BackendChoice],
) -> JobRequest:
    """What was used last for this notebook as far as it still applies, else small."""
    fresh = JobRequest(source=str(source.path), environment=source.kernel or DEFAULT_KERNEL)
    if last is None:
        return fresh
    names = {parameter.name for parameter in parameters}
    return fresh.model_copy(
        update={
            "resources": last.resources,
            **last_place(last, places),
            "environment": last.environment or fresh.environment,
            "evictable": last.evictable,
            "offload": last.offload and any(one.offloads for one in places),
            "inputs": last.inputs,
            "outputs": last.outputs,
            "parameters": {k: v for k, v in last.parameters.items() if k in names},
            "raw_parameters": {k: v for k, v in last.raw_parameters.items() if k in names},
        }
    )
