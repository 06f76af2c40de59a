"""Databases do not lie on file systems that machines share."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlinfn.database import location
from jupyter_mlinfn.database.location import database_path, is_network
from jupyter_mlinfn.model.errors import Unavailable

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/scratch xfs rw 0 0
store /mnt/my\\040data fuse.sshfs rw 0 0
over /opt fuse.fuse-overlayfs rw 0 0
server:/x /late nfs rw 0 0
tmpfs /late tmpfs rw 0 0
nonsense
"""


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("/var/tmp", False),
        ("/home", True),
        ("/home/anna/.local/share", True),
        ("/homeless", False),  # a sibling whose name begins alike
        ("/home/scratch/x", False),
        ("/mnt/my data/jobs", True),
        ("/opt/x", False),
        ("/late/x", False),  # what was mounted last counts
    ],
)
def test_the_kind_of_the_nearest_mount_counts(path: str, shared: bool) -> None:
    assert is_network(Path(path), MOUNTS) is shared


def test_a_local_folder_keeps_its_database(tmp_path: Path) -> None:
    assert database_path(tmp_path, "jobs.sqlite") == tmp_path / "jobs.sqlite"


@pytest.fixture
def shared_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(location, "is_network", lambda path: True)


@pytest.mark.usefixtures("shared_home")
def test_a_shared_folder_has_it_on_a_local_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    one = database_path(tmp_path / "a", "jobs.sqlite", local_root=disk)
    again = database_path(tmp_path / "a", "jobs.sqlite", local_root=disk)
    other = database_path(tmp_path / "b", "jobs.sqlite", local_root=disk)
    assert one == again != other
    assert one.is_relative_to(disk)
    assert one.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("shared_home")
def test_a_folder_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    own = database_path(tmp_path / "a", "jobs.sqlite", local_root=disk).parent.parent
    own.chmod(0o777)
    with pytest.raises(Unavailable):
        database_path(tmp_path / "a", "jobs.sqlite", local_root=disk)


@pytest.mark.usefixtures("shared_home")
def test_a_link_laid_in_its_place_is_not_used(tmp_path: Path) -> None:
    disk, elsewhere = tmp_path / "disk", tmp_path / "elsewhere"
    disk.mkdir()
    elsewhere.mkdir(mode=0o700)
    own = database_path(tmp_path / "a", "jobs.sqlite", local_root=disk).parent.parent
    for folder in own.iterdir():
        folder.rmdir()
    own.rmdir()
    own.symlink_to(elsewhere)
    with pytest.raises(Unavailable):
        database_path(tmp_path / "a", "jobs.sqlite", local_root=disk)
