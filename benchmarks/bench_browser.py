"""What a log of 100 MB costs the browser that follows it: real JupyterLab in real Chromium.

The harness of the browser tests opens both (``ui-tests/measure/log.spec.ts``); the page's heap is
read over Chromium's own protocol, before the job's tab is opened and when the log has come.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.servers import HERE

PATIENCE = 1300.0


def run() -> list[Figure]:
    """MB of heap; nothing where there is no Chromium or no front end."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "measured.json")
        done = subprocess.run(
            [str(Path(sys.executable).with_name("jlpm")), "playwright", "test",
             "--config=measure.config.js"],
            cwd=HERE / "ui-tests", env=os.environ | {"MLINFN_MEASURED": str(result)},
            capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        if done.returncode or not result.exists():
            print(f"… no browser: {done.stdout[-2000:]}", file=sys.stderr)
            return []
        told = json.loads(result.read_text())
    name = f"browser, a log of {told['log'] / 1e6:.0f} MB followed"
    return [
        Figure(f"{name}: heap more than before", told["after"] / 1e6, "MB", 50),
        Figure(f"{name}: the same before garbage is collected, most", told["most"] / 1e6, "MB"),
    ]
