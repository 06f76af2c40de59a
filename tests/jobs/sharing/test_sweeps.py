"""A sweep is shared with its table; a colleague reads it, sorts it, and runs its points as hers."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.sharing import giving, points
from jupyter_mlinfn.model.errors import InputError, MlinfnError, NotFound, Refused
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, JobState, Reason
from jupyter_mlinfn.model.sharing import SharedRerun
from jupyter_mlinfn.model.sweeps import PointFilter, Sweep
from tests.jobs.sharing.people import SECRET, Person, rewrite
from tests.jobs.workplace import code, write_notebook

pytestmark = pytest.mark.slow

RATES = (0.5, 2, 0.1)


def ran(ada: Person, rates: Sequence[Any] = RATES, failed: int = 1, **asked: Any) -> JobRecord:
    """A sweep of hers that has ended: one point failed, each recorded its loss and printed it."""
    default = "''" if isinstance(rates[0], str) else "0.1"
    cells = (code(f"rate = {default}", "parameters"), code("print('loss')"))
    source = write_notebook(ada.work / "scan.ipynb", *cells)
    sweep = Sweep(axes={"rate": tuple(rates)}, throttle=2)
    job = ada.submission.submit(
        JobRequest(source=str(source), backend="local", sweep=sweep, **asked)
    )
    for number in range(len(rates)):
        attempt = ada.folders.attempt(job.id, 1, number)
        attempt.mkdir(parents=True)
        (attempt / "log.txt").write_text(f"this is {number}\n", encoding="utf-8")
        output = Path(job.output_folder, str(number))
        output.mkdir(parents=True)
        (output / "table.csv").write_text(f"{number}\n", encoding="utf-8")
    seen = {n: end("failed" if n == failed else "succeeded", n) for n in range(len(rates))}
    ada.store.observe(job.id, Observation(state="running", points=seen))
    return ada.store.get(job.id)


def end(state: JobState, number: int) -> Observation:
    reason = Reason(code="notebook-error", text="It went wrong.") if state == "failed" else None
    at = datetime(2026, 11, 22, 10, 0, number % 60, tzinfo=UTC)
    return Observation(
        state=state, attempt=1, reason=reason, host="n1", values={"loss": 1 / (number + 1)},
        started_at=at, ended_at=at, output=f"/home/ada/{number}.ipynb",
    )  # fmt: skip


def test_a_colleague_sees_the_table_and_runs_the_points_as_hers(
    ada: Person, eve: Person, area: Path
) -> None:
    job = ran(ada)
    shared = ada.sharing.share(job.id)
    assert shared.sweep == job.sweep
    told = eve.sharing.details(job.id)
    assert [one.path for one in told.outputs] == [f"outputs/{n}/table.csv" for n in range(3)]
    assert told.notes == ()
    look = eve.sharing.look(job.id)
    mine = ada.store.points
    for wanted in (
        PointFilter(),
        PointFilter(sort="rate", order="desc"),
        PointFilter(sort="loss"),
        PointFilter(sort="ended_at", order="desc"),
        PointFilter(state=("failed",)),
        PointFilter(search="0.1"),
    ):
        seen = look.points.page(wanted, 2, None)
        own = mine.page(job.id, wanted, 2)
        bare = [one.model_copy(update={"output": None}) for one in own.points]
        assert seen == own.model_copy(update={"points": tuple(bare)}), wanted
    (last,) = look.points.page(PointFilter(), 2, "p2").points
    assert (last.index, last.values) == (2, {"loss": 1 / 3})
    assert look.log(point=1).text == "this is 1\n"
    with pytest.raises(NotFound):
        look.log(point=3)

    again = eve.sharing.rerun(job.id, SharedRerun(), eve.work)
    assert again.sweep is not None
    assert (again.sweep.points, again.sweep.throttle) == (3, 2)
    some = eve.sharing.rerun(job.id, SharedRerun(points="failed"), eve.work)
    assert [one.parameters for one in eve.store.points.all(some.id)] == [{"rate": 2}]
    named = eve.sharing.rerun(job.id, SharedRerun(points=(2, 0)), eve.work)
    assert [one.parameters for one in eve.store.points.all(named.id)] == [
        {"rate": 0.5},
        {"rate": 0.1},
    ]
    with pytest.raises(InputError, match="no point 7"):
        eve.sharing.rerun(job.id, SharedRerun(points=(7,)), eve.work)
    single = ada.ran()
    ada.sharing.share(single.id)
    with pytest.raises(InputError, match="no sweep"):
        eve.sharing.rerun(single.id, SharedRerun(points="failed"), eve.work)
    with pytest.raises(NotFound, match="no sweep"):
        _ = eve.sharing.look(single.id).points


def test_numbers_that_json_does_not_have_run_again_as_they_were(ada: Person, eve: Person) -> None:
    job = ran(ada, (float("inf"), 1.0), failed=0)
    ada.sharing.share(job.id)
    shown = eve.sharing.look(job.id).points.points[0].parameters
    assert shown == ada.store.points.all(job.id)[0].parameters
    again = eve.sharing.rerun(job.id, SharedRerun(points="failed"), eve.work)
    given = (eve.folders.job(again.id) / "points.jsonl").read_text(encoding="utf-8")
    assert given == '{"rate": Infinity}\n'


def test_a_secret_in_any_point_keeps_the_sweep_from_being_shared(ada: Person, area: Path) -> None:
    job = ran(ada, secrets=("s",))
    (ada.folders.attempt(job.id, 1, 2) / "log.txt").write_text(SECRET, encoding="utf-8")
    with pytest.raises(Refused) as refused:
        ada.sharing.share(job.id)
    assert refused.value.code == "holds-secret"
    other = ran(ada, (SECRET, "x"), secrets=("s",))
    with pytest.raises(Refused, match=r"points\.jsonl of this run holds"):
        ada.sharing.share(other.id)
    assert list(area.iterdir()) == []


def test_what_is_too_much_is_left_out_and_said(
    ada: Person, eve: Person, area: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ran(ada)
    monkeypatch.setattr(giving, "_MOST_LOGS", 1)
    monkeypatch.setattr(giving, "MAX_FILES", 7)
    ada.sharing.share(job.id)
    told = eve.sharing.details(job.id)
    assert told.outputs == ()
    assert told.notes == (
        "Its published files were too many to be shared.",
        "The logs of 2 points were too much to be shared.",
    )
    # the one that says why it failed is there
    assert eve.sharing.look(job.id).log(point=1).text == "this is 1\n"
    assert eve.sharing.look(job.id).log(point=0).text == ""
    monkeypatch.setattr(points, "LARGEST", 10)
    with pytest.raises(Refused, match="too large"):
        ada.sharing.share(job.id)


def _more(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: _write(folder, name, (folder / name).read_text() + text)


def _changed(name: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: _write(folder, name, (folder / name).read_text().replace(old, new))


def _write(folder: Path, name: str, text: str) -> None:
    """Whoever shares may write what she likes, and tell hashes that fit."""
    (folder / name).write_text(text, encoding="utf-8")
    note = json.loads((folder / "shared.json").read_text(encoding="utf-8"))
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    for one in note["files"]:
        if one["path"] == name:
            one |= {"size": len(text.encode()), "sha256": sha256}
    if name == "points.jsonl":
        note["details"]["spec"]["points_sha256"] = sha256
    rewrite(folder, files=note["files"], details=note["details"])


def _told(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        note = json.loads((folder / "shared.json").read_text(encoding="utf-8"))
        change(note["details"])
        rewrite(folder, details=note["details"])

    return harm


DEEP = '{"rate": ' + "[" * 100_000 + "]" * 100_000 + "}\n"

HOSTILE: dict[str, Callable[[Path], None]] = {
    "more points than were submitted": _more("points.jsonl", '{"rate": 9}\n'),
    "more ends than points": _more("results.jsonl", '{"index": 3, "state": "succeeded"}\n'),
    "ten million points": _more("points.jsonl", "{}\n" * 2_000_000),
    "too large a file": _more("results.jsonl", " " * (13 * 2**20)),
    "too long a line": _more("points.jsonl", '{"rate": "' + "x" * 2**18 + '"}\n'),
    "no JSON": _changed("results.jsonl", "{", ""),
    "a point twice": _changed("results.jsonl", '"index":2', '"index":1'),
    "a point that goes on": _changed("results.jsonl", "failed", "running"),
    "another state": _changed("results.jsonl", "failed", "succeeded"),
    "no name of a parameter": _changed("points.jsonl", "rate", "a b"),
    "nested without end": _changed("points.jsonl", '{"rate": 0.5}\n', DEEP),
    "a lone surrogate": _changed("points.jsonl", "0.5", '"\\ud800"'),
    "a huge number": _changed("results.jsonl", '"attempts":1', '"attempts":' + "9" * 30),
    "points that are others": lambda folder: _write(folder, "points.jsonl", '{"rate": 1}\n' * 3),
    "points that are gone": lambda folder: (folder / "points.jsonl").unlink(),
    "a link in their place": lambda folder: _link(folder / "results.jsonl"),
    "points without a count": _told(lambda told: told["job"].update(sweep=None)),
    "a count without points": _told(lambda told: told["spec"].update(points=0)),
    "no hash": _told(lambda told: told["spec"].update(points_sha256=None)),
    "another number": _told(lambda told: told["spec"].update(points=10**9)),
    "other counts": _told(lambda told: told["job"]["sweep"].update(points=10**9)),
}
HARMLESS = {"points that are others"}
"""A sweep of other points, told consistently, is a sweep: it is whose it is."""


def _link(path: Path) -> None:
    aside = path.with_name("aside")
    path.rename(aside)
    path.symlink_to(aside)


@pytest.mark.parametrize("harm", HOSTILE)
def test_hostile_sweeps_are_refused_in_words(
    ada: Person, eve: Person, area: Path, harm: str
) -> None:
    job = ran(ada)
    ada.sharing.share(job.id)
    HOSTILE[harm](area / job.id)
    if harm in HARMLESS:
        assert len(eve.sharing.look(job.id).points.points) == 3
        return
    with pytest.raises(MlinfnError) as refused:
        _ = eve.sharing.look(job.id).points.points
    assert refused.value.code == "shared-damaged", refused.value
    with pytest.raises(MlinfnError):
        eve.sharing.rerun(job.id, SharedRerun(points="failed"), eve.work)
    assert list(eve.work.iterdir()) == []
    kept = eve.folders.data_dir / "shared"
    assert not kept.exists() or list(kept.iterdir()) == []


def test_ten_thousand_points_are_shared_and_read(ada: Person, eve: Person, area: Path) -> None:
    source = write_notebook(ada.work / "s.ipynb", code("k = 0", "parameters"), code("k"))
    sweep = Sweep(raw_axes={"k": "0..9999"})
    job = ada.submission.submit(JobRequest(source=str(source), backend="local", sweep=sweep))
    seen = {number: end("succeeded", number) for number in range(10_000)}
    ada.store.observe(job.id, Observation(state="running", points=seen))
    ada.sharing.share(job.id)
    assert sorted(os.listdir(area / job.id)) == [
        *("bundle", "points.jsonl", "results.jsonl", "shared.json"),
    ]
    page = eve.sharing.look(job.id).points.page(PointFilter(sort="loss"), 1, None)
    assert (page.matching, page.points[0].index) == (10_000, 9_999)
