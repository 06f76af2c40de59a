"""The partial notebook: what there is so far, replaced as a whole, while the job runs."""

from __future__ import annotations

import asyncio
import errno
import time
from typing import Any

from nbformat.v4 import writes_json

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.credentials import Redactor
from jupyter_mlinfn.jobs.runner.outputs import Outputs
from jupyter_mlinfn.process.durable import write_atomically, write_durably

_EVERY = 3.0
_SHARE = 10.0
"""Writing takes at most a tenth of the time, so that a huge notebook does not slow its job."""


class PartialNotebook:
    """Saves after each cell, and within a long cell every few seconds when something came."""

    def __init__(self, folder: AttemptFolder, notebook: Any, outputs: Outputs) -> None:
        self._folder = folder
        self._notebook = notebook
        self._outputs = outputs
        self._redact = Redactor(folder.job_folder)
        self._took = 0.0
        self._saved_at = 0.0

    def save(self) -> None:
        """Save now, unless the last save was so long that it is not due yet."""
        if time.monotonic() - self._saved_at < self._took * _SHARE:
            return
        started = time.monotonic()
        try:
            write_atomically(self._folder.notebook, self._text())
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # the run goes on: space may come back before its end, and then nothing was lost
            self._folder.event("note", text="The disk is full: the partial notebook is old.")
        self._outputs.changed = False
        self._saved_at = time.monotonic()
        self._took = self._saved_at - started

    async def keep_saving(self) -> None:
        """For a task that runs beside the cells."""
        while True:
            await asyncio.sleep(max(_EVERY, self._took * _SHARE))
            if self._outputs.changed:
                self.save()

    def finish(self) -> None:
        """Write the notebook as it is at the end, durably. Raises OSError when the disk is full."""
        write_durably(self._folder.notebook, self._text())

    def _text(self) -> str:
        """Without validating: outputs come from anywhere, and a flaw must not lose them."""
        self._outputs.settle()
        return self._redact(str(writes_json(self._notebook))) + "\n"
