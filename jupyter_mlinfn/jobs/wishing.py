"""What is asked of a job beside its run: checked in the draft, written down beside the job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_mlinfn.jobs import after, credentials
from jupyter_mlinfn.jobs.notices.delivering import PLAN
from jupyter_mlinfn.jobs.notices.settings import NoticeSettings
from jupyter_mlinfn.jobs.notices.telling import shown
from jupyter_mlinfn.model.errors import InputError, Unavailable
from jupyter_mlinfn.model.jobs import JobRequest, JobSpec
from jupyter_mlinfn.model.wishes import Wishes

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.bundle import BundleWriter
    from jupyter_mlinfn.jobs.drafting import Prepared
    from jupyter_mlinfn.jobs.folders import JobFolders
    from jupyter_mlinfn.jobs.store import JobStore

_SWEEP_NOTE = (
    "The notice at the end of this sweep is sent by the machine where its last point ends. If a "
    "point is lost, or nothing can be sent from there, it is sent while JupyterLab is open."
)


class Wishing:
    """``notices``: whom may be told; ``secrets``: the settings' declarations by name."""

    def __init__(
        self,
        store: JobStore,
        notices: NoticeSettings | None = None,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._store = store
        self._notices = notices or NoticeSettings()
        self._declared = dict(secrets or {})

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that the settings declare."""
        return tuple(sorted(self._declared))

    def check(self, prepared: Prepared) -> None:
        """Add to a draft what is wrong with the wishes, and what to know of them."""
        after.check(self._store, prepared)
        request = prepared.request
        for problem in self._notices.problems(request.notify):
            error = InputError(problem.text, code=problem.code, field=problem.field)
            prepared.errors.append(error)
        sent = any(target != "lab" for target in request.notify)
        if sent and prepared.points and prepared.backend and prepared.backend.name != "local":
            prepared.notes.append(_SWEEP_NOTE)
        for number, name in enumerate(request.secrets):
            with prepared.collecting():
                self._check_secret(name, f"secrets.{number}")

    def keep(self, writer: BundleWriter, request: JobRequest) -> None:
        """Write beside the job whom to tell, and where its secrets come from."""
        if any(target != "lab" for target in request.notify):
            writer.keep(PLAN, self._notices.plan(request.notify))
        if request.secrets:
            sources = credentials.declared(self._declared)
            writer.keep(
                credentials.SOURCES,
                credentials.note({name: sources[name] for name in request.secrets}),
            )

    def recorded(self, request: JobRequest) -> dict[str, Any]:
        """The wishes as the spec holds them: a web address may be a key by itself."""
        asked = {name: getattr(request, name) for name in Wishes.model_fields}
        return {**asked, "notify": tuple(map(shown, request.notify))}

    def bring(self, folders: JobFolders, spec: JobSpec) -> None:
        """Copy the job's secrets. Raises :class:`Unavailable` where that cannot be done now."""
        try:
            credentials.bring(folders.job(spec.id), os.environ)
        except OSError as error:
            text = f"A secret of the job cannot be copied: {error}. Nothing was submitted."
            raise Unavailable(text, code="secret-unreadable") from error

    def _check_secret(self, name: str, field: str) -> None:
        try:
            source = credentials.declared(self._declared).get(name)
        except ValueError as error:
            raise InputError(str(error), code="bad-setting", field=field) from error
        if source is None:
            there = ", ".join(sorted(self._declared)) or "none"
            raise InputError(
                f"No secret is called {name!r}. There are: {there}.",
                code="unknown-secret",
                field=field,
                hint="Declare it in the setting 'secrets' of your jupyter_mlinfn_config.py.",
            )
        try:
            source.read(os.environ)
        except credentials.CannotRead as error:
            text = f"The secret {name} cannot be read. {error}"
            raise InputError(text, code="secret-unreadable", field=field) from error
