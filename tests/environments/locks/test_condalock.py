"""Locking by the real conda-lock with rattler behind it, on the offline channel."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_mlinfn.environments.locks.condalock import Sources, lock_platforms
from jupyter_mlinfn.environments.locks.difference import describe, difference
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.wishes import Wish
from jupyter_mlinfn.model.errors import InputError, MlinfnError, PartMissing, Refused, Unavailable

pytestmark = pytest.mark.slow

LINUX, MAC, ARM = "linux-64", "osx-arm64", "linux-aarch64"


@pytest.fixture
def sources(small_channel: Path, tmp_path: Path) -> Sources:
    return Sources(channels=(small_channel.as_uri(),), cache=tmp_path / "cache")


def version(lock: Lock, name: str, platform: str = LINUX) -> str | None:
    return next((p.version for p in lock.of(platform) if p.name == name), None)


def failure(wish: Wish, sources: Sources, platforms: tuple[str, ...] = (LINUX,)) -> MlinfnError:
    with pytest.raises(MlinfnError) as failed:
        lock_platforms(wish, platforms, sources)
    for text in (failed.value.text, *(problem.text for problem in failed.value.problems)):
        assert "Traceback" not in text
        assert "CalledProcessError" not in text
    return failed.value


def test_three_platforms_in_one_lock(sources: Sources) -> None:
    wish = Wish(conda=("python", "ipykernel", "humanize<4.10"))
    lock = lock_platforms(wish, [LINUX, MAC, ARM], sources)
    assert lock.platforms == (LINUX, ARM, MAC)
    assert lock.channels == sources.channels
    for platform in lock.platforms:
        packages = {package.name: package for package in lock.of(platform)}
        assert {"python", "ipykernel", "pyzmq", "traitlets"} <= set(packages)
        assert packages["humanize"].version == "4.9.0"
        assert f"/{platform}/" in packages["pyzmq"].url
        assert "/noarch/" in packages["traitlets"].url
        assert all(package.sha256 and package.md5 for package in packages.values())
    assert len({lock.digest(platform) for platform in lock.platforms}) == 3


@pytest.mark.slow
def test_a_channel_over_http_gives_the_same_packages(
    sources: Sources, small_channel: Path, served: Callable[[Path], str], tmp_path: Path
) -> None:
    wish = Wish(conda=("greeting",))
    local = lock_platforms(wish, [LINUX], sources)
    address = served(small_channel)
    other = lock_platforms(wish, [LINUX], Sources((address,), cache=tmp_path / "cache"))
    assert other.digest(LINUX) == local.digest(LINUX)
    assert all(package.url.startswith(address) for package in other.packages)


def test_a_folder_is_a_channel_too(small_channel: Path, tmp_path: Path) -> None:
    sources = Sources((str(small_channel),), cache=tmp_path / "cache")
    assert lock_platforms(Wish(conda=("greeting",)), [LINUX], sources).channels == (
        small_channel.as_uri(),
    )


def test_the_wish_may_name_its_own_channel(sources: Sources, small_channel: Path) -> None:
    elsewhere = Sources(("file:///no/such/channel",), cache=sources.cache)
    wish = Wish(conda=("greeting",), channels=(small_channel.as_uri(),))
    assert version(lock_platforms(wish, [LINUX], elsewhere), "greeting") == "2.0"


@pytest.mark.slow
def test_a_requirement_may_name_its_channel(sources: Sources, small_channel: Path) -> None:
    elsewhere = small_channel.parent / "elsewhere"
    named = Wish(conda=(f"{small_channel.as_uri()}::greeting", "python", "humanize =4.9|=4.10"))
    lock = lock_platforms(named, [LINUX], sources)
    assert (version(lock, "greeting"), version(lock, "humanize")) == ("2.0", "4.9.0")
    error = failure(Wish(conda=(f"{elsewhere.as_uri()}::greeting",)), sources)
    assert error.code == "channel-unreachable"


@pytest.mark.slow
def test_the_gpu_to_solve_for(sources: Sources) -> None:
    wish = Wish(conda=("wants-cuda",))
    without = failure(wish, sources)
    assert "wants-cuda 1.0 needs __cuda >=12, which is not to be had" in without.text
    lock = lock_platforms(wish, [LINUX], Sources(sources.channels, cuda="12.8"))
    assert [package.name for package in lock.packages] == ["wants-cuda"]
    old = failure(wish, Sources(sources.channels, cuda="11.4"))
    assert "__cuda" in old.text


@pytest.mark.slow
def test_only_what_is_named_is_updated(sources: Sources) -> None:
    old = lock_platforms(Wish(conda=("greeting=1.0", "humanize=4.9")), [LINUX, MAC], sources)
    wish = Wish(conda=("greeting", "humanize"))
    new = lock_platforms(wish, [LINUX, MAC], sources, before=old, update=["greeting"])
    for platform in (LINUX, MAC):
        change = difference(old, new, platform)
        assert describe(change) == "Changed greeting from 1.0 to 2.0."


def test_an_update_that_cannot_be_is_refused_before_anything_starts(sources: Sources) -> None:
    old = lock_platforms(Wish(conda=("greeting=1.0",)), [LINUX], sources)
    with pytest.raises(InputError, match="humanize cannot be updated"):
        lock_platforms(Wish(conda=("greeting",)), [LINUX], sources, before=old, update=["humanize"])
    with pytest.raises(InputError, match="greeting cannot be updated"):
        lock_platforms(Wish(conda=("greeting",)), [LINUX], sources, update=["greeting"])
    elsewhere = Sources(("file:///other",))
    with pytest.raises(InputError, match="channels are others"):
        lock_platforms(Wish(conda=("x",)), [LINUX], elsewhere, before=old, update=["greeting"])
    bare = old.model_copy(
        update={"packages": tuple(p.model_copy(update={"md5": None}) for p in old.packages)}
    )
    with pytest.raises(InputError, match="MD5"):
        lock_platforms(Wish(conda=("x",)), [LINUX], sources, before=bare, update=["greeting"])


def test_packages_that_exclude_each_other(sources: Sources) -> None:
    error = failure(Wish(conda=("wants-old", "wants-new")), sources)
    assert isinstance(error, InputError)
    assert error.code == "unsolvable"
    assert "wants-new 1.0 needs humanize >=4.11" in error.text
    assert "wants-old 1.0 needs humanize 4.9.*" in error.text
    assert error.hint


@pytest.mark.slow
def test_packages_that_are_not_there(sources: Sources) -> None:
    error = failure(Wish(conda=("no-such-thing",)), sources)
    assert error.code == "unknown-package"
    assert error.text == "No package no-such-thing for linux-64 is in the channels."
    assert failure(Wish(conda=("python 99.*",)), sources).code == "no-such-version"
    windows = failure(Wish(conda=("python",)), sources, ("win-64",))
    assert "python for win-64" in windows.text


@pytest.mark.parametrize("channel", ["file:///no/such/channel", "http://127.0.0.1:1/channel"])
def test_a_channel_that_cannot_be_read(channel: str, tmp_path: Path) -> None:
    error = failure(Wish(conda=("python",)), Sources((channel,), cache=tmp_path / "cache"))
    assert isinstance(error, Unavailable)
    assert error.code == "channel-unreachable"
    assert channel in (error.hint or "")


@pytest.mark.parametrize("platforms", [(), ("linux-65",), ("--file=x",), (LINUX, "noarch")])
def test_platforms_that_are_none(platforms: tuple[str, ...], sources: Sources) -> None:
    assert failure(Wish(conda=("python",)), sources, platforms).code == "unknown-platform"


class Trap:
    """Counts who connects."""

    def __init__(self) -> None:
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def trap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    """Every way to the network leads into a trap, except to this machine."""
    trap = Trap()
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, trap.address)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    yield trap
    trap.close()


def test_the_network_is_not_asked_for_names(sources: Sources, trap: Trap, pip_index: str) -> None:
    lock_platforms(Wish(conda=("greeting",)), [LINUX], sources)
    with_pip = Sources(sources.channels, pip_indexes=(pip_index,), cache=sources.cache)
    lock_platforms(Wish(conda=("python",), pip=("tinytwo",)), [LINUX], with_pip)
    assert trap.calls == 0
    failure(Wish(conda=("python",)), Sources(("http://elsewhere.example/channel",)))
    assert trap.calls > 0, "the trap catches nothing"


@pytest.mark.slow
def test_packages_of_pip_are_locked_with_their_hashes(sources: Sources, pip_index: str) -> None:
    with_pip = Sources(sources.channels, pip_indexes=(pip_index,), cache=sources.cache)
    wish = Wish(conda=("python", "pip"), pip=("tinyone",))
    lock = lock_platforms(wish, [LINUX, MAC], with_pip)
    for platform in (LINUX, MAC):
        pip = {package.name: package for package in lock.of(platform) if package.manager == "pip"}
        assert {name: package.version for name, package in pip.items()} == {
            "tinyone": "1.0",
            "tinytwo": "2.0",
        }
        assert all(len(package.sha256 or "") == 64 for package in pip.values())
    named = wish.model_copy(update={"pip_hashes": {"tinytwo": ("0" * 64,)}})
    with pytest.raises(Refused, match="tinytwo"):
        lock_platforms(named, [LINUX], with_pip)


def test_an_index_without_hashes_is_no_source_for_a_lock(
    sources: Sources, careless_index: str
) -> None:
    careless = Sources(sources.channels, pip_indexes=(careless_index,), cache=sources.cache)
    error = failure(Wish(conda=("python",), pip=("tinytwo",)), careless)
    assert "tinytwo" in error.text
    assert "has no SHA-256" in error.text


@pytest.mark.slow
def test_pip_packages_that_do_not_go_together(sources: Sources, pip_index: str) -> None:
    with_pip = Sources(sources.channels, pip_indexes=(pip_index,), cache=sources.cache)
    error = failure(Wish(conda=("python",), pip=("tinyone", "tinytwo<1")), with_pip)
    assert "tinytwo" in error.text
    assert error.exit_code == 2
    nothing = failure(Wish(conda=("python",), pip=("no-such-thing",)), with_pip)
    assert "no-such-thing" in nothing.text


def test_packages_of_pip_need_python(sources: Sources) -> None:
    assert failure(Wish(conda=("greeting",), pip=("x",)), sources).code == "python-missing"


def program(folder: Path, text: str) -> Path:
    path = folder / "conda"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


@pytest.mark.slow
def test_a_configured_program_solves_in_place_of_ours(sources: Sources, tmp_path: Path) -> None:
    import sys

    shim = f"{sys.executable} -I -m jupyter_mlinfn.environments.locks.shim"
    conda = program(tmp_path, f'echo "$1" >>{tmp_path}/calls; exec {shim} -- "$@"')
    configured = Sources(sources.channels, program=conda)
    assert version(lock_platforms(Wish(conda=("greeting",)), [LINUX], configured), "greeting")
    assert (tmp_path / "calls").read_text().split() == ["--version", "create"]
    error = failure(Wish(conda=("wants-old", "wants-new")), configured)
    assert error.code == "unsolvable"
    assert "humanize" in error.text


@pytest.mark.slow
@pytest.mark.parametrize("text", ["exit 1", "exit 0", "echo no json; exit 0", "kill -9 $$"])
def test_a_configured_program_that_does_not_work(
    text: str, sources: Sources, tmp_path: Path
) -> None:
    error = failure(
        Wish(conda=("python",)), Sources(sources.channels, program=program(tmp_path, text))
    )
    assert isinstance(error, PartMissing)
    assert "conda" in error.text


def test_a_configured_program_that_is_not_there(sources: Sources, tmp_path: Path) -> None:
    missing = Sources(sources.channels, program=tmp_path / "missing")
    assert failure(Wish(conda=("python",)), missing).code == "program-missing"


def ended(pid: int) -> bool:
    """Whether the process is gone, or only waits to be collected by its new parent."""
    try:
        psutil.wait_procs([process := psutil.Process(pid)], timeout=10)
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_silent_program_is_ended_with_all_it_left(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    conda = program(tmp_path, f"echo $$ >{tmp_path}/pid; exec sleep 600")
    silent_one = Sources(sources.channels, program=conda)
    # so long that conda-lock has asked it also on a busy machine
    with pytest.raises(Unavailable) as silent:
        lock_platforms(Wish(conda=("python",)), [LINUX], silent_one, deadline=10)
    assert silent.value.code == "program-silent"
    assert list((tmp_path / "temporary").iterdir()) == []
    assert ended(int((tmp_path / "pid").read_text()))


def test_secrets_of_the_environment_are_not_passed_on(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "top-secret")
    monkeypatch.setenv("CONDA_FLAGS", "--evil")
    conda = program(tmp_path, f"env >>{tmp_path}/env; exit 1")
    failure(Wish(conda=("python",)), Sources(sources.channels, program=conda))
    told = (tmp_path / "env").read_text()
    assert "PATH=" in told
    assert "top-secret" not in told
    assert "evil" not in told


def test_without_conda_lock_it_says_what_is_missing(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    error = failure(Wish(conda=("python",)), sources)
    assert isinstance(error, PartMissing)
    assert "pip install" in (error.hint or "")
