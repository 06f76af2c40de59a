"""A site with folders of its own and another person there: a real sshd, a real Slurm.

The folder there belongs to that person alone; what the home side has lies where they cannot look.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.slurm.backend import SlurmBackend
from jupyter_mlinfn.jobs.travel import home
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import JobRecord, RerunRequest
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.sweeps import looking as sweeps
from tests.systems import sshd
from tests.systems.daemons import Missing
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]


SECRET = "a token that nobody sees"


@dataclass(frozen=True)
class Site:
    """The login machine, who one is there, and where jobs are kept."""

    login: sshd.Sshd
    person: sshd.Account
    root: Path

    def jobs(self) -> list[str]:
        """The folders of jobs there."""
        folder = self.root / "jobs"
        return sorted(os.listdir(folder)) if folder.is_dir() else []


@pytest.fixture(scope="module")
def site(cluster: Slurm) -> Iterator[Site]:
    """A login machine of that Slurm, as another person."""
    try:
        person = sshd.Account()
    except Missing as error:
        pytest.skip(f"no other account here: {error}")
    # the key of that person is read as that person
    folder = Path(tempfile.mkdtemp(prefix="mlinfn-sshd-"))
    folder.chmod(0o755)
    try:
        made = sshd.Sshd(folder, cluster.environment, person.name)
    except Missing as error:
        person.remove()
        pytest.skip(f"no sshd here: {error}")
    yield Site(made, person, person.home / "mlinfn")
    made.stop()
    shutil.rmtree(folder)
    person.remove()


@pytest.fixture
def desk(cluster: Slurm, site: Site, own_folders: Path) -> Iterator[Desk]:
    """A desk that reaches Slurm by ssh alone, in folders that nobody there can look into."""
    own_folders.chmod(0o700)
    (own_folders / "token").write_text(SECRET)
    secrets = {"iam": {"kind": "token", "file": str(own_folders / "token")}}
    options = {"far_folder": "~/mlinfn", "far_python": site.person.python}
    made = Desk(
        own_folders,
        "slurm",
        "c.Mlinfn.slurm_poll_seconds = 0.5\nc.Mlinfn.slurm_ssh = 'site'\n"
        f"c.Mlinfn.slurm_ssh_config = {str(site.login.config)!r}\n"
        f"c.Mlinfn.slurm_options = {options!r}\nc.Mlinfn.secrets = {secrets!r}\n",
    )
    yield made
    made.close()
    cluster.clear()


def eventually(seen: Callable[[], bool], desk: Desk, job: str) -> None:
    """Look until ``seen()``, patiently."""
    until = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < until, desk.story(job)
        desk.look(job)
        time.sleep(0.1)


WHO = "import os, pathlib; print(os.getuid(), pathlib.Path('data/in.csv').read_text())"
WRITE = "pathlib.Path(os.environ['MLINFN_OUTPUT_DIR'], 'model.bin').write_bytes(b'weights')"


HAS_SECRET = f"""
import os, stat
told = os.environ["BEARER_TOKEN_FILE"]
if (stat.S_IMODE(os.stat(told).st_mode), len(open(told).read())) != (0o600, {len(SECRET)}):
    raise ValueError("the secret is not as it was")
"""


class Killed(BaseException):
    """What nothing catches."""


def killed_on_the_way_home(desk: Desk, job: JobRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring a job home, killed when all is unpacked and nothing is published."""
    backend = desk.bench.backends["slurm"]
    assert isinstance(backend, SlurmBackend)
    assert backend._far is not None

    def dies(*words: object) -> None:
        raise Killed

    until = time.monotonic() + 60
    with monkeypatch.context() as patched:
        patched.setattr(home, "put", dies)
        while time.monotonic() < until:
            try:
                backend._far.fetch(job.id)
            except Killed:
                return
            time.sleep(0.2)
    pytest.fail(desk.story(job.id))


def test_a_job_runs_there_as_another_person_comes_home_and_runs_again_the_same(
    desk: Desk, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk.work / "data").mkdir()
    (desk.work / "data" / "in.csv").write_text("numbers")
    (desk.work / "mine.py").write_text("def twice(x):\n    return 2 * x\n")
    code = (WHO, WRITE, "import mine; print(mine.twice(21))")
    job = desk.submit(*code, inputs=("data/in.csv",))
    assert not desk.bench.backends["slurm"].shares_folder
    killed_on_the_way_home(desk, job, monkeypatch)
    assert not Path(job.output_folder).exists()
    done = desk.until(job.id, "succeeded")
    uid = site.person.home.stat().st_uid
    assert uid != os.getuid()
    assert texts(done.output) == [f"{uid} numbers\n", "42\n"]
    assert done.output is not None
    target = Path(done.output_folder)
    assert Path(done.output).parent == target
    assert sorted(os.listdir(target)) == ["model.bin", "study.ipynb"]
    details = desk.bench.actions.details(job.id)
    assert details.attempts[0].node is not None
    attempt = desk.bench.folders.attempt(job.id, 1)
    names = {"node.json", "outputs.json", "end.json", "log.txt", "events.jsonl"}
    assert names <= set(os.listdir(attempt))
    assert "published" not in os.listdir(attempt)
    assert site.jobs() == []
    again = desk.bench.submission.rerun(job.id, RerunRequest(exact=True))
    desk.until(again.id, "succeeded")
    verdict = desk.bench.actions.details(again.id).verdict
    assert verdict is not None
    assert verdict.same


