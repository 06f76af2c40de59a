"""Talking to a running server, so that the open JupyterLab saves a notebook before it is submitted.

While a page is attached, a server keeps ``<jupyter_runtime_dir>/mlinfn-<pid>.json`` (mode 0600)
with ``{"url", "secret", "root_dir", "pid"}``. The secret opens one route only, ``POST
notebooks/save``, and is sent to this machine only.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_mlinfn.cli.loopback import Answer, is_loopback, post
from jupyter_mlinfn.model.errors import Conflict, InputError

if TYPE_CHECKING:
    from jupyter_mlinfn.diagnosis import Check

LARGEST_FILE = 64 * 1024
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
PATIENCE = 8.0
"""Seconds to wait for the page: an open tab saves within one, a sleeping one never."""


@dataclass(frozen=True)
class LabServer:
    """A server with an open page. ``root`` is its root folder, resolved."""

    url: str
    secret: str
    root: Path
    pid: int

    def names(self, path: Path) -> list[str]:
        """What the server may call ``path`` (absolute): as it was typed, and without links."""
        ways = dict.fromkeys((path, path.resolve()))
        return [way.relative_to(self.root).as_posix() for way in ways if self._holds(way)]

    def _holds(self, path: Path) -> bool:
        return os.path.commonpath((self.root, path)) == str(self.root)


@dataclass(frozen=True)
class Saved:
    """The notebook to submit, when it was last written, and whether the open page wrote it now."""

    path: Path
    at: datetime
    by_lab: bool

    def sentence(self) -> str:
        """For people: how fresh the submitted copy is."""
        clock, name = f"{self.at.astimezone():%H:%M}", self.path.name
        if self.by_lab:
            return f"{name} was saved in JupyterLab at {clock}."
        day = (
            ""
            if self.at.astimezone().date() == datetime.now().astimezone().date()
            else (f" on {self.at.astimezone():%Y-%m-%d}")
        )
        return f"{name} is submitted as saved at {clock}{day}."


def attached() -> list[LabServer]:
    """The servers with an open page, newest first; files of dead processes are left out."""
    from jupyter_core.paths import jupyter_runtime_dir

    files = Path(jupyter_runtime_dir()).glob("mlinfn-*.json")
    found = [(_age(file), server) for file in files if (server := read_server(file))]
    return [server for _, server in sorted(found, key=lambda pair: pair[0], reverse=True)]


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def read_server(file: Path) -> LabServer | None:
    """What a runtime file says; ``None`` when it is not ours alone, damaged, or its server dead."""
    try:
        with os.fdopen(os.open(file, READ), "rb") as stream:
            facts = os.fstat(stream.fileno())
            if (
                not stat.S_ISREG(facts.st_mode)
                or facts.st_uid != os.getuid()
                or facts.st_mode & 0o77
            ):
                return None
            said: Any = json.loads(stream.read(LARGEST_FILE))
        server = LabServer(
            url=str(said["url"]),
            secret=str(said["secret"]),
            root=Path(said["root_dir"]).resolve(),
            pid=int(said["pid"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return server if is_loopback(server.url) and _alive(server.pid) else None


def _alive(pid: int) -> bool:
    """Whether the process lives and is ours: 0 and below are groups, not processes."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError, OverflowError):
        return False
    return pid > 0


def save_notebook(path: Path) -> Saved:
    """Have ``path`` saved where it is open; else say when it was saved last.

    Raises :class:`Conflict` when the page has it open and could not save it: what would run is
    not what the person sees.
    """
    path = Path(os.path.normpath(path.absolute()))
    for server in attached():
        for name in server.names(path):
            saved = understand(server, ask(server, {"path": name}))
            if saved is not None and saved.by_lab:
                return replace(saved, path=path)
    return as_on_disk(path)


def notebook_of(kernel_id: str) -> Saved:
    """The notebook that is open with this kernel, under its present name, saved.

    Without an open page the name from the kernel's start is taken, when that file exists.
    Raises :class:`InputError` when the notebook cannot be found out.
    """
    for server in attached():
        saved = understand(server, ask(server, {"kernel_id": kernel_id}))
        if saved is not None:
            return saved
    named = os.environ.get("JPY_SESSION_NAME", "")
    if named.endswith(".ipynb") and Path(named).is_absolute() and Path(named).is_file():
        return as_on_disk(Path(named))
    raise InputError(
        "It is not known which notebook this kernel belongs to, because no open JupyterLab page "
        "answers for it. Nothing was submitted.",
        code="notebook-unknown",
        field="source",
        hint="Give the notebook's name: %mlinfn submit NAME.ipynb. Or reload the page first.",
    )


def ask(server: LabServer, question: dict[str, str]) -> Answer | None:
    """Ask a server to have a notebook saved; ``None`` when it does not answer."""
    url = f"{server.url.rstrip('/')}/mlinfn/api/v1/notebooks/save"
    return post(url, question, headers={"X-Mlinfn-Secret": server.secret}, timeout=PATIENCE)


def understand(server: LabServer, answer: Answer | None) -> Saved | None:
    """The saved notebook; ``None`` when this server does not know it or is silent."""
    if answer is None:
        return None
    if answer.status == 409:
        raise Conflict(
            str(answer.document.get("detail") or "JupyterLab could not save the notebook."),
            code=str(answer.document.get("code") or "not-saved"),
            hint="Save it in JupyterLab, then submit again.",
        )
    try:
        if answer.status != 200:
            return None
        path = server.root / str(answer.document["path"])
        at = datetime.fromisoformat(str(answer.document["saved_at"]))
        by_lab = answer.document["saved_by"] == "lab"
    except (KeyError, ValueError):
        return None
    return Saved(path, at, by_lab) if path.is_file() and at.tzinfo else None


def as_on_disk(path: Path) -> Saved:
    """The notebook as its file is now. Raises :class:`InputError` when there is none."""
    try:
        at = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    except OSError as error:
        raise InputError(
            f"There is no file {path}.",
            code="source-missing",
            field="source",
            hint="Give the path of a notebook (.ipynb) or a script (.py).",
        ) from error
    return Saved(path, at, by_lab=False)


def lab_check() -> Check:
    """For ``mlinfn doctor``: whether an open page can save notebooks before they are submitted."""
    from jupyter_mlinfn.diagnosis import Check

    roots = ", ".join(str(server.root) for server in attached())
    if roots:
        return Check(name="jupyterlab", state="ok", text=f"A JupyterLab page is open on {roots}.")
    return Check(
        name="jupyterlab",
        state="missing",
        text="No JupyterLab page is open. Notebooks are submitted as last saved.",
    )
