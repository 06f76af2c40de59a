"""Keys of this session, kept until shortly before they end: in memory, and in a file of hers.

The file (0600, in a folder 0700 of the runtime directory) is there because each program that
reads S3 asks for keys, and the hub does not give a hundred workers a token each.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Final

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import MlinfnError, Unavailable
from jupyter_mlinfn.process.durable import write_atomically
from jupyter_mlinfn.storage.bucket.exchanging import exchange
from jupyter_mlinfn.storage.bucket.hub_token import token_for
from jupyter_mlinfn.storage.bucket.keys import Keys, read_document

FOLDER: Final = "mlinfn-keys"
TOKEN_KEPT: Final = 60.0
"""Seconds for which one token of the login service serves all areas that it is meant for."""

RENEWED: Final = 1200.0
"""Seconds before their end that keys are renewed; S3's programs begin to ask 15 min before it."""

_LARGEST: Final = 2**16
_USABLE: Final = 5.0


class SessionKeys:
    """Keys by the way of the hub. All methods may be used from several threads and processes.

    ``folder`` is the session's runtime directory; ``clock`` tells the time.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = folder / FOLDER
        self._environ = environ
        self._clock = clock
        self._lock = Lock()
        self._kept: dict[str, Keys] = {}
        self._tokens: dict[str | None, tuple[datetime, str]] = {}
        self._locks: dict[str, Lock] = {}

    def keys(self, area: Area, *, refused: Keys | None = None) -> Keys:
        """As :meth:`.keys.KeySource.keys`.

        Keys that could not be renewed are given on for as long as they last.
        """
        name = self._name(area)
        with self._lock:
            lock = self._locks.setdefault(name, Lock())
        with lock, self._alone(name):
            kept = self._fit(self._kept.get(name), refused) or self._read(name)
            kept = self._fit(kept, refused)
            if kept is None or self._is_old(kept):
                kept = self._renew(area, name, kept)
            self._kept[name] = kept
            return kept

    def _renew(self, area: Area, name: str, old: Keys | None) -> Keys:
        try:
            new = exchange(area, self._token(area))
        except MlinfnError:
            if old is not None:
                return old
            raise
        if new.left(self._clock()) <= _USABLE:
            raise Unavailable(
                f"The object store gave keys to {area.bucket} that have ended already: its clock "
                "and that of this machine differ. Tell your admin.",
                code="clock-skew",
            )
        with suppress(OSError):  # without a file each program asks for itself
            write_atomically(self._folder / f"{name}.json", new.document())
        return new

    def _token(self, area: Area) -> str:
        """A token for the store of an area; in memory alone, and for a minute."""
        audience = area.store.audience if area.store else None
        begun, token = self._tokens.get(audience, (None, ""))
        if begun is None or not 0 <= (self._clock() - begun).total_seconds() < TOKEN_KEPT:
            begun, token = self._clock(), token_for(area, self._environ)
            self._tokens[audience] = begun, token
        return token

    def _fit(self, keys: Keys | None, refused: Keys | None) -> Keys | None:
        """``keys``, where they are neither over nor those that the store refused."""
        if keys is None or keys == refused or keys.left(self._clock()) <= _USABLE:
            return None
        return keys

    def _is_old(self, keys: Keys) -> bool:
        return keys.left(self._clock()) < min(RENEWED, keys.life() / 3)

    def _name(self, area: Area) -> str:
        """One for each place and person: what the hub tells anew gets keys of its own."""
        told = [area.bucket, area.writable, area.store.model_dump_json() if area.store else ""]
        told += [self._environ.get(name) for name in ("JUPYTERHUB_USER", "JUPYTERHUB_API_URL")]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]

    def _read(self, name: str) -> Keys | None:
        """The keys in the file, where it is a plain file of hers that nobody else can read."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(self._folder / f"{name}.json", flags), "rb") as file:
                facts = os.fstat(file.fileno())
                closed = facts.st_uid == os.geteuid() and not facts.st_mode & 0o077
                if not stat.S_ISREG(facts.st_mode) or not closed:
                    return None
                return read_document(file.read(_LARGEST))
        except (OSError, ValueError):
            return None

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """One program at a time asks for new keys; without a folder each does."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            handle = os.open(
                self._folder / f"{name}.lock",
                os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
            )
        except OSError:
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
