"""The runner's small parts: the log, outputs within limits, what differs, the kernel's command."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_output

from jupyter_mlinfn.jobs.runner import kernel
from jupyter_mlinfn.jobs.runner import outputs as limits
from jupyter_mlinfn.jobs.runner.kernel import kernel_environment, program
from jupyter_mlinfn.jobs.runner.logfile import LogFile, plain
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome
from jupyter_mlinfn.jobs.runner.outputs import Outputs, rewritten
from jupyter_mlinfn.jobs.runner.stopping import Stopping
from jupyter_mlinfn.jobs.runner.verify import differences
from jupyter_mlinfn.model.environments import Package


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def test_lines_are_written_as_they_come_and_pieces_are_joined(path: Path) -> None:
    log = LogFile(path)
    log.write("one\ntw")
    assert path.read_text().startswith("one\n")
    log.write("o\n")
    log.write("last")
    log.flush()
    lines = path.read_text().splitlines()
    assert lines[0] == "one"
    assert "two" in lines
    assert lines[-1] == "last"


def test_a_progress_bar_leaves_few_lines(path: Path) -> None:
    log = LogFile(path)
    for percent in range(101):
        log.write(f"\r{percent} %")
    log.write("\ndone\n")
    text = path.read_text()
    assert text.splitlines()[-2:] == ["100 %", "done"]
    assert len(text.splitlines()) < 6


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\text", "text"),
        ("a\x00b\x07c\x9bd", "abcd"),
        ("\u202eevil\u2069", "evil"),
        ("tab\tstays é", "tab\tstays é"),
        ("</script><img onerror=x>", "</script><img onerror=x>"),
    ],
)
def test_the_log_is_harmless_in_a_terminal(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_long_lines_and_long_logs_are_cut_and_say_so(path: Path) -> None:
    log = LogFile(path, max_bytes=500, max_line=100)
    for _ in range(50):
        log.write("x" * 40)
    log.write("\nafter\n")
    lines = path.read_text().splitlines()
    assert max(map(len, lines)) < 160
    assert "the rest of this line was left out" in path.read_text()
    assert "after" in lines
    for _ in range(100):
        log.write("more\n")
    assert path.stat().st_size < 600
    assert path.read_text().splitlines()[-1] == "The log is full; what follows was left out."


def test_a_pipe_of_binary_is_drained_to_its_end(path: Path) -> None:
    log = LogFile(path)
    reader, writer = os.pipe()
    thread = threading.Thread(target=log.drain, args=(reader,))
    thread.start()
    os.write(writer, bytes(range(256)) + "é".encode()[:1])
    os.write(writer, "é".encode()[1:] + b"\nend")
    os.close(writer)
    thread.join(10)
    text = path.read_text()
    assert text.endswith("end\n")
    assert "é" in text
    assert "\ufffd" in text


def test_streams_are_gathered_into_one_output(path: Path) -> None:
    outputs, outs = Outputs(LogFile(path)), list[Any]()
    for number in range(1000):
        outputs.stream(outs, {"name": "stdout", "text": f"{number}\n"})
    outputs.stream(outs, {"name": "stderr", "text": "warned\n"})
    outputs.stream(outs, {"name": "stdout", "text": "again\n"})
    outputs.settle()
    assert [out.name for out in outs] == ["stdout", "stderr", "stdout"]
    assert outs[0].text == "".join(f"{number}\n" for number in range(1000))
    assert path.read_text().count("\n") == 1002
    assert outputs.changed


def test_text_of_a_cell_is_cut_and_the_log_has_the_rest(path: Path) -> None:
    outputs, outs = Outputs(LogFile(path), max_text=1000), list[Any]()
    for _ in range(30):
        outputs.stream(outs, {"name": "stdout", "text": "y" * 99 + "\n"})
    outputs.settle()
    assert outs[0].text.endswith("the log has the rest.\n")
    assert len(outs[0].text) < 1100
    assert path.stat().st_size == 3000
    following: list[Any] = []
    outputs.stream(following, {"name": "stdout", "text": "next cell"})
    outputs.settle()
    assert following[0].text == "next cell"


def test_a_huge_picture_is_replaced_by_a_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OUTPUT", 1000)
    monkeypatch.setattr(limits, "MAX_NOTEBOOK", 1500)
    monkeypatch.setattr(limits, "EACH_OUTPUT", 0)
    outputs, outs = Outputs(LogFile(path)), list[Any]()

    def picture(size: int) -> bool:
        return outputs.too_large(outs, {"content": {"data": {"image/png": "A" * size}}})

    assert not picture(900)
    assert picture(1001)
    assert picture(900)
    assert picture(900)
    assert [out.output_type for out in outs] == ["stream"]
    assert outs[0].text.startswith("3 outputs")
    assert not outputs.too_large(outs, {"content": new_output("error")})


def test_what_was_cleared_counts_no_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture redrawn every epoch is one picture, and a table printed anew is one table."""
    monkeypatch.setattr(limits, "MAX_NOTEBOOK", 10 * limits.EACH_OUTPUT)
    outputs, outs = Outputs(LogFile(path), max_text=1000), list[Any]()
    for _ in range(50):
        outs.clear()
        outputs.cleared()
        assert not outputs.too_large(outs, {"content": {"data": {"image/png": "A" * 900}}})
        outs.append(new_output("display_data"))
        outputs.stream(outs, {"name": "stdout", "text": "y" * 99 + "\n"})
        outputs.settle()
        assert outs[-1].text == "y" * 99 + "\n"


