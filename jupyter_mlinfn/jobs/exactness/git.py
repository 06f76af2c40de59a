"""The commit a job's code came from, and what was changed since: once per submit, bounded."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Final

from jupyter_mlinfn.jobs.bundle import BundleWriter, open_regular
from jupyter_mlinfn.jobs.exactness.repository import (
    LARGEST_INDEX,
    Head,
    Repository,
    UnreadableError,
    find,
    head,
)
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.exactness import DIFF_FILE, GitState
from jupyter_mlinfn.process.redaction import redact_changes
from jupyter_mlinfn.process.run import run

DEADLINE: Final = 2.0
"""Seconds git may take; a submit never waits longer for it."""
KEPT: Final = 2**20
"""Bytes of changes that are kept in the bundle; of more only the hash is."""
READ: Final = 32 * 2**20
"""Bytes of changes that are read; of more nothing is known but that."""

_OPTIONS: Final = (
    # our configuration is empty; said again for the day when somebody changes that
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.attributesFile=/dev/null",
    # larger files are told as "differ", not line by line
    "-c", "core.bigFileThreshold=4m",
)  # fmt: skip
_DIFF: Final = (
    "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--full-index",
    "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short",
    # a look into a submodule would run git there, with the submodule's own configuration
    "--ignore-submodules=dirty",
)  # fmt: skip


@dataclass(frozen=True)
class Capture:
    """What is recorded, and the text of the changes for the bundle, where it is kept."""

    state: GitState | None
    changes: bytes | None = None


def recorded(state: GitState | None, bundle: Path) -> Future[Capture]:
    """What an earlier job recorded: its code runs again, so it is its commit that counts."""
    changes = None
    if state is not None and state.diff_file is not None:
        try:
            changes = (bundle / DIFF_FILE).read_bytes()
        except OSError:
            state = state.model_copy(update={"diff_file": None})
    known: Future[Capture] = Future()
    known.set_result(Capture(state, changes))
    return known


def attach(writer: BundleWriter, promised: Future[Capture]) -> GitState | None:
    """Put the changes into the bundle that is being written; what goes into its spec."""
    found = promised.result()
    if found.changes is not None:
        writer.attach(DIFF_FILE, found.changes)
    return found.state


def begin_capture(folder: Path) -> Future[Capture]:
    """Start :func:`capture` beside the rest of a submit, which mostly waits for the disk."""
    promised: Future[Capture] = Future()

    def work() -> None:
        try:
            promised.set_result(capture(folder))
        except BaseException as error:
            promised.set_exception(error)

    Thread(target=work, name="mlinfn-git", daemon=True).start()
    return promised


def capture(folder: Path, *, deadline: float = DEADLINE) -> Capture:
    """The state of the repository that ``folder`` is in; never fails because of a repository."""
    try:
        repository = find(folder)
    except UnreadableError as error:
        return Capture(GitState(folder=str(folder), note=str(error)))
    if repository is None:
        return Capture(None)
    state = GitState(folder=str(repository.top))
    try:
        at = head(repository)
    except UnreadableError as error:
        return Capture(state.model_copy(update={"note": str(error)}))
    except OSError as error:
        note = f"The repository cannot be read: {error.strerror}."
        return Capture(state.model_copy(update={"note": note}))
    state = state.model_copy(update={"commit": at.commit, "branch": at.branch})
    if at.commit is None:
        note = "Nothing has been committed in this repository yet."
        return Capture(state.model_copy(update={"dirty": True, "note": note}))
    return _with_changes(repository, at, state, deadline)


def _with_changes(repository: Repository, at: Head, state: GitState, deadline: float) -> Capture:
    try:
        changes = _changes(repository, at, deadline)
    except UnreadableError as error:
        return Capture(state.model_copy(update={"note": str(error)}))
    except MlinfnError as error:
        return Capture(state.model_copy(update={"note": f"Changes are unknown: {error.text}"}))
    except OSError as error:
        note = f"Changes are unknown: {error.strerror or error}."
        return Capture(state.model_copy(update={"note": note}))
    if changes is None:
        note = f"There are more than {READ // 2**20} MiB of changes; they were not recorded."
        return Capture(state.model_copy(update={"dirty": True, "note": note}))
    told = {
        "dirty": bool(changes),
        "diff_sha256": hashlib.sha256(changes).hexdigest(),
        "diff_size": len(changes),
    }
    if not changes or len(changes) > KEPT:
        return Capture(state.model_copy(update=told))
    plain = changes.decode("utf-8", "surrogateescape")
    kept = redact_changes(plain)
    told |= {"diff_file": DIFF_FILE, "masked": kept != plain}
    return Capture(state.model_copy(update=told), kept.encode("utf-8", "surrogateescape"))


def _changes(repository: Repository, at: Head, deadline: float) -> bytes | None:
    """What git tells of tracked files against the commit; ``None``: more than :data:`READ`."""
    program = shutil.which("git")
    if program is None:
        raise UnreadableError("Changes are unknown: git is not installed here.")
    with _private(repository, at) as (git_dir, environ):
        argv = (program, *_OPTIONS, *_DIFF, str(at.commit), "--")
        done = run(argv, deadline=deadline, env=environ, cwd=repository.top, max_output=READ + 1)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[0].replace(str(git_dir), "…")[:200] if said else f"code {done.returncode}"
        raise UnreadableError(f"Changes are unknown: git said: {why}")
    return None if len(done.stdout) > READ else done.stdout


@contextmanager
def _private(repository: Repository, at: Head) -> Iterator[tuple[Path, dict[str, str]]]:
    """A repository of ours over the objects and a copy of the index of ``repository``."""
    with tempfile.TemporaryDirectory(prefix="mlinfn-git-") as made:
        git_dir = Path(made)
        (git_dir / "refs").mkdir()
        (git_dir / "HEAD").write_text(f"{at.commit}\n", encoding="ascii")
        form = "1\n[extensions]\n\tobjectformat = sha256" if len(at.commit or "") > 40 else "0"
        config = f"[core]\n\tbare = false\n\trepositoryformatversion = {form}\n"
        (git_dir / "config").write_text(config, encoding="ascii")
        _copy_index(repository.git_dir / "index", git_dir / "index")
        yield git_dir, _environment(repository, git_dir)


def _copy_index(source: Path, target: Path) -> None:
    """Copy the index with its time: entries changed since then are looked at again by git."""
    try:
        with open_regular(source) as stream:
            facts = os.fstat(stream.fileno())
            if facts.st_size > LARGEST_INDEX:
                raise UnreadableError("Changes are unknown: the repository has too many files.")
            target.write_bytes(stream.read(LARGEST_INDEX))
    except FileNotFoundError:
        return
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _environment(repository: Repository, git_dir: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(git_dir),
        "LC_ALL": "C",
        "GIT_DIR": str(git_dir),
        "GIT_WORK_TREE": str(repository.top),
        "GIT_INDEX_FILE": str(git_dir / "index"),
        "GIT_OBJECT_DIRECTORY": str(repository.common / "objects"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }
