"""Runs a script inside the environment of a job: ``script_start.py MODULES SHIM SCRIPT ARGS…``.

Started by the environment's own interpreter, which need not have this package: standard library
only, Python 3.8 or newer. The captured modules come first on ``sys.path``, the shim last.
"""

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Make ``sys.path`` and ``sys.argv`` what the script expects, then run it."""
    modules, shim, script = sys.argv[1:4]
    sys.argv = [script, *sys.argv[4:]]
    sys.path[0] = str(Path.cwd())
    if Path(modules).is_dir():
        sys.path.insert(0, modules)
    sys.path.append(shim)
    runpy.run_path(script, run_name="__main__")


main()
