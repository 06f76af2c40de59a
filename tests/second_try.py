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
from collections.abc import Sequence
from pathlib import Path

from tests.failures import FOLDER, SECOND, found

ROOT = Path(__file__).parent.parent
STAGES = ("unit", "kubernetes")
"""The stages whose failures come here, by the names of their reports."""
MANY = 12
"""More failures than this are not chance."""


def failed(root: Path) -> list[str]:
    """The tests whose newest run failed, as pytest keeps them."""
    try:
        kept = json.loads((root / ".pytest_cache/v/cache/lastfailed").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return sorted(kept)


def second_try(root: Path = ROOT, results: Path = FOLDER, stages: Sequence[str] = STAGES) -> int:
    """Exit code: 0 when every stage told its tests, and each that failed passed now.

    The verdict is that of the reports. pytest's list of failures only says what to try again: a
    run that could not keep it would otherwise be green.
    """
    untold = [stage for stage in stages if not (results / f"{stage}.xml").exists()]
    if untold:
        print(f"No report of {', '.join(untold)}: pytest itself broke; see above.")
        return 1
    first = failed(root)
    if len(first) > MANY:
        print(f"{len(first)} tests failed: too many for chance, none is tried again.")
    elif first:
        _try_again(root, results)
    return 1 if any(found(results)) else 0


def _try_again(root: Path, results: Path) -> None:
    before = dict(found(results))
    print(f"\nThe second try, alone, of the {len(before)} that failed above:", flush=True)
    options = ["--last-failed", f"--junitxml={results / SECOND}", "-m", "not fault"]
    subprocess.run([sys.executable, "-m", "pytest", "-q", *options], cwd=root, check=False)
    still = dict(found(results))
    for name in before:
        print(f"{'FAILED AGAIN' if name in still else 'PASSED ALONE'} {name}")


if __name__ == "__main__":
    sys.exit(second_try())
