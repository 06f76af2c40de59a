"""Programs out of one image, by every way that this machine allows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.image import launcher
from jupyter_mlinfn.environments.image.ways import ORDER
from jupyter_mlinfn.model.environment_tasks import PackedImage
from jupyter_mlinfn.process.tree import living
from tests import parts
from tests.environments.image.tools import need

pytestmark = pytest.mark.system

PROGRAM = ("-I", "-m", "jupyter_mlinfn.environments.image")
SHOW = "import sys, os, json; print(json.dumps([sys.prefix, os.getcwd(), os.getpid()]))"
PLAIN = """echo 0 > /proc/sys/user/max_user_namespaces &&
exec setpriv --bounding-set=-all --inh-caps=-all "$@" """


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where these tests unpack."""
    return tmp_path_factory.mktemp("node") / "scratch"


@cache
def findings() -> dict[str, launcher.Finding]:
    """What works on this machine."""
    return {found.way: found for found in launcher.probe()}


def run(scratch: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The program with ``words``; what it unpacks lies in ``scratch``."""
    argv = [sys.executable, *PROGRAM, "--scratch", str(scratch), *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, cwd=scratch.parent)


@pytest.fixture(params=["kernel", "squashfuse", "unpacked"])
def way(request: pytest.FixtureRequest) -> str:
    """A way that works on this machine; one that does not skips and says why."""
    need("unsquashfs", "squashfuse_ll")
    name: str = request.param
    finding = findings()[name]
    if not finding.works:
        parts.missed(f"image by {name}", finding.why)
        pytest.skip(finding.why)
    parts.took_part(f"image by {name}", "ran a program out of an image")
    return name


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No daemon, no mount, no folder /env after any test."""
    before = _daemons()
    existed = os.path.lexists("/env")
    yield
    until = time.monotonic() + 10
    while _daemons() - before and time.monotonic() < until:
        time.sleep(0.05)
    assert not _daemons() - before
    assert "/env " not in Path("/proc/self/mounts").read_text()
    assert os.path.lexists("/env") == existed


def _daemons() -> set[int]:
    found = set()
    for pid in living():
        try:
            name = Path(f"/proc/{pid}/comm").read_text()
        except OSError:
            continue
        if name.startswith("squashfuse"):
            found.add(pid)
    return found


def test_the_order_is_the_one_of_the_plan() -> None:
    assert ORDER == ("kernel", "apptainer", "squashfuse", "unpacked")
    assert list(findings()) == list(ORDER)


def test_a_program_sees_the_environment(way: str, kernel_image: PackedImage, scratch: Path) -> None:
    done = run(scratch, "--way", way, kernel_image.path, "--", "python", "-c", SHOW)
    assert done.returncode == 0, done.stderr
    prefix, folder, _ = json.loads(done.stdout)
    assert (prefix, folder) == ("/env", str(scratch.parent))


def test_a_sif_file_is_an_image_too(way: str, kernel_sif: PackedImage, scratch: Path) -> None:
    done = run(scratch, "--way", way, kernel_sif.path, "--", "python", "-c", SHOW)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0] == "/env"


def test_a_container_is_an_image_too(
    way: str, container_sif: PackedImage, kernel_sif: PackedImage, scratch: Path
) -> None:
    assert container_sif.digest != kernel_sif.digest
    for _ in range(2):
        done = run(scratch, "--way", way, container_sif.path, "--", "ipython", "-c", SHOW)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0] == "/env"


def test_nothing_is_compiled_again(way: str, kernel_image: PackedImage, scratch: Path) -> None:
    program = "import ipykernel.kernelapp, asyncio, json, email.mime.text, IPython"
    done = run(scratch, "--way", way, kernel_image.path, "--", "python", "-v", "-c", program)
    assert done.returncode == 0, done.stderr
    taken = [line for line in done.stderr.splitlines() if line.startswith("# code object from")]
    assert len(taken) > 300
    assert {line.split("'")[1].rpartition(".")[2] for line in taken} == {"pyc"}
    assert "# wrote" not in done.stderr
    assert "bytecode is stale" not in done.stderr


def test_scripts_of_the_environment_run(way: str, kernel_image: PackedImage, scratch: Path) -> None:
    done = run(scratch, "--way", way, kernel_image.path, "--", "ipython", "--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("9.")


def test_nothing_else_is_imported(
    way: str,
    kernel_image: PackedImage,
    scratch: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither from PYTHONPATH nor from the person's own folder: a job runs in what was recorded."""
    own = tmp_path / ".local" / "lib" / "python3.11" / "site-packages"
    for folder in (own, tmp_path / "more"):
        folder.mkdir(parents=True)
        (folder / "comm.py").write_text("raise SystemExit('not the one of the image')")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "more"))
    program = "import comm, sys; print(comm.__file__.startswith(sys.prefix))"
    done = run(scratch, "--way", way, kernel_image.path, "--", "python", "-c", program)
    assert done.stdout == "True\n", done.stderr


def test_the_exit_code_is_the_programs(way: str, kernel_image: PackedImage, scratch: Path) -> None:
    leave = "import sys; sys.exit(7)"
    assert (
        run(scratch, "--way", way, kernel_image.path, "--", "python", "-c", leave).returncode == 7
    )
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    done = run(scratch, "--way", way, kernel_image.path, "--", "python", "-c", killed)
    assert done.returncode == -signal.SIGTERM


