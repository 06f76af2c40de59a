"""Dated copies: what is shared between them, what never is, and what a kill leaves."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlinfn.model.errors import Conflict, InputError, MlinfnError, NotFound, Unavailable
from jupyter_mlinfn.storage import backup_program
from jupyter_mlinfn.storage.backups import copying, making
from jupyter_mlinfn.storage.backups.copies import copies_in
from jupyter_mlinfn.storage.backups.rule import Rule
from jupyter_mlinfn.storage.measuring import count
from tests.storage.conftest import Shelf

ODD = os.fsdecode(b"bad \xff\nname")


def test_what_did_not_change_is_shared_between_copies_and_never_with_the_area(shelf: Shelf) -> None:
    first, second = shelf.copy(), shelf.copy()
    live = (shelf.path / "notes.txt").stat()
    one, two = ((shelf.files(made) / "notes.txt").stat() for made in (first, second))
    assert one.st_ino == two.st_ino
    assert live.st_ino != one.st_ino
    assert (first.copy.added, second.copy.added) == (first.copy.size, 0)
    with (shelf.path / "notes.txt").open("a") as file:
        file.write("more\n")
    third = shelf.copy()
    assert (shelf.files(second) / "notes.txt").read_text() == "ours\n"
    assert (shelf.files(third) / "notes.txt").read_text() == "ours\nmore\n"


def test_a_change_that_hides_its_time_and_size_is_copied(shelf: Shelf) -> None:
    shelf.copy(hours_ago=0.01)
    path = shelf.path / "notes.txt"
    times = path.stat()
    path.write_text("OURS\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    second = shelf.copy(hours_ago=0)
    assert (shelf.files(second) / "notes.txt").read_text() == "OURS\n"


def test_what_was_not_touched_since_the_last_copy_is_not_read_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.copy(hours_ago=-1)

    def read(*_: object) -> bool:
        raise AssertionError("it was read")

    monkeypatch.setattr(copying, "_same_content", read)
    assert shelf.copy(hours_ago=-2).copy.added == 0
    monkeypatch.undo()
    (shelf.path / "notes.txt").chmod(0o640)
    third = shelf.copy(hours_ago=-3)
    assert third.copy.added == (shelf.path / "notes.txt").stat().st_size


def test_copies_are_for_reading(shelf: Shelf) -> None:
    (shelf.path / "analysis" / "fit.py").chmod(0o775)
    made = shelf.copy()
    for where, names, files in os.walk(shelf.copies / made.copy.id):
        for name in (*names, *files):
            assert not Path(where, name).stat().st_mode & 0o222, name
    assert stat.S_IMODE((shelf.files(made) / "analysis" / "fit.py").stat().st_mode) == 0o555


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of other people")
def test_in_a_copy_what_a_group_reads_is_nobodys_to_change(shelf: Shelf) -> None:
    ours, hers = shelf.path / "notes.txt", shelf.path / "diary.txt"
    hers.write_text("mine\n")
    for path, mode in ((ours, 0o664), (hers, 0o600)):
        os.chown(path, 4711, 4712)
        path.chmod(mode)
    made = shelf.files(shelf.copy())
    told = [(made / name).stat() for name in ("notes.txt", "diary.txt")]
    assert [(one.st_uid, one.st_gid, stat.S_IMODE(one.st_mode)) for one in told] == [
        (0, 4712, 0o444),
        (4711, 4712, 0o400),
    ]


def test_no_link_is_followed_and_nothing_waits_for_a_pipe(shelf: Shelf) -> None:
    (shelf.path / "away").symlink_to("/etc")
    (shelf.path / "analysis" / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(shelf.path / "pipe")
    (shelf.path / ODD).write_text("odd")
    made = shelf.copy()
    files = shelf.files(made)
    assert os.readlink(files / "away") == "/etc"
    assert (files / "analysis" / "passwd").is_symlink()
    assert not os.path.lexists(files / "pipe")
    assert (files / ODD).read_text() == "odd"
    assert made.told.skipped == ["pipe"]
    assert made.copy.skipped == 1


def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = shelf.base / "secret"
    secret.mkdir()
    (secret / "key").write_text("hidden")
    looked = copying.facts_of

    def swap(at: int, name: str) -> os.stat_result | None:
        facts = looked(at, name)
        folder = shelf.path / "analysis"
        if name == "analysis" and not folder.is_symlink():
            folder.rename(shelf.path / "zz")
            folder.symlink_to(secret)
        return facts

    monkeypatch.setattr(copying, "facts_of", swap)
    made = shelf.copy()
    assert made.told.changed == ["analysis"]
    assert not list(shelf.files(made).rglob("key"))


def test_what_changes_under_our_hands_is_told(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = shelf.path / "notes.txt"
    plain = copying.copy_content

    def written_meanwhile(source: int, target: int) -> None:
        plain(source, target)
        if os.fstat(source).st_ino == busy.stat().st_ino:
            with busy.open("a") as file:
                file.write("and more\n")

    monkeypatch.setattr(copying, "copy_content", written_meanwhile)
    made = shelf.copy()
    assert made.told.changed == ["notes.txt"]
    assert made.copy.changed == 1
    assert (shelf.files(made) / "notes.txt").read_text().startswith("ours\n")


def test_a_file_with_holes_stays_one(shelf: Shelf) -> None:
    with (shelf.path / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(64 * 2**20)
        file.write(b"end")
    copy = shelf.files(shelf.copy()) / "sparse"
    assert copy.read_bytes()[-3:] == b"end"
    assert copy.stat().st_blocks * 512 < 2**20


def test_a_full_disk_keeps_all_earlier_copies(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shelf.copy()
    (shelf.path / "big").write_text("much")

    def full(source: int, target: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copying, "copy_content", full)
    with pytest.raises(Unavailable) as caught:
        shelf.copy(Rule(everything=1))
    assert caught.value.code == "disk-full"
    assert "earlier copies are kept" in caught.value.text
    assert sorted(os.listdir(shelf.copies)) == [".lock", first.copy.id]


KILLED = """
import os, sys
from pathlib import Path
from jupyter_mlinfn.storage.backups import copying, making
from jupyter_mlinfn.storage.backups.rule import Rule
step, left = sys.argv[3], [3]
def die(*_, **__):
    left[0] -= 1
    if left[0] <= 0:
        os.kill(os.getpid(), 9)
