"""Outputs of cells within limits, and text gathered so that a million prints stay cheap.

nbclient appends one output per message; a loop that prints for hours would make millions.
"""

from __future__ import annotations

from typing import Any

from nbformat.v4 import new_output

from jupyter_mlinfn.jobs.runner.logfile import LogFile

MAX_CELL_TEXT = 4 * 2**20
MAX_OUTPUT = 64 * 2**20
MAX_NOTEBOOK = 256 * 2**20
EACH_OUTPUT = 4096
"""Bytes every output counts beside its content: a million small ones fill the memory too."""
_EACH_STREAM = 100


class Outputs:
    """Limits for one notebook: characters of text per cell, bytes per output and in all."""

    def __init__(self, log: LogFile, *, max_text: int = MAX_CELL_TEXT) -> None:
        self.changed = False
        self._log = log
        self._max_text = max_text
        self._gathered: list[str] = []
        self._target: Any = None
        self._outs: Any = None
        self._cell_text = 0
        self._counted: Any = None
        self._cell_size = 0
        self._size_before = 0
        self._left_out: Any = None
        self._left_out_count = 0

    def to_log(self, content: dict[str, Any]) -> None:
        """A stream's text for the log."""
        self._log.write(content["text"])

    def stream(self, outs: Any, content: dict[str, Any]) -> Any:
        """Add text to the last output when it is the same stream; returns that output."""
        self.to_log(content)
        self.changed = True
        if outs is not self._outs:
            self.settle()
            self._outs, self._cell_text = outs, 0
        room = self._max_text - self._cell_text
        last = outs[-1] if outs else None
        if self._target is None or last is not self._target or last.name != content["name"]:
            self.settle()
            if room <= 0:
                return last
            self._cell_text += _EACH_STREAM
            self._target = new_output("stream", name=content["name"], text="")
            outs.append(self._target)
        if room > 0:
            text = content["text"][:room]
            self._gathered.append(text)
            self._cell_text += len(text)
            if self._cell_text >= self._max_text:
                self._gathered.append("\n… more text than fits here; the log has the rest.\n")
        return self._target

    def settle(self) -> None:
        """Put the gathered text into its output, rewritten lines as they look in the end."""
        if self._target is not None and self._gathered:
            self._target.text = rewritten(self._target.text + "".join(self._gathered))
            self._gathered = []

    def cleared(self) -> None:
        """The cell's outputs were taken away: what they took is free again."""
        self.changed = True
        self._gathered = []
        self._target = None
        self._cell_text = self._cell_size = 0

    def too_large(self, outs: Any, message: dict[str, Any]) -> bool:
        """Count an output; those beyond the limits are replaced by one line that says so."""
        self.changed = True
        if outs is not self._counted:
            self._size_before += self._cell_size
            self._counted, self._cell_size = outs, 0
        data = message["content"].get("data") or {}
        size = EACH_OUTPUT + sum(len(str(value)) for value in data.values())
        taken = self._size_before + self._cell_size
        if size <= MAX_OUTPUT and taken + size <= MAX_NOTEBOOK:
            self._cell_size += size
            return False
        self._leave_out(outs, size)
        return True

    def _leave_out(self, outs: Any, size: int) -> None:
        if not outs or outs[-1] is not self._left_out:
            self._left_out, self._left_out_count = new_output("stream", name="stderr"), 0
            outs.append(self._left_out)
        self._left_out_count += 1
        if self._left_out_count == 1:
            text = f"An output of {size / 2**20:.1f} MiB was left out: it is"
        else:
            text = f"{self._left_out_count} outputs were left out: they are"
        self._left_out.text = f"{text} too large for a notebook.\n"


def rewritten(text: str) -> str:
    """``text`` as a terminal shows it after carriage returns; one at the very end is kept.

    (It says that what comes next starts the last line again.)
    """
    if "\r" not in text:
        return text
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return "\n".join(lines) + ("\r" if text.endswith("\r") else "")
