"""A prefix from a channel, by py-rattler alone: ``python -m tests.channel.installing``.

For the managed environment of ``make lab`` and for tests that need a prefix the engine under test
did not make. Runs as a program of its own, because rattler's threads can crash a Python that is
finalising (py-rattler 0.28).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from rattler import Gateway, Subdir, VirtualPackage, install, solve
from rattler.exceptions import SolverError


async def make_prefix(prefix: Path, channel: str, specs: list[str], cache: Path) -> int:
    """Solve ``specs`` in ``channel`` and install them; the number of packages."""
    records = await solve(
        [channel],
        specs,
        gateway=Gateway(cache_dir=cache / "repodata"),
        platforms=[Subdir.current(), "noarch"],
        virtual_packages=VirtualPackage.detect(),
    )
    await install(records, prefix.absolute(), cache_dir=cache / "packages", show_progress=False)
    return len(records)


def main() -> int:
    """Install what was asked for; 1 when it cannot be solved."""
    parser = argparse.ArgumentParser(prog="python -m tests.channel.installing", description=__doc__)
    parser.add_argument("prefix", type=Path)
    parser.add_argument("specs", nargs="+")
    parser.add_argument("--channel", required=True, help="a folder or a URL")
    parser.add_argument("--cache", type=Path, required=True, help="the package cache")
    asked = parser.parse_args()
    place = asked.channel if "://" in asked.channel else Path(asked.channel).absolute().as_uri()
    try:
        number = asyncio.run(make_prefix(asked.prefix, place, asked.specs, asked.cache))
    except SolverError as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"{number} packages in {asked.prefix}")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
