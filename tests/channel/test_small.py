"""The small channel in use: real solves, real installations, a real kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def install(
    prefix: Path, channel: str, *specs: str, cache: Path
) -> subprocess.CompletedProcess[str]:
    """``specs`` into ``prefix``, in a program of its own."""
    argv = [sys.executable, "-m", "tests.channel.installing", str(prefix), *specs]
    return subprocess.run(
        [*argv, "--channel", channel, "--cache", str(cache)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def kernel_prefix(small_channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with python, ipykernel, pip and greeting."""
    folder = tmp_path_factory.mktemp("kernel")
    ended = install(
        folder / "prefix", str(small_channel), "python", "ipykernel", "pip", "greeting <2",
        cache=folder / "cache",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return folder / "prefix"


def said(*argv: str | Path) -> str:
    """What a program of the prefix prints, without the variables of this session."""
    ended = subprocess.run(
        [str(one) for one in argv],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/bin"},
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_the_installed_python_runs_from_its_own_prefix(kernel_prefix: Path) -> None:
    told = said(
        kernel_prefix / "bin" / "python", "-c",
        "import ipykernel, sys, sysconfig, json;"
        "print(json.dumps([sys.prefix, ipykernel.__file__, sysconfig.get_path('purelib')]))",
    )  # fmt: skip
    prefix, module, purelib = json.loads(told)
    assert prefix == str(kernel_prefix)
    assert Path(module).is_relative_to(kernel_prefix)
    assert Path(purelib).is_relative_to(kernel_prefix)


def test_its_console_scripts_run_in_the_prefix(kernel_prefix: Path) -> None:
    assert said(kernel_prefix / "bin" / "greet") == "Hello from greeting 1.0"
    assert str(kernel_prefix) in said(kernel_prefix / "bin" / "pip", "--version")


def test_a_kernel_of_the_prefix_answers(kernel_prefix: Path, tmp_path: Path) -> None:
    python = str(kernel_prefix / "bin" / "python")
    manager = KernelManager(connection_file=str(tmp_path / "kernel.json"))
    manager._kernel_spec = KernelSpec(
        argv=[python, "-I", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        language="python",
    )
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        printed: list[str] = []
        client.execute_interactive(
            "import sys; print(sys.prefix)",
            timeout=60,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "".join(printed).strip() == str(kernel_prefix)


def test_it_installs_over_http_too(
    small_channel: Path, served: Callable[[Path], str], tmp_path: Path
) -> None:
    ended = install(
        tmp_path / "prefix", served(small_channel), "greeting", cache=tmp_path / "cache"
    )
    assert ended.returncode == 0, ended.stderr
    assert said(tmp_path / "prefix" / "bin" / "greet") == "Hello from greeting 2.0"


@pytest.mark.parametrize(
    ("specs", "reason"),
    [
        (("wants-old", "wants-new"), "humanize"),
        (("wants-nothing",), "no-such-package"),
        (("wants-cuda",), "__cuda"),
        (("greeting ==3.0",), "greeting"),
    ],
)
def test_what_cannot_be_solved_is_refused_with_the_package_that_is_to_blame(
    small_channel: Path, tmp_path: Path, specs: tuple[str, ...], reason: str
) -> None:
    ended = install(tmp_path / "prefix", str(small_channel), *specs, cache=tmp_path / "cache")
    assert ended.returncode == 1, ended.stdout
    assert reason in ended.stderr
    assert not (tmp_path / "prefix").exists()


def test_the_broken_package_solves_and_then_fails_to_link(
    small_channel: Path, tmp_path: Path
) -> None:
    ended = install(
        tmp_path / "prefix", str(small_channel), "broken-files", cache=tmp_path / "cache"
    )
    assert ended.returncode != 0
    assert "broken-files" in ended.stderr


def test_a_post_link_script_is_installed_but_not_run(small_channel: Path, tmp_path: Path) -> None:
    ended = install(tmp_path / "prefix", str(small_channel), "afterwards", cache=tmp_path / "cache")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "prefix" / "bin" / ".afterwards-post-link.sh").exists()
    assert not (tmp_path / "prefix" / "afterwards-ran").exists()
