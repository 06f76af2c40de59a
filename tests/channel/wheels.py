"""One wheel as one conda package."""

from __future__ import annotations

import configparser
import email
import sys
import zipfile
from collections.abc import Iterator, Mapping
from email.message import Message
from functools import partial
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from tests.channel.requirements import conda_name, conda_spec, depends
from tests.channel.writer import NATIVE, PLACEHOLDER, Entry, Package, text, write

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG = f"{sys.version_info.major}{sys.version_info.minor}"
NEXT = f"{sys.version_info.major}.{sys.version_info.minor + 1}"
SHEBANG = f"#!{PLACEHOLDER}/bin/python"

SCRIPT = """{shebang}
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({function}())
"""


def read_metadata(wheel: Path) -> Message:
    """The ``METADATA`` of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_string(archive.read(_dist_info(archive) + "/METADATA").decode())


def is_pure(wheel: Path) -> bool:
    """Whether the wheel runs on every platform."""
    return any(tag.platform == "any" for tag in parse_wheel_filename(wheel.name)[3])


def package_of(wheel: Path, others: Mapping[str, Message], scripts: tuple[str, ...]) -> Package:
    """What the channel says of a wheel; ``scripts`` are its console scripts."""
    metadata = read_metadata(wheel)
    pure = is_pure(wheel)
    wanted = conda_spec(SpecifierSet(metadata.get("Requires-Python", "")))
    python = (
        [f"python {wanted}".strip()]
        if pure
        else [
            f"python >={VERSION},<{NEXT}.0a0",
            f"python_abi {VERSION}.* *_cp{TAG}",
            "__glibc >=2.17",
        ]
    )
    return Package(
        name=conda_name(metadata["Name"]),
        version=str(parse_wheel_filename(wheel.name)[1]).replace("+", "_"),
        build="pyhd_0" if pure else f"py{TAG}_0",
        subdir="noarch" if pure else NATIVE,
        depends=(*python, *depends(metadata, others)),
        noarch="python" if pure else None,
        entry_points=scripts if pure else (),
        license=metadata.get("License-Expression") or "",
        summary=metadata.get("Summary") or "",
    )


def convert(wheel: Path, others: Mapping[str, Message], folder: Path) -> Path:
    """Write ``wheel`` as a package into its platform's folder under ``folder``."""
    with zipfile.ZipFile(wheel) as archive:
        scripts = tuple(f"{name} = {place}" for name, place in _console_scripts(archive))
        package = package_of(wheel, others, scripts)
        entries = {entry.path: entry for entry in _entries(archive, is_pure(wheel))}
        return write(package, entries.values(), folder / package.subdir)


def _dist_info(archive: zipfile.ZipFile) -> str:
    """The folder of the wheel's papers."""
    (found,) = {
        name.split("/")[0]
        for name in archive.namelist()
        if name.endswith(".dist-info/METADATA") and name.count("/") == 1
    }
    return found


def _console_scripts(archive: zipfile.ZipFile) -> list[tuple[str, str]]:
    """Name and ``module:function`` of each console script; extras are cut off."""
    place = _dist_info(archive) + "/entry_points.txt"
    if place not in archive.namelist():
        return []
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(archive.read(place).decode())
    if not parser.has_section("console_scripts"):
        return []
    return [
        (name, value.split("[")[0].strip()) for name, value in parser["console_scripts"].items()
    ]


def _entries(archive: zipfile.ZipFile, pure: bool) -> Iterator[Entry]:
    site = "site-packages" if pure else f"lib/python{VERSION}/site-packages"
    bin_folder = "python-scripts" if pure else "bin"
    papers = _dist_info(archive)
    for member in archive.infolist():
        if member.is_dir() or member.filename == f"{papers}/RECORD":
            continue
        if member.filename in (f"{papers}/INSTALLER", f"{papers}/REQUESTED"):
            continue
        top, _, rest = member.filename.partition("/")
        if top.endswith(".data") and papers.startswith(top.removesuffix(".data")):
            yield from _data(archive, member, rest, site, bin_folder)
        else:
            mode = member.external_attr >> 16
            yield Entry(f"{site}/{member.filename}", partial(archive.read, member), mode)
    yield Entry(f"{site}/{papers}/INSTALLER", text("conda\n"))
    if not pure:
        yield from (_script(name, place) for name, place in _console_scripts(archive))


def _data(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, rest: str, site: str, bin_folder: str
) -> Iterator[Entry]:
    """Files of ``NAME.data``: where each kind goes. Headers are not taken along."""
    kind, _, path = rest.partition("/")
    mode = member.external_attr >> 16
    if kind in ("purelib", "platlib"):
        yield Entry(f"{site}/{path}", partial(archive.read, member), mode)
    elif kind == "data":
        yield Entry(path, partial(archive.read, member), mode)
    elif kind == "scripts":
        yield Entry(f"{bin_folder}/{path}", partial(_with_shebang, archive, member), 0o755)


def _with_shebang(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    data = archive.read(member)
    first, line_end, rest = data.partition(b"\n")
    return SHEBANG.encode() + line_end + rest if first.startswith(b"#!python") else data


def _script(name: str, place: str) -> Entry:
    module, _, function = place.partition(":")
    said = SCRIPT.format(
        shebang=SHEBANG, module=module, function=function, first=function.split(".")[0]
    )
    return Entry(f"bin/{name}", text(said), 0o755)
