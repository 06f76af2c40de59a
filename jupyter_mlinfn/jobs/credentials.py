"""The secrets a job needs: in files of their own, never in a record, an argument or a log.

``secrets.json`` in the job's folder says which there are and where they come from; their copies lie
in ``secrets/`` (0700) as files of mode 0600, from the submit to the job's end. A file that was
renewed at its source is copied again by whoever looks at the job. Standard library only.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.jobs.attempt import read_json
from jupyter_mlinfn.process.durable import write_atomically
from jupyter_mlinfn.process.identity import this_machine

SOURCES: Final = "secrets.json"
FOLDER: Final = "secrets"
KINDS: Final = {
    "x509": "X509_USER_PROXY",
    "token": "BEARER_TOKEN_FILE",
    "s3": "AWS_SHARED_CREDENTIALS_FILE",
    "other": "",
}
"""What a job finds the file by. ``other``: ``MLINFN_SECRET_<NAME>``."""

LARGEST: Final = 2**20
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}", re.ASCII)
_SHORTEST: Final = 8
_MOST: Final = 2000


class CannotRead(OSError):
    """A secret's source cannot be used; the text says why and never what is in it."""


@dataclass(frozen=True)
class Source:
    """Where a secret comes from: a ``file`` of the person, or an environment ``variable`` of the
    program that submits."""

    kind: str
    file: str = ""
    variable: str = ""

    def read(self, environ: Mapping[str, str]) -> tuple[bytes, int | None]:
        """The secret and, of a file, when it was written (nanoseconds). Raises
        :class:`CannotRead`."""
        if self.file:
            return _read_file(Path(self.file))
        if not environ.get(self.variable):
            raise CannotRead(f"The environment variable {self.variable} is not set.")
        return environ[self.variable].encode(), None


def declared(settings: Mapping[str, Mapping[str, str]]) -> dict[str, Source]:
    """The sources that the settings declare, by name. Raises ValueError for what is none."""
    found = {}
    for name, told in settings.items():
        kind = told.get("kind", "other")
        given = [key for key in ("file", "variable") if told.get(key)]
        strange = set(told) - {"kind", "file", "variable"}
        if not _NAME.fullmatch(name) or kind not in KINDS or len(given) != 1 or strange:
            raise ValueError(
                f"The setting secrets: {name!r} needs a kind ({', '.join(KINDS)}) and either a "
                "'file' or a 'variable'. A name has letters, digits, - and _."
            )
        file = str(Path(told["file"]).expanduser().absolute()) if told.get("file") else ""
        found[name] = Source(kind, file, told.get("variable", ""))
    return found


def note(sources: Mapping[str, Source]) -> bytes:
    """What is written down beside a job: no secret, only where each comes from."""
    told = {
        name: {"tells": _tells(name, source.kind), **asdict(source)}
        for name, source in sources.items()
    }
    return json.dumps({"host": this_machine().host, "secrets": told}, indent=1).encode()


def bring(job_folder: Path, environ: Mapping[str, str]) -> None:
    """Copy all secrets of a job that are not there yet. Raises OSError."""
    for name, told in _noted(job_folder).items():
        if not (job_folder / FOLDER / name).exists():
            _copy(job_folder, name, *_source(told).read(environ))


def renew(job_folder: Path) -> bool:
    """Copy again what was renewed at its source; whether anything was.

    On another machine only from below the person's home: a path such as ``/tmp/x509up_u1000``
    may be another file there. What cannot be read stays as it is.
    """
    here = (read_json(job_folder / SOURCES) or {}).get("host") == this_machine().host
    renewed = False
    for name, told in _noted(job_folder).items():
        copy, source = job_folder / FOLDER / name, _source(told)
        if source.file and (here or _at_home(source.file)):
            try:
                if Path(source.file).stat().st_mtime_ns != copy.stat().st_mtime_ns:
                    _copy(job_folder, name, *source.read({}))
                    renewed = True
            except OSError:
                continue  # the old one may still be good, and the job finds out when it is not
    return renewed


def variables(job_folder: Path) -> dict[str, str]:
    """What the job's environment says of its secrets: paths."""
    noted = _noted(job_folder).items()
    return {str(told["tells"]): str(job_folder / FOLDER / name) for name, told in noted}


def carried(job_folder: Path) -> tuple[bytes, tuple[tuple[str, int], ...]]:
    """A job's secrets for a place that sees none of our folders, and which ones they are: names
    and times of the copies. Where they come from is not told there. Raises OSError."""
    told, which = {}, []
    for name, one in _noted(job_folder).items():
        copy = job_folder / FOLDER / name
        which.append((name, copy.stat().st_mtime_ns))
        content = base64.b64encode(copy.read_bytes()).decode()
        told[name] = {"kind": one["kind"], "tells": one["tells"], "content": content}
    return json.dumps(told).encode(), tuple(which)