def test_very_many_small_outputs_come_to_an_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_NOTEBOOK", 10 * limits.EACH_OUTPUT)
    outputs, outs = Outputs(LogFile(path), max_text=1000), list[Any]()
    for number in range(1000):
        if not outputs.too_large(outs, {"content": {"data": {"text/plain": "1"}}}):
            outs.append(new_output("display_data"))
        outputs.stream(outs, {"name": ("stdout", "stderr")[number % 2], "text": "."})
    assert len(outs) < 40


def test_a_full_disk_loses_lines_of_the_log_and_nothing_else() -> None:
    """A thread that copies a pipe must go on, or the job would wait for ever in its print()."""
    log = LogFile(Path("/dev/full"))
    reader, writer = os.pipe()
    copying = threading.Thread(target=log.drain, args=(reader,))
    copying.start()
    os.write(writer, b"a line\n" * 1000)
    os.close(writer)
    copying.join(10)
    assert not copying.is_alive()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)  # it was read to its end


def test_the_log_says_where_lines_are_missing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(path)
    written = os.write

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    log.write("lost\n")
    monkeypatch.setattr(os, "write", written)
    log.write("kept\n")
    assert path.read_text() == "… (lines are missing here: the disk was full)\nkept\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\rb\nc", "b\nc"),
        ("10 %\r20 %\r", "20 %\r"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("plain\n", "plain\n"),
        ("x" * 5_000_000 + "\ry", "y"),
    ],
)
def test_rewritten_lines(text: str, shown: str) -> None:
    assert rewritten(text) == shown


def test_differences_in_words() -> None:
    def packages(**versions: str) -> list[Package]:
        return [Package(name=name, version=version) for name, version in versions.items()]

    told = differences(packages(a="1", b="1", c="1"), packages(a="1", b="2", d="1"))
    assert told == ["b is 2 instead of 1", "c 1 is gone", "d 1 was added"]
    assert differences(packages(a="1"), packages(a="1")) == []


def test_the_kernel_gets_its_own_variables_and_the_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BASE", "/opt")
    command = {"env": {"LIBRARY": "${BASE}/lib", "UNKNOWN": "${NO_SUCH}"}}
    spec = {"parameters": {"rate": 0.5, "name": "é", "much": "x" * 200_000}}
    environ = kernel_environment(command, spec)
    assert environ["LIBRARY"] == "/opt/lib"
    assert environ["UNKNOWN"] == "${NO_SUCH}"
    assert json.loads(environ["MLINFN_PARAM_rate"]) == 0.5
    assert json.loads(environ["MLINFN_PARAM_name"]) == "é"
    assert "MLINFN_PARAM_much" not in environ


def test_the_program_of_a_kernel(tmp_path: Path) -> None:
    assert program("python", {}, "it") == sys.executable
    assert program("sh", {"PATH": "/bin:/usr/bin"}, "it").endswith("/sh")
    with pytest.raises(Ended) as ended:
        program(str(tmp_path / "gone"), {}, "My environment")
    assert ended.value.outcome.reason is not None
    assert ended.value.outcome.reason["code"] == "environment-missing"
    assert "My environment" in ended.value.outcome.reason["text"]


def test_sockets_need_a_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = kernel.connection_to("python")
    assert short["transport"] == "ipc"
    Path(short["ip"]).parent.rmdir()
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    long = kernel.connection_to("python")
    assert (long["transport"], long["ip"]) == ("tcp", "127.0.0.1")
    assert list(deep.iterdir()) == []
    assert kernel.connection_to("julia")["transport"] == "tcp"
    ports = {name: port for name, port in long.items() if name.endswith("_port")}
    assert len(set(ports.values())) == 5


def test_being_asked_to_stop_is_remembered() -> None:
    stopping, acts = Stopping(), list[str]()
    stopping.check()
    stopping.on_signal()
    with pytest.raises(Ended) as ended:
        stopping.check()
    assert ended.value.outcome == Outcome("stopped")
    stopping.then(lambda: acts.append("at once"))
    assert acts == ["at once"]
