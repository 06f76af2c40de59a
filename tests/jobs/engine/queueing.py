"""A data folder with two slots and scripts as jobs: the queue of one machine for tests."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends import starting
from jupyter_mlinfn.jobs.backends.capacity import measure
from jupyter_mlinfn.jobs.backends.local import LocalBackend
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, LocalSettings
from jupyter_mlinfn.jobs.folders import BundledEnvironment, JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.environments import EnvironmentRef, KernelCommand
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobRequest, JobSpec
from tests.jobs.engine.making import KERNEL, wait_for
from tests.jobs.workplace import make_spec

GIB = 2**30
WAITING_SCRIPT = (
    "import os, pathlib, time\n"
    "open('ran', 'a').write(os.environ['MLINFN_JOB'] + '\\n')\n"
    "while not pathlib.Path('go').exists(): time.sleep(0.02)\n"
)


class Devices:
    """An inventory of accelerators that a test sets."""

    def __init__(self, *uuids: str) -> None:
        self.all = tuple(FreeAccelerator(uuid=uuid, name="GPU") for uuid in uuids)
        self.held: set[str] = set()
        self.silent = False

    def schedulable(self) -> tuple[FreeAccelerator, ...]:
        return self.all

    def free(self) -> tuple[FreeAccelerator, ...]:
        if self.silent:
            raise Unavailable("The driver does not answer.")
        return tuple(device for device in self.all if device.uuid not in self.held)


class Bench:
    """One data folder with two slots, and scripts as jobs (they start fast)."""

    def __init__(self, root: Path, *uuids: str) -> None:
        self.work = root / "work"
        self.work.mkdir()
        self.devices = Devices(*uuids)
        folders = JobFolders(root / "data")
        folders.create()
        self.context = BackendContext(
            store=JobStore(root / "data" / "jobs.sqlite", folders),
            folders=folders,
            accelerators=self.devices,
            dispatcher_command=(sys.executable, "-c", DISPATCHER, str(root / "data")),
            state_dir=root / "data",
            local=LocalSettings(cpus=2, memory=4 * GIB),
            accelerator_locks=root / "locks",
        )
        self.store = self.context.store
        self.backend = LocalBackend(self.context)

    def submit(self, script: str = WAITING_SCRIPT, *, hand_over: bool = True, **asked: Any) -> str:
        """Submit a script as submission would; its id."""
        spec = self.add(script, **asked)
        if hand_over:
            assert self.backend.submit(spec) == spec.id
        return spec.id

    def add(self, script: str, **asked: Any) -> JobSpec:
        """A committed job that nobody has been told of."""
        ref = EnvironmentRef(name="python3", kernel=KernelCommand(**KERNEL))
        asked = {"cpus": 1, "memory": GIB // 2, **asked}
        spec = make_spec(
            kind="script",
            workdir=str(self.work),
            source=str(self.work / "study.py"),
            environment=ref,
            **asked,
        )
        spec = spec.model_copy(update={"output_folder": str(self.work / "results" / spec.id)})
        bundle = self.context.folders.bundle(spec.id)
        bundle.mkdir(parents=True)
        (bundle / "script.py").write_text(script)
        (bundle / "kernel.json").write_text(json.dumps(KERNEL))
        environment = BundledEnvironment(ref=ref)
        (bundle / "environment.json").write_text(environment.model_dump_json())
        job = self.context.folders.job(spec.id)
        (job / "job.json").write_text(spec.model_dump_json())
        request = JobRequest(source=spec.source, resources=spec.resources)
        (job / "request.json").write_text(request.model_dump_json())
        self.store.insert(spec, request)
        self.context.folders.mark_committed(spec.id)
        return spec

    def look(self, job: str) -> JobRecord:
        """What a server says after a look."""
        self.store.observe_all(self.backend.query(self.store.unfinished("local")))
        self.backend.heal()
        return self.store.get(job)

    def folder(self, job: str) -> AttemptFolder:
        """The folder of the newest attempt."""
        return starting.newest_folder(self.context, self.store.get(job))

    def go(self) -> None:
        """Let all waiting scripts end."""
        (self.work / "go").touch()

    def ended(self, job: str) -> JobRecord:
        """Wait for its end."""
        wait_for(lambda: self.look(job).state in ENDED)
        return self.store.get(job)

    def ran(self) -> list[str]:
        """The jobs whose code has begun, in order."""
        file = self.work / "ran"
        return file.read_text().split() if file.exists() else []

    def capacity(self) -> starting.Capacity:
        """What this machine offers to jobs."""
        return measure(self.context.local)

    def dispatcher_lives(self) -> bool:
        return starting.dispatcher_lives(self.context)


DISPATCHER = """
import sys
from pathlib import Path
from typing import Any
from jupyter_mlinfn.jobs import dispatcher
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, LocalSettings
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
data = Path(sys.argv[1])
class Nothing:
    def schedulable(self): return ()
    def free(self): return ()
folders = JobFolders(data)
dispatcher.run(BackendContext(
    store=JobStore(data / "jobs.sqlite", folders), folders=folders, accelerators=Nothing(),
    dispatcher_command=(sys.executable, "-c", "pass"), state_dir=data,
    local=LocalSettings(cpus=2, memory=4 * 2**30), accelerator_locks=data.parent / "locks",
), linger=0.5)
"""
