"""The same lock gives the same bytes; what was packed is found again; nothing is left half made."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.image import shelf, squashfs
from jupyter_mlinfn.environments.image.contents import list_contents
from jupyter_mlinfn.environments.image.normalising import normalise, without_secrets
from jupyter_mlinfn.environments.image.verifying import digest_of, verify
from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.model.environment_tasks import PackedImage
from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound, PartMissing, Refused
from tests.environments.image.conftest import ROOT, events, packed, packing
from tests.environments.image.prefix import SITE, add_package, make_prefix, sha256
from tests.environments.image.tools import need

system = pytest.mark.system


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with what could tell one machine from another."""
    root = tmp_path / "tree"
    (root / "lib").mkdir(parents=True)
    for number in range(300):
        (root / "lib" / f"f{number}").write_text(f"{number}\n" * 2000)
    (root / "lib" / "copy").write_text("7\n" * 2000)
    (root / 'a file with "signs" \\ in it').write_text("x")
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o700)
    (root / "link").symlink_to("lib/f1")
    return root


def bytes_of(tree: Path, target: Path, compressor: str = "zstd") -> bytes:
    """The squashfs file of ``tree``."""
    squashfs.make(tree, target, compressor)
    return target.read_bytes()


@system
def test_neither_times_nor_modes_nor_links_nor_processors_count(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("mksquashfs")
    first = bytes_of(tree, tmp_path / "1.sqfs")
    other = tmp_path / "other"
    shutil.copytree(tree, other, symlinks=True)
    for number, path in enumerate(sorted(other.rglob("f*"))):
        os.utime(path, (number, number))
        path.chmod(0o400)
    (other / "lib" / "copy").unlink()
    os.link(other / "lib" / "f7", other / "lib" / "copy")
    os.link(other / "lib" / "f8", tmp_path / "held elsewhere")
    (other / "lib").chmod(0o2711)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(squashfs, "_MEMORY", "256M")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert bytes_of(other, tmp_path / "2.sqfs") == first
    (other / "run").chmod(0o600)
    assert bytes_of(other, tmp_path / "3.sqfs") != first


def test_the_list_is_the_same_whatever_is_known_of_the_files(tmp_path: Path) -> None:
    """Known by inode, noted by the installer, or read: the list is part of the image's bytes."""
    prefix = make_prefix(tmp_path / "env")
    add_package(prefix, "one", "1", {"one.py": "ONE = 1\n", "two.py": "TWO = 2\n"})
    (prefix / SITE / "__pycache__").mkdir()
    (prefix / SITE / "__pycache__" / "one.cpython-311.pyc").write_text("compiled")
    (prefix / "bin" / "python3").symlink_to("python")
    plain = list_contents(prefix, "python", "sha256:0")
    known = {}
    for path in (prefix / SITE / "one.py", prefix / SITE / "__pycache__/one.cpython-311.pyc"):
        facts, digest = path.stat(), sha256(path.read_bytes())
        known[facts.st_ino] = (facts.st_mode & 0o777, facts.st_size, facts.st_mtime_ns, digest)
    told = list_contents(prefix, "python", "sha256:0", known)
    assert told.model_dump_json() == plain.model_dump_json()
    assert plain.entries[f"{SITE}/two.py"] == (0, 8, sha256("TWO = 2\n"))
    wrong = dict.fromkeys(known, (0o644, 1, 1, "f" * 64))
    assert list_contents(prefix, "python", "sha256:0", wrong).entries[f"{SITE}/one.py"][1] == 1


@system
def test_the_compressors(tree: Path, tmp_path: Path) -> None:
    need("mksquashfs")
    assert len({bytes_of(tree, tmp_path / name, name) for name in ("zstd", "lz4", "gzip")}) == 3
    with pytest.raises(InputError, match="'brotli' is no compressor"):
        squashfs.make(tree, tmp_path / "x", "brotli")


@pytest.mark.parametrize(
    ("program", "said", "expected"),
    [
        ("apptainer", "apptainer version 1.4.5", "zstd"),
        ("apptainer", "apptainer version 1.4.0-1.el9", "zstd"),
        ("apptainer", "apptainer version 1.10.0", "zstd"),
        ("apptainer", "apptainer version 1.3.6", "lz4"),
        ("apptainer", "apptainer version 1.1.9-1", "lz4"),
        ("apptainer", "what?", "lz4"),
        ("singularity", "singularity-ce version 4.1.0", "gzip"),
        (None, "", "zstd"),
    ],
)
def test_the_compressor_is_one_that_apptainer_reads(
    program: str | None, said: str, expected: str, tmp_path: Path
) -> None:
    if program:
        (tmp_path / program).write_text(f"#!/bin/sh\necho '{said}'\n")
        (tmp_path / program).chmod(0o755)
    assert squashfs.compressor_for({"PATH": str(tmp_path)}) == expected


def test_a_missing_mksquashfs_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PartMissing) as caught:
        squashfs.make(tmp_path, tmp_path / "x", "zstd")
    assert caught.value.code == "mksquashfs-missing"
    assert "apt-get install squashfs-tools" in (caught.value.hint or "")


