"""Following: whole characters, cheap ends of long files, hostile text passed on as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.follow import JobFollower, read_chunk, read_progress
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.errors import InputError, NotFound
from tests.jobs.workplace import REQUEST, make_spec


@pytest.fixture
def follower(store: JobStore, folders: JobFolders) -> JobFollower:
    return JobFollower(store, folders)


@pytest.fixture
def job(store: JobStore) -> str:
    return store.insert(make_spec(), REQUEST).id


def attempt(folders: JobFolders, job: str, number: int = 1) -> Path:
    folder = folders.attempt(job, number)
    folder.mkdir(parents=True)
    return folder


def test_the_notebook_of_a_point_as_far_as_it_is(
    store: JobStore, folders: JobFolders, follower: JobFollower
) -> None:
    points = [{"lr": 0.1}, {"lr": 0.2}]
    job = store.insert(make_spec(points=2), REQUEST, None, points).id
    given = folders.bundle(job) / "notebook.ipynb"
    given.parent.mkdir(parents=True)
    given.write_text("{}")
    assert follower.notebook(job, 1) == given
    partial = folders.attempt(job, 1, 1) / "notebook.ipynb"
    partial.parent.mkdir(parents=True)
    partial.write_text("{}")
    assert follower.notebook(job, 1) == partial
    assert follower.notebook(job, 0) == given
    with pytest.raises(NotFound):
        follower.notebook(job, 2)


@given(text=st.text(max_size=200), limit=st.integers(1, 20))
def test_pieces_put_together_are_the_log(
    tmp_path_factory: pytest.TempPathFactory, text: str, limit: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.txt"
    path.write_bytes(text.encode("utf-8", "replace"))
    position, pieces, rounds = 0, "", 0
    while True:
        chunk = read_chunk(path, position, limit, ended=True)
        assert chunk.start == position
        pieces += chunk.text
        position = chunk.next
        rounds += 1
        if chunk.ended:
            break
        assert rounds <= 1000
    assert pieces == text.encode("utf-8", "replace").decode()
    assert position == chunk.size


def test_half_a_character_waits_for_its_rest_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes("a€".encode()[:-1])
    chunk = read_chunk(path, 0, 100, ended=False)
    assert (chunk.text, chunk.next, chunk.size) == ("a", 1, 3)
    last = read_chunk(path, chunk.next, 100, ended=True)
    assert (last.text, last.next, last.ended) == ("\ufffd", 3, True)


def test_hostile_text_is_text(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    hostile = b"\x1b]8;;http://x\x07</script>\x1b[2J\xff\xfe\0" + b"x" * 100_000
    path.write_bytes(hostile)
    chunk = read_chunk(path, 0, 2**20, ended=True)
    assert chunk.next == len(hostile)
    assert chunk.text.startswith("\x1b]8;;http://x\x07</script>\x1b[2J\ufffd\ufffd\0xxx")


def test_a_new_attempt_is_read_from_its_beginning(
    follower: JobFollower, folders: JobFolders, job: str, store: JobStore
) -> None:
    assert follower.read_log(job).text == ""
    (attempt(folders, job, 1) / "log.txt").write_text("a long first attempt", encoding="utf-8")
    first = follower.read_log(job)
    (attempt(folders, job, 2) / "log.txt").write_text("second", encoding="utf-8")
    second = follower.read_log(job, start=first.next)
    assert (second.text, second.start, second.ended) == ("second", 0, False)
    store.observe(job, Observation(state="failed", attempt=2))
    rest = follower.read_log(job, start=second.next)
    assert (rest.text, rest.ended) == ("", True)


@pytest.mark.parametrize(("start", "limit"), [(-1, 10), (0, 0), (0, 10**9)])
def test_bounds(follower: JobFollower, job: str, start: int, limit: int) -> None:
    with pytest.raises(InputError):
        follower.read_log(job, start, limit)


def test_progress_of_long_files_is_that_of_their_ends(tmp_path: Path) -> None:
    events = [
        {"at": "2026-01-01T00:00:00Z", "kind": "cell-done", "cells_done": n, "cells_total": 9999}
        for n in range(5000)
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n")
    (tmp_path / "values.jsonl").write_text(
        '{"at": "2026-01-02T00:00:00Z", "values": {"epoch": 1}}\n'
        '{"at": "2026-01-03T00:00:00Z", "values": {"epoch": 2}}\n{"at": "half a li'
    )
    (tmp_path / "log.txt").write_text("x\n" * 100_000 + "the last\n\n")
    progress = read_progress(tmp_path)
    assert (progress.cells_done, progress.cells_total) == (4999, 9999)
    assert progress.values == {"epoch": 2}
    assert progress.last_line == "the last"
    assert progress.at is not None
    assert progress.at.day == 3


@pytest.mark.parametrize(
    "line",
    ["[]", "null", '{"values": []}', '{"cells_done": "many"}', '{"at": 5}', "[" * 50_000, "\0"],
)
def test_damaged_progress_is_no_progress(tmp_path: Path, line: str) -> None:
    for name in ("events.jsonl", "values.jsonl"):
        (tmp_path / name).write_text(line + "\n")
    (tmp_path / "log.txt").write_bytes(b"\xff" * 200_000)
    progress = read_progress(tmp_path)
    assert progress.cells_total == 0
    assert len(progress.last_line or "") == 500


def test_the_notebook_as_far_as_it_is(
    follower: JobFollower, folders: JobFolders, job: str, store: JobStore, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        follower.notebook(job)
    bundled = folders.bundle(job) / "notebook.ipynb"
    bundled.parent.mkdir(parents=True)
    bundled.touch()
    assert follower.notebook(job) == bundled
    partial = attempt(folders, job) / "notebook.ipynb"
    partial.touch()
    assert follower.notebook(job) == partial
    published = tmp_path / "train.ipynb"
    store.observe(job, Observation(state="succeeded", attempt=1, output=str(published)))
    assert follower.notebook(job) == partial  # the published one was moved away
    published.touch()
    assert follower.notebook(job) == published
