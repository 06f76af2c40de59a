"""Images on other systems: packed there to the same bytes, and run by a real Apptainer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.image import squashfs
from jupyter_mlinfn.environments.image.sif import Partition, PartitionKind, write_sif
from jupyter_mlinfn.model.environment_tasks import PackedImage
from tests import parts
from tests.environments.image.containers import minimal_root
from tests.environments.image.debian import PERSON, run_in, system

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1200)]

LAUNCH = (sys.executable, "-I", "-m", "jupyter_mlinfn.environments.image")
PACK = (sys.executable, "-m", "tests.environments.image.packing", "pack")
SHOW = "import sys, os, ipykernel; print(sys.prefix, os.getcwd(), os.getuid())"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that both sides see."""
    folder = tmp_path / "shared"
    folder.mkdir()
    for part in (folder, *folder.parents[:2]):
        part.chmod(0o777)
    return folder


def test_two_systems_pack_the_same_bytes(
    kernel_lock: Path, kernel_image: PackedImage, shared: Path, tmp_path: Path
) -> None:
    """Two Debian systems, two people, two folders, one and all processors; no shared cache.

    And this machine, where its mksquashfs is the same.
    """
    first = system("bookworm")
    second = tmp_path / "second"
    shutil.copytree(first, second, symlinks=True, ignore=shutil.ignore_patterns("fuse", "dev"))
    (second / "dev").mkdir()
    os.mknod(second / "fuse", 0o666 | 0o020000, os.makedev(10, 229))
    shutil.copy(kernel_lock, shared / "lock.yml")
    digests, folders = [], []
    for place, user, cpus in ((first, PERSON, "0"), (second, PERSON + 1, "0-63")):
        data = f"/tmp/data-{user}"
        shutil.rmtree(f"{place}{data}", ignore_errors=True)
        words = ("env", f"PYTHONPATH={Path.cwd()}", "taskset", "-c", cpus, *PACK)
        done = run_in(place, shared, *words, shared / "lock.yml", data, user=user)
        shutil.rmtree(f"{place}{data}", ignore_errors=True)
        assert done.returncode == 0, done.stderr
        image = PackedImage.model_validate_json(done.stdout)
        digests.append(image.digest)
        folders.append(Path(image.path).parent)
    assert digests[0] == digests[1]
    assert folders[0] != folders[1]
    theirs = run_in(first, shared, "mksquashfs", "-version").stdout.splitlines()[0]
    if squashfs.version() == theirs:
        assert kernel_image.digest == digests[0]
    parts.took_part("the same image on two systems", f"Debian bookworm twice: {digests[0][:19]}…")


class TestApptainer:
    """Debian sid's Apptainer, as a person without privileges."""

    @pytest.fixture(scope="class")
    def sid(self) -> Path:
        """The system; the version of its Apptainer is told."""
        folder = system("sid")
        done = subprocess.run(
            ["chroot", str(folder), "apptainer", "--version"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        parts.took_part("Apptainer", done.stdout.strip())
        return folder

    def test_it_is_found_to_work(self, sid: Path, shared: Path) -> None:
        done = run_in(sid, shared, *LAUNCH, "--probe")
        found = {one["way"]: one for one in json.loads(done.stdout)}
        assert found["apptainer"] == {"way": "apptainer", "works": True, "why": ""}

    @pytest.mark.parametrize("compressor", ["zstd", "lz4", "gzip"])
    def test_a_squashfs_image(
        self, compressor: str, sid: Path, kernel_image: PackedImage, shared: Path
    ) -> None:
        """All compressors, and our command line: the environment on this machine's own root."""
        tree, image = shared / "tree", shared / "small.sqfs"
        (tree / "conda-meta").mkdir(parents=True)
        (tree / "said").write_text(compressor)
        squashfs.make(tree, image, compressor)
        done = run_in(sid, shared, *LAUNCH, "--way", "apptainer", image, "--", "cat", "/env/said")
        assert (done.returncode, done.stdout) == (0, compressor), done.stderr

    def test_a_real_environment_in_both_forms(
        self, sid: Path, kernel_image: PackedImage, kernel_sif: PackedImage, shared: Path
    ) -> None:
        for image in (kernel_image, kernel_sif):
            path = Path(shutil.copy(image.path, shared))
            path.chmod(0o644)
            words = ("--way", "apptainer", "--digest", image.digest, path)
            done = run_in(sid, shared, *LAUNCH, *words, "--", "python", "-c", SHOW)
            assert done.stdout == f"/env /tmp {PERSON}\n", done.stderr
            leave = run_in(sid, shared, *LAUNCH, *words, "--", "sh", "-c", "exit 7")
            assert leave.returncode == 7

    def test_squashfuse_without_privileges(
        self, sid: Path, kernel_image: PackedImage, shared: Path
    ) -> None:
        """And the program has no rights that it did not have before."""
        path = Path(shutil.copy(kernel_image.path, shared))
        path.chmod(0o644)
        rights = "print(open('/proc/self/status').read().split('CapEff:')[1].split()[0])"
        program = f"{SHOW}; {rights}"
        words = ("--way", "squashfuse", path, "--", "python", "-c", program)
        done = run_in(sid, shared, *LAUNCH, *words)
        assert done.stdout == f"/env /tmp {PERSON}\n{0:016x}\n", done.stderr

    def test_one_file_is_the_whole_container(
        self, sid: Path, container_sif: PackedImage, shared: Path
    ) -> None:
        """Without any program of ours."""
        path = Path(shutil.copy(container_sif.path, shared))
        path.chmod(0o755)
        words = ("apptainer", "--silent", "exec", path, "/env/bin/python", "-c", SHOW)
        done = run_in(sid, shared, *words)
        assert done.stdout == f"/env /tmp {PERSON}\n", done.stderr
        words = (*LAUNCH, "--way", "apptainer", path, "--", "python", "-c", SHOW)
        done = run_in(sid, shared, *words)
        assert done.stdout == f"/env /tmp {PERSON}\n", done.stderr

    def test_a_container_that_our_writer_made(self, sid: Path, shared: Path) -> None:
        """A root partition runs, and ``inspect`` reads our labels without starting it."""
        root = minimal_root(shared / "root")
        (root / "said").write_text("ours")
        squashfs.make(root, shared / "root.sqfs", "zstd")
        partition = Partition("root", shared / "root.sqfs", PartitionKind.PRIMARY)
        lock = "sha256:" + "cd" * 32
        image = shared / "ours.sif"
        write_sif(image, (partition,), platform="linux-64", lock=lock, labels={"made.by": "us"})
        done = run_in(
            sid,
            shared,
            "apptainer",
            "--silent",
            "exec",
            image,
            "sh",
            "-c",
            "read x < /said; echo $x",
        )
        assert done.stdout == "ours\n", done.stderr
        told = run_in(sid, shared, "apptainer", "inspect", image)
        assert f"org.jupyter-mlinfn.lock: {lock}" in told.stdout, told.stderr
        assert "made.by: us" in told.stdout
