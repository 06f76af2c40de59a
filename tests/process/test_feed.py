"""Programs that answer in lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.model.errors import PartMissing
from jupyter_mlinfn.process.feed import LineFeed, collect


@pytest.fixture
def feeds() -> Iterator[list[LineFeed]]:
    made: list[LineFeed] = []
    yield made
    for one in made:
        one.abandon()
    for _ in range(200):
        if not collect():
            return
        time.sleep(0.02)
    raise AssertionError("a program outlived its test")


def start(feeds: list[LineFeed], program: str) -> LineFeed:
    feeds.append(LineFeed([sys.executable, "-c", program]))
    return feeds[-1]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_lines_come_whole_and_in_order(feeds: list[LineFeed]) -> None:
    feed = start(feeds, "import sys; sys.stdout.write('a\\nb\\nhalf'); sys.stdout.flush()")
    assert feed.wait_for_line(20) == b"a"
    assert feed.wait_for_line(20) == b"b"
    assert feed.wait_for_line(20) is None, "what has no end is no line"
    assert feed.ended


def test_waiting_has_an_end(feeds: list[LineFeed]) -> None:
    feed = start(feeds, "input()")
    assert feed.wait_for_line(0.05) is None
    assert not feed.ended


def test_an_abandoned_program_ends_with_what_it_started(feeds: list[LineFeed]) -> None:
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    feed = start(feeds, program)
    child = int(feed.wait_for_line(20) or 0)
    assert child
    feed.abandon()
    feed.abandon()
    assert feed.wait_for_line(1) is None
    for _ in range(500):
        if not is_running(child):
            return
        time.sleep(0.02)
    raise AssertionError("the child of an abandoned program runs on")


def test_a_program_that_ended_before_it_was_asked_is_abandoned_in_peace(
    feeds: list[LineFeed],
) -> None:
    feed = start(feeds, "")
    assert feed.wait_for_line(20) is None
    assert not feed.send(b"a question\n")
    feed.abandon()
    assert feed.ended


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(PartMissing) as caught:
        LineFeed(["/nonexistent/program"])
    assert caught.value.code == "program-missing"
