"""``make bench``: every ``benchmarks/bench_*.py`` in one run, as one table with ratios.

``python -m benchmarks jobs live`` runs only those named.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from benchmarks.figures import Figure, table


def main(names: list[str]) -> int:
    """Run the benchmarks named (all of them when none is); 1 when an asked figure was missed."""
    folder = Path(__file__).parent
    known = sorted(path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py"))
    if strangers := set(names) - set(known):
        print(f"No benchmark {', '.join(sorted(strangers))}; there are: {', '.join(known)}.")
        return 2
    figures: list[Figure] = []
    try:
        for name in names or known:
            print(f"… {name}", file=sys.stderr, flush=True)
            figures += importlib.import_module(f"benchmarks.bench_{name}").run()
    finally:
        print(table(figures))
    return int(any(f.asked is not None and f.value > f.asked for f in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
