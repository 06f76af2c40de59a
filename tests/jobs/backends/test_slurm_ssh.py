"""Slurm on another machine: a real sshd, a real Slurm that only a login there knows."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.slurm.ssh import Ssh
from jupyter_mlinfn.model.errors import PartMissing, Unavailable
from tests.jobs.backends.desk import Desk, texts
from tests.systems import sshd
from tests.systems.daemons import Missing
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(cluster: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Sshd]:
    """A login machine of that Slurm: only a login there knows the cluster."""
    try:
        made = sshd.Sshd(tmp_path_factory.mktemp("sshd"), cluster.environment)
    except Missing as error:
        pytest.skip(f"no sshd here: {error}")
    yield made
    made.stop()


@pytest.fixture
def far_desk(cluster: Slurm, site: sshd.Sshd, own_folders: Path) -> Iterator[Desk]:
    """A desk that reaches Slurm by ssh alone."""
    settings = (
        "c.Mlinfn.slurm_poll_seconds = 0.5\nc.Mlinfn.slurm_ssh = 'site'\n"
        f"c.Mlinfn.slurm_ssh_config = {str(site.config)!r}\n"
    )
    made = Desk(own_folders, "slurm", settings)
    yield made
    made.close()
    cluster.clear()


def reach(site: sshd.Sshd, host: str = "site") -> Ssh:
    """The transport alone."""
    return Ssh(host, "", str(site.config))


def test_a_job_runs_where_only_ssh_leads(far_desk: Desk) -> None:
    assert "SLURM_CONF" not in os.environ
    job = far_desk.submit("print(2 * factor)", cell="factor = 1", parameters={"factor": 21})
    assert (far_desk.bench.backends["slurm"].missing(), job.backend) == ("", "slurm")
    done = far_desk.until(job.id, "succeeded")
    assert texts(done.output) == ["42\n"]


def test_a_running_job_is_cancelled_and_keeps_what_it_has(far_desk: Desk) -> None:
    job = far_desk.submit("print('begun')", "import time; time.sleep(60)", file="study.py")
    far_desk.until(job.id, "running")
    far_desk.until_partial(job.id, ["begun\n"])
    far_desk.bench.actions.cancel(job.id)
    far_desk.until(job.id, "cancelled")
    assert far_desk.partial(job.id) == ["begun\n"]


def test_the_queues_are_told(far_desk: Desk) -> None:
    names = [queue.name for queue in far_desk.bench.backends["slurm"].queues()]
    assert names == ["normal", "opportunistic", "closed"]


def test_a_site_that_cannot_be_reached_is_silent_and_nothing_fails(
    far_desk: Desk, site: sshd.Sshd
) -> None:
    right = site.config.read_text()
    # a path of the person's own where nothing is kept: every call has to log in
    site.config.write_text(f"{right}  ControlPath {far_desk.root}/none\n")
    bench = far_desk.another()
    job = far_desk.submit(far_desk.held(), "print('whole')", file="study.py")
    far_desk.until(job.id, "running")
    site.config.write_text(right.replace(f"Port {site.port}", "Port 1"))
    until = time.monotonic() + 60
    while bench.store.get(job.id).unknown_since is None:
        assert time.monotonic() < until
        bench.reconciler.run_once()
        time.sleep(0.2)
    assert bench.store.get(job.id).state == "running"
    site.config.write_text(right)
    bench.store.close()
    far_desk.go()
    assert texts(far_desk.until(job.id, "succeeded").output) == ["whole\n"]


@pytest.mark.parametrize(
    "host", ["-oProxyCommand=touch /tmp/owned", "a b", "a;b", "", "$(id)", "a\nb", "@x", "x" * 400]
)
def test_what_is_no_name_of_a_machine_is_never_given_to_ssh(site: sshd.Sshd, host: str) -> None:
    assert reach(site, host).missing()
    with pytest.raises(PartMissing):
        reach(site, host).run("squeue", deadline=5)


def test_every_word_arrives_as_it_is(site: sshd.Sshd) -> None:
    words = ("a b", "$HOME", "`id`", "'", '"', "x;y", "*", "\\", "ü", "--flag=$(id)", "")
    done = reach(site).run("printf", "%s\\n", *words, deadline=10)
    assert done.text.split("\n")[:-1] == list(words)


def test_a_program_that_is_not_there_is_told_so(site: sshd.Sshd) -> None:
    with pytest.raises(PartMissing, match="not on site"):
        reach(site).run("squeue-of-another-world", deadline=10)


def test_no_way_in_is_told_in_sshs_words(site: sshd.Sshd, tmp_path: Path) -> None:
    other = tmp_path / "config"
    text = site.config.read_text().replace("/known", "/nobody")
    other.write_text(f"{text}  ControlPath {tmp_path}/none\n")
    with pytest.raises(Unavailable, match="Host key verification failed") as caught:
        Ssh("site", "", str(other)).run("squeue", deadline=10)
    assert "ssh site" in str(caught.value.hint)


def test_one_connection_serves_many_calls_and_a_persons_own_is_left_to_them(
    site: sshd.Sshd, tmp_path: Path
) -> None:
    def logins() -> int:
        return (site.folder / "log").read_text().count("Accepted publickey")

    transport, before = reach(site), logins()
    for _ in range(4):
        transport.run("true", deadline=10)
    assert logins() <= before + 1
    own = tmp_path / "config"
    socket = tmp_path / "s"
    text = f"  ControlMaster auto\n  ControlPath {socket}\n  ControlPersist 30\n"
    own.write_text(site.config.read_text() + text)
    Ssh("site", "", str(own)).run("true", deadline=10)
    assert socket.exists()
    subprocess.run(("ssh", "-F", str(own), "-O", "exit", "site"), check=True, capture_output=True)


def test_the_name_of_the_login_is_known(site: sshd.Sshd) -> None:
    assert reach(site, "marie@site").person() == "marie"