@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGKILL])
def test_signals_reach_the_program(
    way: str, last: int, kernel_image: PackedImage, scratch: Path
) -> None:
    """SIGINT is seen by the program; after it ends, however, its mount and daemon are gone."""
    program = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: print('interrupted', flush=True))\n"
        "print(os.getpid(), flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    argv = [sys.executable, *PROGRAM, "--scratch", str(scratch), "--way", way, kernel_image.path]
    child = subprocess.Popen(
        [*argv, "--", "python", "-c", program], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert int(child.stdout.readline()) == child.pid
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        child.send_signal(last)
        assert child.wait(20) == -last
    finally:
        child.kill()
        child.wait()


def test_one_changed_byte_is_refused(
    kernel_image: PackedImage, scratch: Path, tmp_path: Path
) -> None:
    words = ("--digest", kernel_image.digest)
    done = run(scratch, *words, kernel_image.path, "--", "python", "-c", "print('ran')")
    assert done.stdout == "ran\n", done.stderr
    changed = tmp_path / "changed.sqfs"
    shutil.copyfile(kernel_image.path, changed)
    with changed.open("r+b") as file:
        file.seek(changed.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    done = run(scratch, *words, changed, "--", "python", "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (4, "")
    assert "not the one that was recorded" in done.stderr


def test_bad_usage_is_said(scratch: Path, tmp_path: Path) -> None:
    text = tmp_path / "x.sqfs"
    text.write_text("no image")
    for words, code, said in (
        ((), 2, "which image"),
        ((str(text),), 2, "which image"),
        ((str(text), "--", "true"), 2, "neither a squashfs nor a SIF"),
        ((str(tmp_path / "none"), "--", "true"), 2, "cannot be read"),
    ):
        done = run(scratch, *words)
        assert done.returncode == code
        assert said in done.stderr


def test_a_missing_program_is_said(kernel_image: PackedImage, scratch: Path) -> None:
    done = run(scratch, kernel_image.path, "--", "no-such-program")
    assert done.returncode == 3
    assert "no-such-program" in done.stderr or "No such file" in done.stderr


def test_no_secret_lies_in_an_image(kernel_image: PackedImage) -> None:
    need("unsquashfs")
    argv = ["unsquashfs", "-lln", kernel_image.path]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 4) for line in said.splitlines() if line[:1] in "-dl" and "/" in line]
    assert len(rows) > 2000
    assert {row[1] for row in rows} == {"0/0"}
    assert {row[0] for row in rows} <= {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}


class TestPlainContainer:
    """No capabilities, no user namespaces, but the devices: imitated, where no engine is needed.

    ``test_docker.py`` asks a real engine; here is also what a changed file does there.
    """

    @pytest.fixture
    def scratch(self, tmp_path: Path) -> Path:
        """A node where nothing was unpacked before."""
        return tmp_path / "scratch"

    @pytest.fixture
    def plain(self, scratch: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
        """Runs the program so."""
        need("unshare", "setpriv", "unsquashfs")
        before = ["unshare", "--user", "--map-root-user", "sh", "-c", PLAIN, "sh"]
        if subprocess.run([*before, "true"], capture_output=True).returncode != 0:
            parts.missed("image without any right", "user namespaces are refused here")
            pytest.skip("user namespaces are refused here")
        parts.took_part("image without any right", "no capabilities, no namespaces")

        def start(*words: str | Path) -> subprocess.CompletedProcess[str]:
            program = [sys.executable, *PROGRAM, "--scratch", str(scratch), *map(str, words)]
            return subprocess.run([*before, *program], capture_output=True, text=True)

        return start

    def test_only_unpacking_works(
        self, plain: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        """Where a step before fails, the reason is in words."""
        found = {one["way"]: one for one in json.loads(plain("--probe").stdout)}
        assert found["unpacked"]["works"]
        assert not found["kernel"]["works"]
        assert not found["squashfuse"]["works"]
        assert found["squashfuse"]["why"] == "user namespaces are not allowed here"

    def test_python_and_scripts_run_where_they_lie(
        self,
        plain: Callable[..., subprocess.CompletedProcess[str]],
        kernel_image: PackedImage,
        scratch: Path,
    ) -> None:
        done = plain(kernel_image.path, "--", "/env/bin/python", "-c", SHOW)
        assert done.returncode == 0, done.stderr
        (folder,) = (scratch / "images").glob("[0-9a-f]*")
        assert json.loads(done.stdout)[0] == str(folder)
        script = plain(kernel_image.path, "--", "ipython", "-c", SHOW)
        assert json.loads(script.stdout)[0] == str(folder)
        again = plain(kernel_image.path, "--", "python", "-v", "-c", "import IPython")
        assert "bytecode is stale" not in again.stderr
        assert "# wrote" not in again.stderr

    def test_a_changed_file_is_unpacked_anew(
        self,
        plain: Callable[..., subprocess.CompletedProcess[str]],
        kernel_image: PackedImage,
        scratch: Path,
    ) -> None:
        show = ("--", "python", "-c", "import comm; print(comm.__version__)")
        first = plain(kernel_image.path, *show).stdout
        (folder,) = (scratch / "images").glob("[0-9a-f]*")
        (module,) = folder.glob("lib/python*/site-packages/comm/__init__.py")
        inode = folder.stat().st_ino
        assert plain(kernel_image.path, *show).stdout == first
        assert folder.stat().st_ino == inode
        for spoil in (
            lambda: module.write_text("__version__ = 'edited'\n"),
            module.unlink,
            lambda: (module.parent / "new.py").write_text(""),
        ):
            spoil()
            assert plain(kernel_image.path, *show).stdout == first
            assert "edited" not in module.read_text()
            assert not (module.parent / "new.py").exists()
        assert not list((scratch / "images").glob(".*.draft"))
