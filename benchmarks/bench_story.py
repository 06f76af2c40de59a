"""From a managed environment of 18,000 files to one's own, as a kernel, one file, and a job.

All in one run on one disk, beside ``cp -a`` and conda-pack. The packages come from the offline
channel of the tests (``tests/channel``), because a channel on the network would be measured with
it; the package cache is warm, as it is after the first person of a group.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import shared_disk
from benchmarks.figures import Figure, median
from benchmarks.servers import peers_python
from jupyter_mlinfn.model.environment_tasks import (
    Alter,
    Clone,
    Create,
    Pack,
    Task,
    TaskRequest,
)
from jupyter_mlinfn.settings import Mlinfn
from jupyter_mlinfn.workbench import Workbench
from tests.channel.recipes import RECIPES

HERE = Path(__file__).parent.parent
CHANNELS = HERE / ".build" / "channels"
MANAGED = RECIPES["science"].specs
"""About 18,000 files, as a physicist's environment has."""
BIG = (*MANAGED, "jupyterlab", "notebook", "bokeh", "plotly", "numba", "jax", "jaxlib")
"""About 30,000 files, for packing."""
STACK = "import numpy, scipy.stats, pandas, sklearn.ensemble, matplotlib.pyplot"
ROUND_TRIP = 1000
"""Microseconds of one operation on the simulated shared disk."""
LARGE = "xgboost"
PURE = "seaborn"
"""Pure Python, of the large channel alone: in none of the environments before."""
PATIENCE = 600.0


def run() -> list[Figure]:
    """All figures of the story; the large channel is made first if need be (minutes)."""
    with story_of("large") as story:
        story.publish()
        return [
            *story.clone(),
            *story.add(),
            *story.pack(),
            *story.whole(),
            *story.imports(),
        ]


class Story:
    """One person's data folder, and one managed environment beside it."""

    def __init__(self, folder: Path, channel: Path) -> None:
        self.folder, self.channel = folder, channel
        settings = Mlinfn(data_dir=str(folder / "data"), channels=[channel.as_uri()])
        self.bench = Workbench(settings, root=folder)

    def publish(self) -> None:
        """Make the managed environment, which also fills the package cache."""
        self.do(Create(name="managed", packages=MANAGED))
        record = self.bench.own.record("managed")
        self.prefix = self.bench.layout.place("managed").prefix(record.digest)
        self.files = record.files

    def do(self, request: TaskRequest) -> float:
        """Carry out ``request`` and return its seconds, from the asking to the result."""
        return _seconds(self.task(request))

    def alone(self, request: TaskRequest) -> float:
        """As :meth:`do`, after the disk has written what was done before: it is not ours to pay."""
        os.sync()
        return self.do(request)

    def task(self, request: TaskRequest) -> Task:
        """Carry out ``request``; raises RuntimeError with its words when it fails."""
        task = self.bench.tasks.wait(self.bench.tasks.start(request).id, PATIENCE)
        if task.state != "succeeded":
            raise RuntimeError(f"{request.action} {request.name}: {task.result}")
        return task

    def clone(self) -> list[Figure]:
        """Clone the managed environment, beside copying its files."""
        clones = [self._clone(n) for n in range(3)]
        copies = [self._copy(n) for n in range(3)]
        name = f"clone of {self.files:,} files"
        mine, theirs = (median([told for told, _ in some]) for some in (clones, copies))
        kept, theirs_kept = (median([kept for _, kept in some]) for some in (clones, copies))
        return [
            Figure(name, mine, "s", 1.0, "cp -a", theirs),
            Figure("clone, part of the time of cp -a", mine / theirs, "", 0.1),
            Figure("clone, until the disk has it", kept, "s", None, "cp -a", theirs_kept),
            Figure("… part of the time of cp -a", kept / theirs_kept, "", 0.1),
        ]

    def _clone(self, number: int) -> tuple[float, float]:
        """Seconds until it is told to be done, and until the disk has written it."""
        os.sync()
        began = time.perf_counter()
        told = self.do(Clone(name=f"clone{number}", source="managed"))
        os.sync()
        return told, _since(began)

    def _copy(self, number: int) -> tuple[float, float]:
        # not removed before the end: ext4 makes folders slowly just after thousands went
        target = self.folder / f"copy{number}"
        os.sync()
        began = time.perf_counter()
        subprocess.run(["cp", "-a", str(self.prefix), str(target)], check=True)
        told = _since(began)
        os.sync()
        return told, _since(began)

    def add(self) -> list[Figure]:
        """Add a pure-Python package, and a very large one out of a warm cache."""
        preview = self.task(Alter(name="clone0", add=(PURE,), preview=True))
        assert preview.result is not None
        assert preview.result.change is not None
        assert PURE in [package.name for package in preview.result.change.added]
        pure = self.alone(Alter(name="clone0", add=(PURE,)))
        self.do(Alter(name="clone1", add=(LARGE,)))
        large = self.alone(Alter(name="clone2", add=(LARGE,)))
        return [
            Figure("preview of an addition (solve, whole program)", _seconds(preview), "s"),
            Figure(f"add a pure-Python package ({PURE})", pure, "s", 1.5),
            Figure(f"add a large package ({LARGE}), warm", large, "s", 5.0),
        ]

    def pack(self) -> list[Figure]:
        """Pack: everything compiled for the first time, then again with one package more."""
        self.do(Create(name="big", packages=BIG))
        first = self.alone(Pack(name="big"))
        self.do(Alter(name="big", add=(PURE,)))
        second = self.alone(Pack(name="big"))
        managed = self.task(Pack(name="managed"))
        assert managed.result is not None
        assert managed.result.image is not None
        self.image = Path(managed.result.image.path)
        files = self.bench.own.record("big").files
        return [
            Figure(f"pack {files:,} files, byte code compiled for the first time", first, "s"),
            Figure(f"pack {files:,} files, one package not compiled before", second, "s", 6.0),
            Figure(f"pack {self.files:,} files, all compiled before", _seconds(managed), "s"),
            Figure(f"conda-pack of {self.files:,} files to squashfs", self._conda_pack(), "s"),
        ]

    def _conda_pack(self) -> float:
        out = self.folder / "peer.squashfs"
        argv = [str(peers_python().parent / "conda-pack"), "-q", "-p", str(self.prefix)]
        argv += ["--dest-prefix", "/env", "--ignore-missing-files", "-o", str(out)]
        began = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        taken = time.perf_counter() - began
        out.unlink()
        return taken

    def whole(self) -> list[Figure]:
        """Clone, add, kernel, pack, and the first output of a job in it."""
        os.sync()
        began = time.perf_counter()
        self.do(Clone(name="mine", source="managed"))
        self.do(Alter(name="mine", add=(PURE,)))
        self.bench.own.register("mine")
        self.do(Pack(name="mine"))
        self._job("mlinfn-mine")
        return [Figure("managed → own, locked, kernel, one file, job", _since(began), "s", 20.0)]

    def _job(self, kernel: str) -> None:
        """Run a notebook as a job in the environment of ``kernel``."""
        from jupyter_mlinfn.model.jobs import ENDED, JobRequest

        notebook = self.folder / "first.ipynb"
        notebook.write_text(_notebook(f"import {PURE}\nprint({PURE}.__version__)"))
        request = JobRequest(source=str(notebook), environment=kernel)
        job = self.bench.submission.submit(request)
        until = time.monotonic() + PATIENCE
        while job.state not in ENDED and time.monotonic() < until:
            time.sleep(0.05)
            self.bench.reconciler.run_once()
            job = self.bench.store.get(job.id)
        if job.state != "succeeded":
            raise RuntimeError(f"the job ended as {job.state}: {job.reason}")

    def imports(self) -> list[Figure]:
        """The first import of the scientific stack on a shared disk: one file against many."""
        if reason := shared_disk.missing() or _no_squashfuse():
            print(f"… no simulated shared disk: {reason}", file=sys.stderr)
            return []
        program = shared_disk.compiled(self.folder)
        far = self.folder / "far"
        with shared_disk.mounted(program, self.prefix, far, ROUND_TRIP):
            files = _import_seconds(far / "bin" / "python")
        with (
            shared_disk.mounted(program, self.image.parent, far, ROUND_TRIP),
            _squashfs(far / self.image.name, self.folder / "near") as near,
        ):
            image = _import_seconds(near / "bin" / "python")
        name = "first import of the stack from one image, 1 ms a question"
        return [
            Figure(name, image, "s", None, "the directory", files),
            Figure("… part of the time of the directory", image / files, "", 1 / 3),
        ]


