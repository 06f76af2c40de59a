"""What goes wrong, in words, with nothing changed: hashes, channels, disks, limits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.model.environment_tasks import Alter, Clone, Create, TaskResult
from tests import parts
from tests.environments.engine.house import House

pytestmark = pytest.mark.slow

GREETING = "noarch/greeting-2.0-pyhd_0.conda"


def failed(house: House, result: TaskResult, code: str, exit_code: int) -> str:
    """The words of a task that failed as expected and left nothing."""
    assert (result.state, result.code, result.exit_code) == ("failed", code, exit_code), result.text
    assert house.leftovers() == []
    assert not house.place("broken").folder.exists()
    return result.text


def request(*packages: str, **more: object) -> Create:
    return Create.model_validate({"name": "broken", "packages": packages or ("greeting",), **more})


def spoil(path: Path) -> None:
    """Change one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def over(way: str, channel: Path, served: Callable[[Path], str]) -> str:
    return channel.as_uri() if way == "file" else served(channel)


@pytest.mark.parametrize("way", ["file", "http"])
def test_a_package_with_another_hash(
    way: str,
    own_channel: Path,
    served: Callable[[Path], str],
    make_house: Callable[[str], House],
) -> None:
    spoil(own_channel / GREETING)
    url = over(way, own_channel, served)
    house = make_house(url)
    result = house.do(request())
    assert result.code in {"wrong-hash", "package-damaged"}  # the damage may show up first
    text = failed(house, result, result.code, result.exit_code)
    assert "greeting-2.0-pyhd_0.conda" in text
    assert url in text


@pytest.mark.parametrize("way", ["file", "http"])
def test_a_lock_that_names_another_hash(
    way: str, small_channel: Path, served: Callable[[Path], str], make_house: Callable[[str], House]
) -> None:
    house = make_house(over(way, small_channel, served))
    house.create("good", "greeting <2")
    lock = (house.papers("good") / "conda-lock.yml").read_text()
    (real,) = [p.sha256 for p in house.lock("good").packages if p.name == "greeting"]
    assert real is not None
    shutil.rmtree(house.layout.packages)
    forged = lock.replace(real, "0" * 64)
    result = house.do(request(packages=(), file_name="conda-lock.yml", file_text=forged))
    assert "greeting-1.0" in failed(house, result, "wrong-hash", 4)


@pytest.mark.parametrize("way", ["file", "http"])
def test_a_package_that_is_cut_off(
    way: str, own_channel: Path, served: Callable[[Path], str], make_house: Callable[[str], House]
) -> None:
    path = own_channel / GREETING
    path.write_bytes(path.read_bytes()[:700])
    url = over(way, own_channel, served)
    house = make_house(url)
    result = house.do(request())
    assert result.code in {"wrong-hash", "package-damaged"}
    text = failed(house, result, result.code, result.exit_code)
    assert "greeting-2.0-pyhd_0.conda" in text
    assert url in text


def test_a_package_that_is_gone(own_channel: Path, make_house: Callable[[str], House]) -> None:
    (own_channel / GREETING).unlink()
    house = make_house(own_channel.as_uri())
    failed(house, house.do(request()), "package-unreachable", 3)


def test_packages_that_exclude_each_other(house: House) -> None:
    result = house.do(request("wants-old", "wants-new"))
    text = failed(house, result, "unsolvable", 2)
    assert "wants-old 1.0 needs humanize 4.9.*" in text
    assert "wants-new 1.0 needs humanize >=4.11" in text


def test_an_installed_package_stands_in_the_way(house: House) -> None:
    house.create("mine", "wants-old", "python")
    before = house.place("mine").record.read_bytes()
    result = house.do(Alter(name="mine", add=("humanize>=4.11",)))
    assert result.code == "unsolvable"
    assert "wants-old 1.0 needs humanize 4.9.*" in result.text
    assert house.place("mine").record.read_bytes() == before


def test_a_dependency_that_is_not_to_be_had(house: House) -> None:
    text = failed(house, house.do(request("wants-nothing")), "unsolvable", 2)
    assert "needs no-such-package >=3, which is not to be had" in text


def test_a_driver_that_is_not_there_and_one_that_the_admin_promises(house: House) -> None:
    text = failed(house, house.do(request("wants-cuda")), "unsolvable", 2)
    assert "GPU" in text
    house.policy = house.policy.model_copy(update={"cuda": "12.8"})
    house.create("mine", "wants-cuda")


def test_an_unknown_package_and_its_neighbours(house: House) -> None:
    text = failed(house, house.do(request("greetin")), "unknown-package", 2)
    assert "Did you mean greeting" in text


def test_an_unknown_version(house: House) -> None:
    text = failed(house, house.do(request("greeting>=3")), "no-such-version", 2)
    assert "greeting" in text


@pytest.mark.parametrize("word", ["greeting;ls", "--help", "a b c d", "greeting >=", "g@http://x"])
def test_words_that_are_no_package(house: House, word: str) -> None:
    failed(house, house.do(request(word)), "bad-requirement", 2)


