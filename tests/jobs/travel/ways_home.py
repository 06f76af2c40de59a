"""What comes home from elsewhere, and coming home killed between any two steps."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder


class Killed(BaseException):
    """What nothing catches."""


def ended(far: Path, number: int = 1, state: str = "succeeded") -> AttemptFolder:
    """An attempt there that has ended, as the supervisor leaves it."""
    folder = AttemptFolder(far / "attempts" / str(number))
    folder.path.mkdir(parents=True)
    for name in ("claim.json", "begun", "result.json", "node.json", "outputs.json"):
        (folder.path / name).write_text(json.dumps({"of": name, "at": "2026-01-01T00:00:00+00:00"}))
    folder.log.write_text("one\ntwo\n")
    folder.events.write_text('{"kind": "begun"}\n')
    folder.connection.write_text('{"key": "of its kernel"}')
    published = folder.path / "published"
    output = None
    if state == "succeeded":
        (published / "plots" / "deep").mkdir(parents=True)
        (published / "study.ipynb").write_text("{}")
        (published / "plots" / "deep" / "a.png").write_bytes(bytes(range(256)))
        (published / "latest.png").symlink_to("plots/deep/a.png")
        output = str(published / "study.ipynb")
        (far / "checkpoints").mkdir(exist_ok=True)
        (far / "checkpoints" / "newest.bin").write_bytes(b"x" * 1000)
        (far / "checkpoints" / ".torn.tmp").write_bytes(b"x")
    end = {"state": state, "reason": None, "output": output}
    folder.end.write_text(json.dumps(end))
    return folder


def listing(folder: Path) -> dict[str, Any]:
    """Every name below with what it holds."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        else:
            found[name] = path.read_bytes() if path.is_file() else "folder"
    return found


def output_folder(home: Path) -> Path:
    """Where the results of the job are published."""
    return Path(json.loads((home / "job.json").read_text())["output_folder"])


def killed_at_every_step(
    home: Path,
    bring: Callable[[], object],
    steps: tuple[tuple[Any, str], ...],
    monkeypatch: pytest.MonkeyPatch,
    between: Callable[[], object] = lambda: None,
) -> int:
    """``bring`` a job home, killed at each of the ``steps`` (owner and name of a function) in turn
    and done again: what is at home is always the same. ``between`` looks at it after a kill.

    How many moments there were.
    """
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no power is cut here
    remove, pristine, target = shutil.rmtree, home.parent / "pristine", output_folder(home)
    shutil.copytree(home, pristine)
    bring()
    wanted = listing(home), listing(target)
    moments, calls = 0, 0

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*words: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == moments:
                raise Killed
            return real(*words, **named)

        return called

    for owner, name in steps:
        monkeypatch.setattr(owner, name, counting(getattr(owner, name)))
    while True:
        for folder in (home, target):
            remove(folder, ignore_errors=True)
        shutil.copytree(pristine, home)
        moments, calls = moments + 1, 0
        try:
            bring()
        except Killed:
            between()
            bring()
            assert (listing(home), listing(target)) == wanted, moments
        else:
            return moments
