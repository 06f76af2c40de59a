"""What must not be unpacked: each kind of tar that would reach outside, or be too much."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.travel import home as taking
from jupyter_mlinfn.jobs.travel import parcel
from jupyter_mlinfn.jobs.travel.archive import Limits, Packer, stays_inside
from jupyter_mlinfn.model.errors import Refused

AT = "attempts/1"
PUT = f"{AT}/published"


def member(
    name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, link
    about.size = len(content) if kind == tarfile.REGTYPE else 0
    return about, content


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.SYMTYPE, link=target)


def tar(*members: tuple[tarfile.TarInfo, bytes], first: bytes | None = None) -> BytesIO:
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as made:
        if first is not None:
            made.addfile(*map_stream(member("travel.json", first)))
        for about, content in members:
            made.addfile(*map_stream((about, content)))
    stream.seek(0)
    return stream


def map_stream(one: tuple[tarfile.TarInfo, bytes]) -> tuple[tarfile.TarInfo, BytesIO]:
    return one[0], BytesIO(one[1])


HOSTILE = {
    "up": [member("../owned")],
    "up inside": [member(f"{PUT}/../../../../owned")],
    "absolute": [member("/tmp/owned-by-a-tar")],
    "empty name": [member("")],
    "a dot": [member(".")],
    "a link to a folder, then a file in it": [
        link(f"{PUT}/d", "../../.."),
        member(f"{PUT}/d/owned"),
    ],
    "a file, then a link of its name": [member(f"{PUT}/a"), link(f"{PUT}/a", "b")],
    "an absolute link": [link(f"{PUT}/l", "/etc/passwd")],
    "a link out": [link(f"{PUT}/l", "../../../job.json")],
    "a link out by another": [
        member(f"{PUT}/p/q/f"),
        link(f"{PUT}/p/q/r", "../.."),
        link(f"{PUT}/z", "p/q/r/../../x"),
    ],
    "a link for a file of ours": [link(f"{AT}/end.json", "../../job.json")],
    "a link for an attempt": [link("attempts/2", "1")],
    "a hard link": [member(f"{PUT}/h", kind=tarfile.LNKTYPE, link="/etc/passwd")],
    "a device": [member(f"{PUT}/null", kind=tarfile.CHRTYPE)],
    "a disk": [member(f"{PUT}/sda", kind=tarfile.BLKTYPE)],
    "a pipe": [member(f"{PUT}/pipe", kind=tarfile.FIFOTYPE)],
    "a sparse file": [member(f"{PUT}/s", kind=tarfile.GNUTYPE_SPARSE)],
    "twice": [member(f"{AT}/log.txt"), member(f"{AT}/log.txt")],
    "a file for a folder": [member("attempts"), member(f"{AT}/log.txt")],
    "deep": [member(f"{PUT}/" + "d/" * 100 + "f")],
    "long": [member(f"{PUT}/" + "n" * 5000)],
    "many": [member(f"{PUT}/{number}") for number in range(60)],
    "large": [member(f"{PUT}/a", b"x" * 60_000), member(f"{PUT}/b", b"x" * 60_000)],
}


def whole(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "travel.lock"
    }


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_of_a_hostile_tar_comes_home(home: Path, tmp_path: Path, what: str) -> None:
    token = json.loads((home / "job.json").read_text())["token"]
    first = json.dumps({"token": token}).encode()
    before = whole(tmp_path)
    with pytest.raises(Refused) as caught:
        taking.take(home, tar(*HOSTILE[what], first=first), limits=Limits(50, 100_000))
    assert caught.value.code == "bad-parcel"
    assert whole(tmp_path) == before
    assert not (home / "attempts").exists()


@pytest.mark.parametrize("what", ["up", "absolute", "empty name", "a hard link", "many", "long"])
def test_nothing_of_a_hostile_tar_is_unpacked_there(home: Path, tmp_path: Path, what: str) -> None:
    before, target = whole(tmp_path), tmp_path / "there" / "job"
    with pytest.raises(Refused):
        parcel.unpack(tar(*HOSTILE[what]), target, limits=Limits(50, 100_000))
    assert whole(tmp_path) == before
    assert list(target.parent.iterdir()) == []


def damaged(change: Callable[[bytearray], None]) -> BytesIO:
    raw = bytearray(tar(member(f"{AT}/log.txt", b"x" * 5000)).getvalue())
    change(raw)
    return BytesIO(bytes(raw))


def huge_header(raw: bytearray) -> None:
    """A header that announces a name of 8 GiB, which must not be read into memory."""
    about = tarfile.TarInfo("././@PaxHeader")
    about.type, about.size = tarfile.XHDTYPE, 2**33 - 1
    raw[:512] = about.tobuf(tarfile.USTAR_FORMAT)


def huge_size(raw: bytearray) -> None:
    about = tarfile.TarInfo(f"{AT}/log.txt")
    about.size = 2**60
    raw[:512] = about.tobuf(tarfile.GNU_FORMAT)


def cut(raw: bytearray) -> None:
    del raw[1000:]


def garbage(raw: bytearray) -> None:
    raw[:512] = b"\xff" * 512


@pytest.mark.parametrize("change", [huge_header, huge_size, cut, garbage, bytearray.clear])
def test_a_damaged_tar_is_refused(home: Path, change: Callable[[bytearray], None]) -> None:
    with pytest.raises(Refused) as caught:
        taking.take(home, damaged(change))
    assert caught.value.code == "bad-parcel"
    assert not (home / "attempts").exists()


def test_what_is_not_ours_to_take_is_passed_over(home: Path) -> None:
    token = json.loads((home / "job.json").read_text())["token"]
    before = whole(home)
    came = tar(
        *(member(name) for name in ("job.json", "cancel", "bundle/notebook.ipynb", "slurm.json")),
        *(member(f"{AT}/{name}") for name in ("connection.json", "supervisor.lock", "strange")),
        member("attempts/0/log.txt"),
        member("points/../job.json".replace("../", "x/")),
        member(f"{AT}/log.txt", b"said\n"),
        first=json.dumps({"token": token}).encode(),
    )
    taking.take(home, came)
    assert whole(home) == before | {f"{AT}/log.txt": b"said\n"}


def test_only_links_that_stay_are_packed(tmp_path: Path) -> None:
    root = tmp_path / "published"
    (root / "sub").mkdir(parents=True)
    for name, target in (("in", "sub"), ("out", "../x"), ("abs", "/etc/passwd"), ("loop", "loop")):
        (root / name).symlink_to(target)
    assert stays_inside(root / "in", root)
    assert not stays_inside(root / "out", root)
    stream = BytesIO()
    packer = Packer(stream)
    packer.tree("published", root)
    packer.close()
    stream.seek(0)
    with tarfile.open(fileobj=stream) as packed_again:
        names = set(packed_again.getnames())
    assert names == {"published", "published/in", "published/sub", "published/loop"}
