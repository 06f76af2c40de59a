"""Another host, or another process of this one, that works with the same home.

``python -m tests.jobs.backends.hosts FOLDER`` is a machine with another name and another boot,
whose index lies in FOLDER, as on its own disk, and that cannot see which locks are held here;
without FOLDER it is a second process of this machine. One line of JSON in, one out.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any


class Host:
    """The program, as a test sees it. ``disk``: where its index lies; ``None``: this machine's."""

    def __init__(self, disk: Path | None = None) -> None:
        where = [] if disk is None else [str(disk)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.backends.hosts", *where],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, what: str, **given: object) -> None:
        """Give it something to do."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"ask": what, **given}) + "\n")
        self._process.stdin.flush()

    def told(self) -> Any:
        """What came of it."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def does(self, what: str, **given: object) -> Any:
        """Both."""
        self.ask(what, **given)
        return self.told()

    def end(self) -> None:
        """It goes away."""
        with self._process:
            pass


def clicks(bench: Any, request: Any, key: str, times: int) -> list[str]:
    """The same click so many times at once; the ids told."""
    told: list[str] = []
    threads = [
        threading.Thread(target=lambda: told.append(bench.submission.submit(request, key).id))
        for _ in range(times)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def _become_another(disk: Path) -> None:
    """Before all else is loaded: what it is called, where its index lies, what it cannot see."""
    from jupyter_mlinfn.database import location
    from jupyter_mlinfn.process import identity, locks

    here = identity.this_machine()
    other = dataclasses.replace(here, host="another", boot_id="another")
    identity.this_machine = lambda: other  # type: ignore[assignment]
    location.is_network = lambda *_told: True
    disk.mkdir()
    (location.database_path.__kwdefaults__ or {})["local_root"] = disk
    locks.held = lambda _path: False


def main() -> None:
    if len(sys.argv) > 1:
        _become_another(Path(sys.argv[1]))
    from jupyter_mlinfn.model.jobs import JobRequest
    from jupyter_mlinfn.settings import load_settings
    from jupyter_mlinfn.workbench import Workbench

    bench = Workbench(load_settings())
    for line in sys.stdin:
        asked = json.loads(line)
        answer: object = None
        if asked["ask"] == "click":
            request = JobRequest.model_validate(asked["request"])
            answer = clicks(bench, request, asked["key"], asked["times"])
        elif asked["ask"] == "look":
            bench.reconciler.run_once()
            answer = bench.store.get(asked["job"]).model_dump(mode="json")
        elif asked["ask"] == "cancel":
            answer = bench.actions.cancel(asked["job"]).state
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
