"""What makes a run exact: the commit it came from, the machine it met, how two runs compare.

Sizes in bytes, durations in seconds, hashes are SHA-256 in hexadecimal digits. Nothing here knows
a job (``model/jobs.py`` imports this): records are named by id.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, JsonValue

from jupyter_mlinfn.model.states import Frozen

MAX_SEED = 2**32 - 1
"""The largest seed that Python takes for its hashes (``PYTHONHASHSEED``)."""

DIFF_FILE = "git.diff"
"""The uncommitted changes, in the bundle."""


class GitState(Frozen):
    """The repository that holds the notebook, as it was at submit.

    ``commit`` is ``None`` before the first one, ``branch`` where none is checked out. ``dirty``
    and ``diff_sha256`` (of the changes of tracked files against ``commit``) are ``None`` where
    that could not be told; ``note`` says why. The changes lie in the bundle as ``diff_file``
    where they are at most 1 MiB, with secrets masked if ``masked``: the hash is that of the
    changes as they were.
    """

    folder: str
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    diff_sha256: str | None = None
    diff_size: int | None = None
    diff_file: str | None = None
    masked: bool = False
    note: str | None = None


class Node(Frozen):
    """The machine an attempt ran on. ``python`` is that of the program that runs jobs."""

    host: str | None = None
    kernel: str | None = None
    cpu: str | None = None
    cpus: int | None = None
    driver: str | None = None
    gpu_models: tuple[str, ...] = ()
    python: str | None = None


class OutputFile(Frozen):
    """One published file. ``content`` is the hash of a notebook's code, text and outputs alone.

    Two runs of a notebook never give the same bytes (times are written into it); its ``content``
    can be the same. ``sha256`` is ``None`` above the hashing limit.
    """

    path: str
    size: int
    sha256: str | None = None
    content: str | None = None


class Verdict(Frozen):
    """How the outputs of an exact rerun compare with those of the first run.

    ``same`` is ``None`` where that cannot be told; ``text`` says why.
    """

    first: str
    same: bool | None
    equal: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    text: str
    at: AwareDatetime | None = None


class Fingerprint(Frozen):
    """One hash for each thing that determines what a job computes, and ``all`` over them.

    Two jobs with the same ``all`` were asked for exactly the same. ``None``: there is none of
    it, or (``inputs``) one of them is known by size and time only. ``environment`` is the digest
    of lock or inventory, ``image`` that of the image's bytes.
    """

    code: str
    modules: str | None = None
    parameters: str
    inputs: str | None = None
    environment: str | None = None
    image: str | None = None
    commit: str | None = None
    changes: str | None = None
    seed: int | None = None
    all: str


Standing = Literal["equal", "changed", "only-a", "only-b", "unknown"]
"""``unknown``: too large to have been hashed, and of the same size."""


class DiffItem(Frozen):
    """One thing in two jobs; ``kind`` says how to show the values.

    ``detail`` are lines of text that begin with ``+`` (only in b), ``-`` (only in a) or a blank.
    """

    name: str
    standing: Standing
    a: JsonValue = None
    b: JsonValue = None
    kind: Literal["text", "value", "bytes", "seconds", "hash", "time"] = "value"
    detail: tuple[str, ...] = ()


SectionName = Literal[
    "parameters",
    "environment",
    "packages",
    "code",
    "git",
    "inputs",
    "outputs",
    "printed",
    "values",
    "resources",
    "node",
    "timings",
]


class DiffSection(Frozen):
    """One part of the comparison. ``same`` is ``None`` when there is nothing on either side.

    ``note`` says what could not be compared, and why.
    """

    name: SectionName
    title: str
    same: bool | None
    items: tuple[DiffItem, ...] = ()
    note: str | None = None


class DiffedJob(Frozen):
    """Which job, or which ``point`` of a sweep, stands on one side."""

    id: str
    name: str
    point: int | None = None
    state: str
    backend: str
    submitted_at: AwareDatetime


class JobDiff(Frozen):
    """Two jobs beside each other; ``same_outputs`` is ``None`` where nothing can be compared."""

    a: DiffedJob
    b: DiffedJob
    text: str
    same_request: bool
    same_outputs: bool | None
    sections: tuple[DiffSection, ...]
