"""What rattler says, in words for people. The texts are rattler 0.28's own."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.engine import overlaps
from jupyter_mlinfn.environments.engine.failures import of_installer, of_system
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.locks.conflicts import explain, unreachable
from jupyter_mlinfn.model.errors import InputError, Refused, Unavailable

BOTH = """\
Cannot solve the request because of: The following packages are incompatible
├─ d * can be installed with any of the following options:
│  └─ d 1.0 would require
│     └─ a >=2, which can be installed with any of the following options:
│        └─ a 2.0
└─ c 1.* cannot be installed because there are no viable options:
   └─ c 1.0 | 1.1 | 1.2 would require
      └─ a <2, which cannot be installed because there are no viable options:
         └─ a 1.0, which conflicts with the versions reported above.
"""
MISSING_NEED = """\
Cannot solve the request because of: f * cannot be installed because there are no viable options:
└─ f 1.0 would require
   └─ nothere >=3, for which no candidates were found.
"""
CUDA = MISSING_NEED.replace("nothere >=3", "__cuda >=12")
UNKNOWN = "Cannot solve the request because of: No candidates were found for numpi *.\n"
VERSION = "Cannot solve the request because of: No candidates were found for numpy >=9.\n"


def test_who_needs_what() -> None:
    error = explain(BOTH, ("d", "c 1.*"), ("a", "c", "d"))
    assert isinstance(error, InputError)
    assert error.code == "unsolvable"
    assert "d 1.0 needs a >=2." in error.text
    assert "c 1.0 to 1.2 needs a <2." in error.text
    assert "Nothing was changed." in error.text
    assert "a 2.0 needs" not in error.text
    assert len(error.problems) == len({problem.text for problem in error.problems})


@pytest.mark.parametrize(
    ("said", "words", "hint"),
    [
        (MISSING_NEED, "f 1.0 needs nothere >=3, which is not to be had.", "other versions"),
        (CUDA, "f 1.0 needs __cuda >=12", "GPU driver"),
    ],
)
def test_what_is_missing_below(said: str, words: str, hint: str) -> None:
    error = explain(said, ("f",), ("f",))
    assert words in error.text
    assert error.hint is not None
    assert hint in error.hint


def test_names_that_are_near() -> None:
    error = explain(UNKNOWN, ("numpi",), ("numpy", "numba", "python"))
    assert error.code == "unknown-package"
    assert error.hint is not None
    assert error.hint.startswith("Did you mean numpy")


def test_a_version_that_is_not_there() -> None:
    error = explain(VERSION, ("numpy>=9",), ("numpy",))
    assert error.code == "no-such-version"
    assert "numpy >=9" in error.text


def test_what_nobody_foresaw_is_still_told() -> None:
    error = explain("Cannot solve the request because of: the moon", ("a",), ())
    assert "the moon" in error.text


def test_a_solver_that_gives_up() -> None:
    error = explain("the solver was cancelled", ("a",), ())
    assert isinstance(error, Unavailable)
    assert "two minutes" in error.text


def test_the_channel_that_is_silent_is_named() -> None:
    said = "error for url (http://b/x/repodata)\nCaused by: Connection refused (os error 111)"
    error = unreachable(said, ("http://a", "http://b/x/"))
    assert "http://b/x/" in error.text
    assert "http://a" not in error.text
    assert "Connection refused." in error.text


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, Unavailable, "disk-full"),
        (errno.EDQUOT, Unavailable, "disk-full"),
        (errno.EROFS, Refused, "data-folder-read-only"),
        (errno.EIO, Unavailable, "file-error"),
    ],
)
def test_errors_of_the_system(number: int, kind: type, code: str) -> None:
    error = of_system(OSError(number, "words", "/data/x"), Path("/data"))
    assert isinstance(error, kind)
    assert error.code == code
    assert "/data/x" in error.text


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("failed to link a-1-0.conda\nCaused by: No space left on device (os error 28)",
         "disk-full", "disk is full"),
        ("failed to link a-1-0.conda\nCaused by: Is a directory (os error 21)",
         "link-failed", "Is a directory."),
        ("failed to fetch a-1-0.conda\nCaused by: hash mismatch when extracting http://c/noarch/"
         "a-1-0.conda to /x: expected aaaa, got bbbb, total size 4 bytes", "wrong-hash", "http://c"),
        ("failed to fetch a-1-0.conda\nCaused by: HTTP status client error (404 File not found)",
         "package-unreachable", "http://c"),
        ("failed to fetch a-1-0.conda\nCaused by: decompression not finished but EOF reached",
         "package-damaged", "a-1-0.conda of the channel http://c"),
        ("failed to create the prefix\nCaused by: Permission denied (os error 13)",
         "data-folder-read-only", "may not write"),
        ("something else\nCaused by: a reason", "install-failed", "a reason"),
    ],
)  # fmt: skip
def test_errors_of_the_installer(said: str, code: str, words: str) -> None:
    error = of_installer(said, ["http://c/noarch/a-1-0.conda"], Path("/staging"))
    assert error.code == code
    assert words in error.text


def test_events_are_few_and_the_first_of_a_phase_is_always_there(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path / "events.jsonl")
    for done in range(1000):
        reporter.say("linking", "a", done=done, total=1000, unit="packages")
    reporter.say("finishing", "b")
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    phases = [json.loads(line)["phase"] for line in lines]
    assert phases[0] == "linking"
    assert phases[-1] == "finishing"
    assert len(lines) < 100


def test_a_disk_that_is_full_stops_no_task(tmp_path: Path) -> None:
    Reporter(tmp_path / "not-there" / "events.jsonl").say("linking")


def test_files_that_two_packages_bring(tmp_path: Path) -> None:
    assert overlaps.overlaps(tmp_path) == ()
    assert overlaps.in_words(()) == ()
    notes = tmp_path / "conda-meta"
    notes.mkdir()
    (notes / "b-1-0.json").write_text(json.dumps({"name": "b", "files": ["x/1", "x/2", "y"]}))
    for path in ("a/x/1", "a/x/2", "a/y", "c/z"):
        aside = tmp_path / "__clobbers__" / path
        aside.parent.mkdir(parents=True, exist_ok=True)
        aside.touch()
    found = overlaps.overlaps(tmp_path)
    assert [(one.path, one.kept, one.lost) for one in found] == [
        ("x/1", "b", "a"), ("x/2", "b", "a"), ("y", "b", "a"), ("z", "another package", "c"),
    ]  # fmt: skip
    (said,) = overlaps.in_words(found)
    assert "x/1 is that of b, not of a; " in said
    assert "and 1 file more" in said
