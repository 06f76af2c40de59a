"""Any cluster: ``MLINFN_TEST_KUBECONFIG`` names its kubeconfig, and the shared suite runs there.

``MLINFN_TEST_POD`` names the file with the pod of jobs, as ``kubernetes_template`` does: image and
mounts must show this repository, its virtual environment and the folder that
``pytest --basetemp=…`` names under the same paths. ``MLINFN_TEST_QUEUE`` is the LocalQueue to use
(empty: Kueue's own default), ``MLINFN_TEST_CLOSED_QUEUE`` one that starts nothing.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.backends.kubernetes.calls import Absent, Calls
from tests.parts import took_part
from tests.systems.daemons import Missing

LABEL = "jupyter-mlinfn/job"


class Given:
    """The part of :class:`~tests.systems.kubernetes.control.Kubernetes` that the suite needs."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.calls = Calls(str(kubeconfig))
        self.closed = os.environ.get("MLINFN_TEST_CLOSED_QUEUE", "closed")

    def start(self) -> None:
        """Look whether it answers. Raises :class:`Missing`."""
        if why := self.calls.missing():
            raise Missing(why)
        place = self.calls.place
        kueue = self.calls.kueue() or "none"
        took_part("Kubernetes, Kueue", f"{place.server}, {place.namespace}, Kueue {kueue}")

    def settings(self, _folder: Path) -> str:
        """The text of a configuration that sends jobs there."""
        queue = os.environ.get("MLINFN_TEST_QUEUE")
        return (
            f"c.Mlinfn.kubernetes_config = {str(self.kubeconfig)!r}\n"
            f"c.Mlinfn.kubernetes_template = {os.environ.get('MLINFN_TEST_POD', '')!r}\n"
            f"c.Mlinfn.kubernetes_options = { ({'queue': queue} if queue else {})!r}\n"
            "c.Mlinfn.kubernetes_poll_seconds = 0.5\n"
        )

    def known(self, job: str) -> int:
        """How many Jobs there are of this id that have not ended; one that is just ending has."""
        until = time.monotonic() + 30
        while True:
            jobs = [one for one in self.calls.jobs(f"{LABEL}={job}") if not _over(one)]
            suspended = all(one["spec"].get("suspend") for one in jobs)
            if suspended or time.monotonic() > until:
                return len(jobs)
            time.sleep(0.5)

    def clear(self) -> None:
        """Remove all jobs of ours."""
        for one in self.calls.jobs(LABEL):
            with suppress(Absent):
                self.calls.delete(one["metadata"]["name"])
        until = time.monotonic() + 60
        while self.calls.pods(LABEL) and time.monotonic() < until:
            time.sleep(0.5)

    def stop(self) -> None:
        """It is somebody's cluster: nothing but our jobs is removed."""
        self.clear()


def _over(job: Any) -> bool:
    told = job.get("status", {}).get("conditions", ())
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in told)