@system
def test_progress_is_told_and_cancelling_ends_the_program(tree: Path, tmp_path: Path) -> None:
    need("mksquashfs")
    seen: list[int] = []
    squashfs.make(tree, tmp_path / "1.sqfs", "zstd", report=seen.append)
    assert seen == list(range(1, 304))
    stop: list[int] = []
    with pytest.raises(Conflict) as caught:
        squashfs.make(tree, tmp_path / "2.sqfs", "gzip", report=stop.append, cancelled=lambda: True)
    assert caught.value.code == "cancelled"


@system
def test_a_failing_mksquashfs_is_said(tree: Path, tmp_path: Path) -> None:
    need("mksquashfs")
    with pytest.raises(Exception, match="mksquashfs could not write") as caught:
        squashfs.make(tree, tmp_path / "no folder" / "x", "zstd")
    assert getattr(caught.value, "code", "") == "packing-failed"


def test_nothing_of_the_machine_stays_in_the_records(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        prefix = make_prefix(tmp_path / name / "prefix")
        record = add_package(prefix, "tiny", "1.0", {"tiny.py": "X = 1\n"})
        os.link(record, tmp_path / f"cached-{name}")
        (prefix / "conda-meta" / "history").write_text(f"made in {name}")
        before = record.read_text()
        normalise(prefix)
        assert (tmp_path / f"cached-{name}").read_text() == before
        texts.append({p.name: p.read_text() for p in sorted((prefix / "conda-meta").iterdir())})
    assert texts[0] == texts[1]
    everything = "".join(texts[0].values())
    assert "secret" not in everything
    assert "to-ken" not in everything
    assert "https://channel.test/lab/noarch/tiny-1.0-0.conda" in everything


def test_hashes_of_pips_scripts_are_those_of_the_scripts(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "prefix")
    info = prefix / SITE / "tool-1.0.dist-info"
    info.mkdir()
    (prefix / "bin" / "tool").write_text("#!/env/bin/python\n")
    rows = (
        "../../../bin/tool,sha256=AAAA,999\n../../../bin/gone,sha256=AAAA,9\ntool.py,sha256=B,1\n"
    )
    (info / "RECORD").write_text(rows)
    normalise(prefix)
    first, second, third = (info / "RECORD").read_text().splitlines()
    assert first == "../../../bin/tool,sha256=Rd-APL4Gl2jaI0e6LOBUJdQk10ENf8FgDxj4ZNEph6g,18"
    assert (second, third) == ("../../../bin/gone,sha256=AAAA,9", "tool.py,sha256=B,1")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://u:p@host.test/c/noarch/a.conda", "https://host.test/c/noarch/a.conda"),
        ("https://host.test/t/abc-1/c/a.conda", "https://host.test/c/a.conda"),
        ("file:///data/t/c/a.conda", "file:///data/t/c/a.conda"),
        ("file:///data/channel/a.conda", "file:///data/channel/a.conda"),
    ],
)
def test_addresses_lose_their_secrets(address: str, expected: str) -> None:
    assert without_secrets(address) == expected


