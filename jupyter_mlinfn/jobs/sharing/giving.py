"""Putting a run where colleagues read it, and taking it away again.

What is copied is named file by file: no secret, no token, no key and nothing of how the job was
started goes along, and every file is searched for the job's secrets on its way. All is written into
a hidden folder beside the target, which then takes its name at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.bundle import open_regular
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sharing import points as sweep
from jupyter_mlinfn.jobs.sharing.areas import owner_name
from jupyter_mlinfn.model.errors import Conflict, NotFound, Refused, Unavailable
from jupyter_mlinfn.model.jobs import ENDED, JobDetails
from jupyter_mlinfn.model.sharing import MAX_FILES, ShareArea, SharedFile, SharedNote
from jupyter_mlinfn.model.sweeps import Point
from jupyter_mlinfn.process.exchanging import exchange
from jupyter_mlinfn.process.redaction import is_secret_name

NOTE: Final = "shared.json"
OUTPUTS: Final = "outputs"

OF_ATTEMPTS: Final = (
    *("events.jsonl", "log.txt", "values.jsonl", "node.json", "outputs.json"),
    *("verdict.json", "notebook.ipynb"),
)
"""What is copied of each attempt."""

_BUNDLE: Final = ("notebook.ipynb", "script.py", "environment.json", "conda-lock.yml")
_FILE: Final = 0o644
_FOLDER: Final = 0o755
_PIECE: Final = 2**20
_SHORTEST: Final = 8
_MOST_LOGS: Final = 1000
_LOGS: Final = 64 * 2**20
"""Bytes of all logs of points that are shared, those first that did not succeed."""


def share(
    folders: JobFolders, details: JobDetails, area: ShareArea, points: Sequence[Point] = ()
) -> Path:
    """Share an ended job, of a sweep with its ``points``, in the area, in the place of what was
    shared there of it before.

    Raises :class:`Conflict` (``job-active``, ``folder-taken``), :class:`Refused`
    (``holds-secret``, ``too-many-files``, ``points-too-large``) and :class:`Unavailable`; then
    nothing was changed.
    """
    record = details.job
    if record.state not in ENDED:
        text = f"{record.name} has not ended. Share it when it has."
        raise Conflict(text, code="job-active")
    target = Path(area.path, record.id)
    if os.path.lexists(target) and not _is_mine(target):
        raise Conflict(f"{target} is there already and is not yours.", code="folder-taken")
    draft = target.with_name(f".{record.id}.{secrets.token_hex(4)}")
    with _explained(area), _cleared(draft):
        _Copying(folders, details, draft, points).run()
        if target.exists():
            exchange(draft, target)
        else:
            draft.rename(target)
    return target


def unshare(job: str, area: ShareArea) -> None:
    """Take a shared run away again. Raises :class:`NotFound`, :class:`Refused` (``not-yours``)."""
    target = Path(area.path, job)
    try:
        facts = target.lstat()
    except FileNotFoundError as error:
        text = f"This job is not shared in {area.name}."
        raise NotFound(text, code="not-shared") from error
    if facts.st_uid != os.geteuid() or not stat.S_ISDIR(facts.st_mode):
        text = f"What is shared there belongs to {owner_name(facts.st_uid)}. Ask them."
        raise Refused(text, code="not-yours")
    draft = target.with_name(f".{job}.{secrets.token_hex(4)}")
    with _explained(area), _cleared(draft):
        target.rename(draft)


def shared_in(job: str, known: Iterable[ShareArea]) -> tuple[ShareArea, ...]:
    """The areas where this job of yours is shared now."""
    return tuple(one for one in known if _is_mine(Path(one.path, job)))


def _is_mine(target: Path) -> bool:
    try:
        facts = target.lstat()
    except OSError:
        return False
    mine = facts.st_uid == os.geteuid() and stat.S_ISDIR(facts.st_mode)
    return mine and (target / NOTE).is_file()


@dataclass
class _Copying:
    """One copy on its way."""

    folders: JobFolders
    details: JobDetails
    draft: Path
    points: Sequence[Point] = ()
    files: list[SharedFile] = field(default_factory=list)
    without_outputs: bool = False
    without_logs: int = 0

    def run(self) -> None:
        """Write everything into the draft."""
        job = self.details.job.id
        self.needles = _needles(self.folders, self.details)
        self._folder(self.draft)
        for name, path in self._chosen(job):
            self._copy(name, path)
        if self.points:
            self._copy_sweep(job)
        for name, path in self._outputs():
            self._copy(name, path)
        note = SharedNote(
            shared_at=datetime.now(UTC),
            details=_public(self.details),
            files=tuple(sorted(self.files, key=lambda one: one.path)),
            without_outputs=self.without_outputs,
            without_logs=self.without_logs,
        )
        self._text(NOTE, note.model_dump_json(indent=1))

    def _chosen(self, job: str) -> Iterator[tuple[str, Path]]:
        bundle = self.folders.bundle(job)
        for name in _BUNDLE:
            yield f"bundle/{name}", bundle / name
        for file in self.details.spec.files:
            if file.role == "module":
                yield f"bundle/modules/{file.path}", bundle / "modules" / file.path
        for number in self.folders.attempts(job):
            for name in OF_ATTEMPTS:
                yield f"attempts/{number}/{name}", self.folders.attempt(job, number) / name

    def _outputs(self) -> Iterator[tuple[str, Path]]:
        """What was published; of a sweep nothing where it is too much, for its table is worth
        sharing by itself."""
        left = MAX_FILES - len(self.files)
        found = list(islice(_published(self.details), left + 1))
        self.without_outputs = bool(self.points) and len(found) > left
        return iter(()) if self.without_outputs else iter(found)

    def _copy_sweep(self, job: str) -> None:
        """How each point ended, what it was given, and logs: those that say most first."""
        given, told = self.folders.job(job) / sweep.FILES[0], sweep.written(self.points)
        if max(given.stat().st_size, len(told.encode())) > sweep.LARGEST:
            text = "The parameters and values of this sweep are too large to be shared."
            raise Refused(text, code="points-too-large")
        self._copy(sweep.FILES[0], given)
        self._note(sweep.RESULTS, self._text(sweep.RESULTS, told))
        left, size = _MOST_LOGS, _LOGS
        for point in sorted(self.points, key=lambda one: one.state == "succeeded"):
            numbers = self.folders.attempts(job, point.index)
            if not numbers:
                continue
            log = self.folders.attempt(job, numbers[-1], point.index) / "log.txt"
            size -= log.stat().st_size if log.is_file() else 0
            if left <= 0 or size < 0:
                self.without_logs += 1
                continue
            left -= 1
            self._copy(f"points/{point.index}/attempts/{numbers[-1]}/log.txt", log)

    def _copy(self, name: str, path: Path) -> None:
        if not path.is_file() or path.is_symlink():
            return
        if len(self.files) >= MAX_FILES:
            text = f"This run has more than {MAX_FILES} files, too many to share."
            raise Refused(text, code="too-many-files")
        target = self.draft / name
        self._folder(target.parent)
        with open_regular(path) as source, target.open("xb") as copy:
            digest, kept = hashlib.sha256(), b""
            while piece := source.read(_PIECE):
                self._search(name, kept + piece)
                kept = piece[-self._longest :] if self._longest else b""
                digest.update(piece)
                copy.write(piece)
            size = copy.tell()
            copy.flush()
            os.fsync(copy.fileno())
        target.chmod(_FILE)
        self.files.append(SharedFile(path=name, size=size, sha256=digest.hexdigest()))

    def _note(self, name: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        self.files.append(SharedFile(path=name, size=len(content), sha256=digest))

    @property
    def _longest(self) -> int:
        return max(map(len, self.needles), default=0)

    def _search(self, name: str, text: bytes) -> None:
        for needle, what in self.needles.items():
            if needle in text:
                raise Refused(
                    f"{name} of this run holds {what}. Nothing was shared: others could use it. "
                    "Take it out there, or run the job again without printing it.",
                    code="holds-secret",
                )

    def _text(self, name: str, text: str) -> bytes:
        content = text.encode()
        self._search(name, content)
        path = self.draft / name
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(_FILE)
        return content

    def _folder(self, folder: Path) -> None:
        for one in (*reversed(folder.parents), folder):
            if not one.exists():
                one.mkdir()
                one.chmod(_FOLDER)


def _public(details: JobDetails) -> JobDetails:
    """The same without token, addresses that were told of its end, and the changes of the
    repository, which are more than this run."""
    git = details.spec.git and details.spec.git.model_copy(update={"diff_file": None})
    hidden = {"notify": (), "after": (), "after_ok": ()}
    spec = details.spec.model_copy(update={"token": "", "git": git, **hidden})
    job = details.job.model_copy(update=hidden)
    return details.model_copy(update={"spec": spec, "job": job, "release": None})


def _published(details: JobDetails) -> Iterator[tuple[str, Path]]:
    """The files of the output folder, if that is the job's own, in order; no links."""
    root = Path(details.job.output_folder)
    if details.job.id not in root.name or root.is_symlink():
        return
    for where, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(where, name)
            if not name.startswith("."):
                yield f"{OUTPUTS}/{path.relative_to(root).as_posix()}", path


def _needles(folders: JobFolders, details: JobDetails) -> dict[bytes, str]:
    """What no copy may hold, with what it is: the job's token, its secrets, its kernel's."""
    found = {details.spec.token.encode(): "the token of the job"}
    for name, value in credentials.known_values(folders.job(details.job.id), os.environ):
        found[value.encode()] = f"the secret {name}"
    for name, value in _kernel_variables(folders.bundle(details.job.id) / "kernel.json").items():
        if is_secret_name(name):
            found[value.encode()] = f"the variable {name} of its kernel"
    return {needle: what for needle, what in found.items() if len(needle) >= _SHORTEST}


def _kernel_variables(path: Path) -> Mapping[str, str]:
    try:
        told = json.loads(path.read_bytes()).get("env") or {}
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in told.items() if isinstance(value, str)}


@contextmanager
def _cleared(draft: Path) -> Iterator[None]:
    """Whatever happens, nothing half stays."""
    try:
        yield
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _explained(area: ShareArea) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{area.path} cannot be written: {error.strerror}. Nothing was changed there.",
            code="folder",
        ) from error
