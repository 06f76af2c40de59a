"""A real environment, locked and packed once for all tests of this folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.image import squashfs
from jupyter_mlinfn.model.environment_tasks import PackedImage
from tests.channel.fixtures import small_channel  # noqa: F401 - a fixture
from tests.environments.image.containers import minimal_root
from tests.environments.image.tools import need

ROOT = Path(__file__).parents[3]


def packing(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the program ``packing``; see there."""
    argv = [sys.executable, "-m", "tests.environments.image.packing", *map(str, arguments)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, **options)  # type: ignore[call-overload, no-any-return]


def packed(lock: Path, data: Path, *options: str) -> PackedImage:
    """Pack ``lock`` with the data folder ``data``."""
    done = packing("pack", lock, data, *options)
    assert done.returncode == 0, done.stderr
    return PackedImage.model_validate_json(done.stdout)


def locked(channel: Path, file: Path, *specs: str) -> Path:
    """Solve ``specs`` in ``channel`` and write the lock to ``file``."""
    done = packing("lock", channel.as_uri(), file, *specs)
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture(scope="session")
def kernel_lock(small_channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The lock of an environment that can run a notebook."""
    folder = tmp_path_factory.mktemp("lock")
    return locked(small_channel, folder / "conda-lock.yml", "python", "ipykernel")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for all tests that only read what was packed."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def kernel_image(kernel_lock: Path, data: Path) -> PackedImage:
    """``kernel_lock`` as one squashfs file."""
    need("mksquashfs")
    return packed(kernel_lock, data)


@pytest.fixture(scope="session")
def kernel_sif(kernel_lock: Path, kernel_image: PackedImage, data: Path) -> PackedImage:
    """``kernel_lock`` as one SIF file."""
    return packed(kernel_lock, data, "--format", "sif")


@pytest.fixture(scope="session")
def container_sif(
    kernel_lock: Path,
    kernel_image: PackedImage,
    data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> PackedImage:
    """``kernel_lock`` as one SIF file that is a whole container."""
    folder = tmp_path_factory.mktemp("container")
    base = folder / "base.sqfs"
    squashfs.make(minimal_root(folder / "root"), base, "zstd")
    return packed(kernel_lock, data, "--format", "sif", "--container", str(base))


def events(data: Path) -> list[dict[str, object]]:
    """What the packer reported."""
    text = (data / "environments" / "events.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]
