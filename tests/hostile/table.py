"""Hostile inputs in one table: what is tried, through which door, and how it must end.

The numbers are those of the list of sixty that this project keeps; numbers that need a part
which does not exist yet (archives, packages, images, arrays) come with that part.

Doors:

- ``submit``: a request to :class:`~jupyter_mlinfn.jobs.submission.Submission`, as the program
  and the server make it. ``tests/hostile/test_submit.py``
- ``quantity``: text typed for a number. ``tests/hostile/test_quantities.py``
- ``index``: what is asked of the list of jobs. ``tests/hostile/test_index.py``
- ``http``: a request to the server, as any client can make it. Rows with this door are in
  :data:`HTTP_ROWS`, at the end of this file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.jobs.workplace import code, write_notebook


@dataclass(frozen=True)
class Row:
    """One hostile request.

    ``ends`` is ``refused``, naming ``where``, or ``inert``: taken as the text that it is.
    ``prepare`` lays out files in the work folder (beside a good ``n.ipynb``) and gives the
    request's fields; paths in them that begin with ``./`` are meant from that folder.
    """

    number: int
    title: str
    ends: Literal["refused", "inert"]
    where: str | None
    prepare: Callable[[Path], dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.number}-{self.title}"


def asks(**fields: Any) -> Callable[[Path], dict[str, Any]]:
    """A request with these fields, no files."""
    return lambda work: fields


def _pipe(work: Path) -> dict[str, Any]:
    os.mkfifo(work / "pipe.ipynb")
    return {"source": "./pipe.ipynb"}


def _pipe_input(work: Path) -> dict[str, Any]:
    os.mkfifo(work / "pipe")
    return {"inputs": ("pipe",)}


def _folder(work: Path) -> dict[str, Any]:
    (work / "folder.ipynb").mkdir()
    return {"source": "./folder.ipynb"}


def _named(name: str) -> Callable[[Path], dict[str, Any]]:
    def prepare(work: Path) -> dict[str, Any]:
        write_notebook(work / name, code("x = 1"))
        return {"source": f"./{name}"}

    return prepare


def _bytes_name(work: Path) -> dict[str, Any]:
    name = os.fsdecode(b"caf\xe9.ipynb")
    write_notebook(work / name, code("x = 1"))
    return {"source": f"./{name}"}


def _module_link(target: str) -> Callable[[Path], dict[str, Any]]:
    """The notebook imports ``secret``, a link to a file outside of its folder."""

    def prepare(work: Path) -> dict[str, Any]:
        outside = work.parent / target
        outside.mkdir()
        (outside / "secret.py").write_text("TOKEN = 1\n", encoding="utf-8")
        (work / "secret.py").symlink_to(outside / "secret.py")
        write_notebook(work / "n.ipynb", code("import secret"))
        return {}

    return prepare


def _without_kernel(work: Path) -> dict[str, Any]:
    write_notebook(work / "n.ipynb", code("x = 1"), kernel=None)
    return {}


def _large(work: Path) -> dict[str, Any]:
    with (work / "large.ipynb").open("wb") as stream:
        stream.truncate(200 * 2**20)
    return {"source": "./large.ipynb"}


def _deep(work: Path) -> dict[str, Any]:
    (work / "deep.ipynb").write_text("[" * 200_000, encoding="utf-8")
    return {"source": "./deep.ipynb"}


ROWS = [
    Row(1, "source above", "refused", "source", asks(source="../x.ipynb")),
    Row(1, "output above", "refused", "outputs.0", asks(outputs=("../x",))),
    Row(2, "source is /etc/passwd", "refused", "source", asks(source="/etc/passwd")),
    Row(2, "output is /etc/passwd", "refused", "outputs.0", asks(outputs=("/etc/passwd",))),
    Row(3, "output in a sibling", "refused", "outputs.0", asks(outputs=("../work-secret/*",))),
    Row(3, "module from a sibling", "inert", None, _module_link("work-secret")),
    Row(4, "output there and back", "refused", "outputs.0", asks(outputs=("a/../../b",))),
    Row(5, "module is a link out", "inert", None, _module_link("elsewhere")),
    Row(7, "encoded dots", "refused", "source", asks(source="./%2e%2e%2fx.ipynb")),
    Row(8, "NUL in the source", "refused", "source", asks(source="./n.ipynb\0")),
    Row(8, "NUL in an input", "refused", "inputs.0", asks(inputs=("a\0b",))),
    Row(8, "NUL in an output", "refused", "outputs.0", asks(outputs=("a\0b",))),
    Row(8, "NUL in the name", "refused", "name", asks(name="a\0b")),
    Row(8, "NUL in the environment", "refused", "environment", asks(environment="a\0b")),
    Row(9, "a key as the source", "refused", "source", asks(source="./.ssh/id")),
    Row(10, "source of 4096 characters", "refused", "source", asks(source="/" + "a" * 4095)),
    Row(10, "longer still", "refused", "source", asks(source="/" + "a" * 4096)),
    Row(10, "name of 4096 characters", "refused", "name", asks(name="a" * 4096)),
    Row(11, "line break in a file name", "refused", "source", _named("a\nb.ipynb")),
    Row(11, "escape sequence in a file name", "refused", "source", _named("a\x1b[2J.ipynb")),
    Row(12, "file name that is no UTF-8", "refused", "source", _bytes_name),
    Row(13, "pipe as the source", "refused", "source", _pipe),
    Row(13, "pipe as an input", "refused", "inputs.0", _pipe_input),
    Row(13, "device as an input", "refused", "inputs.0", asks(inputs=("/dev/zero",))),
    Row(15, "notebook that is a folder", "refused", "source", _folder),
    Row(16, "name is an option", "inert", None, asks(name="--wrap=id")),
    Row(16, "source is an option", "refused", "source", asks(source="--help")),
    Row(17, "name with a directive", "refused", "name", asks(name="x\n#SBATCH --uid=0")),
    Row(18, "environment is an option", "refused", "environment", asks(environment="-p /")),
    Row(19, "environment names a file", "refused", "environment", asks(environment="--file=/x")),
    Row(20, "environment with a command", "refused", "environment", asks(environment="x; id")),
    Row(21, "$(id) as a value", "inert", None, asks(parameters={"text": "$(id)"})),
    Row(21, "$(id) as the name", "inert", None, asks(name="$(id)")),
    Row(22, "backtick as a value", "inert", None, asks(raw_parameters={"text": "`id`"})),
    Row(22, "quotes as a value", "inert", None, asks(raw_parameters={"text": "'''\"\"\"\\"})),
    Row(22, "code as a number", "refused", "parameters.n", asks(raw_parameters={"n": "len('')"})),
    Row(25, "back-end is an image", "refused", "backend", asks(backend="docker://evil")),
    Row(27, "back-end not in the offer", "refused", "backend", asks(backend="moon")),
    Row(16, "queue is an option", "refused", "queue", asks(queue="--wrap=id")),
    Row(16, "account is an option", "refused", "charge", asks(charge="--uid=0")),
    Row(17, "queue with a directive", "refused", "queue", asks(queue="x\n#SBATCH --uid=0")),
    Row(27, "queue not in the offer", "refused", "queue", asks(queue="fast")),
    Row(27, "account not in the offer", "refused", "charge", asks(charge="others")),
    Row(28, "account with a ClassAd line", "refused", "charge", asks(charge="x\n+Owner=root")),
    Row(28, "name with a ClassAd line", "refused", "name", asks(name='x\n+Owner="root"')),
    Row(29, "LD_PRELOAD", "refused", "parameters.LD_PRELOAD", asks(parameters={"LD_PRELOAD": ""})),
    Row(29, "parameter with a =", "refused", "parameters", asks(parameters={"A=B": "/x"})),
    Row(2, "secret by its path", "refused", "secrets.0", asks(secrets=("/etc/passwd",))),
    Row(16, "after an option", "refused", "after.0", asks(after=("--wrap=id",))),
    Row(17, "after a directive", "refused", "after_ok.0", asks(after_ok=("x\n#SBATCH -J",))),
    Row(49, "after a guessed job", "refused", "after.0", asks(after=("aaaaaaaaaa",))),
    Row(49, "secret of nobody", "refused", "secrets.0", asks(secrets=("proxy",))),
    Row(23, "notice inside", "refused", "notify.0", asks(notify=("http://127.0.0.1/",))),
    Row(23, "notice to a file", "refused", "notify.0", asks(notify=("file:///etc/passwd",))),
    Row(23, "notice on two lines", "refused", "notify.0", asks(notify=("https://a.b/\nX: y",))),
    Row(32, "no CPU", "refused", "resources.cpus", asks(resources={"cpus": 0})),
    Row(32, "less than no CPU", "refused", "resources.cpus", asks(resources={"cpus": -1})),
    Row(32, "a milliard CPUs", "refused", "resources.cpus", asks(resources={"cpus": 10**9})),
    Row(32, "NaN CPUs", "refused", "resources.cpus", asks(resources={"cpus": float("nan")})),
    Row(33, "much memory", "refused", "resources.memory", asks(resources={"memory": 10**400})),
    Row(34, "eight of one GPU", "refused", "resources.gpus", asks(resources={"gpus": 8})),
    Row(35, "time beyond all", "refused", "resources.time", asks(resources={"time": 10**9})),
    Row(38, "deep nesting", "refused", "source", _deep),
    Row(51, "markup as the name", "inert", None, asks(name="<img src=x onerror=alert(1)>")),
    Row(53, "notebook without kernel", "inert", None, _without_kernel),
    Row(53, "notebook of 200 MB", "refused", "source", _large),
    Row(54, "builtins", "refused", "parameters.__builtins__", asks(parameters={"__builtins__": 1})),
]  # fmt: skip

QUANTITIES: list[tuple[int, str, str]] = [
    (32, "cpus", "0"),
    (32, "cpus", "-1"),
    (32, "cpus", "1e9"),
    (32, "cpus", "NaN"),
    (32, "cpus", "１"),
    (32, "cpus", "1\n"),
    (33, "memory", "1e400G"),
    (33, "memory", "16Gi "),
    (33, "memory", "16 GiB; id"),
    (33, "memory", "-1G"),
    (33, "memory", "9" * 400),
    (35, "time", "99999-00:00:00"),
    (35, "time", "1h\n"),
    (35, "time", "inf"),
    (35, "time", "9999999h"),
    (35, "time", "0s"),
]
"""Number, what is typed for, the text."""

IDS = [
    "",
    "../",
    "..",
    "%2e%2e%2f",
    "a" * 5000,
    "abc\0",
    "ABCDEFGHIJ",
    "abcdefghi1",
    "%",
    "ａ",
    "a\n",
]
"""49: ids that are none; they must neither be found nor become a path."""


@dataclass(frozen=True)
class HttpRow:
    """One hostile request by HTTP: refused with a status from 400 to 499 and a problem document
    that names ``where``, nothing started, nothing written, no traceback."""

    number: int
    title: str
    method: str
    path: str
    where: str | None = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.number}-{self.title}"


def _json(**fields: Any) -> bytes:
    return json.dumps({"source": "n.ipynb", **fields}).encode()


def _jobs(
    number: int, title: str, where: str | None, body: bytes, headers: dict[str, str] | None = None
) -> HttpRow:
    """A hostile ``POST jobs``."""
    return HttpRow(number, title, "POST", "jobs", where, body, headers or {})


def _makes(number: int, title: str, where: str | None, **request: Any) -> HttpRow:
    """A hostile ``POST environments/tasks``."""
    body = json.dumps({"action": "create", "name": "x", **request}).encode()
    return HttpRow(number, title, "POST", "environments/tasks", where, body)


def _get(number: int, title: str, path: str, where: str | None = None) -> HttpRow:
    return HttpRow(number, title, "GET", path, where)


HTTP_ROWS: list[HttpRow] = [
    _jobs(1, "source above", "source", _json(source="../x.ipynb")),
    _jobs(1, "input above", "inputs.0", _json(inputs=["../../x"])),
    _jobs(1, "output above", "outputs.0", _json(outputs=["../*"])),
    _jobs(2, "source is /etc/passwd", "source", _json(source="/etc/passwd")),
    _jobs(2, "input is /etc/passwd", "inputs.0", _json(inputs=["/etc/passwd"])),
    _jobs(3, "sibling prefix", "source", _json(source="../root-secret/s.ipynb")),
    _jobs(4, "there and back", "source", _json(source="sub/../../root-secret/s.ipynb")),
    _jobs(5, "link out of the root", "source", _json(source="way/s.ipynb")),
    _jobs(5, "input behind a link", "inputs.0", _json(inputs=["way/s.ipynb"])),
    _get(7, "encoded dots", "jobs/form?source=%2e%2e%2fx.ipynb", "source"),
    _get(7, "dots encoded twice", "jobs/form?source=%252e%252e%252fx.ipynb", "source"),
    _jobs(8, "NUL in the source", "source", _json(source="n.ipynb\0")),
    _get(8, "NUL in a query", "jobs/form?source=n%00.ipynb", "source"),
    _get(8, "NUL in a search", "jobs?search=a%00", "search"),
    _jobs(9, "hidden key", "source", _json(source=".ssh/id")),
    _jobs(9, "hidden key by a way round", "source", _json(source="sub/../.ssh/id")),
    _jobs(10, "source of 4096 characters", "source", _json(source="a" * 4096)),
    _jobs(10, "source that is longer", "source", _json(source="a" * 4097)),
    _jobs(11, "line break in a file name", "source", _json(source="n\n.ipynb")),
    _jobs(12, "lone surrogate", "source", b'{"source": "caf\\udce9.ipynb"}'),
    _get(12, "query that is no UTF-8", "jobs/form?source=caf%e9.ipynb"),
    _jobs(13, "pipe as the source", "source", _json(source="pipe.ipynb")),
    _jobs(13, "pipe as an input", "inputs.0", _json(inputs=["pipe.ipynb"])),
    _jobs(15, "notebook that is a folder", "source", _json(source="folder.ipynb")),
    _jobs(17, "name with a directive", "name", _json(name="x\n#SBATCH --uid=0")),
    _jobs(18, "environment is an option", "environment", _json(environment="-p /")),
    _jobs(20, "environment with a command", "environment", _json(environment="x; id")),
    _jobs(25, "back-end is an image", "backend", _json(backend="docker://evil")),
    _jobs(29, "parameter with a =", "parameters.A=B", _json(parameters={"A=B": 1})),
    _jobs(16, "after an option", "after.0", _json(after=["--wrap=id"])),
    _jobs(49, "after ../", "after_ok.0", _json(after_ok=["../aaaaaaa"])),
    _jobs(23, "notice inside", "notify.0", _json(notify=["http://169.254.169.254/"])),
    _jobs(32, "no CPU", "resources.cpus", _json(resources={"cpus": 0})),
    _jobs(32, "less than no CPU", "resources.cpus", _json(resources={"cpus": -1})),
    _jobs(32, "a milliard CPUs", "resources.cpus", _json(resources={"cpus": 10**9})),
    _jobs(32, "NaN CPUs", None, b'{"source": "n.ipynb", "resources": {"cpus": NaN}}'),
    _jobs(32, "full-width digit", "resources.cpus", _json(resources={"cpus": "\uff11"})),
    _jobs(33, "text as memory", "resources.memory", _json(resources={"memory": "16Gi "})),
    _jobs(33, "1e400 as memory", "resources.memory",
          b'{"source": "n.ipynb", "resources": {"memory": 1e400}}'),
    _jobs(34, "eight GPUs of none", "resources.gpus", _json(resources={"gpus": 8})),
    _jobs(35, "time beyond all", "resources.time", _json(resources={"time": 10**12})),
    _jobs(37, "array instead of object", None, b"[1]"),
    _jobs(37, "text instead of object", None, b'"n.ipynb"'),
    _jobs(38, "nested 100 deep", None, b'{"source": ' + b"[" * 100 + b"]" * 100 + b"}"),
    _jobs(38, "nested 100,000 deep", None, b"[" * 100_000 + b"]" * 100_000),
    _jobs(39, "long body", None, b'{"source": "' + b"x" * (26 * 2**20) + b'"}'),
    _jobs(40, "duplicate keys", "source", b'{"source": "n.ipynb", "source": "x.ipynb"}'),
    _jobs(41, "invalid UTF-8", None, b'{"source": "\xff.ipynb"}'),
    _jobs(42, "wrong content type", None, _json(), {"Content-Type": "text/plain"}),
    _jobs(42, "form", None, b"source=n.ipynb", {
        "Content-Type": "application/x-www-form-urlencoded",
    }),
    _jobs(43, "no token", None, _json(), {"Authorization": ""}),
    _jobs(44, "another token", None, _json(), {"Authorization": "token another"}),
    _jobs(45, "cookie without XSRF", None, _json(), {"Authorization": "", "Cookie": "@login"}),
    _jobs(46, "no-cors post", None, _json(), {
        "Authorization": "", "Cookie": "@login", "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain",
    }),
    _jobs(46, "foreign origin", None, _json(), {
        "Authorization": "", "Cookie": "@login", "Origin": "https://evil.example",
    }),
    HttpRow(48, "PUT", "PUT", "jobs", body=b"{}"),
    HttpRow(48, "PATCH a job", "PATCH", "jobs/abcdefghij", body=b"{}"),
    HttpRow(48, "TRACE", "TRACE", "jobs"),
    HttpRow(48, "verb nobody knows", "SUBMIT", "jobs"),
    _get(49, "guessed id", "jobs/abcdefghij"),
    _get(49, "dots as an id", "jobs/..%2f..%2fapi/log"),
    _get(49, "path as an id", "jobs/%2fetc%2fpasswd/log"),
    HttpRow(49, "deleting by a prefix", "DELETE", "jobs/a"),
    _get(50, "page of -1", "jobs?limit=-1", "limit"),
    _get(50, "page of a milliard", "jobs?limit=1000000000", "limit"),
    _get(50, "sorted by a non-column", "jobs?sort=password", "sort"),
    _get(50, "cursor with SQL", "jobs?cursor=n1%27%3B--", "cursor"),
    _get(50, "log from before its beginning", "jobs/abcdefghij/log?start=-1", "start"),
    _get(50, "history without end", "gpus/GPU-0/history?seconds=inf", "seconds"),
    _jobs(50, "unknown field", "priority", _json(priority="high")),
    _makes(18, "environment is an option", "name", name="-p /", packages=["python"]),
    _makes(18, "environment above", "name", name="../x", packages=["python"]),
    _makes(18, "environment with a line break", "name", name="x\n", packages=["python"]),
    _makes(18, "environment of 300 characters", "name", name="x" * 300, packages=["python"]),
    _makes(18, "environment of a Unicode twin", "name", name="р", packages=["python"]),
    _makes(19, "package is an option", "packages.0", packages=["--file=/etc/passwd"]),
    _makes(19, "package is a file", "packages.0", packages=["/etc/passwd"]),
    _makes(19, "pip package is a file", "pip.0", pip=["-r /etc/passwd"]),
    _makes(19, "pip package from an address", "pip.0", pip=["x @ file:///etc/passwd"]),
    _makes(23, "channel of a strange kind", "channels.0", packages=["x"], channels=["ftp://h/c"]),
    _makes(23, "channel with a password", "channels.0", packages=["x"],
           channels=["https://a:b@h/c"]),
    _makes(55, "YAML bomb", "file_text", file_name="environment.yml",
           file_text="a: &a [x, x]\nb: &b [*a, *a]\ndependencies: [*b, *b]\n"),
    _makes(55, "YAML with an object", "file_text", file_name="environment.yml",
           file_text="dependencies: !!python/object/apply:os.system [id]\n"),
    _get(49, "dots as an environment", "environments/..%2f..%2fx", "name"),
    _get(49, "path as an environment", "environments/%2fetc%2fpasswd/export", "name"),
    _get(49, "dots as a task", "environments/tasks/..%2f..%2fx", "task"),
    _get(49, "file compared", "environments/difference?left=/etc/passwd&right=x", "name"),
    _get(49, "file exported", "environments/x/export?form=/etc/passwd", "form"),
    HttpRow(49, "deleting what is above", "DELETE", "environments/..%2fown", "name"),
    HttpRow(49, "sharing to a folder that is none", "POST", "environments/x/share", None,
            b'{"folder": "../../etc"}'),
    _get(50, "search without end", "environments/packages?search=" + "a" * 200, "search"),
    _jobs(50, "idempotency key with blanks", "Idempotency-Key", _json(), {
        "Idempotency-Key": "a b;c",
    }),
]  # fmt: skip
"""Rows of the door ``http``; ``tests/hostile/test_http.py`` sends them to a real server.

``@login`` stands for the cookie of somebody who is logged in. The root holds ``n.ipynb``,
``sub/``, ``.ssh/id``, ``pipe.ipynb`` (a FIFO), ``folder.ipynb/`` and ``way``, a link to the
sibling ``root-secret/``.
"""