if step == "copying":
    plain = copying.copy_content
    copying.copy_content = lambda *a: (plain(*a), die())
elif step == "disk":
    left[0] = 1
    making._to_disk = die
else:
    plain = os.unlink
    making.os.unlink = lambda *a, **k: (plain(*a, **k), die())
making.make_copy(Path(sys.argv[1]), Path(sys.argv[2]), Rule(everything=1))
"""


@pytest.mark.parametrize("step", ["copying", "disk", "removing"])
def test_a_kill_leaves_whole_copies_alone_and_the_next_run_clears(shelf: Shelf, step: str) -> None:
    for number in range(6):
        (shelf.path / f"run-{number}").write_text(str(number))
    first = shelf.copy()
    (shelf.path / "notes.txt").write_text("new\n")
    for number in range(6):
        (shelf.path / f"run-{number}").write_text(f"{number} again")
    argv = [sys.executable, "-c", KILLED, str(shelf.path), str(shelf.copies), step]
    assert subprocess.run(argv, check=False, timeout=300).returncode == -9
    whole = {copy.id for copy in copies_in(str(shelf.copies)).copies}
    if step == "removing":
        assert first.copy.id not in whole
        assert len(whole) == 1
    else:
        assert whole == {first.copy.id}
    assert any(name.startswith((".making", ".removing")) for name in os.listdir(shelf.copies))
    for copy in whole:
        assert (shelf.copies / copy / "files" / "run-5").is_file()
    last = shelf.copy(hours_ago=-1)
    assert {copy.id for copy in copies_in(str(shelf.copies)).copies} == whole | {last.copy.id}
    assert not [name for name in os.listdir(shelf.copies) if name.startswith(".m")]
    assert not [name for name in os.listdir(shelf.copies) if name.startswith(".r")]


def test_old_copies_go_by_the_rule_and_two_never_run_at_once(shelf: Shelf) -> None:
    rule = Rule(everything=86400, daily=2)
    made = [shelf.copy(hours_ago=hours) for hours in (100, 99, 50, 26, 2)]
    last = shelf.copy(rule, hours_ago=1)
    left = {copy.id for copy in copies_in(str(shelf.copies)).copies}
    assert {last.copy.id, made[4].copy.id} <= left
    assert made[0].copy.id in last.removed
    with making._alone(shelf.copies), pytest.raises(Conflict) as caught:
        shelf.copy(hours_ago=0)
    assert caught.value.code == "backup-runs"


def test_bad_places(shelf: Shelf) -> None:
    with pytest.raises(InputError):
        making.make_copy(shelf.path, shelf.path / "copies", Rule(1))
    with pytest.raises(InputError):
        making.make_copy(shelf.path, shelf.base, Rule(1))
    with pytest.raises(NotFound):
        making.make_copy(shelf.base / "none", shelf.copies, Rule(1))
    with pytest.raises(Unavailable) as failed:
        making.make_copy(shelf.path, shelf.base / "collab.lock" / "x" / ("y" * 300), Rule(1))
    assert failed.value.code == "backup-failed"
    made = shelf.copy(hours_ago=0)
    with pytest.raises(MlinfnError) as caught:
        making.make_copy(shelf.path, shelf.copies, Rule(1), made.copy.made_at)
    assert caught.value.code == "copy-exists"


def test_the_program(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    assert backup_program.main([str(shelf.path), "--to", str(shelf.copies)]) == 0
    assert f'"files": {count(str(shelf.path)).files}' in capsys.readouterr().out
    assert backup_program.main([str(shelf.base / "none"), "--to", str(shelf.copies)]) == 2
    assert "is no folder" in capsys.readouterr().err
    argv = [str(shelf.path), "--to", str(shelf.copies), "--keep", "every=1"]
    assert backup_program.main(argv) == 2
