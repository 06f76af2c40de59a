"""A service ends with its hub, also when that is killed: else it holds the port of the next."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Final

LOOK_EVERY: Final = 1.0


def end_with_parent() -> None:
    """From now on this process gets SIGTERM when whoever started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
