"""Programs out of an image in plain Docker containers: a real engine, its own defaults for rights.

The container has Apptainer, squashfuse and unsquashfs (Debian sid), and neither they nor the
kernel may mount anything there. What is left is unpacking, which must do.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.model.environment_tasks import PackedImage
from tests import parts
from tests.environments.image.debian import ROOT, system
from tests.environments.image.engines import docker_engine
from tests.systems.docker_engine import Container, DockerEngine

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1200)]

LAUNCH = (sys.executable, "-I", "-m", "jupyter_mlinfn.environments.image", "--scratch", "/tmp/node")
SHOW = "import sys, os, ipykernel; print(sys.prefix, os.getcwd(), os.getuid())"
DEVICES = ("--device=/dev/fuse", "--device=/dev/loop-control")


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    """A Docker engine that has the image ``mlinfn-test``."""
    root = system("sid")
    with docker_engine() as engine:
        engine.take(root, "mlinfn-test", without=("fuse", "work", "root"))
        yield engine


@pytest.fixture(scope="module")
def images(
    kernel_image: PackedImage, kernel_sif: PackedImage, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the two forms, for everybody to read."""
    folder = tmp_path_factory.mktemp("images")
    folder.chmod(0o755)
    for image, name in ((kernel_image, "one.sqfs"), (kernel_sif, "one.sif")):
        shutil.copyfile(image.path, folder / name)
        (folder / name).chmod(0o644)
    return folder


@pytest.fixture(
    scope="module",
    params=[(0, ()), (1000, ()), (0, DEVICES), (1000, DEVICES)],
    ids=["root", "person", "root with devices", "person with devices"],
)
def plain(
    request: pytest.FixtureRequest, engine: DockerEngine, images: Path
) -> Iterator[Container]:
    """A container of root's or a person's; the last two are given the devices all the same."""
    user, devices = request.param
    seen = {ROOT: ROOT, Path(sys.base_prefix): Path(sys.base_prefix), Path("/images"): images}
    with engine.container("mlinfn-test", *devices, user=user, seen=seen) as container:
        yield container
    parts.took_part("image in a plain container", f"{engine.version}, its own defaults")


def rights(container: Container) -> dict[str, str]:
    """What the kernel says of a process in it."""
    lines = container.run("cat", "/proc/self/status").stdout.splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_nothing_may_be_mounted_and_unpacking_does(plain: Container) -> None:
    """Every way before the last is refused in words; the last one leaves nothing running."""
    assert rights(plain)["Seccomp"] == "2"
    assert not int(rights(plain)["CapEff"], 16) & 1 << 21  # CAP_SYS_ADMIN
    assert plain.run("apptainer", "--version").returncode == 0
    for way, reasons in {
        "kernel": ("no loop devices", "only root may mount", "may not mount here"),
        "apptainer": ("not allowed to create user namespace",),
        "squashfuse": ("/dev/fuse cannot be opened", "user namespaces are not allowed here"),
    }.items():
        tried = plain.run(*LAUNCH, "--way", way, "/images/one.sqfs", "--", "true")
        assert tried.returncode == 3, tried
        assert any(reason in tried.stderr for reason in reasons), tried.stderr
    user = rights(plain)["Uid"].split()[0]
    for _ in range(2):
        done = plain.run(*LAUNCH, "/images/one.sqfs", "--", "python", "-c", SHOW)
        assert done.returncode == 0, done.stderr
        prefix, folder, shown = done.stdout.split()
        assert prefix.startswith("/tmp/node/images/")
        assert (folder, shown) == ("/", user)
    assert plain.processes() == ["sleep"]


def test_scripts_digests_and_exit_codes(
    plain: Container, kernel_image: PackedImage, kernel_sif: PackedImage
) -> None:
    words = (*LAUNCH, "--digest", kernel_image.digest, "/images/one.sqfs", "--")
    assert plain.run(*words, "ipython", "--version").stdout.startswith("9.")
    compiled = plain.run(*words, "python", "-v", "-c", "import IPython")
    assert compiled.returncode == 0, compiled.stderr[-1000:]
    assert "bytecode is stale" not in compiled.stderr
    assert "# wrote" not in compiled.stderr
    words = (*LAUNCH, "--digest", kernel_sif.digest, "/images/one.sif", "--")
    assert plain.run(*words, "sh", "-c", "exit 7").returncode == 7
    other = plain.run(*LAUNCH, "--digest", kernel_sif.digest, "/images/one.sqfs", "--", "true")
    assert other.returncode == 4
    assert "not the one that was recorded" in other.stderr


def test_what_the_machine_offers_is_told_there(plain: Container) -> None:
    found = {one["way"]: one for one in json.loads(plain.run(*LAUNCH, "--probe").stdout)}
    assert found["unpacked"]["works"]
    for name in ("kernel", "squashfuse"):
        assert not found[name]["works"]
        assert found[name]["why"]
    assert not found["apptainer"]["works"]
    assert "not allowed to create user namespace" in found["apptainer"]["why"]
