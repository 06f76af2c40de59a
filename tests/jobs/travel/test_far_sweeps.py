"""The points of a sweep at a site of its own: one parcel, news in turn, home in lots, once."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends.slurm import farpoints
from jupyter_mlinfn.jobs.backends.slurm.far import Far
from jupyter_mlinfn.jobs.backends.slurm.farpoints import FarPoints
from jupyter_mlinfn.jobs.backends.told import Phase, Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.travel import __main__ as program
from jupyter_mlinfn.jobs.travel import home as taking
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JobState
from jupyter_mlinfn.process import locks
from tests.jobs.travel.conftest import POINTS
from tests.jobs.travel.test_far import Near
from tests.jobs.travel.ways_home import ended, killed_at_every_step, output_folder


@pytest.fixture
def home(sweep_home: Path) -> Path:
    """The folder of a sweep."""
    return sweep_home


class Site:
    """The site, the sweep's folder there, and what is followed of it."""

    def __init__(self, home: Path, folders: JobFolders, root: Path) -> None:
        self.job = home.name
        self.near = Near()
        self.far = Far(self.near, folders, str(root), sys.executable)
        self.folder = root / "jobs" / home.name
        self.points = FarPoints(self.far, folders, poll=0.0)
        self.far.send(self.job)

    def attempt(self, point: int, state: str = "succeeded", number: int = 1) -> AttemptFolder:
        """An attempt of a point that has ended there."""
        return ended(self.folder / "points" / str(point), number, state)

    def look(self, phases: Mapping[int, Phase | None], state: JobState = "running") -> set[int]:
        """One look; ``None``: Slurm knows nothing of that point."""
        told = {
            point: Element("7", (point,), phase, phase, lambda: Word("7", "over"))
            for point, phase in phases.items()
            if phase is not None
        }
        states: dict[int, JobState] = {
            point: "queued" if phase == "waits" else state for point, phase in phases.items()
        }
        return set(self.points.look(self.job, states, told))

    def until_home(self, phases: Mapping[int, Phase | None]) -> None:
        """Look as long as something is not home."""
        for _ in range(1000):
            if not self.look(phases):
                return
        raise AssertionError("it does not come home")


@pytest.fixture
def site(home: Path, folders: JobFolders, tmp_path: Path) -> Site:
    return Site(home, folders, tmp_path / "site")


def end_of(home: Path, point: int, number: int = 1) -> dict[str, Any]:
    """How an attempt of a point ended, as it stands at home."""
    path = home / "points" / str(point) / "attempts" / str(number) / "end.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def test_one_parcel_holds_the_parameters_of_all_points(site: Site) -> None:
    assert site.near.verbs == ["ready", "unpack"]
    assert len((site.folder / "points.jsonl").read_text().splitlines()) == POINTS


def test_what_is_over_comes_home_in_lots_each_published_once(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farpoints, "_LOT", 2)
    for point in range(POINTS):
        site.attempt(point)
    phases: dict[int, Phase | None] = dict.fromkeys(range(4), "over") | {4: "waits"}
    site.until_home(phases)
    assert site.near.verbs.count("give") == 2
    assert [end_of(home, point).get("state") for point in range(5)] == ["succeeded"] * 4 + [None]
    target = output_folder(home)
    assert sorted(os.listdir(target)) == ["0", "1", "2", "3"]
    assert end_of(home, 3)["output"] == str(target / "3" / "study.ipynb")
    assert os.listdir(home / "points" / "2" / "checkpoints") == ["newest.bin"]
    (target / "1" / "study.ipynb").write_text("edited by the person")
    site.far.fetch(site.job, "0-4")
    assert (target / "1" / "study.ipynb").read_text() == "edited by the person"
    assert end_of(home, 4)["state"] == "succeeded"
    site.far.remove(site.job)
    assert not site.folder.exists()


