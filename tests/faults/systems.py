"""The real batch systems of the campaign: how each is brought up, and what it knows of our jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tests.systems.condor import Condor
from tests.systems.kubernetes.control import LABEL, Kubernetes
from tests.systems.slurm import Slurm


class Place(Protocol):
    """A system that runs."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What its programs need beside the process's own environment."""
        ...

    @property
    def waits_itself(self) -> bool:
        """Whether it is given jobs that come after others before those have ended."""
        ...

    def settings(self, root: Path) -> str:
        """The lines of the configuration that send jobs there."""
        ...

    def copies(self) -> Counter[str]:
        """How often each of our jobs was ever handed over, as far as the system remembers."""
        ...


class OnSlurm:
    """Slurm remembers a job for ten minutes after its end."""

    waits_itself = True

    def __init__(self, cluster: Slurm) -> None:
        self.cluster = cluster
        self.environment = cluster.environment

    def settings(self, _root: Path) -> str:
        return "c.Mlinfn.slurm_poll_seconds = 0.5\n"

    def copies(self) -> Counter[str]:
        code, told = self.cluster.call("squeue", "-h", "--states=all", "-o", "%j")
        assert code == 0, told
        return Counter(name.removeprefix("mlinfn-") for name in told.split())


class OnHTCondor:
    """HTCondor's history remembers all."""

    waits_itself = False

    def __init__(self, pool: Condor) -> None:
        self.pool = pool
        self.environment = pool.environment

    def settings(self, _root: Path) -> str:
        return "c.Mlinfn.htcondor_poll_seconds = 0.5\n"

    def copies(self) -> Counter[str]:
        which = ("-constraint", "MLInfnJobId =!= undefined", "-af", "MLInfnJobId", "ClusterId")
        found: set[str] = set()
        for program in (("condor_q", "-allusers"), ("condor_history",)):
            code, told = self.pool.call(*program, *which)
            assert code == 0, told
            found.update(told.splitlines())
        return Counter(line.split()[0] for line in found)


class OnKubernetes:
    """Kubernetes keeps a Job for a day after its end; one that was cancelled is gone."""

    environment: Mapping[str, str] = {}
    waits_itself = False

    def __init__(self, cluster: Kubernetes) -> None:
        self.cluster = cluster

    def settings(self, root: Path) -> str:
        return self.cluster.settings(root)

    def copies(self) -> Counter[str]:
        jobs = self.cluster.objects("jobs")
        return Counter(str(one["metadata"]["labels"].get(LABEL)) for one in jobs)


def start(name: str) -> tuple[Place, Slurm | Condor | Kubernetes]:
    """The system ``name``, running, and what to stop in the end. Raises :class:`Missing`."""
    from tests.systems import condor, slurm
    from tests.systems.kubernetes import control

    if name == "slurm":
        cluster = slurm.start()
        return OnSlurm(cluster), cluster
    if name == "htcondor":
        pool = condor.start()
        return OnHTCondor(pool), pool
    kubernetes = control.start()
    return OnKubernetes(kubernetes), kubernetes


NAMES = ("slurm", "htcondor", "kubernetes")
