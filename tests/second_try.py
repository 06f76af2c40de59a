"""The second try of the tests that failed: alone, in a new process, when nothing else runs.

``python -m tests.second_try`` comes at the end of ``make test``. A try in the same process fails
again where another test left something behind, and one on a machine that is still busy where
patience had ended; a mistake in what is tested fails here too. A fault campaign has one try: its
first failure is the finding (docs/decisions.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.failures import FOLDER, SECOND

ROOT = Path(__file__).parent.parent
MANY = 12
"""More failures than this are not chance."""


def failed(root: Path) -> list[str]:
    """The tests whose newest run failed, as pytest keeps them."""
    try:
        kept = json.loads((root / ".pytest_cache/v/cache/lastfailed").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return sorted(kept)


def second_try(root: Path = ROOT, results: Path = FOLDER) -> int:
    """Exit code: 0 when nothing failed or everything passed now; what happened is printed."""
    first = failed(root)
    if not first:
        return 0
    if len(first) > MANY:
        print(f"{len(first)} tests failed: too many for chance, none is tried again.")
        return 1
    print(f"\nThe second try, alone, of the {len(first)} that failed above:", flush=True)
    options = ["--last-failed", f"--junitxml={results / SECOND}", "-m", "not fault"]
    subprocess.run([sys.executable, "-m", "pytest", "-q", *options], cwd=root, check=False)
    still = failed(root)
    for name in first:
        print(f"{'FAILED AGAIN' if name in still else 'PASSED ALONE'} {name}")
    return 1 if still else 0


if __name__ == "__main__":
    sys.exit(second_try())
