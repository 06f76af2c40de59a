"""A person's own environments, and the engine at work on them as a real program."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import read_lock
from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.environments.own.layout import Layout, Place
from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.environments.own.record import EnvironmentRecord, read_record
from jupyter_mlinfn.environments.own.tasks import ENGINE, EnvironmentTasks, engine_environment
from jupyter_mlinfn.model.environment_tasks import Create, Task, TaskRequest, TaskResult
from jupyter_mlinfn.process.detach import own_program

PLATFORM = "linux-64"
LONG = 120.0


class House:
    """``do`` carries out a request to its end; ``policy`` may be changed between two of them."""

    def __init__(self, data: Path, channel: str, cache: Path | None = None) -> None:
        self.layout = Layout.of(data)
        self.policy = Policy(user="eve", platform=PLATFORM, channels=(channel,))
        self.tasks = EnvironmentTasks(self.layout, lambda: self.policy)
        if cache is not None:
            self.layout.folder.mkdir(parents=True)
            self.layout.packages.symlink_to(cache)

    def do(self, request: TaskRequest) -> TaskResult:
        """The result of ``request``."""
        return self.finished(self.tasks.start(request))

    def done(self, request: TaskRequest) -> TaskResult:
        """The same, of a request that must succeed."""
        result = self.do(request)
        assert result.state == "succeeded", result.text
        return result

    def finished(self, task: Task) -> TaskResult:
        """The result of a task that was started."""
        task = self.tasks.wait(task.id, LONG)
        assert task.result is not None, "the engine is still at work"
        return task.result

    def unchecked(self, request: TaskRequest) -> TaskResult:
        """What the engine itself says to a request that nobody looked at before."""
        folder = self.layout.tasks / "0123456789abcdef"
        folder.mkdir(parents=True)
        (folder / "request.json").write_text(request.model_dump_json())
        (folder / "policy.json").write_text(self.policy.model_dump_json())
        run_engine(folder)
        return TaskResult.model_validate_json((folder / "result.json").read_text())

    def create(self, name: str, *packages: str) -> TaskResult:
        """Make ``name`` from ``packages``."""
        return self.done(Create(name=name, packages=packages))

    def place(self, name: str) -> Place:
        return self.layout.place(name)

    def record(self, name: str) -> EnvironmentRecord:
        return read_record(self.place(name))

    def prefix(self, name: str) -> Path:
        """Where the present lock of ``name`` is installed."""
        return self.place(name).prefix(self.record(name).digest)

    def papers(self, name: str) -> Path:
        return self.place(name).papers(self.record(name).digest)

    def lock(self, name: str) -> Lock:
        return read_lock((self.papers(name) / "conda-lock.yml").read_text())

    def versions(self, name: str) -> dict[str, str]:
        """What conda's notes in the prefix say is installed."""
        noted = [
            json.loads(path.read_text())
            for path in (self.prefix(name) / "conda-meta").glob("*.json")
        ]
        return {one["name"]: one["version"] for one in noted}

    def is_whole(self, name: str) -> bool:
        """Whether every file of ``name`` is as its manifest says."""
        listed = manifest.read(self.papers(name) / "manifest.json")
        return manifest.verify(self.prefix(name), listed) == ()

    def leftovers(self) -> list[Path]:
        """What tasks that have ended should not have left."""
        return [
            *self.layout.own.glob("*/staging-*"),
            *self.layout.tasks.glob("*/staging"),
            *self.layout.images.glob(".packing-*"),
        ]


def run_engine(folder: Path) -> int:
    """Let an engine carry out the task in ``folder``; its exit code."""
    argv = own_program(ENGINE, str(folder))
    return subprocess.run(
        argv, env=engine_environment(), capture_output=True, timeout=LONG
    ).returncode


def run(*argv: str | Path) -> str:
    """What a program prints, without the variables of this session."""
    ended = subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, env={"PATH": "/bin"}
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def wait_for(look: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until ``look`` sees what it looks for."""
    until = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.01)
