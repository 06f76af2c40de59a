"""Packages as they are written: the same bytes twice, papers that are true."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conda_package_streaming.package_streaming import (  # type: ignore[import-untyped]
    stream_conda_component,
)

from tests.channel.wheels import convert, read_metadata
from tests.channel.writer import NATIVE, PLACEHOLDER, Entry, Package, text, write

PAPERS = "tiny-1.0.dist-info"
MakeWheel = Callable[..., Path]


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Write a wheel of the project ``tiny`` with the given files and metadata lines."""

    def made(
        files: dict[str, str], *lines: str, tag: str = "py3-none-any", mode: int = 0o644
    ) -> Path:
        wheel = tmp_path / f"tiny-1.0-{tag}.whl"
        metadata = "\n".join(["Metadata-Version: 2.1", "Name: tiny", "Version: 1.0", *lines, ""])
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, content in {**files, f"{PAPERS}/METADATA": metadata}.items():
                member = zipfile.ZipInfo(name)
                member.external_attr = mode << 16
                archive.writestr(member, content)
        return wheel

    return made


def content(package: Path) -> dict[str, bytes | str]:
    """Every file of a package (bytes, or where a link points), by an independent reader."""
    found: dict[str, bytes | str] = {}
    for part in ("pkg", "info"):
        with package.open("rb") as opened:
            for tar, member in stream_conda_component(package.name, opened, part):
                held = tar.extractfile(member) if member.isfile() else None
                found[member.name] = held.read() if held else member.linkname
    return found


def index(package: Path) -> dict[str, object]:
    """``info/index.json``."""
    told: dict[str, object] = json.loads(content(package)["info/index.json"])
    return told


def test_the_same_package_has_the_same_bytes_whenever_and_wherever(tmp_path: Path) -> None:
    entries = [Entry("b.txt", text("b")), Entry("a.txt", text("a")), Entry("c", link="a.txt")]
    package = Package("same", "1.0", "0", noarch="generic")
    first = write(package, entries, tmp_path / "one")
    os.utime(first, (0, 0))
    second = write(package, reversed(entries), tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()
    assert zipfile.ZipFile(first).infolist()[0].date_time[0] == 1980


def test_a_wheel_converted_twice_has_the_same_bytes(make_wheel: MakeWheel, tmp_path: Path) -> None:
    wheel = make_wheel(
        {"tiny.py": "x = 1\n", "tiny/data.txt": "é"}, "Requires-Dist: a", "Summary: ü"
    )
    made = [convert(wheel, {}, tmp_path / name) for name in ("one", "two")]
    assert made[0].read_bytes() == made[1].read_bytes()


def test_paths_json_is_true_for_every_package_of_the_channel(small_channel: Path) -> None:
    for package in small_channel.glob("*/*.conda"):
        files = content(package)
        said = json.loads(files["info/paths.json"])["paths"]
        named = {path["_path"] for path in said}
        lacking = named - set(files)
        assert lacking == ({"share/broken-files/missing.txt"} & named), package.name
        assert {name for name in files if not name.startswith("info/")} <= named, package.name
        for path in said:
            data = files.get(path["_path"])
            if not isinstance(data, bytes):
                continue
            assert hashlib.sha256(data).hexdigest() == path["sha256"], path
            assert len(data) == path["size_in_bytes"], path
            assert (PLACEHOLDER.encode() in data) == ("prefix_placeholder" in path), path


def test_no_package_tells_where_this_python_lies(small_channel: Path) -> None:
    base = sys.base_prefix.encode() + b"/"
    if base == b"/usr/":
        pytest.skip("Debian's prefix stands in many texts that have nothing to do with it.")
    (python,) = (small_channel / NATIVE).glob("python-3*.conda")
    for name, data in content(python).items():
        assert not (isinstance(data, bytes) and b"\0" not in data[:4096] and base in data), name


def test_a_pure_wheel_is_noarch_with_its_entry_points_in_link_json(
    make_wheel: MakeWheel, tmp_path: Path
) -> None:
    wheel = make_wheel(
        {
            "tiny.py": "def main(): ...\n",
            f"{PAPERS}/entry_points.txt": "[console_scripts]\nTiny=tiny:main [fast]\n",
            "tiny-1.0.data/scripts/tiny-old": "#!python\nprint('old')\n",
            "tiny-1.0.data/data/share/tiny.txt": "shared\n",
            f"{PAPERS}/RECORD": "",
        },
        "Requires-Python: >=3.9, !=3.9.1",
    )
    package = convert(wheel, {}, tmp_path)
    files = content(package)
    assert package.parent.name == "noarch"
    assert json.loads(files["info/link.json"])["noarch"] == {
        "type": "python",
        "entry_points": ["Tiny = tiny:main"],
    }
    assert index(package)["depends"] == ["python !=3.9.1,>=3.9"]
    assert (
        files["python-scripts/tiny-old"] == f"#!{PLACEHOLDER}/bin/python\nprint('old')\n".encode()
    )
    assert files["share/tiny.txt"] == b"shared\n"
    assert files[f"site-packages/{PAPERS}/INSTALLER"] == b"conda\n"
    assert f"site-packages/{PAPERS}/RECORD" not in files


def test_a_compiled_wheel_names_its_python_and_brings_its_scripts(
    make_wheel: MakeWheel, tmp_path: Path
) -> None:
    tag = f"cp311-cp311-manylinux_2_17_{os.uname().machine}"
    wheel = make_wheel(
        {
            "tiny.so": "",
            f"{PAPERS}/entry_points.txt": "[console_scripts]\ntiny = tiny.cli:App.run\n",
        },
        tag=tag,
        mode=0o755,
    )
    package = convert(wheel, {}, tmp_path)
    files = content(package)
    depends = index(package)["depends"]
    assert isinstance(depends, list)
    assert any(need.startswith("python_abi ") for need in depends)
    assert "__glibc >=2.17" in depends
    script = str(files["bin/tiny"])
    assert f"#!{PLACEHOLDER}/bin/python" in script
    assert "from tiny.cli import App" in script
    assert "App.run()" in script


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    package = write(
        Package("linked", "1.0", "0", noarch="generic"), [Entry("bin/x", link="y")], tmp_path
    )
    assert content(package)["bin/x"] == "y"
    (said,) = json.loads(content(package)["info/paths.json"])["paths"]
    assert said["path_type"] == "softlink"


def test_metadata_in_other_alphabets_is_read(make_wheel: MakeWheel) -> None:
    assert read_metadata(make_wheel({}, "Summary: Größe ≥ 1"))["Summary"] == "Größe ≥ 1"


def test_what_the_archive_holds_is_owned_by_nobody_and_dated_alike(tmp_path: Path) -> None:
    package = write(
        Package("owned", "1.0", "0", noarch="generic"), [Entry("x", text("x"), 0o600)], tmp_path
    )
    with package.open("rb") as opened:
        heads = [member for _, member in stream_conda_component(package.name, opened, "pkg")]
    assert [(head.uid, head.gid, head.mode, head.type) for head in heads] == [
        (0, 0, 0o644, tarfile.REGTYPE)
    ]
