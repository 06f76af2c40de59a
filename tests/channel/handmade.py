"""Tiny packages made by hand: for what wheels cannot show, above all what goes wrong.

==================  ==============================================================================
greeting 1.0, 2.0   pure Python with a console script ``greet``; no harm in it
wants-old           needs ``humanize 4.9.*``
wants-new           needs ``humanize >=4.11``: with ``wants-old`` it cannot be solved
wants-nothing       needs ``no-such-package``: can never be installed
wants-cuda          needs ``__cuda >=12``: only where a driver (or an override) offers it
broken-files        promises in ``paths.json`` a file that its archive lacks: linking fails
clashing            brings ``site-packages/humanize/__init__.py`` too
afterwards          has a post-link script, which would write ``afterwards-ran`` into the prefix
==================  ==============================================================================

And for ``linux-aarch64`` and ``osx-arm64`` (whichever this machine is not) a one-file dummy of
every compiled package, so that locks for several platforms can be solved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.channel.cpython import PYTHON
from tests.channel.writer import ARCH, NATIVE, Entry, Package, text, write

GREETING = '''"""Says hello."""

VERSION = "{version}"


def main() -> None:
    print("Hello from greeting", VERSION)
'''

AFTERWARDS = '#!/bin/sh\ntouch "$PREFIX/afterwards-ran"\n'


def write_handmade(folder: Path) -> list[Path]:
    """The packages of the table above, under ``folder``."""
    return [write(package, entries, folder / package.subdir) for package, entries in _made()]


def _made() -> Iterator[tuple[Package, list[Entry]]]:
    for version in ("1.0", "2.0"):
        yield _greeting(version)
    for name, need in (
        ("wants-old", "humanize 4.9.*"),
        ("wants-new", "humanize >=4.11"),
        ("wants-nothing", "no-such-package >=3"),
        ("wants-cuda", "__cuda >=12"),
    ):
        package = Package(name, "1.0", "0", depends=(need,), noarch="generic")
        yield package, [Entry(f"share/{name}.txt", text(f"{name}\n"))]
    yield (
        Package("broken-files", "1.0", "0", noarch="generic"),
        [
            Entry("share/broken-files/there.txt", text("there\n")),
            Entry("share/broken-files/missing.txt", text("missing\n"), stored=False),
        ],
    )
    yield (
        Package("clashing", "1.0", "pyhd_0", depends=("humanize", "python"), noarch="python"),
        [Entry("site-packages/humanize/__init__.py", text("raise ImportError('clash')\n"))],
    )
    yield (
        Package("afterwards", "1.0", "0", noarch="generic"),
        [
            Entry("bin/.afterwards-post-link.sh", text(AFTERWARDS), 0o755),
            Entry("share/afterwards.txt", text("afterwards\n")),
        ],
    )


def _greeting(version: str) -> tuple[Package, list[Entry]]:
    package = Package(
        "greeting", version, "pyhd_0", depends=("python",), noarch="python",
        entry_points=("greet = greeting:main",), license="BSD-3-Clause", summary="Says hello",
    )  # fmt: skip
    papers = f"site-packages/greeting-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: greeting\nVersion: {version}\n"
    return package, [
        Entry("site-packages/greeting.py", text(GREETING.format(version=version))),
        Entry(f"{papers}/METADATA", text(metadata)),
        Entry(f"{papers}/INSTALLER", text("conda\n")),
    ]


def write_dummies(packages: Iterable[Package], folder: Path) -> list[Path]:
    """One-file stand-ins of compiled ``packages`` for the other platforms."""
    made = []
    for package in (PYTHON, *packages):
        for subdir in sorted(set(ARCH) - {"noarch", NATIVE}):
            needs = tuple(
                need
                for need in package.depends
                if subdir.startswith("linux") or not need.startswith("__glibc")
            )
            other = replace(package, subdir=subdir, depends=needs)
            entry = Entry(f"share/dummies/{package.name}.txt", text(f"{package.name}\n"))
            made.append(write(other, [entry], folder / subdir))
    return made