@contextmanager
def story_of(size: str) -> Iterator[Story]:
    """A person in a folder that is removed, with the channel of ``size``."""
    channel = channel_of(size)
    with (
        tempfile.TemporaryDirectory(dir=HERE / ".build", prefix="story-") as folder,
        jupyter_folders(Path(folder)),
    ):
        yield Story(Path(folder), channel)


def channel_of(size: str) -> Path:
    """The channel ``size`` of the tests, made if need be."""
    out = CHANNELS / size
    argv = [sys.executable, "-m", "tests.channel", str(out), "--size", size]
    subprocess.run(argv, cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    return out


@contextmanager
def jupyter_folders(folder: Path) -> Iterator[None]:
    """Kernels are registered in a folder of this run, not in the person's own."""
    names = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(folder / "jupyter" / name.lower()) for name in names})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _seconds(task: Task) -> float:
    assert task.result is not None
    return (task.result.ended_at - task.started_at).total_seconds()


def _since(began: float) -> float:
    return time.perf_counter() - began


def _import_seconds(python: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        [str(python), "-I", "-c", STACK],
        check=True,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "MPLCONFIGDIR": "/tmp"},
    )
    return _since(began)


def _no_squashfuse() -> str | None:
    if shutil.which("squashfuse_ll") is None:
        return "squashfuse_ll is not installed (Debian package squashfuse)"
    return None


@contextmanager
def _squashfs(image: Path, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    argv = ["squashfuse_ll", "-f", "-o", "ro", str(image), str(folder)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            while not folder.is_mount():
                assert process.poll() is None, "the image could not be mounted"
                time.sleep(0.01)
            yield folder
        finally:
            subprocess.run(["fusermount3", "-u", "-z", str(folder)], check=True)


def _notebook(code: str) -> str:
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    text: str = nbformat.writes(book)
    return text
