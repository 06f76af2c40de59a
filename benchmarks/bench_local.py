"""The local back-end on an idle machine: from submit to the first line of the person's code.

Times come from the job's own files: who submits notes the moment before, ``begun`` is written just
before the code. A breakdown tells where the time goes. Also: trivial jobs one after the other.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from benchmarks.figures import Figure, median
from jupyter_mlinfn.model.jobs import ENDED, JobRecord
from tests.faults.scene import Scene

ROUNDS = 9
SCRIPTS = 20
SETTLE = 1.0
"""Seconds between two rounds: the dispatcher of the last one is quiet again."""


def run() -> list[Figure]:
    """Milliseconds from submit, medians."""
    with tempfile.TemporaryDirectory(prefix="mlinfn-bench-") as folder, _kept_environ():
        scene = Scene(Path(folder))
        try:
            return [
                *_starts(scene, warm=False),
                *_starts(scene, warm=True),
                *_scripts(scene),
            ]
        finally:
            scene.end()


@contextmanager
def _kept_environ() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _starts(scene: Scene, *, warm: bool) -> list[Figure]:
    """``warm``: a dispatcher lives already, as it does while other jobs run."""
    steps: dict[str, list[float]] = {}
    keeper = _submit(scene, scene.script("keeper", 1000)) if warm else None
    for number in range(ROUNDS + 1):
        time.sleep(SETTLE)
        if not warm:
            _until(lambda: not scene.target("dispatcher"))
        begin = time.time()
        record = _submit(scene, scene.notebook(f"start-{warm}-{number}", 0))
        accepted = time.time()
        folder = scene.folder(record)
        _until(folder.begun.exists)
        seen = {
            "submit returns": accepted - begin,
            "supervisor": _at(folder.supervisor) - begin,
            "running": _at(folder.begun) - begin,
        }
        _until(folder.end.exists)
        seen["end is written"] = _at(folder.end, "ended_at") - begin
        if number:  # the first round warms the caches
            for name, value in seen.items():
                steps.setdefault(name, []).append(1000 * value)
    if keeper is not None:
        scene.bench.actions.cancel(keeper.id)
        _ended(scene, keeper)
    how = "a dispatcher lives" if warm else "no dispatcher"
    return [
        Figure(
            f"notebook, {how}: submit → {name}",
            median(values),
            "ms",
            asked=1000 if name == "running" else None,
        )
        for name, values in steps.items()
    ]


def _scripts(scene: Scene) -> list[Figure]:
    """Many trivial jobs on two slots."""
    begin = time.monotonic()
    records = [_submit(scene, scene.script(f"many-{n}", 0)) for n in range(SCRIPTS)]
    for record in records:
        _ended(scene, record)
    each = (time.monotonic() - begin) / SCRIPTS
    return [Figure(f"{SCRIPTS} trivial scripts on two slots, each", 1000 * each, "ms")]


def _submit(scene: Scene, source: Path) -> JobRecord:
    submitted = scene.bench.submission.submit(scene.request(source))
    return scene.bench.store.get(submitted.id)


def _ended(scene: Scene, record: JobRecord) -> None:
    _until(lambda: scene.bench.store.get(record.id).state in ENDED)


def _at(path: Path, name: str = "at") -> float:
    return datetime.fromisoformat(json.loads(path.read_bytes())[name]).timestamp()


def _until(seen: object) -> None:
    until = time.monotonic() + 120
    while not seen():  # type: ignore[operator]
        if time.monotonic() > until:
            raise TimeoutError("the local back-end did not come this far within 120 s")
        time.sleep(0.01)
