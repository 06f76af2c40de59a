"""The program that makes one copy: ``python -m jupyter_mlinfn.storage.backup_program``.

The hub's side runs it by a timer, as root or as whoever may read the area::

    python -m jupyter_mlinfn.storage.backup_program /srv/groups/lhcb --to /srv/backups/lhcb \\
        --keep all=2d,daily=14,weekly=8

It prints one JSON document. It needs nothing of Jupyter. ``mlinfn backups make`` is the same for
people. Exit codes: 0 the copy is there, else as of every error (1 in the way, 2 bad input, 3 no
room or silent, 4 refused).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.storage.backups.making import Made, make_copy
from jupyter_mlinfn.storage.backups.rule import DEFAULT, parse_rule


def main(argv: Sequence[str] | None = None) -> int:
    """Make the copy; the exit code."""
    parser = argparse.ArgumentParser(prog="backup_program", description="Make one dated copy.")
    parser.add_argument("source", type=Path, help="the folder to copy")
    parser.add_argument("--to", type=Path, required=True, help="the folder of the copies")
    parser.add_argument("--keep", default=DEFAULT, help=f"which to keep (default {DEFAULT})")
    asked = parser.parse_args(argv)
    try:
        made = make_copy(asked.source, asked.to, parse_rule(asked.keep))
    except MlinfnError as error:
        sys.stdout.write(json.dumps({"error": {"code": error.code, "text": error.text}}) + "\n")
        sys.stderr.write(f"{error.text}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(document_of(made)) + "\n")
    return 0


def document_of(made: Made) -> dict[str, object]:
    """What happened, for a log: the copy, names that need a look, and which old ones went."""
    return {
        "copy": made.copy.model_dump(mode="json"),
        "changed": made.told.changed,
        "unreadable": made.told.unreadable,
        "skipped": made.told.skipped,
        "removed": list(made.removed),
    }


if __name__ == "__main__":
    sys.exit(main())
