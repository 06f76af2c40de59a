"""What the hub tells its service of a session: one file each (docs/hub-services.md, section 3).

The hub writes a file when a session starts and removes it when it ends; the service only reads
them. Both outlive a kill of the other.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from jupyter_mlinfn.model.plans import Limits
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.process.durable import write_atomically


class SessionFacts(Frozen):
    """One running session. ``container`` is its id, where its spawner makes containers."""

    user: str
    server: str = ""
    profile: str
    started: AwareDatetime
    limits: Limits = Limits()
    container: str | None = None


class Sessions:
    """The folder of these files. Calls block for the time of one small file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[tuple[int, int], SessionFacts | None]] = {}

    def tell(self, facts: SessionFacts) -> None:
        """A session started, or what is known of it changed. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._file(facts.user, facts.server), facts.model_dump_json())

    def forget(self, user: str, server: str = "") -> None:
        """A session ended. Nothing happens where it is forgotten already."""
        self._file(user, server).unlink(missing_ok=True)

    def of(self, user: str, server: str = "") -> SessionFacts | None:
        """One session; ``None`` where nothing is known of it."""
        try:
            return _facts(self._file(user, server))
        except FileNotFoundError:
            return None

    def all(self) -> dict[tuple[str, str], SessionFacts]:
        """The sessions by user and server. A file that cannot be read is none: its session has
        no limits, and is not ended by us."""
        before, self._read = self._read, {}
        for file in self._folder.glob("*.json"):
            try:
                stamp = file.stat()
                key = (stamp.st_mtime_ns, stamp.st_ino)
                known = before.get(file.name)
                facts = known[1] if known and known[0] == key else _facts(file)
            except FileNotFoundError:
                continue
            self._read[file.name] = (key, facts)
        found = [facts for _, facts in self._read.values() if facts is not None]
        return {(one.user, one.server): one for one in found}

    def _file(self, user: str, server: str) -> Path:
        # names are the person's own words: a hash cannot leave the folder or meet another
        name = hashlib.sha256(f"{user}\0{server}".encode()).hexdigest()
        return self._folder / f"{name}.json"


def _facts(file: Path) -> SessionFacts | None:
    try:
        return SessionFacts.model_validate_json(file.read_bytes())
    except ValidationError:
        return None
