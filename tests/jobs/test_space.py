"""Little room on a disk is told in the draft, once for each disk."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_mlinfn.jobs import space
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.jobs import JobRequest
from tests.jobs.workplace import write_notebook

BLOCK = 4096


def disk(monkeypatch: pytest.MonkeyPatch, free: int, *, files: int = 10**6) -> list[str]:
    """Disks with so many bytes and files left; the folders that were asked for."""
    asked: list[str] = []

    def statvfs(path: Path) -> SimpleNamespace:
        asked.append(str(path))
        return SimpleNamespace(
            f_bavail=free // BLOCK, f_frsize=BLOCK, f_files=10**7, f_favail=files
        )

    monkeypatch.setattr(os, "statvfs", statvfs)
    return asked


def test_a_disk_with_room_is_not_spoken_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch, 5 * 2**30)
    assert list(space.notes(str(tmp_path), tmp_path)) == []


def test_a_full_disk_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = disk(monkeypatch, 300 * 2**20)
    (note,) = space.notes(str(tmp_path / "results" / "fit-<job>"), tmp_path)
    assert note.startswith(f"Only 300.0 MiB are left where the results go ({tmp_path}).")
    assert asked[0] == str(tmp_path)


def test_files_run_out_before_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk(monkeypatch, 5 * 2**30, files=12)
    (note,) = space.notes(None, tmp_path)
    assert note.startswith("Only 12 more files are left where its log and record go")


def test_the_draft_says_so_and_the_job_may_still_be_submitted(
    submission: Submission, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_notebook(work / "fit.ipynb")
    disk(monkeypatch, 2**20)
    draft = submission.draft(JobRequest(source=str(source), backend="local"))
    assert draft.ok
    assert [note for note in draft.notes if "1.0 MiB are left" in note]
