"""Wheels from the Python Package Index, kept for the next time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.channel.recipes import Recipe

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
PATIENCE_S = 900


class DownloadFailed(Exception):
    """The wheels could not be had; the text is for people."""


def fetch(recipe: Recipe, cache: Path) -> list[Path]:
    """The wheels of ``recipe``; no network is used when they were fetched before.

    The versions follow ``constraints.txt`` where it names them. Raises :class:`DownloadFailed`.
    """
    asked = [list(recipe.wishes), *([one] for one in recipe.beside)]
    pinned = CONSTRAINTS.read_bytes()
    key = hashlib.sha256(json.dumps([asked, sys.version]).encode() + pinned).hexdigest()[:16]
    note = cache / f"{recipe.size}-{key}.json"
    if note.exists():
        wheels = [cache / name for name in json.loads(note.read_text(encoding="utf-8"))]
        if all(wheel.exists() for wheel in wheels):
            return wheels
    cache.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    for wishes in asked:
        alone = ["--no-deps"] if len(wishes) == 1 else ["-c", str(CONSTRAINTS)]
        names |= _download([*alone, *wishes], cache)
    note.write_text(json.dumps(sorted(names)), encoding="utf-8")
    return [cache / name for name in sorted(names)]


def _download(arguments: list[str], cache: Path) -> set[str]:
    """Have pip fetch wheels into ``cache``; their names."""
    with tempfile.TemporaryDirectory(dir=cache) as held:
        argv = [sys.executable, "-m", "pip", "download", "-q", "--retries=2", "--only-binary=:all:"]
        try:
            ended = subprocess.run(
                [*argv, "-d", held, *arguments],
                capture_output=True, text=True, timeout=PATIENCE_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise DownloadFailed(f"pip got no wheels within {PATIENCE_S} s.") from None
        if ended.returncode:
            lines = ended.stderr.splitlines()
            said = next((line for line in lines if line.startswith("ERROR:")), "nothing more.")
            said = said.removeprefix("ERROR: ")
            raise DownloadFailed(f"pip could not download wheels (is there a network?): {said}")
        fetched = list(Path(held).iterdir())
        return {wheel.replace(cache / wheel.name).name for wheel in fetched}
