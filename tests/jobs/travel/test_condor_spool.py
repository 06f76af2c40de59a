"""Jobs that go through a schedd's spool: what is sent, when a job is over for us, who cancels."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import htcondor2
import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends.htcondor import away, describing, there
from jupyter_mlinfn.jobs.backends.htcondor.away import FOLDER, Away
from jupyter_mlinfn.jobs.backends.htcondor.chirp import Chirp
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.jobs.backends.htcondor.states import word
from jupyter_mlinfn.jobs.backends.htcondor.there import There
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.travel.giving import give
from jupyter_mlinfn.model.errors import Refused, Unavailable
from tests.jobs.travel.conftest import packed


def test_the_description_sends_one_parcel_and_waits_for_what_comes_back(
    home: Path, folders: JobFolders
) -> None:
    spec = folders.read_spec(home.name)
    given = describing.description(spec, home, {}, {"HOME": "/home/ada"})
    told = htcondor2.Submit(away.travelling(given, home, "/opt/python"))
    assert told["executable"] == "/opt/python"
    assert told["should_transfer_files"] == "YES"
    assert told["when_to_transfer_output"] == "ON_EXIT_OR_EVICT"
    assert told["transfer_input_files"] == str(home / FOLDER / "parcel.tar")
    assert told["transfer_output_files"] == "home.tar,news.tar"
    assert told["My.MLInfnToken"] == f'"{spec.token}"'
    assert str(home) not in told["arguments"]
    assert Away(folders, lambda _: None).pack(home) == len(packed(home).getvalue())
    comma = home.with_name("a,b")
    with pytest.raises(Refused, match="comma"):
        away.travelling(given, comma, "/opt/python")


class Spool:
    """What a schedd keeps of one job, and how often it was asked."""

    def __init__(self, folders: JobFolders, job: str) -> None:
        self.kept: dict[str, bytes] = {}
        self.asked = 0
        self.raises: Exception | None = None
        self._folder = folders.job(job) / FOLDER

    def fetch(self, cluster: str) -> None:
        self.asked += 1
        if self.raises is not None:
            raise self.raises
        for name, content in self.kept.items():
            (self._folder / name).write_bytes(content)


@pytest.fixture
def spool(folders: JobFolders, home: Path) -> Spool:
    return Spool(folders, home.name)


def attempt_there(far: Path, state: str = "", reason: str = "") -> bytes:
    """What is packed of a first attempt on the far side."""
    one = AttemptFolder(far / "attempts" / "1")
    one.path.mkdir(parents=True, exist_ok=True)
    one.claim.write_text("{}")
    one.begun.write_text("{}")
    one.notebook.write_text('{"cells": []}')
    if state:
        told = {"state": state, "reason": {"code": reason, "text": "."} if reason else None}
        one.end.write_text(json.dumps(told))
    stream = BytesIO()
    give(far, stream)
    return stream.getvalue()


def look(at: Away, home: Path, **fields: int) -> str:
    """The phase of the job after one look."""
    ad = CondorJob(cluster=7, job=home.name, token="x" * 8, **{"starts": 1, **fields})
    return at.words({home.name: ad}, {home.name: word(ad)})[home.name].phase


def test_a_job_is_over_only_when_all_is_home_and_is_fetched_once(
    folders: JobFolders, home: Path, far: Path, spool: Spool
) -> None:
    at = Away(folders, spool.fetch)
    assert look(at, home, status=1, starts=0) == "waits"
    assert spool.asked == 0
    spool.kept = {"home.tar": there.NOTHING, "news.tar": attempt_there(far)}
    assert look(at, home, status=2, news=1) == "runs"
    here = AttemptFolder(home / "attempts" / "1")
    assert here.begun.exists()
    assert look(at, home, status=2, news=1) == "runs"
    assert spool.asked == 1
    spool.raises = Unavailable("silence")
    assert look(at, home, status=4, news=1) == "runs"
    spool.raises = None
    spool.kept = {"home.tar": attempt_there(far, "succeeded"), "news.tar": there.NOTHING}
    assert look(at, home, status=4, news=1) == "over"
    assert json.loads(here.end.read_text())["state"] == "succeeded"
    asked = spool.asked
    assert look(at, home, status=4, news=1) == "over"
    assert spool.asked == asked
    at.clear(home.name)
    assert not (home / FOLDER).exists()


def test_what_never_came_so_far_is_over_all_the_same(
    folders: JobFolders, home: Path, spool: Spool
) -> None:
    spool.raises = Refused("No such file")
    assert look(Away(folders, spool.fetch), home, status=4) == "over"


def test_nobody_else_brings_it_home_at_the_same_time(
    folders: JobFolders, home: Path, spool: Spool
) -> None:
    at = Away(folders, spool.fetch)
    with away.alone(home):
        assert look(at, home, status=4) == "runs"
    assert spool.asked == 0
    assert look(at, home, status=4) == "over"


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("evicted", "preempted", "cancelled"),
        ("failed", "preempted", "cancelled"),
        ("failed", "notebook-error", "failed"),
        ("succeeded", "", "succeeded"),
    ],
)
def test_a_removed_job_that_gave_way_was_cancelled_and_its_partial_notebook_is_published(
    folders: JobFolders, home: Path, far: Path, spool: Spool, state: str, reason: str, told: str
) -> None:
    spool.kept = {"home.tar": attempt_there(far, state, reason), "news.tar": there.NOTHING}
    (home / "cancel").touch()
    assert look(Away(folders, spool.fetch), home, status=3) == "over"
    end = json.loads((home / "attempts" / "1" / "end.json").read_text())
    assert end["state"] == told
    if told == "cancelled":
        assert end["reason"]["code"] == "cancelled-by-user"
        target = Path(folders.read_spec(home.name).output_folder)
        assert end["output"] == str(target / "study.ipynb")
        assert (target / "study.ipynb").exists()


def test_a_removed_job_is_waited_for_while_it_saves_what_it_has(
    folders: JobFolders, home: Path, far: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = Away(folders, spool.fetch)
    spool.kept = {"home.tar": there.NOTHING, "news.tar": attempt_there(far)}
    assert look(at, home, status=3) == "runs"
    assert look(at, home, status=3) == "runs"
    monkeypatch.setattr(away, "_ENDS_WITHIN", -1.0)
    assert look(at, home, status=3) == "over"


def test_what_was_changed_while_it_was_held_is_read_from_the_job_s_ad(
    home: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / there.PARCEL).write_bytes(packed(home).getvalue())
    asks = json.dumps({"cpus": 2, "memory": 2**30, "time": 60})
    (scratch / ".job.ad").write_text(f'Cmd = "x"\n{there.ASKS} = {json.dumps(asks)}\nA = 1\n')
    start = There(scratch, {"_CONDOR_JOB_AD": str(scratch / ".job.ad")})
    start._settle_in({})
    spec = AttemptFolder(start.folder / "attempts" / "1").spec()
    assert (spec["resources"]["memory"], spec["resources"]["cpus"]) == (2**30, 2)
    assert (scratch / there.HOME).read_bytes() == there.NOTHING
    assert start._variables()["HOME"] == str(scratch)


# --- Chirp --------------------------------------------------------------------------------------


class Starter:
    """The other side of the conversation."""

    def __init__(self, answers: Callable[[str], str]) -> None:
        self.lines: list[str] = []
        self.files: list[bytes] = []
        self._answers = answers
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._server, self._server.accept()[0] as peer, peer.makefile("rwb", 0) as stream:
            while line := stream.readline().decode().rstrip("\n"):
                self.lines.append(line)
                stream.write(f"{self._answers(line)}\n".encode())
                if line.startswith("putfile"):
                    self.files.append(stream.read(int(line.split()[-1])) or b"")
                    stream.write(b"0\n")

    def join(self) -> None:
        self._thread.join()


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Callable[[Callable[[str], str]], tuple[Starter, Path]]]:
    made: list[Starter] = []

    def start(answers: Callable[[str], str]) -> tuple[Starter, Path]:
        made.append(Starter(answers))
        path = tmp_path / ".chirp.config"
        path.write_text(f"127.0.0.1 {made[-1].port} secret")
        return made[-1], path

    yield start
    for one in made:
        one.join()


def test_chirp_puts_whole_files_and_sets_attributes(
    config: Callable[[Callable[[str], str]], tuple[Starter, Path]],
) -> None:
    starter, path = config(lambda _: "0")
    with Chirp(path) as chirp:
        chirp.put("news.tar", BytesIO(b"12345"), 5)
        chirp.set_attribute("ChirpX", '"a b"')
    starter.join()
    assert starter.files == [b"12345"]
    assert starter.lines == [
        "cookie secret",
        "putfile news.tar.part 384 5",
        "rename news.tar.part news.tar",
        'set_job_attr ChirpX "a\\ b"',
    ]


@pytest.mark.parametrize("answer", ["-1", "", "no", "9" * 300])
def test_what_chirp_does_not_do_is_an_error(
    config: Callable[[Callable[[str], str]], tuple[Starter, Path]], answer: str
) -> None:
    starter, path = config(lambda line: "0" if line.startswith("cookie") else answer)
    with pytest.raises(OSError, match="set_job_attr"), Chirp(path) as chirp:
        chirp.set_attribute("ChirpX", "1")
    starter.join()


def test_no_chirp_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("nothing")
    with pytest.raises(OSError, match="cannot be read"):
        Chirp(tmp_path / "c")
    with pytest.raises(OSError):
        Chirp(tmp_path / "none")