def settle(job_folder: Path, told: Mapping[str, Mapping[str, str]]) -> None:
    """Write down, in a folder that travelled, what :func:`carried` gave. Raises OSError and
    ValueError for what it did not give."""
    noted, contents = {}, {}
    for name, one in told.items() if isinstance(told, dict) else [("", {})]:
        if not _NAME.fullmatch(name) or not isinstance(one, dict) or one.get("kind") not in KINDS:
            raise ValueError("it is no secret")
        noted[name] = {"kind": one["kind"], "tells": str(one["tells"]), "file": "", "variable": ""}
        contents[name] = base64.b64decode(one["content"], validate=True)
    for name, content in contents.items():
        _copy(job_folder, name, content, None)
    write_atomically(job_folder / SOURCES, json.dumps({"host": "", "secrets": noted}).encode())


def remove(job_folder: Path) -> None:
    """Remove the copies. Harmless when there are none."""
    shutil.rmtree(job_folder / FOLDER, ignore_errors=True)


def known_values(job_folder: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The name and each line of the job's secrets, of the copies and of their sources as they are
    now; what cannot be read is left out."""
    for name, told in _noted(job_folder).items():
        texts = []
        with suppress(OSError):
            texts.append((job_folder / FOLDER / name).read_text(errors="replace"))
        with suppress(OSError):
            texts.append(_source(told).read(environ)[0].decode(errors="replace"))
        for text in texts:
            for value in _lines(text, told):
                yield name, value


class Redactor:
    """Takes a job's secrets out of text that it prints, as far as they are printed as they are.

    Renewed ones are learnt now and then; the old ones stay known.
    """

    EVERY = 10.0

    def __init__(self, job_folder: Path) -> None:
        self._folder = job_folder
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._next = 0.0
        self._any = (job_folder / SOURCES).exists()

    def __call__(self, text: str) -> str:
        """``text`` with ``***`` where a secret was."""
        if not self._any:
            return text
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self.EVERY
            self._learn()
        return self._pattern.sub("***", text) if self._pattern else text

    def _learn(self) -> None:
        found = {value for value in _values(self._folder) if len(value) >= _SHORTEST}
        if found <= self._known:
            return
        self._known |= found
        # in JSON a secret may be written with escapes
        forms = {form for one in self._known for form in (one, json.dumps(one)[1:-1])}
        longest_first = sorted(forms, key=len, reverse=True)[:_MOST]
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))


def _values(job_folder: Path) -> Iterator[str]:
    for name, told in _noted(job_folder).items():
        try:
            text = (job_folder / FOLDER / name).read_text(errors="replace")
        except OSError:
            continue
        yield from _lines(text, told)


def _lines(text: str, told: Mapping[str, Any]) -> Iterator[str]:
    yield text.strip()
    for line in text.splitlines():
        value = line.partition("=")[2] if told.get("kind") == "s3" else line
        if not line.startswith("-----"):
            yield value.strip()


def _noted(job_folder: Path) -> dict[str, dict[str, Any]]:
    told = (read_json(job_folder / SOURCES) or {}).get("secrets") or {}
    return {name: one for name, one in told.items() if _NAME.fullmatch(name)}


def _source(told: Mapping[str, Any]) -> Source:
    return Source(str(told["kind"]), str(told.get("file", "")), str(told.get("variable", "")))


def _tells(name: str, kind: str) -> str:
    return KINDS[kind] or f"MLINFN_SECRET_{name.upper().replace('-', '_')}"


def _copy(job_folder: Path, name: str, content: bytes, written: int | None) -> None:
    folder = job_folder / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    write_atomically(folder / name, content)
    if written is not None:
        # the same time as the source's: that is how a renewed one is told
        os.utime(folder / name, ns=(written, written))


def _read_file(path: Path) -> tuple[bytes, int]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise CannotRead(f"The file {path} cannot be read: {error.strerror}.") from error
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise CannotRead(f"{path} is no file.")
        content = file.read(LARGEST + 1)
    if not content or len(content) > LARGEST:
        raise CannotRead(f"The file {path} is empty, or larger than 1 MiB.")
    return content, about.st_mtime_ns


def _at_home(path: str) -> bool:
    home = os.path.realpath(Path.home())
    return os.path.commonpath([home, os.path.realpath(path)]) == home
