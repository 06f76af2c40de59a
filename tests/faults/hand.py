"""Does errands in processes of their own and kills them: ``python -m tests.faults.hand``.

It has loaded what the errands need and forks for each, so that a kill hits the errand and not the
loading. One line of JSON in, ``{"do": …, "after": seconds or null, "all": bool, …}``; one out,
``{"how": "killed" | "done" | "failed", "took": seconds}``. ``all``: what the errand had started is
killed too, as when the machine goes; else a program such as ``sbatch`` outlives who started it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import psutil

from jupyter_mlinfn.jobs import actions, reconciler, store, submission
from jupyter_mlinfn.jobs.backends.registry import GROUP
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.settings import load_settings
from jupyter_mlinfn.workbench import Workbench

LOADED = (actions, reconciler, store, submission)
LOOK_EVERY = 0.2
SLOW = 2.0


class Hand:
    """The program, as whoever gives the errands sees it: one errand at a time."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.hand"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip

    def do(self, errand: str, after: float | None, **given: object) -> tuple[bool, float]:
        """Whether it was killed before it was done, and how many seconds it took.

        Raises RuntimeError when it failed by itself.
        """
        told = {"do": errand, "after": after, **given}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            return True, 0.0
        answer = json.loads(line)
        if answer["how"] == "failed":
            raise RuntimeError(f"{errand} failed: see {self.log}")
        return answer["how"] == "killed", answer["took"]

    def end(self) -> None:
        """No more errands; the one being done is let be."""
        with self._process:
            pass

    def kill(self) -> None:
        """No more errands, whatever is being done."""
        process = psutil.Process(self._process.pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                one.kill()


def submit(bench: Workbench, request: str, key: str) -> None:
    bench.submission.submit(JobRequest.model_validate_json(request), key)


def cancel(bench: Workbench, job: str) -> None:
    bench.actions.cancel(job)


def look(bench: Workbench) -> None:
    """What a server does as long as somebody watches."""
    while True:
        began = time.monotonic()
        bench.reconciler.run_once()
        if (took := time.monotonic() - began) > SLOW:
            sys.stderr.write(f"{time.strftime('%X')} a look took {took:.1f} s\n")
        time.sleep(LOOK_EVERY)


ERRANDS: dict[str, Callable[..., None]] = {"submit": submit, "cancel": cancel, "look": look}


def _fork(told: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code, name = 1, told.pop("do")
    try:
        ERRANDS[name](Workbench(load_settings()), **told)
        code = 0
    except MlinfnError as error:  # said to the person; what was begun goes on by itself
        sys.stderr.write(f"{name}: {error.text}\n")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, after: float | None, *, everything: bool) -> str:
    """Wait for the errand's end, or kill it; ``killed``, ``done`` or ``failed``."""
    until = None if after is None else time.monotonic() + after
    while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if until is not None and time.monotonic() >= until:
            victims = [psutil.Process(pid)]
            with suppress(psutil.NoSuchProcess):
                victims += victims[0].children(recursive=True) if everything else []
            for one in victims:
                with suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGKILL)
            os.waitpid(pid, 0)
            return "killed"
        time.sleep(0.001)
    return "failed" if ended[1] else "done"


def main() -> None:
    for point in entry_points(group=GROUP):
        point.load()
    for line in sys.stdin:
        told = json.loads(line)
        after, everything = told.pop("after"), told.pop("all", False)
        began = time.monotonic()
        how = _wait(_fork(told), after, everything=everything)
        print(json.dumps({"how": how, "took": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
