"""100 people on one hub: all start a session at once, and all look at the spawn page.

The hub, its proxy, the forms and the book of leases are real; the sessions cost nothing, so what
is measured is the hub and our glue. The same is asked of the same hub without our glue.
Hub, proxy, people and sessions share this machine's cores.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import Figure, median, quantile
from tests.systems.hub import Hub, Person, started
from tests.systems.hub_way import LINES, OFFER

PEOPLE = 100
AT_ONCE = 16
"""Threads that are the people's browsers."""
EVERY = 5.0
"""Seconds after which everybody looks at the page again."""
LOOKS = 5
GROUP = "groups/users%2Fai-infn"


def run() -> list[Figure]:
    """The figures with our glue, and those of the bare hub beside them."""
    ours, page, median_page = _measure(glue=True)
    bare, bare_page, bare_median = _measure(glue=False)
    return [
        Figure("100 sessions ready, no-op spawner", ours, "s", 30.0, "bare JupyterHub", bare),
        Figure("spawn page, p95 of 100 people", page, "ms", 200.0, "bare JupyterHub", bare_page),
        Figure("spawn page, median", median_page, "ms", None, "bare JupyterHub", bare_median),
    ]


def _measure(*, glue: bool) -> tuple[float, float, float]:
    """Seconds until all are ready; p95 and median of the page in milliseconds."""
    form = "c.Spawner.options_form = '<input name=profile value=gpu>'"
    hub = Hub(*(LINES if glue else (form,)))
    (hub.work / "profiles.toml").write_text(OFFER, encoding="utf-8")
    (hub.work / "devices.json").write_text(json.dumps({"slice": PEOPLE}), encoding="utf-8")
    started(hub, "JupyterHub")
    try:
        names = [f"person{number:03d}" for number in range(PEOPLE)]
        hub.ask("POST", "users", {"usernames": names}).raise_for_status()
        hub.ask("POST", GROUP)
        hub.ask("POST", f"{GROUP}/users", {"users": names}).raise_for_status()
        with ThreadPoolExecutor(AT_ONCE) as browsers:
            people = list(browsers.map(hub.person, names))
            looks = _look(people)
            return _start(hub, people, browsers), quantile(looks, 0.95), median(looks)
    finally:
        hub.stop()


def _look(people: list[Person]) -> list[float]:
    """Milliseconds of each look; people come one after the other, each every 5 s."""
    began = time.monotonic()

    def look(turn: int) -> float:
        time.sleep(max(0.0, began + turn * EVERY / PEOPLE - time.monotonic()))
        asked = time.monotonic()
        people[turn % PEOPLE].page("spawn").raise_for_status()
        return (time.monotonic() - asked) * 1000

    with ThreadPoolExecutor(AT_ONCE) as browsers:
        return list(browsers.map(look, range(PEOPLE * LOOKS)))


def _start(hub: Hub, people: list[Person], browsers: ThreadPoolExecutor) -> float:
    """Seconds until all have a session that answers."""
    began = time.monotonic()

    def start(person: Person) -> int:
        return person.spawn({"profile": "gpu", "accelerator--gpu": "slice"}).status_code

    answers = list(browsers.map(start, people))
    assert set(answers) == {302}, answers
    hub.until(lambda: _ready(hub) == PEOPLE, "all sessions", 300.0)
    took = time.monotonic() - began
    devices = [one["labels"].get("device") for one in hub.session_files()]
    assert len(set(filter(None, devices))) in (0, PEOPLE), "a device is shared"
    return took


def _ready(hub: Hub) -> int:
    time.sleep(0.5)
    told = hub.ask("GET", "users?state=ready&limit=200").json()
    return sum(bool(user["servers"][""]["ready"]) for user in told if "" in user["servers"])
