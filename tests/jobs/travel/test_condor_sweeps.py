"""The points of a sweep that went through a schedd's spool: one parcel, home in lots, once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import htcondor2
import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends.htcondor import away, awaypoints, describing, sweeping, there
from jupyter_mlinfn.jobs.backends.htcondor.away import FOLDER, Away
from jupyter_mlinfn.jobs.backends.htcondor.awaypoints import AwayPoints
from jupyter_mlinfn.jobs.backends.htcondor.calls import Calls
from jupyter_mlinfn.jobs.backends.htcondor.carrying import Carrier
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.jobs.backends.told import Phase, Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.sweeps.handing import Array, Arrays
from jupyter_mlinfn.jobs.travel import home as taking
from jupyter_mlinfn.jobs.travel import parcel
from jupyter_mlinfn.jobs.travel.giving import give
from jupyter_mlinfn.model.errors import Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobState
from tests.jobs.travel.conftest import packed
from tests.jobs.travel.ways_home import Killed, ended, killed_at_every_step, output_folder


@pytest.fixture
def home(sweep_home: Path) -> Path:
    """The folder of a sweep."""
    (sweep_home / FOLDER).mkdir()
    return sweep_home


class Spool:
    """What the schedd keeps of a sweep, told by the names of its files; how often it was asked."""

    def __init__(self, home: Path, far: Path) -> None:
        self.home = home
        self.far = far
        self.kept: dict[str, bytes] = {}
        self.asked: list[Sequence[str]] = []
        self.raises: Exception | None = None

    def point(self, number: int, state: str = "succeeded", reason: str = "") -> None:
        """A point ran on a machine of its own, and brought what there is."""
        folder = self.far / str(number)
        parcel.unpack(packed(self.home), folder)
        attempt = ended(folder / "points" / str(number), 1, state)
        if reason:
            told = {"state": state, "reason": {"code": reason, "text": "."}}
            attempt.end.write_text(json.dumps(told))
        self.kept[there.home_file(number)] = given(folder)

    def fetch(self, job: str, names: Sequence[str]) -> None:
        self.asked.append(tuple(names))
        if self.raises is not None:
            raise self.raises
        for name in names:
            if name not in self.kept:
                raise Refused(f"reading from file /spool/1/{name}", code="nothing-there")
            (self.home / FOLDER / name).write_bytes(self.kept[name])


def given(folder: Path) -> bytes:
    stream = BytesIO()
    give(folder, stream)
    return stream.getvalue()


@pytest.fixture
def spool(home: Path, tmp_path: Path) -> Spool:
    return Spool(home, tmp_path / "machines")


@pytest.fixture
def points(folders: JobFolders, spool: Spool) -> AwayPoints:
    return AwayPoints(folders, spool.fetch)


def look(at: AwayPoints, home: Path, phases: Mapping[int, Phase | None], **fields: Any) -> set[int]:
    """One look; ``None``: HTCondor knows nothing of that point."""
    told = {
        point: Element("7", (point,), phase, phase, lambda: Word("7", "over"))
        for point, phase in phases.items()
        if phase is not None
    }
    ad = CondorJob(cluster=7, job=home.name, token="x" * 8, **{"status": 2, "starts": 1, **fields})
    states: dict[int, JobState] = {
        point: "queued" if phase == "waits" else "running" for point, phase in phases.items()
    }
    return set(at.look(home.name, states, told, dict.fromkeys(told, ad)))


def until_home(at: AwayPoints, home: Path, phases: Mapping[int, Phase | None]) -> None:
    for _ in range(1000):
        if not look(at, home, phases):
            return
    raise AssertionError("it does not come home")


def end_of(home: Path, point: int) -> dict[str, Any]:
    path = home / "points" / str(point) / "attempts" / "1" / "end.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def test_points_come_home_in_lots_each_published_once(
    points: AwayPoints, spool: Spool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaypoints, "_LOT", 2)
    for point in range(4):
        spool.point(point)
    until_home(points, home, {0: None, 1: None, 2: "over", 3: None, 4: "waits"})
    assert spool.asked == [("home.0.tar", "home.1.tar"), ("home.2.tar", "home.3.tar")]
    assert [end_of(home, point).get("state") for point in range(5)] == ["succeeded"] * 4 + [None]
    assert sorted(os.listdir(output_folder(home))) == ["0", "1", "2", "3"]
    assert os.listdir(home / FOLDER) == ["lock"]


def test_what_brought_nothing_is_not_waited_for_but_what_was_removed_is_a_while(
    points: AwayPoints, spool: Spool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.point(1)
    until_home(points, home, {0: None, 1: None, 2: None})
    assert end_of(home, 1)["state"] == "succeeded"
    # it was removed and is still saving what it has
    assert look(points, home, {3: "over"}) == {3}
    assert look(points, home, {3: "over"}) == {3}
    # one that never started brings nothing
    assert look(points, home, {4: "over"}, starts=0) == set()
    spool.kept["home.3.tar"] = there.NOTHING
    assert look(points, home, {3: "over"}) == {3}
    spool.point(3)
    until_home(points, home, {3: "over"})
    assert end_of(home, 3)["state"] == "succeeded"
    monkeypatch.setattr(awaypoints, "_ENDS_WITHIN", -1.0)
    until_home(points, home, {2: "over"})


def test_a_removed_point_that_gave_way_was_cancelled(
    points: AwayPoints, spool: Spool, home: Path
) -> None:
    for point in (0, 1):
        spool.point(point, "failed", "preempted")
    (home / "points" / "1").mkdir(parents=True)
    (home / "points" / "1" / "cancel").touch()
    until_home(points, home, {0: None, 1: None})
    assert [end_of(home, point)["state"] for point in (0, 1)] == ["failed", "cancelled"]


def test_a_schedd_that_is_silent_or_names_no_file_loses_nothing(
    points: AwayPoints, spool: Spool, home: Path
) -> None:
    spool.point(1)
    spool.raises = Unavailable("silence")
    assert look(points, home, {0: None, 1: None}) == {0, 1}
    spool.raises = None
    fetch = spool.fetch

    def mute(job: str, names: Sequence[str]) -> None:
        try:
            fetch(job, names)
        except Refused as error:
            raise Refused("something is missing", code="nothing-there") from error

    other = AwayPoints(JobFolders(home.parent.parent), mute)
    until_home(other, home, {0: None, 1: None})
    assert end_of(home, 1)["state"] == "succeeded"


def test_nobody_else_brings_them_at_the_same_time(
    points: AwayPoints, spool: Spool, home: Path
) -> None:
    spool.point(0)
    with away.alone(home):
        assert look(points, home, {0: None}) == {0}
    assert spool.asked == []
    until_home(points, home, {0: None})


def test_those_that_run_tell_their_news_once_each(
    points: AwayPoints, spool: Spool, home: Path
) -> None:
    spool.point(0)
    folder = spool.far / "0"
    (folder / "points" / "0" / "attempts" / "1" / "end.json").unlink()
    spool.kept = {there.news_file(0): given(folder)}
    log = home / "points" / "0" / "attempts" / "1" / "log.txt"
    for _ in range(1000):
        assert look(points, home, {0: "runs"}, news=5) == set()
        if log.exists():
            break
    assert log.read_text() == "one\ntwo\n"
    for _ in range(3):
        look(points, home, {0: "runs"}, news=5)
    assert spool.asked == [("news.0.tar",)]


def test_a_lot_killed_at_any_moment_and_done_again_gives_the_same(
    spool: Spool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.point(0)
    spool.point(1, "failed")

    def bring() -> None:
        lots = awaypoints._Lots(home, spool.fetch, (0, 1), {})
        lots.run()
        assert lots.error is None

    steps = ((Path, "replace"), (Path, "rename"), (taking, "put"))
    assert killed_at_every_step(home, bring, steps, monkeypatch) > 10


# --- going --------------------------------------------------------------------------------------


class Schedd(Calls):
    """Takes what it is given; ``place_of`` is where it keeps the files of a job."""

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []
        self.there: list[CondorJob] = []
        self.killed = False
        self.place_of: str | None = "/var/spool/1/0/cluster1.proc0"

    def send(self, description: Mapping[str, str], size: int) -> str:
        token = description["My.MLInfnToken"].strip('"')
        job = description["My.MLInfnJobId"].strip('"')
        self.sent.append(dict(description))
        self.there.append(CondorJob(cluster=len(self.sent), job=job, token=token, status=1))
        if self.killed:
            raise Killed
        return str(len(self.sent))

    def queued(self, job: str, token: str) -> tuple[CondorJob, ...]:
        return tuple(one for one in self.there if (one.job, one.token) == (job, token))

    def place(self, cluster: str) -> str | None:
        return self.place_of


@pytest.fixture
def schedd() -> Schedd:
    return Schedd()


@pytest.fixture
def carrier(folders: JobFolders, schedd: Schedd) -> Carrier:
    at = Away(folders, lambda _: None)
    return Carrier(folders, schedd, at, "/opt/python", lambda _job: False)


def test_one_parcel_is_sent_for_all_points_and_they_get_it_from_the_spool(
    carrier: Carrier, schedd: Schedd, folders: JobFolders, home: Path
) -> None:
    spec = folders.read_spec(home.name)
    given = describing.sweep(spec, home, {}, {"HOME": "/home/ada"}, f"{spec.token}.0")
    with pytest.raises(Unavailable):
        carrier.points(spec, given)
    carrier.prepare(spec)
    carrier.prepare(spec)
    (sent,) = schedd.sent
    held = htcondor2.Submit(sent)
    assert held["requirements"] == "false"
    assert held["transfer_input_files"] == str(home / FOLDER / "parcel.tar")
    assert not (home / FOLDER / "parcel.tar").exists()
    told = htcondor2.Submit(carrier.points(spec, given))
    assert told["initialdir"] == "/var/spool/1/0/cluster1.proc0"
    assert told["transfer_input_files"] == "parcel.tar"
    assert told["transfer_output_files"] == "home.$(Number).tar,news.$(Number).tar"
    assert re.search(r"--point' '\$\(Number\)'\"$", told["arguments"])
    assert str(home) not in told["arguments"]
    assert told["executable"] == "/opt/python"
    schedd.place_of = None
    schedd.there.clear()
    with pytest.raises(Unavailable):
        carrier.points(spec, given)
    carrier.prepare(spec)
    assert len(schedd.sent) == 2, "somebody had removed it"


def test_a_parcel_whose_number_nobody_heard_is_found_and_not_sent_again(
    carrier: Carrier, schedd: Schedd, folders: JobFolders, home: Path
) -> None:
    spec = folders.read_spec(home.name)
    spec = spec.model_copy(update={"submitted_at": datetime.now(UTC) - timedelta(days=1)})
    schedd.killed = True
    with pytest.raises(Killed):
        carrier.prepare(spec)
    schedd.killed = False
    carrier.prepare(spec)
    assert (len(schedd.sent), carrier.number(home.name)) == (1, "1")


def test_the_ads_of_points_are_told_by_their_numbers(home: Path) -> None:
    note = Arrays(arrays=[
        Array(offset=0, points="0-4", id="7"), Array(offset=2, points="2-3", id="8"),
    ])  # fmt: skip
    ads = [
        CondorJob(cluster=cluster, job=home.name, token="x" * 8, status=2, point=index)
        for cluster, index in ((7, 0), (7, 2), (8, 1), (9, 0))
    ]
    found = sweeping.by_number(note, home.name, ads)
    assert {number: ad.cluster for number, ad in found.items()} == {0: 7, 3: 8}


def test_a_point_there_runs_alone_and_brings_a_file_of_its_own(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / there.PARCEL).write_bytes(packed(home).getvalue())
    started: list[tuple[str, ...]] = []

    class Done:
        def poll(self) -> int:
            ended(scratch / "job" / "points" / "3")
            return 0

    def start(words: tuple[str, ...], **_: object) -> Done:
        started.append(words[-3:])
        return Done()

    monkeypatch.setattr(there, "start_child", start)
    monkeypatch.setattr(there.signal, "signal", lambda *_: None)
    monkeypatch.chdir(scratch)
    assert there.main(["there", "--point", "3"]) == 0
    assert started == [(str(scratch / "job"), "htcondor", "3")]
    taking.take(home, scratch / "home.3.tar")
    assert AttemptFolder(home / "points" / "3" / "attempts" / "1").end.exists()
    assert (scratch / "news.3.tar").read_bytes() == there.NOTHING
