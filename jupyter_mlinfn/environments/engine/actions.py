"""One request from its plan to its result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from jupyter_mlinfn.environments.engine import overlaps
from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.building import Builder, Built
from jupyter_mlinfn.environments.engine.checking import download_size
from jupyter_mlinfn.environments.engine.committing import (
    changed_by_hand,
    record_change,
    whole,
)
from jupyter_mlinfn.environments.engine.failing import failure
from jupyter_mlinfn.environments.engine.holding import holding
from jupyter_mlinfn.environments.engine.layering import Layering, layering
from jupyter_mlinfn.environments.engine.leaving import Leaving
from jupyter_mlinfn.environments.engine.papers import MANIFEST, read_papers, write_papers
from jupyter_mlinfn.environments.engine.plans import Plan, keep_solution, previewed
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.engine.restoring import plan_files, plan_restore
from jupyter_mlinfn.environments.engine.sizes import estimate
from jupyter_mlinfn.environments.locks.difference import describe, difference
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own import kernels, manifest
from jupyter_mlinfn.environments.own.layout import Place, short
from jupyter_mlinfn.environments.own.record import EnvironmentRecord, read_record
from jupyter_mlinfn.environments.own.relocking import keep_edited
from jupyter_mlinfn.model.environment_tasks import (
    Alter,
    Change,
    Clone,
    Create,
    Relock,
    Restore,
    TaskResult,
)
from jupyter_mlinfn.model.errors import Conflict, MlinfnError
from jupyter_mlinfn.model.quantities import show_count, show_memory


class Action:
    """One request being carried out."""

    def __init__(self, assignment: Assignment, reporter: Reporter, leaving: Leaving) -> None:
        self._task = assignment
        self._reporter = reporter
        self._leaving = leaving
        self._builder = Builder(assignment, reporter)

    def perform(self) -> TaskResult:
        """The result of what was done. A task that fails ends this process."""
        self._leaving.build_in(self._task.staging)
        if self._task.request.preview:
            with self._ended_by_errors():
                return self._preview()
        request = self._task.request
        with holding(self._task.place, self._hold), self._ended_by_errors():
            if isinstance(request, Restore) and request.only_files:
                return self._install_files(request)
            return self._carry_out()

    @contextmanager
    def _ended_by_errors(self) -> Iterator[None]:
        """After an error the installer's threads may still write: only leaving ends them."""
        try:
            yield
        except Exception as error:
            self._leaving.leave(failure(error, self._task.folder))

    def _hold(self, descriptor: int) -> None:
        self._leaving.hold(descriptor, self._task.place)

    def _preview(self) -> TaskResult:
        present = self._present()
        layer = layering(self._task, present)
        plan, lock = self._plan(present)
        change = self._expected(plan, lock)
        if layer is not None:
            change = layer.expected(lock, change)
        keep_solution(self._task, plan, lock)
        notes = " ".join(["Nothing was changed yet.", *plan.notes])
        return _succeeded(f"{describe(change)} {notes}", change)

    def _carry_out(self) -> TaskResult:
        before = self._present()
        layer = layering(self._task, before)
        plan, lock = self._plan(before)
        fetched = download_size(plan.records, self._task.layout.packages)
        change = difference(plan.base, lock, self._platform)
        if layer is not None:
            return self._carry_out_layer(layer, plan, lock, change)
        digest = lock.digest(self._platform)
        installed = whole(self._task.place, digest)
        if installed and _is_same(before, digest, plan):
            return _succeeded(f"{describe(change)} Nothing was changed.", change)
        built: Built | None = None
        if installed is None:
            built = self._builder.build(plan, lock)
            installed = built.installed
        self._task.policy.check_size(installed.size, installed.files)
        left = () if plan.action == "relock" else self._left_behind(before, built)
        notes = [*plan.notes, *left, *_warnings(built)]
        self._reporter.say("finishing", self._task.request.name)
        self._leaving.too_late()
        if before is not None and plan.aside:
            prefix = self._task.place.prefix(before.digest)
            keep_edited(self._task.place, prefix, plan.aside, self._task.identifier)
        if built is not None:
            self._builder.put_in_place(lock, built)
        said = plan.said or _history_text(plan, change)
        record = record_change(self._task, plan, lock, installed, said)
        notes += _renew_kernel(record, self._task.place)
        sizes = {"download": fetched, "size": installed.size, "files": installed.files}
        change = change.model_copy(update={**sizes, "note": _way(built)})
        return _succeeded(" ".join([_sentence(plan, change, record), *notes]), change)

    def _carry_out_layer(
        self, layer: Layering, plan: Plan, lock: Lock, change: Change
    ) -> TaskResult:
        """The same for an environment without files of its own."""
        before = self._present()
        digest = lock.digest(self._platform)
        known = before.image_of(digest) if before and _is_same(before, digest, plan) else None
        if known is not None and kernels.is_there(known):
            return _succeeded(f"{describe(change)} Nothing was changed.", change)
        try:
            image = layer.build(lock, self._reporter, self._leaving)
        except MlinfnError:
            if self._leaving.wished.is_set():
                self._leaving.leave(self._leaving.cancelled())
            raise
        self._task.policy.check_size(image.size, None)
        self._reporter.say("finishing", self._task.request.name)
        self._leaving.too_late()
        record = layer.record(plan, lock, image, plan.said or _history_text(plan, change))
        notes = [*plan.notes, *_renew_kernel(record, self._task.place)]
        change = layer.done(change, image)
        return _succeeded(" ".join([_sentence(plan, change, record), *notes]), change)

    def _install_files(self, request: Restore) -> TaskResult:
        """Install the files of a lock again; the record stays as it is."""
        place = self._task.place
        read_record(place)
        plan = plan_files(self._task, request)
        plan.check(self._task)
        lock = self._builder.settle(plan)
        digest = lock.digest(self._platform)
        if whole(place, digest):
            return _succeeded("Its files are there. Nothing was changed.", Change(digest=digest))
        built = self._builder.build(plan, lock)
        self._task.policy.check_size(built.installed.size, built.installed.files)
        self._reporter.say("finishing", request.name)
        self._leaving.too_late()
        kept = self._edited_kept(digest)
        self._builder.put_in_place(lock, built)
        write_papers(place.papers(digest), lock, plan.wish, self._platform)
        text = f"The files of '{request.name}' in the state {short(digest)} are there again."
        return _succeeded(f"{text} {kept}".rstrip(), Change(digest=digest))

    def _edited_kept(self, digest: str) -> str:
        """Keep what somebody edited in the prefix that is replaced; where, in words."""
        place = self._task.place
        try:
            recorded = manifest.read(place.papers(digest) / MANIFEST)
            found = manifest.verify(place.prefix(digest), recorded)
        except (OSError, ValueError):
            return ""  # nothing was installed there, or nobody can tell what was
        paths = [one.path for one in found if one.kind != "missing"]
        folder = keep_edited(place, place.prefix(digest), paths, self._task.identifier)
        return f"What was changed by hand is kept in {folder}." if folder else ""

    @property
    def _platform(self) -> str:
        return self._task.policy.platform

    def _present(self) -> EnvironmentRecord | None:
        """The record as it is; ``None`` for one that is to be made.

        Raises :class:`Conflict` when that is there already, :class:`NotFound` when what is to be
        changed is not.
        """
        place = self._task.place
        if not isinstance(self._task.request, (Create, Clone)):
            return read_record(place)
        if place.record.exists():
            raise Conflict(
                f"You have an environment named '{place.name}' already. Nothing was changed.",
                code="environment-exists",
                field="name",
                hint="Choose another name, or delete that one first.",
            )
        return None

    def _plan(self, present: EnvironmentRecord | None) -> tuple[Plan, Lock]:
        """What is to be done, allowed by the admin, and the lock that it comes to."""
        plan = self._kept_plan(present) or self._new_plan(present)
        plan.check(self._task)
        policy = self._task.policy
        if policy.max_size is not None or policy.max_files is not None:
            expected = estimate(plan.records, self._task.layout.packages)
            policy.check_size(*(expected or (None, None)))
        return plan, self._builder.settle(plan)

    def _kept_plan(self, present: EnvironmentRecord | None) -> Plan | None:
        # what is installed now is locked, not what was there when somebody looked
        if self._task.request.after is None or isinstance(self._task.request, Relock):
            return None
        if present is None:
            return previewed(self._task, None, None)
        base, _ = read_papers(self._task.place.papers(present.digest))
        return previewed(self._task, present.digest, base)

    def _new_plan(self, present: EnvironmentRecord | None) -> Plan:
        """What is to be done; only who makes such a plan is loaded."""
        request = self._task.request
        if isinstance(request, Create):
            from jupyter_mlinfn.environments.engine.creating import plan_create

            return plan_create(self._task, request, self._reporter)
        if isinstance(request, Clone):
            from jupyter_mlinfn.environments.engine.cloning import plan_clone

            return plan_clone(self._task, request, self._reporter)
        assert present is not None, "what is changed is there"
        if isinstance(request, Alter):
            from jupyter_mlinfn.environments.engine.changing import plan_change

            return plan_change(self._task, request, present, self._reporter)
        if isinstance(request, Relock):
            from jupyter_mlinfn.environments.engine.relocking import plan_relock

            return plan_relock(self._task, request, present, self._reporter)
        assert isinstance(request, Restore), "the others have ways of their own"
        return plan_restore(self._task, request, present)

    def _expected(self, plan: Plan, lock: Lock) -> Change:
        """The change with what can be told of sizes before it is made."""
        cache = self._task.layout.packages
        pip = any(package.manager == "pip" for package in lock.of(self._platform))
        expected = None if pip else estimate(plan.records, cache)
        size, files = expected or (None, None)
        told = {"download": download_size(plan.records, cache), "size": size, "files": files}
        return difference(plan.base, lock, self._platform).model_copy(update=told)

    def _left_behind(
        self, before: EnvironmentRecord | None, built: Built | None
    ) -> tuple[str, ...]:
        """What somebody did in the old prefix by hand, which the new one does not have."""
        if before is None:
            return ()
        seen = built.seen if built is not None else None
        found = changed_by_hand(self._task.place, before.digest, seen)
        if not found:
            return ()
        return (f"Changed by hand before, and not in the new state: {found}. It is kept.",)


