"""Areas: who tells them, how full they are, notes, and file systems that never answer."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound, Refused, Unavailable
from jupyter_mlinfn.model.storage import AreaState, NoteRequest
from jupyter_mlinfn.storage import areas, asking, notes, overview
from jupyter_mlinfn.storage.asking import Asking
from jupyter_mlinfn.storage.overview import Storage
from tests.storage.conftest import Shelf

TOLD: dict[str, Any] = {
    "name": "lhcb", "title": "LHCb", "kind": "collabspace", "path": "/data/lhcb",
    "writable": True, "survives": True, "audience": "group", "group": "users/lhcb",
}  # fmt: skip


def only(storage: Storage) -> AreaState:
    (found,) = storage.list(patience=120).areas
    return found


def test_areas_are_read() -> None:
    (one,) = areas.read_areas(json.dumps([TOLD]))
    assert (one.name, one.batch, one.quota) == ("lhcb", None, None)
    assert areas.read_areas([TOLD]) == (one,)


@pytest.mark.parametrize(
    "told",
    ["{", "{}", '"x"', json.dumps([{**TOLD, "name": "../x"}]), json.dumps([TOLD, TOLD]),
     json.dumps([{**TOLD, "path": "relative"}]), json.dumps([{**TOLD, "colour": "red"}])],
)  # fmt: skip
def test_areas_that_are_told_wrongly(told: str) -> None:
    with pytest.raises(InputError) as caught:
        areas.read_areas(told)
    assert caught.value.code == "bad-areas"


def test_without_a_hub_there_is_the_one_folder(tmp_path: Path) -> None:
    area = areas.only_area(tmp_path, {"slurm": [str(tmp_path.parent)], "condor": ["/nowhere"]})
    assert (area.name, area.path, area.batch) == ("private", str(tmp_path), ("slurm",))
    assert areas.only_area(tmp_path, {}).batch is None
    found = only(Storage(lambda: (area,), "ada", tasks=tmp_path / "tasks"))
    assert (found.state, found.use is not None and found.use.of) == ("ready", "file system")
    facts = os.statvfs(tmp_path)
    assert found.use
    assert found.use.total
    blocks = facts.f_blocks - facts.f_bfree + facts.f_bavail
    assert abs(found.use.total / facts.f_frsize - blocks) < blocks / 5
    assert not (tmp_path / ".mlinfn").exists()


def test_a_declared_quota_is_counted_in_the_background(shelf: Shelf) -> None:
    (shelf.path / "big").write_bytes(b"x" * 300_000)
    os.link(shelf.path / "big", shelf.path / "again")
    (shelf.path / "link").symlink_to("/")
    storage = shelf.storage(quota=10**9)
    (found,) = storage.list_counted(patience=120).areas
    assert found.use
    assert (found.use.of, found.use.total, found.use.files) == ("quota", 10**9, 4)
    assert found.use.used
    assert 300_000 <= found.use.used < 600_000


def test_what_is_not_there_or_not_allowed_is_told(shelf: Shelf, tmp_path: Path) -> None:
    assert only(shelf.storage(path=str(tmp_path / "none"))).state == "missing"
    bucket = only(shelf.storage(kind="bucket", path="", bucket="s3://ours", snapshots=None))
    assert (bucket.state, bucket.use) == ("ready", None)


def test_a_hanging_file_system_is_silent_and_stops_nobody(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, plain = Event(), overview._look

    def hangs(area: Area, person: str) -> Any:
        if area.name == "dead":
            assert goes_on.wait(300)
        return plain(area, person)

    monkeypatch.setattr(overview, "_look", hangs)
    dead = shelf.area(name="dead")
    storage = Storage(lambda: (dead, shelf.area()), "ada", tasks=shelf.base / "tasks")
    for _ in range(asking.MOST + 2):
        states = {one.area.name: one.state for one in storage.list(patience=0.2).areas}
        assert states["dead"] == "silent"
    until = time.monotonic() + 120
    while states["collab"] != "ready" and time.monotonic() < until:
        states = {one.area.name: one.state for one in storage.list(patience=1).areas}
    assert states == {"dead": "silent", "collab": "ready"}
    waiting = [one for one in storage._asking._calls["dead"] if not one[1].done()]
    assert len(waiting) == asking.MOST
    with pytest.raises(Unavailable) as caught:
        storage.add_note("dead", NoteRequest(text="x"))
    assert caught.value.code == "area-silent"
    goes_on.set()
    until = time.monotonic() + 120
    while states["dead"] != "ready" and time.monotonic() < until:
        states = {one.area.name: one.state for one in storage.list(patience=1).areas}
    assert states["dead"] == "ready"


def test_a_call_has_a_deadline_and_an_error_of_its_own_comes_through() -> None:
    goes_on = Event()
    with pytest.raises(Unavailable):
        Asking().within("a", 0.05, lambda: goes_on.wait(300))
    goes_on.set()

    def late() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        Asking().within("a", 120, late)


def test_notes_are_written_read_and_taken_away(shelf: Shelf) -> None:
    shelf.path.chmod(0o2770)
    storage = shelf.storage()
    text = "<img onerror=alert(1)> fits \n\x1b[2J"
    first = storage.add_note("collab", NoteRequest(text=text, path="analysis"))
    assert first.text == "<img onerror=alert(1)> fits [2J"
    storage.add_note("collab", NoteRequest(text="second"))
    assert [(one.person, one.text, one.mine) for one in only(storage).notes] == [
        ("ada", "second", True),
        ("ada", first.text, True),
    ]
    folder = shelf.path / ".mlinfn" / "notes"
    assert folder.stat().st_mode & 0o7777 == 0o3770
    storage.remove_note("collab", first.id)
    assert [one.text for one in only(storage).notes] == ["second"]
    for name in (first.id, "../../notes", "x" * 16):
        with pytest.raises(NotFound):
            storage.remove_note("collab", name)


def test_foreign_files_among_the_notes_harm_nobody(shelf: Shelf) -> None:
    storage = shelf.storage()
    storage.add_note("collab", NoteRequest(text="good"))
    folder = shelf.path / ".mlinfn" / "notes"
    os.mkfifo(folder / f"{'a' * 16}.json")
    (folder / f"{'b' * 16}.json").symlink_to("/etc/passwd")
    (folder / f"{'c' * 16}.json").write_text("[" * 8000)
    (folder / f"{'d' * 16}.json").write_bytes(b"x" * 100_000)
    (folder / f"{'e' * 16}.json").mkdir()
    (folder / f"{'f' * 16}.json").write_text("no json")
    assert [one.text for one in only(storage).notes] == ["good"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of other people")
def test_who_wrote_a_note_the_file_system_says(shelf: Shelf) -> None:
    storage = shelf.storage()
    mine = storage.add_note("collab", NoteRequest(text="in use"))
    path = shelf.path / ".mlinfn" / "notes" / f"{mine.id}.json"
    os.chown(path, 1, 1)
    (note,) = only(storage).notes
    assert (note.person, note.mine) == ("daemon", False)
    with pytest.raises(Refused):
        storage.remove_note("collab", mine.id)
    os.chown(path, 4711, 4711)
    assert only(storage).notes[0].person == "ada"


def test_where_notes_are_not_taken(shelf: Shelf) -> None:
    for changes in ({"kind": "private"}, {"writable": False}):
        with pytest.raises(Refused):
            shelf.storage(**changes).add_note("collab", NoteRequest(text="x"))
    with pytest.raises(InputError):
        shelf.storage().add_note("collab", NoteRequest(text=" \n "))


def test_notes_end_somewhere(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_MOST_OWN", 2)
    storage = shelf.storage()
    for text in ("one", "two"):
        storage.add_note("collab", NoteRequest(text=text))
    with pytest.raises(Conflict):
        storage.add_note("collab", NoteRequest(text="three"))
