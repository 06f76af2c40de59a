"""The areas of a session that lie in an object store, each with one bucket that keeps its keys."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import MlinfnError, NotFound, Unavailable
from jupyter_mlinfn.model.storage import AreaState
from jupyter_mlinfn.storage.bucket.keeping import SessionKeys
from jupyter_mlinfn.storage.bucket.keys import Keys, KeySource
from jupyter_mlinfn.storage.bucket.objects import Bucket
from jupyter_mlinfn.storage.bucket.place import place_of
from jupyter_mlinfn.storage.measuring import Counted, Counting


class Buckets:
    """``source`` gives keys; without one the session's hub does."""

    def __init__(self, source: KeySource | None = None) -> None:
        self._source = source
        self._lock = Lock()
        self._known: dict[Area, Bucket] = {}
        self._counting = Counting(self._count)

    @property
    def source(self) -> KeySource:
        """Who gives keys."""
        with self._lock:
            if self._source is None:
                from jupyter_core.paths import jupyter_runtime_dir

                self._source = SessionKeys(Path(jupyter_runtime_dir()))
            return self._source

    def bucket(self, area: Area) -> Bucket:
        """The bucket of an area. Raises as :func:`~.place.place_of`."""
        source = self.source
        with self._lock:
            if area not in self._known:
                self._known[area] = Bucket(area, source)
            return self._known[area]

    def keys(self, area: Area) -> Keys:
        """Keys to an area for a program. Raises as :meth:`~.keys.KeySource.keys`."""
        place_of(area)
        return self.source.keys(area)

    def state(self, area: Area) -> AreaState:
        """What is known of an area now; it is asked for in the background, and nobody waits."""
        try:
            use, counting = self._counting.use(area)
        except NotFound as error:
            return AreaState(area=area, state="missing", problem=error.text)
        except Unavailable as error:
            return AreaState(area=area, state="silent", problem=error.text)
        except MlinfnError as error:
            return AreaState(area=area, state="refused", problem=error.text)
        return AreaState(area=area, state="ready", use=use, counting=counting)

    def _count(self, area: Area) -> Counted:
        amount = self.bucket(area).amount()
        now = datetime.now(UTC)
        return Counted(amount.used, amount.objects, now, at_least=amount.at_least)