def test_news_come_while_it_runs_and_a_cancelled_one_keeps_what_it_has(
    desk: Desk, site: Site
) -> None:
    job = desk.submit("print('begun', flush=True)", "import time; time.sleep(120)")
    desk.until(job.id, "running")
    eventually(lambda: desk.partial(job.id) == ["begun\n"], desk, job.id)
    seen = desk.look(job.id)
    assert seen.progress is not None
    assert seen.progress.cells_done == 1
    assert "begun" in desk.bench.folders.attempt(job.id, 1).joinpath("log.txt").read_text()
    desk.bench.actions.cancel(job.id)
    cancelled = desk.until(job.id, "cancelled")
    assert desk.partial(job.id) == ["begun\n"]
    assert texts(cancelled.output) == ["begun\n"]
    assert site.jobs() == []


def test_a_cut_connection_is_unknown_and_then_comes_the_failing_cell(
    desk: Desk, site: Site
) -> None:
    config = site.login.config
    right = config.read_text()
    # a path of the person's own where nothing is kept: every call has to log in
    config.write_text(f"{right}  ControlPath {desk.root}/none\n")
    bench = desk.another()
    job = desk.submit(
        "print('so far')", "import time; time.sleep(3)", "raise ValueError('of mine')"
    )
    desk.until(job.id, "running")
    config.write_text(right.replace(f"Port {site.login.port}", "Port 1"))
    try:
        until = time.monotonic() + 60
        while bench.store.get(job.id).unknown_since is None:
            assert time.monotonic() < until
            bench.reconciler.run_once()
            time.sleep(0.2)
        assert bench.store.get(job.id).state == "running"
    finally:
        config.write_text(right)
        bench.store.close()
    failed = desk.until(job.id, "failed")
    assert failed.reason is not None
    assert failed.reason.code == "notebook-error"
    assert texts(failed.output) == ["so far\n"]
    assert site.jobs() == []


def test_a_site_without_this_package_is_told(desk: Desk, site: Site) -> None:
    config = desk.root / "config" / "jupyter_mlinfn_config.py"
    right = config.read_text()
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("no other Python here")
    probe = (python, "-I", "-c", "import jupyter_mlinfn")
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        pytest.skip("every Python here has the package")
    config.write_text(right.replace(repr(site.person.python), repr(python)))
    bench = desk.another()
    backend = bench.backends["slurm"]
    job = desk.submit("print(1)", queue="closed")
    with pytest.raises(MlinfnError, match="has no jupyter_mlinfn"):
        backend.submit(bench.folders.read_spec(job.id))
    bench.store.close()
    desk.bench.actions.cancel(job.id)


def test_a_sweep_goes_there_once_and_comes_home_in_lots(desk: Desk, site: Site) -> None:
    mended = site.person.home / "mended"
    fails = f"import os\nassert k != 1 or os.path.exists({str(mended)!r})"
    waits = "import time; time.sleep(600 * (k == 3))"
    axes = {"k": "0..3"}
    cells = (sweeps.RECORD, HAS_SECRET, fails, "print(k)", waits)
    job = sweeps.submit(desk, *cells, raw_axes=axes, secrets=("iam",))
    assert job.id in site.jobs()
    sweeps.until(desk, job.id, lambda counts: counts.failed == 1 and counts.succeeded == 2)
    sweeps.until(desk, job.id, lambda counts: counts.running == 1)
    desk.until_seen(job.id, lambda: "3\n" in desk.partial(job.id, point=3))
    desk.bench.actions.cancel_points(job.id, [3])
    done = sweeps.ended(desk, job.id)
    told = sweeps.points(desk, job.id)
    assert [one.state for one in told] == ["succeeded", "failed", "succeeded", "cancelled"]
    assert [one.attempts for one in told] == [1, 1, 1, 1]
    assert [one.values["square"] for one in told] == [0, 1, 4, 9]
    assert "AssertionError" in str(told[1].reason), "and not of the secret"
    assert [texts(told[k].output) for k in (0, 2, 3)] == [["0\n"], ["2\n"], ["3\n"]]
    assert sorted(os.listdir(done.output_folder)) == ["0", "1", "2", "3"]
    assert job.id not in site.jobs()
    mended.touch()
    again = desk.bench.submission.rerun(job.id, RerunRequest(points=[1]))
    assert sweeps.ended(desk, again.id).state == "succeeded"
    assert sweeps.points(desk, again.id)[0].parameters == {"k": 1}
