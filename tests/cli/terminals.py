"""The program at a pseudo-terminal played by pexpect, where a person can be asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pexpect
import pytest

from tests.cli.conftest import Program


@pytest.fixture
def at_terminal(program: Program) -> Iterator[Callable[..., Any]]:
    """``at_terminal("jobs", columns=80)``: the started program, for ``expect``."""
    spawned: list[Any] = []

    def start(*words: str, columns: int = 120) -> Any:
        child = pexpect.spawn(
            sys.executable,
            ["-I", "-m", "jupyter_mlinfn.cli", *words],
            env={**program.env, "TERM": "xterm-256color"},
            cwd=str(program.home),
            dimensions=(40, columns),
            encoding="utf-8",
            timeout=60,
        )
        spawned.append(child)
        return child

    yield start
    for child in spawned:
        child.close(force=True)


def end_of(child: Any) -> tuple[int, str]:
    """The exit code, and what was shown since the last thing expected."""
    child.expect(pexpect.EOF)
    child.wait()
    return int(child.exitstatus), str(child.before)
