"""SIF files: our bytes against the tables of the format, hostile files, an independent reader."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.image import sif
from jupyter_mlinfn.environments.image.files import open_image
from jupyter_mlinfn.environments.image.sif import Partition, PartitionKind, read_sif, write_sif
from jupyter_mlinfn.model.errors import InputError
from tests import parts
from tests.environments.image.tools import install, need

LOCK = "sha256:" + "ab" * 32
BUILT = Path(__file__).parents[3] / ".build"
CHECKER = """package main
import ("os"; "github.com/spf13/cobra"; "github.com/sylabs/sif/v2/pkg/siftool")
func main() { r := &cobra.Command{Use: "siftool", SilenceUsage: true}
  if err := siftool.AddCommands(r); err != nil { panic(err) }
  if err := r.Execute(); err != nil { os.Exit(1) } }
"""


@pytest.fixture
def squash(tmp_path: Path) -> Path:
    """A file that begins as squashfs does, of odd length."""
    path = tmp_path / "root.sqfs"
    path.write_bytes(b"hsqs" + os.urandom(10_001))
    return path


def write(path: Path, *kinds: PartitionKind, source: Path, platform: str = "linux-64") -> Path:
    """A SIF file with these partitions, all from ``source``."""
    partitions = tuple(Partition(kind.name.lower(), source, kind) for kind in kinds)
    write_sif(path, partitions, platform=platform, lock=LOCK, labels={"a": "b"})
    return path


def test_the_sizes_of_the_format() -> None:
    assert (sif.HEADER.size, sif.DESCRIPTOR.size, sif.DATA_AT) == (128, 585, 32176)


def test_the_bytes_are_those_of_the_format(tmp_path: Path, squash: Path) -> None:
    raw = write(tmp_path / "x.sif", PartitionKind.DATA, source=squash).read_bytes()
    assert raw[:32] == b"#!/usr/bin/env run-singularity\n\0"
    assert raw[32:48] == b"SIF_MAGIC\x0001\x0002\x00"
    assert raw[48:64] == bytes.fromhex("ab" * 16)
    fields = struct.unpack_from("<8q", raw, 64)
    assert fields == (0, 0, 45, 48, 4096, 28080, 32176, len(raw) - 32176)
    kind, used, number, group, linked, offset, size, padded = struct.unpack_from(
        "<i?IIIqqq", raw, 4096 + 2 * 585
    )
    assert (kind, used, number, group, linked) == (0x4004, True, 3, 0xF0000001, 0)
    assert offset % 4096 == 0
    assert raw[offset : offset + size] == squash.read_bytes()
    before = struct.unpack_from("<qq", raw, 4096 + 585 + 17)
    assert padded == offset + size - sum(before)
    assert struct.unpack_from("<ii3s", raw, 4096 + 2 * 585 + 201) == (1, 3, b"02\0")
    assert raw[4096 + 3 * 585 : 32176] == bytes(45 * 585)
    assert (tmp_path / "x.sif").stat().st_mode & 0o777 == 0o755


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, squash: Path) -> None:
    first = write(tmp_path / "a.sif", PartitionKind.DATA, source=squash)
    other = tmp_path / "elsewhere"
    other.mkdir()
    copied = Path(shutil.copy(squash, other / "copy"))
    os.utime(copied, (1, 1))
    partition = Partition("data", copied, PartitionKind.DATA)
    write_sif(other / "b.sif", (partition,), platform="linux-64", lock=LOCK, labels={"a": "b"})
    assert first.read_bytes() == (other / "b.sif").read_bytes()


def test_what_is_written_is_read(tmp_path: Path, squash: Path) -> None:
    path = write(tmp_path / "x.sif", PartitionKind.PRIMARY, PartitionKind.OVERLAY, source=squash)
    found = read_sif(path, platform="linux-64", runnable=True)
    assert [item.name for item in found.items] == [
        "labels.json", "inspect-metadata.json", "primary", "overlay",
    ]  # fmt: skip
    assert found.partition(PartitionKind.OVERLAY).kind == 4
    assert b'"org.jupyter-mlinfn.lock":"' + LOCK.encode() in found.read(found.items[1])
    assert open_image(path).container


@pytest.mark.parametrize(
    ("code", "at", "value"),
    [
        ("sif-magic", 32, b"SIF_MAGIK"),
        ("sif-version", 42, b"02"),
        ("sif-table", 88, struct.pack("<q", 0)),
        ("sif-table", 88, struct.pack("<q", 2**40)),
        ("sif-table", 96, struct.pack("<q", 2**40)),
        ("sif-table", 96, struct.pack("<q", -1)),
        ("sif-table", 104, struct.pack("<q", 585)),
        ("sif-object", 4096 + 17, struct.pack("<q", 2**62)),
        ("sif-object", 4096 + 17, struct.pack("<q", -5)),
        ("sif-object", 4096 + 25, struct.pack("<q", -1)),
        ("sif-object", 4096 + 2 * 585 + 25, struct.pack("<q", 2**40)),
        ("sif-primary", 4096 + 3 * 585 + 201, struct.pack("<ii", 1, 2)),
        ("sif-arch", 45, b"04"),
        ("sif-arch", 4096 + 2 * 585 + 209, b"04"),
    ],
)
def test_broken_and_hostile_files_are_refused(
    code: str, at: int, value: bytes, tmp_path: Path, squash: Path
) -> None:
    path = write(tmp_path / "x.sif", PartitionKind.PRIMARY, PartitionKind.OVERLAY, source=squash)
    read_sif(path, platform="linux-64", runnable=True)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(value)
    with pytest.raises(InputError) as caught:
        read_sif(path, platform="linux-64", runnable=True)
    assert caught.value.code == code


@pytest.mark.parametrize("length", [0, 10, 127, 128, 4096, 20_000, 40_000])
def test_a_file_cut_off_anywhere_is_refused(length: int, tmp_path: Path, squash: Path) -> None:
    path = write(tmp_path / "x.sif", PartitionKind.PRIMARY, source=squash)
    os.truncate(path, length)
    with pytest.raises(InputError):
        read_sif(path)


def test_what_cannot_be_run_or_made_is_said(tmp_path: Path, squash: Path) -> None:
    path = write(tmp_path / "x.sif", PartitionKind.DATA, source=squash)
    with pytest.raises(InputError, match="no root partition"):
        read_sif(path, runnable=True)
    with pytest.raises(InputError, match="another machine"):
        read_sif(path, platform="linux-aarch64")
    with pytest.raises(InputError, match="osx-arm64"):
        write(tmp_path / "y.sif", PartitionKind.DATA, source=squash, platform="osx-arm64")
    arm = write(tmp_path / "z.sif", PartitionKind.DATA, source=squash, platform="linux-aarch64")
    assert read_sif(arm, platform="linux-aarch64").architecture == b"04\0"


@pytest.fixture(scope="session")
def siftool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sylabs' own reader, compiled from Debian's source package."""
    why = install("golang-github-sylabs-sif-dev")
    go = next(filter(None, map(shutil.which, ("/usr/lib/go/bin/go", "go"))), None)
    if not why and go is None:
        why = install("golang-go")
        go = shutil.which("go")
    if why or go is None:
        parts.missed("siftool", why or "no Go compiler")
        pytest.skip(why or "no Go compiler")
    folder = tmp_path_factory.mktemp("siftool")
    source = Path("/usr/share/gocode/src/github.com/sylabs/sif")
    place = folder / "src/github.com/sylabs/sif/v2"
    place.parent.mkdir(parents=True)
    place.symlink_to(source)
    (folder / "main.go").write_text(CHECKER)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GO111MODULE": "off",
        "GOPROXY": "off",
        "GOFLAGS": "",
        "GOTOOLCHAIN": "local",
        "GOPATH": f"{folder}:/usr/share/gocode",
        "GOCACHE": str(BUILT / "go-cache"),  # compiling its own packages takes Go a minute
    }
    done = subprocess.run(
        [go, "build", "-o", "siftool", "main.go"],
        cwd=folder, env=environ, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        parts.missed("siftool", done.stderr[-200:])
        pytest.skip(done.stderr[-500:])
    parts.took_part("siftool", "Debian's golang-github-sylabs-sif-dev")
    return folder / "siftool"


@pytest.mark.system
def test_sylabs_own_reader_agrees(siftool: Path, tmp_path: Path, squash: Path) -> None:
    path = write(tmp_path / "x.sif", PartitionKind.PRIMARY, PartitionKind.DATA, source=squash)

    def ask(*words: str) -> bytes:
        argv = [str(siftool), words[0], *words[1:], str(path)]
        return subprocess.run(argv, capture_output=True, check=True).stdout

    listed = ask("list").decode()
    assert "JSON.Labels" in listed
    assert "FS (Squashfs/*System/amd64)" in listed
    assert "FS (Squashfs/Data/amd64)" in listed
    assert "abababab-abab-abab-abab-abababababab" in ask("header").decode()
    assert ask("dump", "3") == squash.read_bytes()
    assert LOCK.encode() in ask("dump", "2")
    with path.open("r+b") as file:
        file.seek(32)
        file.write(b"no magic")
    with pytest.raises(subprocess.CalledProcessError):
        ask("list")


@pytest.mark.system
def test_charliecloud_runs_an_image_of_ours(tmp_path: Path) -> None:
    """A second runtime that mounts squashfs files itself, from a root folder packed by us."""
    need("ch-run", "mksquashfs")
    from jupyter_mlinfn.environments.image import squashfs

    root = tmp_path / "root"
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "home", "usr/bin", "mnt"):
        (root / name).mkdir(parents=True)
    for name in ("etc/hosts", "etc/resolv.conf", "etc/passwd", "etc/group"):
        (root / name).touch()
    _copy_with_libraries(Path("/bin/cat"), root)
    (root / "etc" / "said").write_text("out of the image\n")
    image = tmp_path / "root.sqfs"
    squashfs.make(root, image, "gzip")
    environ = {**os.environ, "USER": "root", "HOME": str(tmp_path)}
    argv = ["ch-run", "--no-passwd", str(image), "--", "/bin/cat", "/etc/said"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True)
    if done.returncode != 0 and "squash" in done.stderr and "support" in done.stderr:
        parts.missed("ch-run", done.stderr.strip()[-200:])
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "out of the image\n"


def _copy_with_libraries(program: Path, root: Path) -> None:
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in said.split() if word.startswith("/")]
    for path in (str(program), *libraries):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
