"""Real batch systems, one for each process of the test run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.kubernetes.vkd import calls
from jupyter_mlinfn.model.jobs import JobRecord
from tests.jobs.backends.desk import Desk
from tests.jobs.backends.places import Place, behind_another
from tests.systems import condor, slurm, spooler
from tests.systems.daemons import Kind, Missing
from tests.systems.kubernetes import control, given
from tests.systems.vkd import Vkd

_FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")


def running(start: Callable[[], Kind], name: str) -> Iterator[Kind]:
    """A system while its tests run; nothing of it is left at the end."""
    try:
        made = start()
    except Missing as error:
        pytest.skip(f"no {name} here: {error}")
    yield made
    made.stop()


@pytest.fixture(scope="session")
def cluster() -> Iterator[slurm.Slurm]:
    """A running Slurm."""
    yield from running(slurm.start, "Slurm")


@pytest.fixture(scope="session")
def pool() -> Iterator[condor.Condor]:
    """A running HTCondor."""
    yield from running(condor.start, "HTCondor")


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[control.Kubernetes]:
    """A running Kubernetes with Kueue."""
    yield from running(control.start, "Kubernetes")


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever a desk sets of Jupyter's folders is forgotten after the test."""
    for name in _FOLDERS:
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture
def desk(
    cluster: slurm.Slurm, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk that sends its jobs to that Slurm, in its own folders, with nothing else waiting."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    made = Desk(own_folders, "slurm", "c.Mlinfn.slurm_poll_seconds = 0.5\n")
    yield made
    made.close()
    cluster.clear()


@pytest.fixture
def condor_desk(
    pool: condor.Condor, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk that sends its jobs to that HTCondor."""
    for name, value in pool.environment.items():
        monkeypatch.setenv(name, value)
    made = Desk(own_folders, "htcondor", "c.Mlinfn.htcondor_poll_seconds = 0.5\n")
    yield made
    made.close()
    pool.clear()


@pytest.fixture
def kubernetes_desk(kubernetes: control.Kubernetes, own_folders: Path) -> Iterator[Desk]:
    """A desk that sends its jobs to that Kubernetes."""
    made = Desk(own_folders, "kubernetes", kubernetes.settings(own_folders))
    yield made
    made.close()
    kubernetes.clear()


@pytest.fixture
def vkd(kubernetes: control.Kubernetes) -> Iterator[Vkd]:
    """A stand-in for INFN's vkd before that Kubernetes."""
    made = Vkd(kubernetes)
    yield made
    made.close()
    kubernetes.clear()


@pytest.fixture
def vkd_desk(vkd: Vkd, own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk whose jobs vkd makes. No answer is too late, however busy the machine is."""
    for name in ("_ANSWERS_WITHIN", "_TELLS_WITHIN"):
        monkeypatch.setattr(calls, name, 60.0)
    made = Desk(own_folders, "kubernetes", vkd.settings())
    yield made
    made.close()


@pytest.fixture
def local_desk(own_folders: Path) -> Iterator[Desk]:
    """A desk whose jobs run on this machine."""
    made = Desk(own_folders, "local")
    yield made
    made.close()


@pytest.fixture
def local_place(local_desk: Desk) -> Iterator[Place]:
    """This machine."""

    def known(job: str) -> int:
        return local_desk.bench.store.get(job).state in ("queued", "starting", "running")

    yield Place(local_desk, behind_another(cpus=2), known, waits_for="waits-for-slot")
    for record in local_desk.bench.store.unfinished("local"):
        local_desk.bench.actions.cancel(record.id)
        local_desk.until(record.id, "cancelled")


@pytest.fixture
def slurm_place(desk: Desk, cluster: slurm.Slurm) -> Place:
    """The real Slurm."""

    def known(job: str) -> int:
        told = cluster.call("squeue", "-h", "-o", "%j")[1].split()
        return told.count(f"mlinfn-{job}")

    return Place(desk, lambda at: at.submit("print(1)", queue="closed"), known, gpus=("0", "1"))


@pytest.fixture
def htcondor_place(condor_desk: Desk, pool: condor.Condor) -> Place:
    """The real HTCondor."""

    def known(job: str) -> int:
        mine = f'MLInfnJobId == "{job}" && JobStatus != 3 && JobStatus != 4'
        return len(pool.call("condor_q", "-all", "-const", mine, "-af", "ClusterId")[1].split())

    gpus = ("GPU-aaaaaaaa", "GPU-bbbbbbbb")
    return Place(condor_desk, behind_another(gpus=2), known, gpus=gpus)


@pytest.fixture
def kubernetes_place(request: pytest.FixtureRequest, own_folders: Path) -> Iterator[Place]:
    """The real Kubernetes, with Kueue; or any cluster that ``MLINFN_TEST_KUBECONFIG`` names."""
    named = os.environ.get("MLINFN_TEST_KUBECONFIG")
    cluster = given.Given(Path(named)) if named else request.getfixturevalue("kubernetes")
    desk = Desk(own_folders, "kubernetes", cluster.settings(own_folders))

    def wait(at: Desk) -> JobRecord:
        return at.submit("print(1)", queue=cluster.closed)

    gpus = () if named else ("GPU-n1-gpu-0", "GPU-n2-gpu-0")
    if named:
        cluster.start()
    yield Place(desk, wait, cluster.known, gpus=gpus)
    desk.close()
    cluster.clear()


@pytest.fixture
def kubernetes_vkd_place(vkd_desk: Desk, vkd: Vkd) -> Place:
    """The real Kubernetes by way of vkd."""
    gpus = tuple(f"GPU-n{node}-mig-1g.10gb-{n}" for node in (1, 2) for n in (0, 1))
    return Place(vkd_desk, lambda at: at.submit("print(1)", queue="stopped"), vkd.known, gpus=gpus)


@pytest.fixture
def spooler_place(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The worked example of the docs, as a site would install it."""
    try:
        spooler.prepare()
    except Missing as error:
        pytest.skip(f"no task-spooler here: {error}")
    monkeypatch.syspath_prepend(str(spooler.install(own_folders / "site")))
    monkeypatch.setenv("TS_SOCKET", str(own_folders / "socket"))
    desk = Desk(own_folders, "spooler")
    yield Place(desk, behind_another(), spooler.going)
    for record in desk.bench.store.unfinished("spooler"):
        desk.bench.actions.cancel(record.id)
        desk.until(record.id, "cancelled")
    desk.close()
    spooler.stop()
