"""What is installed, read from metadata."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

from jupyter_mlinfn.environments.inventory import compare, describe, digest, inventory
from jupyter_mlinfn.model.environments import Package
from tests.environments.making import add_distribution, site_of, write

Make = Callable[..., Path]


def listed(packages: tuple[Package, ...]) -> dict[str, str]:
    return {package.name: package.version for package in packages}


def test_a_real_venv_agrees_with_what_its_interpreter_says() -> None:
    prefix = Path(sys.prefix)
    found = listed(inventory(prefix, f"{sys.version_info[0]}.{sys.version_info[1]}"))
    code = (
        "import re, importlib.metadata as m\n"
        "for d in m.distributions():\n"
        "    print(re.sub('[-_.]+', '-', d.metadata['Name']).lower(), d.version)"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    expected = dict(reversed([line.split() for line in said.stdout.splitlines()]))
    assert found.pop("python") == ".".join(map(str, sys.version_info[:3]))
    assert found == expected
    assert len(found) > 50
    assert sum(1 for _ in distributions()) >= len(found)


def test_a_venv_lists_its_own_packages_and_its_python(tmp_path: Path, make_venv: Make) -> None:
    prefix = make_venv(tmp_path / "v", numpy="2.0.0", Foo_Bar="1.0+cpu")
    assert listed(inventory(prefix, "3.11")) == {
        "foo-bar": "1.0+cpu", "numpy": "2.0.0", "python": "3.11.7",
    }  # fmt: skip


def test_left_overs_are_not_installed(tmp_path: Path, make_venv: Make) -> None:
    prefix = make_venv(tmp_path / "v")
    site = site_of(prefix)
    (site / "gone-1.0.dist-info").mkdir()
    add_distribution(site, "~umpy", "1.0")
    write(site / "odd-1.0.dist-info" / "METADATA", "no name here")
    write(site / "old-2.0.egg-info", "Name: old\nVersion: 2.0\n")
    write(site / "older.egg-info" / "PKG-INFO", "Name: older\nVersion: 3\n")
    assert listed(inventory(prefix, "3.11")) == {"python": "3.11.7", "old": "2.0", "older": "3"}


def test_conda_tells_of_its_packages_by_name_and_build(tmp_path: Path, make_conda: Make) -> None:
    prefix = make_conda(
        tmp_path / "c", **{"pytorch-gpu": "2.3.0-cuda120", "numpy": "1.26.4-py312_0"}
    )
    add_distribution(site_of(prefix), "torch", "2.3.0", installer="conda")
    add_distribution(site_of(prefix), "uproot", "5.0")
    found = {p.name: (p.version, p.build, p.source) for p in inventory(prefix, "3.12")}
    assert found == {
        "numpy": ("1.26.4", "py312_0", "conda"),
        "python": ("3.12.4", "h1_0", "conda"),
        "pytorch-gpu": ("2.3.0", "cuda120", "conda"),
        "uproot": ("5.0", None, "pypi"),
    }


def test_system_packages_count_where_the_venv_sees_them(tmp_path: Path, make_venv: Make) -> None:
    base = tmp_path / "base"
    site = base / "lib" / "python3.11" / "site-packages"
    add_distribution(site, "numpy", "1.0")
    add_distribution(site, "scipy", "1.1")
    prefix = make_venv(tmp_path / "v", numpy="2.0.0")
    assert "scipy" not in listed(inventory(prefix, "3.11"))
    write(
        prefix / "pyvenv.cfg",
        f"home = {base}/bin\ninclude-system-site-packages = true\nversion = 3.11.7\n",
    )
    found = listed(inventory(prefix, "3.11"))
    assert (found["numpy"], found["scipy"]) == ("2.0.0", "1.1")


def test_the_persons_own_site_folder_counts_where_python_looks_there(
    tmp_path: Path, own_home: Path, make_venv: Make, make_conda: Make
) -> None:
    for minor in ("3.11", "3.12"):
        site = own_home / ".local" / "lib" / f"python{minor}" / "site-packages"
        add_distribution(site, "mine", "1")
    assert "mine" not in listed(inventory(make_venv(tmp_path / "v"), "3.11"))
    assert "mine" in listed(inventory(make_conda(tmp_path / "c"), "3.12"))


def test_folders_of_pth_files_and_of_the_kernels_path_count(
    tmp_path: Path, make_venv: Make
) -> None:
    prefix = make_venv(tmp_path / "v", numpy="2.0.0")
    add_distribution(tmp_path / "chained", "chained", "1")
    write(site_of(prefix) / "a.pth", f"# no\nimport os\n{tmp_path / 'chained'}\n/not/there\n")
    add_distribution(tmp_path / "first", "numpy", "9")
    found = listed(inventory(prefix, "3.11", (tmp_path / "first",)))
    assert (found["chained"], found["numpy"]) == ("1", "9")


def test_the_digest_does_not_depend_on_order_and_sees_every_change() -> None:
    packages = [Package(name=f"p{i}", version="1") for i in range(20)]
    shuffled = random.Random(1).sample(packages, 20)
    assert digest(packages) == digest(shuffled)
    assert digest(packages).startswith("sha256:")
    assert len(digest(packages)) == len("sha256:") + 64
    for changed in (
        packages[1:],
        [*packages, Package(name="q", version="1")],
        [Package(name="p0", version="2"), *packages[1:]],
        [Package(name="p0", version="1", source="conda"), *packages[1:]],
        [Package(name="p0", version="1", build="cuda"), *packages[1:]],
    ):
        assert digest(changed) != digest(packages)
        assert compare(packages, changed) or changed[0].source == "conda"
    assert compare(packages, shuffled) == ()


def test_differences_are_told_in_words() -> None:
    before = [Package(name=name, version="1") for name in "abcdef"]
    after = [Package(name="a", version="2"), Package(name="g", version="3")]
    told = describe(compare(before, after), most=2)
    assert told == "a 1 → 2, b 1 is gone, and 5 more"
    assert describe(compare([], after)) == "a 2 is new, g 3 is new"


def test_pipes_and_endless_devices_do_not_hold_us_up(tmp_path: Path, make_venv: Make) -> None:
    prefix = make_venv(tmp_path / "v")
    (site_of(prefix) / "pipe-1.dist-info").mkdir()
    os.mkfifo(site_of(prefix) / "pipe-1.dist-info" / "METADATA")
    os.mkfifo(site_of(prefix) / "pipe.pth")
    (site_of(prefix) / "zero-1.egg-info").symlink_to("/dev/zero")
    assert listed(inventory(prefix, "3.11")) == {"python": "3.11.7"}


def test_what_is_no_folder_holds_nothing(tmp_path: Path, make_venv: Make) -> None:
    prefix = make_venv(tmp_path / "v")
    site_of(prefix).rmdir()
    write(prefix / "lib" / "python3.11" / "site-packages")
    assert listed(inventory(prefix, "3.11")) == {"python": "3.11.7"}
