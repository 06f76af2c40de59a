"""``python -m tests.channel OUT --size small|demo|science|large``: see the package."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.channel.build import build
from tests.channel.downloads import DownloadFailed
from tests.channel.recipes import RECIPES


def main() -> int:
    """Build the channel that was asked for; 3 when its wheels cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m tests.channel", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder of the channel")
    parser.add_argument("--size", choices=sorted(RECIPES), default="small")
    asked = parser.parse_args()
    try:
        out = build(asked.out, asked.size)
    except DownloadFailed as failure:
        print(f"No conda channel was made. {failure}", file=sys.stderr)
        return 3
    except FileExistsError as failure:
        print(f"{failure} Name another folder.", file=sys.stderr)
        return 2
    print(out)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The indexer's threads can crash a Python that is finalising.
    os._exit(code)
