"""What the draft says of a place that sees none of our folders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.jobs.visibility import Sight, needs
from jupyter_mlinfn.model.environments import EnvironmentRef
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.model.sweeps import Sweep
from tests.jobs.workplace import Kernels, Listener, code, reference, write_notebook


class Afar(Listener):
    """A batch system behind the sea."""

    name: ClassVar[str] = "afar"
    title: ClassVar[str] = "The far side"
    shares_folder: ClassVar[bool] = False
    sweeps: ClassVar[bool] = False
    travels: ClassVar[bool] = True


class Prefixes(Kernels):
    """Its environments lie in a folder."""

    def __init__(self, prefix: str, **more: Any) -> None:
        self.more = {"prefix": prefix, **more}

    def resolve(self, name: str) -> EnvironmentRef:
        return super().resolve(name).model_copy(update=self.more)


@pytest.mark.parametrize(
    ("environments", "asked", "codes"),
    [
        (Kernels(), {"inputs": ("data/in.csv",)}, {}),
        (Prefixes(sys.prefix), {}, {}),
        (Prefixes("/home/me/env", image="/home/me/env.sqsh", image_digest="sha256:0"), {}, {}),
        (Prefixes("/home/me/env"), {}, {"environment-not-packed": "environment"}),
        (Kernels(), {"inputs": ("../beside.csv",)}, {"not-visible": "inputs.0"}),
        (Kernels(), {"secrets": ("proxy",)}, {"secrets-stay": "secrets.0"}),
        (Kernels(), {"sweep": Sweep(axes={"x": (1, 2)})}, {"no-sweeps": "backend"}),
    ],
)
def test_what_cannot_travel_is_a_problem(
    store: JobStore,
    folders: JobFolders,
    work: Path,
    environments: Kernels,
    asked: dict[str, Any],
    codes: dict[str, str],
) -> None:
    (work / "data").mkdir()
    for path in (work / "data" / "in.csv", work.parent / "beside.csv"):
        path.write_text("1")
    notebook = write_notebook(work / "study.ipynb", code("x = 1", "parameters"))
    backends = {"local": Listener(), "afar": Afar()}
    submission = Submission(store, folders, backends, environments, user="somebody")
    draft = submission.draft(JobRequest(source=str(notebook), backend="afar", **asked))
    told = {one.code: one.field for one in draft.problems if one.code != "unknown-secret"}
    assert told == codes


def test_what_the_site_has_itself_need_not_travel(tmp_path: Path) -> None:
    sight = Sight({"afar": ("/cvmfs",)})
    environment = reference().model_copy(update={"prefix": "/cvmfs/experiment/env"})
    needed = needs(tmp_path, ("/cvmfs/data/in.csv",), environment, tmp_path)
    assert sight.problems(Afar(), needed, environment) == []
    assert sight.notes(Afar(), needed) == []
