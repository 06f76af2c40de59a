"""Folders of a session: owner, mode, and nothing through a link."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.plans import Mount
from jupyter_mlinfn.storage.making import Made, make

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: other user ids")
ADA, BEN, OURS = (4711, 100), (4712, 100), 4999


def mount(source: Path, **changes: object) -> Mount:
    told = {"kind": "bind", "source": str(source), "target": "/home/ada", "read_only": False}
    return Mount.model_validate({**told, "create": True, **changes})


def facts(path: Path) -> tuple[int, int, int]:
    told = path.stat()
    return told.st_uid, told.st_gid, stat.S_IMODE(told.st_mode)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "srv"
    made.mkdir()
    for folder in (made, *made.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        # other people come in here; how deep it lies depends on how the tests are run
        folder.chmod(0o755)
    return made


@as_root
def test_each_kind_has_its_owner_and_mode(root: Path) -> None:
    area = Area(name="shared", title="S", kind="shared", path="/shared/ada", writable=True,
                survives=True, audience="everyone")  # fmt: skip
    mounts = (
        mount(root / "home" / "ada"),
        mount(root / "shared" / "ada", target="/shared/ada"),
        mount(root / "groups" / "lhcb", target="/collab", shared_with="lhcb"),
        mount(root / "copies" / "lhcb", target="/b", read_only=True, shared_with="lhcb"),
        mount(root / "cvmfs", create=False),
        mount(root / "never", kind="pvc"),
    )
    for expected in (True, False):
        made = make(mounts, ADA, areas=(area,), groups={"lhcb": OURS}, roots=(str(root),))
        assert [one.made for one in made] == [expected] * 4
    assert facts(root / "home" / "ada") == (*ADA, 0o700)
    assert facts(root / "shared" / "ada") == (*ADA, 0o755)
    assert facts(root / "groups" / "lhcb") == (0, OURS, 0o2770)
    assert facts(root / "copies" / "lhcb") == (0, OURS, 0o750)
    assert facts(root / "home")[2] == 0o755
    assert sorted(os.listdir(root)) == ["copies", "groups", "home", "shared"]


def test_what_is_mounted_read_only_and_there_stays_as_it_is(root: Path) -> None:
    folder = root / "software"
    folder.mkdir(mode=0o711)
    before = facts(folder)
    (made,) = make((mount(folder, read_only=True),), ADA, roots=(str(root),))
    assert (made.made, facts(folder)) == (False, before)


@as_root
def test_without_a_group_of_the_system_the_sessions_own_stands_in(root: Path) -> None:
    make((mount(root / "lhcb", shared_with="lhcb"),), ADA, roots=(str(root),))
    assert facts(root / "lhcb") == (0, ADA[1], 0o2770)


WRITES = """
import os, sys
os.setgroups([int(sys.argv[3])]); os.setgid(100); os.setuid(int(sys.argv[2])); os.umask(0o077)
path = os.path.join(sys.argv[1], "deep")
os.path.isdir(path) or os.mkdir(path)
open(os.path.join(path, "work.txt"), "a").write(sys.argv[2])
"""


@as_root
def test_everyone_of_the_group_writes_whatever_the_umask(root: Path) -> None:
    (made,) = make(
        (mount(root / "lhcb", shared_with="lhcb"),), ADA, groups={"lhcb": OURS}, roots=(str(root),)
    )
    if not made.open_to_group:
        pytest.skip("the file system of the tests has no access control lists")
    for uid in (ADA[0], BEN[0]):
        argv = [sys.executable, "-c", WRITES, str(root / "lhcb"), str(uid), str(OURS)]
        subprocess.run(argv, check=True, timeout=300)
    assert (root / "lhcb" / "deep" / "work.txt").read_text() == f"{ADA[0]}{BEN[0]}"
    stranger = [sys.executable, "-c", WRITES, str(root / "lhcb"), "4713", "4713"]
    assert subprocess.run(stranger, check=False, capture_output=True, timeout=300).returncode


@as_root
def test_a_folder_of_somebody_else_is_never_handed_over(root: Path) -> None:
    home = root / "ada"
    make((mount(home),), ADA, roots=(str(root),))
    (home / "thesis").touch()
    with pytest.raises(Refused) as caught:
        make((mount(home),), BEN, roots=(str(root),))
    assert caught.value.code == "belongs-to-another"
    assert facts(home) == (*ADA, 0o700)


@as_root
def test_a_killed_run_is_finished_and_a_full_folder_of_roots_is_not_given(root: Path) -> None:
    half, full = root / "half", root / "full"
    half.mkdir()
    full.mkdir()
    (full / "secret").touch()
    make((mount(half),), ADA, roots=(str(root),))
    assert facts(half) == (*ADA, 0o700)
    with pytest.raises(Refused):
        make((mount(full),), ADA, roots=(str(root),))
    assert facts(full)[0] == 0


@pytest.mark.parametrize("last", [True, False], ids=["the folder", "on the way"])
def test_no_link_is_followed(root: Path, last: bool) -> None:
    outside = root / "outside"
    outside.mkdir()
    (root / "in").mkdir()
    (root / "in" / "ada").symlink_to(outside)
    before = facts(outside)
    source = root / "in" / "ada" if last else root / "in" / "ada" / "home"
    with pytest.raises(Refused) as caught:
        make((mount(source),), (os.geteuid(), os.getegid()), roots=(str(root / "in"),))
    assert caught.value.code == "in-the-way"
    assert (facts(outside), os.listdir(outside)) == (before, [])


def test_sources_stay_below_the_roots(root: Path) -> None:
    sibling = f"{root}-secret/x"
    for source in (sibling, f"{root}/../x", str(root), "relative", f"{root}/a\0b"):
        with pytest.raises(InputError) as caught:
            make((mount(Path("/")).model_copy(update={"source": source}),), ADA, roots=(str(root),))
        assert caught.value.code == "outside-roots", source


def test_as_oneself(root: Path) -> None:
    own = (os.geteuid(), os.getegid())
    assert make((mount(root / "mine"),), own, roots=(str(root),)) == (
        Made(str(root / "mine"), made=True),
    )
    assert facts(root / "mine") == (*own, 0o700)
