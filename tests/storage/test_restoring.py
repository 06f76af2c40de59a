"""What comes back out of a copy: nothing that is there is lost, and nobody is led astray."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from pydantic import ValidationError

from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.storage import RestoreRequest
from jupyter_mlinfn.storage.backups import restoring
from jupyter_mlinfn.storage.backups.worker import carry_out
from tests.storage.conftest import Shelf, restored

ODD = os.fsdecode(b"bad \xff\nname")


def trash(shelf: Shelf) -> list[Path]:
    return [path for path in (shelf.path / ".mlinfn" / "trash").rglob("*") if path.is_file()]


def drafts(shelf: Shelf) -> list[str]:
    return os.listdir(shelf.path / ".mlinfn" / "drafts")


def test_deleted_by_mistake_and_back(shelf: Shelf) -> None:
    (shelf.path / ODD).write_text("odd")
    copy, storage = shelf.copy().copy.id, shelf.storage()
    shutil.rmtree(shelf.path / "analysis")
    (shelf.path / ODD).unlink()
    gone = storage.deleted("collab", copy)
    assert gone.complete
    assert [(one.name, one.path, one.kind) for one in gone.entries] == [
        ("analysis", "analysis", "folder"),
        ("bad \ufffd\ufffdname", "bad %FF%0Aname", "file"),
    ]
    for one in gone.entries:
        done = restored(storage, copy, one.path)
        assert (done.state, done.result, done.trash) == ("done", one.name, None)
    assert (shelf.path / "analysis" / "fit.py").read_text() == "print(1)\n"
    assert (shelf.path / ODD).read_text() == "odd"
    assert not storage.deleted("collab", copy).entries
    assert drafts(shelf) == []


def test_what_comes_back_can_be_written_again(shelf: Shelf) -> None:
    shelf.path.chmod(0o2770)
    (shelf.path / "analysis" / "fit.py").chmod(0o775)
    copy = shelf.copy().copy.id
    shutil.rmtree(shelf.path / "analysis")
    assert restored(shelf.storage(), copy, "analysis").state == "done"
    folder = stat.S_IMODE((shelf.path / "analysis").stat().st_mode)
    assert folder & 0o770 == 0o770
    assert stat.S_IMODE((shelf.path / "analysis" / "fit.py").stat().st_mode) == 0o775
    assert (shelf.files(shelf.copy()) / "analysis" / "fit.py").stat().st_nlink >= 1


def test_beside_takes_the_next_free_name(shelf: Shelf) -> None:
    copy, storage = shelf.copy(), shelf.storage()
    moment = f"{copy.copy.made_at.astimezone():%Y-%m-%d %H.%M}"
    results = [
        restored(storage, copy.copy.id, "notes.txt", where="beside").result for _ in range(2)
    ]
    assert results == [f"notes (restored {moment}).txt", f"notes (restored {moment} 2).txt"]
    done = restored(storage, copy.copy.id, "analysis/fit.py", where="beside")
    assert done.result == f"analysis/fit (restored {moment}).py"
    assert restored(storage, copy.copy.id, "analysis", where="beside").files == 1
    assert (shelf.path / "notes.txt").read_text() == "ours\n"


def test_in_its_place_keeps_what_was_there(shelf: Shelf) -> None:
    shelf.path.chmod(0o2770)
    copy, storage = shelf.copy().copy.id, shelf.storage()
    (shelf.path / "notes.txt").write_text("today\n")
    (shelf.path / "analysis" / "new.py").write_text("new\n")
    done = restored(storage, copy, "notes.txt")
    assert (shelf.path / "notes.txt").read_text() == "ours\n"
    kept = shelf.path / str(done.trash)
    assert kept.read_text() == "today\n"
    assert [one.stat().st_mode & 0o7777 for one in kept.parents[:2]] == [0o2770, 0o3770]
    assert "kept in" in str(done.text)
    assert restored(storage, copy, "analysis").state == "done"
    assert not (shelf.path / "analysis" / "new.py").exists()
    assert sorted(path.name for path in trash(shelf)) == ["fit.py", "new.py", "notes.txt"]


def test_one_file_of_a_folder_that_went_too(shelf: Shelf) -> None:
    copy, storage = shelf.copy().copy.id, shelf.storage()
    shutil.rmtree(shelf.path / "analysis")
    folder = storage.browse("collab", copy, "analysis")
    assert [(one.path, one.deleted) for one in folder.entries] == [("analysis/fit.py", True)]
    assert restored(storage, copy, "analysis/fit.py").result == "analysis/fit.py"
    (shelf.path / "analysis" / "fit.py").unlink()
    (shelf.path / "analysis").rmdir()
    (shelf.path / "analysis").write_text("a file now")
    done = restored(storage, copy, "analysis/fit.py")
    assert (done.state, done.code) == ("failed", "in-the-way")
    assert (shelf.path / "analysis").read_text() == "a file now"


def test_links_come_back_as_links_and_lead_nobody_out(shelf: Shelf) -> None:
    outside = shelf.base / "outside"
    outside.mkdir()
    (shelf.path / "link").symlink_to(outside)
    copy, storage = shelf.copy().copy.id, shelf.storage()
    (shelf.path / "link").unlink()
    assert restored(storage, copy, "link").state == "done"
    assert os.readlink(shelf.path / "link") == str(outside)
    with pytest.raises(NotFound):
        storage.browse("collab", copy, "link")
    shutil.rmtree(shelf.path / "analysis")
    (shelf.path / "analysis").symlink_to(outside)
    assert restored(storage, copy, "analysis/fit.py").code == "in-the-way"
    assert os.listdir(outside) == []
    assert restored(storage, copy, "analysis").state == "done"
    assert (shelf.path / "analysis" / "fit.py").is_file()
    assert os.listdir(outside) == []


def test_a_hidden_folder_that_is_a_link_is_not_used(shelf: Shelf) -> None:
    outside = shelf.base / "outside"
    outside.mkdir()
    copy = shelf.copy().copy.id
    (shelf.path / ".mlinfn").symlink_to(outside)
    done = restored(shelf.storage(), copy, "notes.txt")
    assert (done.state, done.code) == ("failed", "in-the-way")
    assert os.listdir(outside) == []


def test_a_pipe_in_a_copy_is_no_file(shelf: Shelf) -> None:
    made = shelf.copy()
    folder = shelf.files(made) / "analysis"
    folder.chmod(0o755)
    os.mkfifo(folder / "pipe")
    storage = shelf.storage()
    assert restored(storage, made.copy.id, "analysis/pipe").code == "not-a-file"
    done = restored(storage, made.copy.id, "analysis", where="beside")
    assert (done.state, done.files, done.missed) == ("done", 1, 1)


@pytest.mark.parametrize(
    "path",
    ["../notes.txt", "analysis/../../x", "/etc/passwd", "%2e%2e/x", "a//b", "a%00b", ".", "a/.",
     "x" * 300, "/".join("a" * 200)],
)  # fmt: skip
def test_paths_that_lead_out(shelf: Shelf, path: str) -> None:
    copy, storage = shelf.copy().copy.id, shelf.storage()
    with pytest.raises(InputError):
        storage.restore("collab", RestoreRequest(copy_id=copy, path=path))
    with pytest.raises(InputError):
        storage.browse("collab", copy, path)


@pytest.mark.parametrize("copy", ["..", ".lock", "20261120T140000Z\n", "../collab", ""])
def test_copies_of_other_names(shelf: Shelf, copy: str) -> None:
    shelf.copy()
    with pytest.raises(NotFound):
        shelf.storage().browse("collab", copy, "")
    with pytest.raises(ValidationError):
        RestoreRequest(copy_id=copy, path="notes.txt")


def test_a_copy_of_another_area_is_not_found(shelf: Shelf, tmp_path: Path) -> None:
    other = Shelf(tmp_path / "other").fill()
    theirs = other.copy(hours_ago=3).copy.id
    shelf.copy(hours_ago=2)
    assert restored(shelf.storage(), theirs, "notes.txt").code == "no-such-copy"
    with pytest.raises(NotFound):
        shelf.storage().restore("other", RestoreRequest(copy_id=theirs, path="notes.txt"))


def test_the_whole_area_and_areas_without_right_are_refused(shelf: Shelf) -> None:
    copy = shelf.copy().copy.id
    assert restored(shelf.storage(), copy, ".mlinfn/trash").code == "whole-area"
    assert restored(shelf.storage(writable=False), copy, "notes.txt").code == "read-only"
    with pytest.raises(ValidationError):
        RestoreRequest(copy_id=copy, path="")


def test_a_full_disk_changes_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shelf.copy().copy.id
    (shelf.path / "notes.txt").write_text("today\n")

    def full(*_: object) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(restoring, "copy_content", full)
    done = restored(shelf.storage(), copy, "notes.txt")
    assert (done.state, done.code) == ("failed", "disk-full")
    assert (shelf.path / "notes.txt").read_text() == "today\n"
    assert drafts(shelf) == []


def test_one_that_cannot_change_places_changes_nothing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shelf.copy().copy.id
    (shelf.path / "notes.txt").write_text("today\n")

    def denied(draft: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(restoring, "exchange", denied)
    done = restored(shelf.storage(), copy, "notes.txt")
    assert (done.state, done.code) == ("failed", "no-right")
    assert (shelf.path / "notes.txt").read_text() == "today\n"
    assert (drafts(shelf), trash(shelf)) == ([], [])


def test_a_restore_is_stopped(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    copy, storage = shelf.copy().copy.id, shelf.storage()
    begun, goes_on = Event(), Event()
    plain = restoring.copy_content

    def slow(source: int, target: int, look: object) -> None:
        begun.set()
        assert goes_on.wait(120)
        plain(source, target, look)  # type: ignore[arg-type]

    monkeypatch.setattr(restoring, "copy_content", slow)
    asked = RestoreRequest(copy_id=copy, path="notes.txt", where="beside")
    task = storage.restores.write_down(storage.area("collab"), asked)
    place = storage.restores.place(task.id)
    with ThreadPoolExecutor(1) as thread:
        going = thread.submit(carry_out, place)
        assert begun.wait(120)
        storage.restores.cancel(task.id)
        goes_on.set()
        going.result(120)
    again = storage.restores.read(task.id)
    assert again.state == "cancelled"
    assert "nothing was changed" in str(again.text)
    assert sorted(os.listdir(shelf.path)) == [".mlinfn", "analysis", "notes.txt"]
    assert drafts(shelf) == []
    with pytest.raises(NotFound):
        storage.restores.read("0" * 16)


def test_a_draft_of_a_killed_restore_goes_when_it_is_old(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, storage = shelf.copy().copy.id, shelf.storage()
    left = shelf.path / ".mlinfn" / "drafts" / "0123"
    left.mkdir(parents=True)
    restored(storage, copy, "notes.txt", where="beside")
    assert left.exists()
    monkeypatch.setattr(restoring, "_OLD_DRAFT", -1)
    restored(storage, copy, "notes.txt", where="beside")
    assert not left.exists()


def test_the_search_says_when_there_is_more(shelf: Shelf) -> None:
    for number in range(250):
        (shelf.path / f"run-{number:03}").touch()
    copy, storage = shelf.copy().copy.id, shelf.storage()
    for number in range(250):
        (shelf.path / f"run-{number:03}").unlink()
    gone = storage.deleted("collab", copy)
    assert (len(gone.entries), gone.complete) == (200, False)
    top = storage.browse("collab", copy, "").entries
    assert [one.name for one in top[:2]] == ["run-000", "run-001"]
    assert [one.name for one in top[-2:]] == ["analysis", "notes.txt"]
