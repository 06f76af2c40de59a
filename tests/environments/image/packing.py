"""Lock and pack in a program of its own, as the engine does: rattler's threads stay out of pytest.

``python -m tests.environments.image.packing lock CHANNEL FILE SPEC…`` and
``… pack FILE DATA [--format F] [--compressor C] [--over BASE [--plainly]]``, which prints the
image as JSON.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from jupyter_mlinfn.environments.engine.records import make_lock
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.engine.solving import Question, answer
from jupyter_mlinfn.environments.image import upper
from jupyter_mlinfn.environments.image.layer import pack_layer
from jupyter_mlinfn.environments.image.pack import pack_lock
from jupyter_mlinfn.environments.locks.files import dump_lock, read_lock
from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.environments.own.policy import this_platform
from jupyter_mlinfn.model.errors import MlinfnError


def main() -> int:
    """Do what was asked; the exit code is the error's."""
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    lock = verbs.add_parser("lock")
    lock.add_argument("channel")
    lock.add_argument("file", type=Path)
    lock.add_argument("specs", nargs="+")
    pack = verbs.add_parser("pack")
    pack.add_argument("file", type=Path)
    pack.add_argument("data", type=Path)
    pack.add_argument("--format", default="squashfs")
    pack.add_argument("--compressor", default="zstd")
    pack.add_argument("--over", type=Path)
    pack.add_argument("--container", type=Path)
    pack.add_argument("--plainly", action="store_true", help="install all to find what differs")
    asked = parser.parse_args()
    platform = this_platform()
    try:
        if asked.verb == "lock":
            question = Question((asked.channel,), tuple(asked.specs), platform)
            records = answer(question, asked.file.parent / "repodata")
            asked.file.write_text(dump_lock(make_lock([asked.channel], platform, records)))
            return 0
        layout = Layout.of(asked.data)
        layout.folder.mkdir(parents=True, exist_ok=True)
        lock_read = read_lock(asked.file.read_text())
        reporter = Reporter(layout.folder / "events.jsonl")
        if asked.plainly:
            upper._went = lambda *_: None
        if asked.over:
            image = pack_layer(
                lock_read, platform, asked.over, layout, reporter, compressor=asked.compressor
            )
        else:
            image = pack_lock(
                lock_read,
                platform,
                layout,
                asked.format,
                reporter,
                compressor=asked.compressor,
                container=asked.container,
            )
    except MlinfnError as error:
        print(error.code, error.text, error.hint, file=sys.stderr)
        return error.exit_code
    print(image.model_dump_json())
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