def _renew_kernel(record: EnvironmentRecord, place: Place) -> list[str]:
    """Let the kernel follow the change, which is made whatever happens here."""
    try:
        kernels.renew(record, place)
    except OSError as error:
        return [f"Its kernel still starts the old state: {error.filename}: {error.strerror}."]
    return []


def _is_same(before: EnvironmentRecord | None, digest: str, plan: Plan) -> bool:
    """Whether neither packages nor wishes would be other than they are."""
    return before is not None and before.digest == digest and not plan.wished_anew


def _succeeded(text: str, change: Change) -> TaskResult:
    return TaskResult(state="succeeded", ended_at=datetime.now(UTC), text=text, change=change)


def _history_text(plan: Plan, change: Change) -> str:
    if plan.action == "create":
        return f"Made with {show_count(len(change.added), 'package')}."
    return describe(change)


def _sentence(plan: Plan, change: Change, record: EnvironmentRecord) -> str:
    """``'ml' is ready: 59 packages, 18,871 files, 693.0 MiB.``"""
    extent = f"{record.files:,} files, {show_memory(record.size)}"
    if record.base is not None:
        extent = f"a layer of {show_memory(record.size)} over {record.base.path}"
    if plan.base is None:
        number = show_count(len(change.added), "package")
        return f"'{record.name}' is ready: {number}, {extent}."
    return f"{plan.said or ''} {describe(change)} '{record.name}' now has {extent}.".strip()


def _way(built: Built | None) -> str:
    if built is None:
        return "It was still installed: no file was written."
    if built.way == "hard links":
        return "Files are shared by hard links and write-protected, so that no edit reaches others."
    if built.way == "shared blocks":
        return "Files share their blocks until one is changed (reflink)."
    return "Files are copies: this file system cannot share them."


def _warnings(built: Built | None) -> tuple[str, ...]:
    if built is None:
        return ()
    overwritten = overlaps.in_words(built.overlaps)
    if not built.scripts:
        return overwritten
    names = ", ".join(built.scripts)
    told = f"Scripts that packages bring for after their installation were not run: {names}."
    return (*overwritten, told)