def test_a_lot_that_grows_large_ends_and_the_rest_follows(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_LOT", 100)
    for point in range(3):
        site.attempt(point)
    assert site.far.fetch(site.job, "0-2") == {0}
    site.until_home(dict.fromkeys(range(3), "over"))
    assert [end_of(home, point)["state"] for point in range(3)] == ["succeeded"] * 3


def test_what_left_no_word_comes_once_and_what_never_began_is_not_waited_for(
    site: Site, home: Path
) -> None:
    attempt = site.attempt(0)
    attempt.end.rename(attempt.path / "late")
    site.until_home({0: "over", 1: "over", 2: None})
    assert site.near.verbs.count("give") == 1
    assert (home / "points" / "0" / "attempts" / "1" / "log.txt").read_text() == "one\ntwo\n"
    assert site.look({0: "over", 1: "over", 2: None}) == set()
    assert site.near.verbs.count("give") == 1
    # the file system there tells the end late
    (attempt.path / "late").rename(attempt.end)
    site.until_home({0: "over"})
    assert end_of(home, 0)["state"] == "succeeded"


def test_an_evicted_attempt_comes_and_its_next_one_is_waited_for_again(
    site: Site, home: Path
) -> None:
    site.attempt(0, "evicted")
    assert site.look({0: "runs"}) == set()
    for _ in range(1000):
        if end_of(home, 0):
            break
        site.look({0: "runs"})
    assert end_of(home, 0)["state"] == "evicted"
    site.attempt(0, number=2)
    site.until_home({0: "over"})
    assert end_of(home, 0, 2)["state"] == "succeeded"


def test_those_that_run_bring_their_news_in_turn(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farpoints, "_CLOSELY", 2)
    for point in range(4):
        site.attempt(point).end.unlink()
    running: dict[int, Phase | None] = dict.fromkeys(range(4), "runs")

    def heard() -> set[int]:
        found = (home / "points").glob("*/attempts/1/values.jsonl")
        return {int(path.parts[-4]) for path in found}

    for point in range(4):
        path = site.folder / "points" / str(point) / "attempts" / "1" / "values.jsonl"
        path.write_text('{"values": {"loss": 1}}\n')
    assert site.look(running) == set()
    assert heard() == {0, 1}
    site.look(running)
    assert heard() == {0, 1, 2, 3}
    assert "give" not in site.near.verbs


def test_points_that_wait_are_not_asked_after_and_many_are_asked_in_parts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = list(site.near.verbs)
    assert site.look(dict.fromkeys(range(POINTS), "waits"), "queued") == set()
    assert site.near.verbs == before
    monkeypatch.setattr(farpoints, "_ASKED", 2)
    absent: dict[int, Phase | None] = dict.fromkeys(range(POINTS))
    assert site.look(absent, "queued") == {2, 3, 4}
    assert site.look(absent, "queued") == {4}
    assert site.look(absent, "queued") == set()


def test_while_somebody_brings_it_or_the_site_is_cut_off_nothing_is_said(
    site: Site, home: Path
) -> None:
    site.attempt(0)
    lock = locks.acquire(home / "travel.lock")
    assert lock is not None
    with open(lock, "rb", closefd=True):
        assert site.look({0: "over"}) == {0}
    site.near.cut = True
    with pytest.raises(Unavailable):
        site.look({0: "over"})
    assert not end_of(home, 0)
    site.near.cut = False
    site.until_home({0: "over"})
    assert end_of(home, 0)["state"] == "succeeded"


def test_a_folder_that_is_gone_there_is_not_waited_for(site: Site) -> None:
    shutil.rmtree(site.folder)
    assert site.look({0: "over", 1: None}) == set()


def test_the_word_to_end_some_points_is_left_there_once(site: Site) -> None:
    site.far.cancel(site.job, "1,3-4")
    site.far.cancel(site.job, "1,3-4")
    assert site.near.verbs.count("cancel") == 1
    told = sorted(path.parent.name for path in (site.folder / "points").glob("*/cancel"))
    assert told == ["1", "3", "4"]
    assert not (site.folder / "cancel").exists()
    point = AttemptFolder(site.folder / "points" / "3" / "attempts" / "1")
    assert point.cancelled()
    words = ("-I", "-m", "jupyter_mlinfn.jobs.travel", "cancel", str(site.folder), "../x")
    assert site.near.call("x", *words, deadline=1).returncode == 2


def test_a_lot_killed_at_any_moment_and_done_again_gives_the_same(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.attempt(0)
    site.attempt(1, "failed")

    def bring() -> None:
        site.far.fetch(site.job, "0-1")

    steps = ((Path, "replace"), (Path, "rename"), (taking, "put"))
    assert killed_at_every_step(home, bring, steps, monkeypatch) > 10
