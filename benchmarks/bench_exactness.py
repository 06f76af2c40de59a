"""What it costs to know the commit at every submit, and to compare two jobs. CPU time, not wall:
git runs beside the writing of the bundle, and machines that measure are loaded.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from jupyter_mlinfn.jobs.exactness.comparing import compare
from jupyter_mlinfn.jobs.exactness.facts import Facts
from jupyter_mlinfn.jobs.exactness.git import capture
from jupyter_mlinfn.jobs.exactness.notebooks import Cell
from jupyter_mlinfn.model.exactness import DiffedJob
from tests.jobs.exactness.repositories import GIT, git, repository
from tests.jobs.workplace import make_spec

ROUNDS = 40
FILES = 5000
PACKAGES = 400
CELLS = 100


def run() -> list[Figure]:
    """All figures; those of git only where it is installed."""
    with tempfile.TemporaryDirectory(prefix="mlinfn-bench-") as made:
        figures = [] if GIT is None else list(_of_git(Path(made)))
    return [*figures, _of_comparing()]


def _of_git(folder: Path) -> list[Figure]:
    small = repository(folder / "small")
    (small / "code.py").write_text("rate = 2\n", encoding="utf-8")
    large = repository(folder / "large")
    for number in range(FILES):
        path = large / f"d{number % 50}" / f"f{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"x = {number}\n", encoding="utf-8")
    git(large, "add", ".")
    git(large, "commit", "--quiet", "-m", "many")
    time.sleep(1.1)  # or git must look into every file, because its time is that of the index
    git(large, "status")
    return [
        Figure("commit and changes at submit, 2 files (CPU)", _cpu(small), "ms", 20),
        Figure(
            f"the same, {FILES} files (CPU)",
            _cpu(large),
            "ms",
            peer="git status",
            peer_value=_used(lambda: git(large, "status", "--porcelain")),
        ),
    ]


def _cpu(folder: Path) -> float:
    return _used(lambda: capture(folder))


def _used(call: Callable[[], Any]) -> float:
    """Milliseconds of CPU, ours and that of the programs started, for one call."""
    call()
    begin = _spent()
    for _ in range(ROUNDS):
        call()
    return (_spent() - begin) / ROUNDS * 1e3


def _spent() -> float:
    ours = resource.getrusage(resource.RUSAGE_SELF)
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ours.ru_utime + ours.ru_stime + theirs.ru_utime + theirs.ru_stime


def _of_comparing() -> Figure:
    now = datetime.now(UTC)
    spec = make_spec("aaaaaaaaaa", submitted_at=now)
    job = DiffedJob(id=spec.id, name="n", state="succeeded", backend="local", submitted_at=now)
    cells = tuple(Cell("code", f"x{n} = {n}\n" * 10, f"{n}\n" * 20, "") for n in range(CELLS))
    one = Facts(
        job=job,
        spec=spec,
        packages={f"package-{number}": "1.0" for number in range(PACKAGES)},
        code=cells,
        printed=cells,
    )
    changed = Cell("code", "y = 1\n", "1\n", "")
    other = replace(one, code=(*cells[:50], changed, *cells[51:]), printed=(changed, *cells))
    name = f"comparing two jobs of {CELLS} cells and {PACKAGES} packages (CPU)"
    return Figure(name, _used(lambda: compare(one, other).model_dump_json()), "ms", 100)
