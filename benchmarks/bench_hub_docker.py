"""28 people log in and start a session with a slice of a GPU at once; the slices are simulated.

Hub, proxy, PostgreSQL, the OpenID provider, the engine and all sessions share this machine's cores;
each session is a real JupyterLab server in a container of its own. A session counts as ready when
its hub says so, which asks all 28 in one question each second.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import Figure, median
from tests.systems.docker_sessions import MEMBERS, DockerHub

PEOPLE = 28
SLICES = 42
NAMES = tuple(f"person{number:02d}" for number in range(PEOPLE))
WITHIN = 600.0
REMOVED = 5


def run() -> list[Figure]:
    """The figures of one such morning."""
    site = DockerHub(SLICES)
    try:
        return [*_arrive(site), *_remove(site)]
    finally:
        site.stop()


def _arrive(site: DockerHub) -> list[Figure]:
    began = time.monotonic()

    def come(name: str) -> int:
        return site.inside(name, MEMBERS).spawn({"profile": "slice"}).status_code

    with ThreadPoolExecutor(PEOPLE) as crowd:
        answers = list(crowd.map(come, NAMES))
    asked = time.monotonic() - began
    _until(lambda: _ready(site) == PEOPLE)
    ready = time.monotonic() - began
    held = [uuid for name in NAMES for uuid in site.held(name)]
    shared = len(held) - len(set(held))
    log = site.hub.log("hub")
    errors = len(re.findall(r"\] 5\d\d (?:GET|POST|PUT|DELETE)", log))
    slowest = [float(took) for took in re.findall(r"took ([0-9.]+) seconds to start", log)]
    return [
        Figure(f"hub: {PEOPLE} people, {SLICES} slices: all ready (Docker)", ready, "s", asked=90),
        Figure("hub: all logged in and asked for a session", asked, "s"),
        Figure("hub: one of these starts, median", median(slowest), "s"),
        Figure("hub: answers other than 302", sum(code != 302 for code in answers), "", asked=0),
        Figure("hub: server errors", errors, "", asked=0),
        Figure("hub: slices that two hold", shared, "", asked=0),
        Figure("hub: people without a slice", PEOPLE - len(held), "", asked=0),
    ]


def _ready(site: DockerHub) -> int:
    users = site.hub.ask("GET", "users?state=ready").json()
    return sum(bool(user["servers"]) for user in users)


def _remove(site: DockerHub) -> list[Figure]:
    """An administrator removes containers behind the hub's back."""
    names = NAMES[:REMOVED]
    for name in names:
        site.engine.docker("rm", "--force", *site.containers(name))
    began = time.monotonic()
    _until(lambda: not any(site.held(name) for name in names))
    took = time.monotonic() - began
    return [Figure("hub: docker rm -f, until the slice is free", took, "s", asked=30)]


def _until(seen: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN
    while not seen():
        if time.monotonic() > until:
            raise TimeoutError(f"it did not come within {WITHIN:g} s")
        time.sleep(1.0)
