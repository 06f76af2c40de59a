"""A stand-in for the engine, told by the environment's name what to do."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.environments.own.record import EnvironmentRecord, HistoryEntry, write_record
from jupyter_mlinfn.process.durable import append_line, write_durably

DIGEST = "sha256:" + "ab" * 32


def main() -> None:
    folder = Path(sys.argv[1])
    name = json.loads((folder / "request.json").read_text())["name"]
    if name == "never":
        return
    while name == "starts-slowly" and not (folder / "go").exists():
        time.sleep(0.02)
    (folder / "environment").write_text(json.dumps({"argv": sys.argv, "environ": dict(os.environ)}))
    event = {"at": datetime.now(UTC).isoformat(), "phase": "linking", "done": 3, "total": 9}
    append_line(folder / "events.jsonl", json.dumps({**event, "unit": "packages"}))
    if name.startswith("slow"):
        while not (folder / "cancel").exists():
            time.sleep(0.02)
        end(folder, "cancelled", "Nothing was changed.", 130)
    if name == "dies":
        os._exit(9)
    if name == "dies-done":
        done_without_a_word(folder, name)
        os._exit(9)
    end(folder, "succeeded", f"'{name}' is ready.", 0)


def done_without_a_word(folder: Path, name: str) -> None:
    place = Layout(folder.parent.parent).place(name)
    place.folder.mkdir(parents=True)
    now = datetime.now(UTC)
    entry = HistoryEntry(digest=DIGEST, at=now, action="create", text="Made.", task=folder.name)
    write_record(
        place,
        EnvironmentRecord(
            name=name, digest=DIGEST, platform="linux-64", channels=(), python=None, size=0,
            files=0, made_by="me", made_at=now, history=(entry,),
        ),
    )  # fmt: skip


def end(folder: Path, state: str, text: str, code: int) -> None:
    result = {"state": state, "ended_at": datetime.now(UTC).isoformat(), "text": text}
    write_durably(folder / "result.json", json.dumps({**result, "exit_code": code}))
    os._exit(code)


if __name__ == "__main__":
    main()
