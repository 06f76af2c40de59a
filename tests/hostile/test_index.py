"""The hostile table through the door ``index``."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.actions import JobActions
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.follow import JobFollower
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import RerunRequest
from tests.hostile.table import IDS


@pytest.mark.parametrize("job", IDS)
def test_49_an_id_that_is_none(
    job: str, tmp_path: Path, store: JobStore, folders: JobFolders, submission: Submission
) -> None:
    precious = tmp_path / "precious"
    precious.touch()
    actions, follower = JobActions(store, folders, {}), JobFollower(store, folders)
    for verb in (
        actions.cancel,
        actions.delete,
        actions.details,
        actions.debug_kernel,
        follower.read_log,
        follower.notebook,
        follower.values,
        folders.remove,
        folders.request_cancel,
        lambda job: submission.rerun(job, RerunRequest()),
    ):
        with pytest.raises(NotFound):
            verb(job)
    assert precious.exists()
    assert folders.jobs.is_dir()