@pytest.mark.parametrize("channel", ["/nowhere", "http://127.0.0.1:9/channel"])
def test_a_channel_that_is_not_there(house: House, channel: str) -> None:
    text = failed(house, house.do(request(channels=(channel,))), "channel-unreachable", 3)
    assert channel in text


def test_a_package_that_fails_at_link_time(house: House) -> None:
    text = failed(house, house.do(request("broken-files")), "link-failed", 3)
    assert "broken-files" in text
    house.create("mine", "greeting <2")
    assert house.do(Alter(name="mine", add=("broken-files",))).code == "link-failed"
    assert house.is_whole("mine")


def test_what_the_admin_does_not_allow(house: House, own_channel: Path) -> None:
    policy = house.policy
    house.policy = policy.model_copy(update={"denied_packages": ("greet*",)})
    assert "greeting" in failed(house, house.do(request()), "package-refused", 4)
    house.policy = policy.model_copy(update={"allowed_channels": policy.channels})
    other = request(channels=(str(own_channel),))
    assert str(own_channel) in failed(house, house.do(other), "channel-refused", 4)
    house.policy = policy.model_copy(update={"max_files": 100})
    failed(house, house.do(request()), "environment-too-large", 4)
    house.policy = policy.model_copy(update={"max_size": 1000})
    failed(house, house.do(request()), "environment-too-large", 4)
    house.policy = policy.model_copy(update={"pip_allowed": False})
    failed(house, house.do(request(pip=("greeting",))), "pip-refused", 4)


def test_a_denied_package_does_not_come_by_a_lock_or_a_clone(house: House) -> None:
    house.create("good", "greeting <2")
    lock = (house.papers("good") / "conda-lock.yml").read_text()
    house.policy = house.policy.model_copy(update={"denied_packages": ("greeting",)})
    by_lock = request(packages=(), file_name="conda-lock.yml", file_text=lock)
    failed(house, house.do(by_lock), "package-refused", 4)
    failed(house, house.do(Clone(name="broken", source="good")), "package-refused", 4)


def test_a_lock_for_another_platform(house: House) -> None:
    house.create("good", "greeting <2")
    lock = (house.papers("good") / "conda-lock.yml").read_text().replace("linux-64", "osx-arm64")
    result = house.do(request(packages=(), file_name="conda-lock.yml", file_text=lock))
    assert "linux-64" in failed(house, result, "foreign-platform", 2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True)
        problem = done.stderr.strip() if done.returncode else None
    except FileNotFoundError:
        problem = "no mount program"
    if problem:
        parts.missed("small disk", problem)
        pytest.skip(problem)
    parts.took_part("small disk", "tmpfs of 8 MiB")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_in_the_middle(small_disk: Path, small_channel: Path) -> None:
    house = House(small_disk / "data", small_channel.as_uri())
    text = failed(house, house.do(request("python", "ipykernel")), "disk-full", 3)
    assert "disk is full" in text


def test_a_data_area_that_became_read_only(house: House, tmp_path: Path) -> None:
    if shutil.which("setpriv") is None and os.geteuid() == 0:
        pytest.skip("root writes everywhere, and setpriv is not here")
    house.create("good", "greeting <2")
    done = engine_of_another(house, request("greeting <2"), tmp_path)
    assert done["code"] == "data-folder-read-only", done
    assert not house.place("broken").folder.exists()


def engine_of_another(house: House, asked: Create, tmp_path: Path) -> dict[str, object]:
    """The result of a task carried out by somebody who may not write ``own``."""
    import sys

    folder = house.layout.tasks / "00000000000000aa"
    folder.mkdir()
    (folder / "request.json").write_text(asked.model_dump_json())
    (folder / "policy.json").write_text(house.policy.model_dump_json())
    house.layout.own.chmod(0o555)
    argv = [sys.executable, "-I", "-m", "jupyter_mlinfn.environments.engine", str(folder)]
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        for parent in (*folder.parents, *house.layout.packages.resolve().parents):
            if parent.stat().st_uid == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv]
    done = subprocess.run(argv, capture_output=True, text=True, env={"HOME": str(tmp_path)})
    house.layout.own.chmod(0o755)
    if not (folder / "result.json").exists():
        pytest.skip(f"our interpreter is closed to others: {done.stderr[-200:]}")
    result: dict[str, object] = json.loads((folder / "result.json").read_text())
    return result


PANIC = """
import sys
from jupyter_mlinfn.environments.engine import __main__ as engine

class Panic(BaseException):
    "As pyo3 raises it, which is no Exception."

def panic(*_):
    raise Panic("no certificates")

engine._perform = panic
engine.main(sys.argv[1:])
"""


def test_a_panic_of_the_solver_is_told_too(house: House, tmp_path: Path) -> None:
    folder = tmp_path / ("0" * 16)
    folder.mkdir()
    (folder / "request.json").write_text(request().model_dump_json())
    (folder / "policy.json").write_text(house.policy.model_dump_json())
    # a program of its own: the engine blocks signals in its process
    ended = subprocess.run([sys.executable, "-c", PANIC, str(folder)], check=False)
    result = TaskResult.model_validate_json((folder / "result.json").read_bytes())
    assert (result.state, result.code) == ("failed", "internal-error")
    assert ended.returncode == result.exit_code == 1
    assert "no certificates" in result.text
