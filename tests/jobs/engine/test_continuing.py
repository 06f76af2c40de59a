"""After the time limit: a new job goes on from the checkpoint of the old one, and shows it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.continuing import checkpoints_to_copy, copy_checkpoints
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.jobs import RerunRequest
from tests.jobs.workplace import make_spec

AGAIN = RerunRequest(from_checkpoint=True)


def test_what_is_copied_is_whole_and_its_own(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "run").mkdir(parents=True)
    (old / "model.pickle").write_bytes(b"weights")
    (old / "run" / "step-7.pt").write_bytes(b"seven")
    os.utime(old / "model.pickle", (1000, 1000))
    (old / ".model.pickle.0123abcd.tmp").write_bytes(b"half")
    (old / "latest").symlink_to("/etc/hostname")
    copy_checkpoints(old, new)
    found = sorted(str(path.relative_to(new)) for path in new.rglob("*"))
    assert found == ["model.pickle", "run", "run/step-7.pt"]
    assert (new / "model.pickle").stat().st_mtime == 1000  # as old as the work it holds
    (new / "model.pickle").write_bytes(b"other")
    assert (old / "model.pickle").read_bytes() == b"weights"


def test_without_a_checkpoint_there_is_nothing_to_continue(tmp_path: Path) -> None:
    folders, spec = JobFolders(tmp_path), make_spec()
    assert checkpoints_to_copy(folders, spec, RerunRequest()) is None
    with pytest.raises(InputError, match="left no checkpoint"):
        checkpoints_to_copy(folders, spec, AGAIN)
    kept = folders.job(spec.id) / "checkpoints"
    kept.mkdir(parents=True)
    with pytest.raises(InputError, match="left no checkpoint"):
        checkpoints_to_copy(folders, spec, AGAIN)
    (kept / "model.pickle").touch()
    assert checkpoints_to_copy(folders, spec, AGAIN) == kept
    with pytest.raises(Refused, match="exact rerun"):
        checkpoints_to_copy(folders, spec, AGAIN.model_copy(update={"exact": True}))
