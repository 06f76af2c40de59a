"""Which observations may change a job: only forward, never from an end, never to an old attempt."""

from __future__ import annotations

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.model.jobs import ACTIVE, ENDED, WAITING, JobState


def may_follow(state: JobState, attempt: int, seen: Observation) -> bool:
    """Whether a job in ``state`` with ``attempt`` attempts may become what was ``seen``.

    - An ended job stays as it ended.
    - What is said of an earlier attempt is old news.
    - An attempt goes ``starting`` → ``running`` → (``evicted`` or an end); it never goes back.
    - A waiting job's last attempt is over: only a new attempt, or the end of the wait, follows.
    - A start that came to nothing (``undone``) is taken back: its number is given again.
    """
    if state in ENDED:
        return False
    if seen.undone and seen.attempt < attempt:
        return True
    if seen.attempt < attempt:
        return False
    if seen.attempt > attempt:
        return True
    if state in WAITING:
        ends_the_wait = seen.state == "cancelled" or (attempt == 0 and seen.state in ENDED)
        return seen.state == state or ends_the_wait
    if state == "running":
        return seen.state in ENDED or seen.state in ("running", "evicted")
    return seen.state in ENDED or seen.state in ACTIVE or seen.state == "evicted"