@system
class TestOneLock:
    """A real environment: locked, installed, compiled, packed."""

    def test_packed_elsewhere_it_has_the_same_bytes(
        self, kernel_lock: Path, kernel_image: PackedImage, tmp_path: Path
    ) -> None:
        """Another folder, cache, umask, user's name, locale, and one processor."""
        done = packing(
            "pack", kernel_lock, tmp_path / ("a long folder name " * 5).strip(),
            preexec_fn=_another_person,
            env={**os.environ, "LC_ALL": "C", "TZ": "Asia/Tokyo", "USER": "other",
                 "HOME": str(tmp_path), "SOURCE_DATE_EPOCH": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        image = PackedImage.model_validate_json(done.stdout)
        assert image.digest == kernel_image.digest
        assert image.path != kernel_image.path
        assert Path(image.path).stat().st_mode & 0o777 == 0o444

    def test_it_is_found_again_and_not_packed(
        self, kernel_lock: Path, kernel_image: PackedImage, data: Path
    ) -> None:
        before = len(events(data))
        assert packed(kernel_lock, data) == kernel_image
        assert len(events(data)) == before

    def test_a_damaged_one_is_packed_again(
        self, kernel_lock: Path, kernel_image: PackedImage, data: Path, tmp_path: Path
    ) -> None:
        own = tmp_path / "data"
        shutil.copytree(data, own, symlinks=True)
        path = own / Path(kernel_image.path).relative_to(data)
        path.chmod(0o644)
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"damaged")
        again = packed(kernel_lock, own)
        assert (again.digest, again.path) == (kernel_image.digest, str(path))
        assert digest_of(path) == kernel_image.digest
        path.unlink()
        assert packed(kernel_lock, own).digest == kernel_image.digest
        assert path.is_file()

    def test_bytecode_is_compiled_once(
        self, kernel_lock: Path, kernel_image: PackedImage, data: Path
    ) -> None:
        before = len(events(data))
        packed(kernel_lock, data, "--compressor", "lz4")
        phases = {event["phase"] for event in events(data)[before:]}
        assert "packing" in phases
        assert "compiling" not in phases

    def test_a_sif_file_is_reproducible_too(
        self, kernel_lock: Path, kernel_sif: PackedImage, tmp_path: Path
    ) -> None:
        again = packed(kernel_lock, tmp_path / "data", "--format", "sif")
        assert again.digest == kernel_sif.digest
        assert again.path.endswith(".sif")

    def test_the_papers_are_inside(self, kernel_lock: Path, kernel_image: PackedImage) -> None:
        argv = ["unsquashfs", "-cat", kernel_image.path]
        inside = {
            name: subprocess.run(
                [*argv, f"share/mlinfn/{name}"], capture_output=True, text=True, check=True
            ).stdout
            for name in ("conda-lock.yml", "explicit.txt", "contents.json")
        }
        assert inside["conda-lock.yml"] == kernel_lock.read_text()
        assert "@EXPLICIT" in inside["explicit.txt"]
        contents = json.loads(inside["contents.json"])
        assert contents["lock"] == kernel_image.lock
        assert len(contents["entries"]) > 2000

    def test_an_ended_packer_leaves_nothing_that_blocks(
        self, kernel_lock: Path, kernel_image: PackedImage, tmp_path: Path
    ) -> None:
        """Killed while mksquashfs works: the next one cleans up, and the program ends."""
        argv = [sys.executable, "-m", "tests.environments.image.packing", "pack"]
        child = subprocess.Popen([*argv, str(kernel_lock), str(tmp_path)], cwd=ROOT)
        images = Layout.of(tmp_path).images
        try:
            until = time.monotonic() + 100
            while not list(images.glob(".packing-*/image")) and time.monotonic() < until:
                time.sleep(0.005)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        assert list(images.glob(".packing-*/image"))
        assert not list(images.glob("*.sqfs"))
        image = packed(kernel_lock, tmp_path)
        assert image.digest == kernel_image.digest
        until = time.monotonic() + 100
        while list(images.glob(".packing-*")) and time.monotonic() < until:
            time.sleep(0.05)
        assert not list(images.glob(".packing-*"))


@system
def test_only_a_sif_file_holds_a_container(kernel_lock: Path, tmp_path: Path) -> None:
    done = packing("pack", kernel_lock, tmp_path, "--container", tmp_path / "none.sif")
    assert done.returncode == 2
    assert "Only a SIF image" in done.stderr


def _another_person() -> None:
    os.umask(0o077)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def test_verifying_reads_again_only_after_a_change(tmp_path: Path) -> None:
    image, cache = tmp_path / "x.sqfs", tmp_path / "cache"
    image.write_bytes(b"hsqs" + bytes(1000))
    digest = digest_of(image, cache)
    verify(image, digest, cache)
    (note,) = cache.iterdir()
    note.write_text(note.read_text().replace(digest, "sha256:" + "0" * 64))
    assert digest_of(image, cache) == "sha256:" + "0" * 64
    note.write_text("{ damaged")
    verify(image, digest, cache)
    times = image.stat()
    with image.open("r+b") as file:
        file.seek(500)
        file.write(b"x")
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(Refused) as caught:
        verify(image, digest, cache)
    assert (caught.value.code, caught.value.exit_code) == ("environment-mismatch", 4)
    image.unlink()
    with pytest.raises(NotFound):
        verify(image, digest, cache)


def test_papers_of_other_programs_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"image": 1}')
    (tmp_path / "y.json").write_text("not json")
    assert list(shelf.papers(tmp_path)) == []
