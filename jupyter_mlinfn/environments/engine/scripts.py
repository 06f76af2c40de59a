"""Scripts that pip wrote into a staged prefix, for the place where it will lie in the end."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path


def rename_prefix(prefix: Path, final_prefix: str) -> None:
    """Let scripts that are started by ``prefix``'s interpreter be started by the final one's.

    What pip noted of their content in ``RECORD`` follows.
    """
    final = os.fsencode(f"{final_prefix}/bin/")
    start = _interpreter_in(os.fsencode(f"{prefix}/bin/"))
    noted: dict[str, str] = {}
    for script in (prefix / "bin").iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        found = start.match(content)
        if found is None:
            continue
        renamed = _first_line(final + (found["a"] or found["b"])) + content[found.end() :]
        mode = script.stat().st_mode
        script.unlink()  # never in place: it may be a hard link
        script.write_bytes(renamed)
        script.chmod(mode)
        noted[script.name] = f"{_digest(renamed)},{len(renamed)}"
    for record in prefix.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        _note(record, noted)


def _interpreter_in(folder: bytes) -> re.Pattern[bytes]:
    """The two forms that pip writes: plain, and by ``sh`` where the path is long or has spaces."""
    where = re.escape(folder)
    plain = rb"#!" + where + rb"(?P<a>[^\s\"]+)\n"
    shell = rb"#!/bin/sh\n'''exec' \"?" + where + rb"(?P<b>[^\s\"]+)\"? \"\$0\" \"\$@\"\n' '''\n"
    return re.compile(plain + rb"|" + shell)


def _first_line(interpreter: bytes) -> bytes:
    """Linux reads 127 bytes of it and no spaces: then ``sh`` starts the interpreter."""
    if len(interpreter) <= 125 and b" " not in interpreter:
        return b"#!" + interpreter + b"\n"
    return b"#!/bin/sh\n'''exec' \"" + interpreter + b'" "$0" "$@"\n' + b"' '''\n"


def _digest(content: bytes) -> str:
    """As in ``RECORD`` (PEP 376): URL-safe Base64 without padding."""
    raw = hashlib.sha256(content).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _note(record: Path, noted: dict[str, str]) -> None:
    """Write hash and size of renamed scripts into a ``RECORD``."""
    lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = False
    for number, line in enumerate(lines):
        path = line.split(",", 1)[0]
        script = path.removeprefix("../../../bin/")
        if script != path and script in noted:
            lines[number] = f"{path},{noted[script]}\n"
            changed = True
    if changed:
        record.unlink()  # never in place
        record.write_text("".join(lines), encoding="utf-8")
