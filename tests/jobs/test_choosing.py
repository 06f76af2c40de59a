"""Where a job starts first, of places that answer, wait, refuse, hang and break."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.asking import SideBySide
from jupyter_mlinfn.jobs.backends.expecting import Share, Work, starts_within
from jupyter_mlinfn.jobs.choosing import Places, why
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import Problem, Refused, Unavailable
from jupyter_mlinfn.model.jobs import Forecast, JobRequest, RerunRequest, Resources
from jupyter_mlinfn.model.places import Outlook
from jupyter_mlinfn.model.quantities import show_moment
from tests.jobs.workplace import Kernels, Listener, code, write_notebook

SOON = datetime.now(UTC) + timedelta(minutes=20)
LATER = SOON + timedelta(hours=3)
NOW = Forecast(starts_now=True, text="Would start now.")


def waits(until: datetime | None = None, position: int | None = None) -> Forecast:
    return Forecast(starts_now=False, text="Would wait.", expected_start=until, position=position)


class Place(Listener):
    """A place that says what it is told to say."""

    def __init__(self, name: str, says: Forecast | Exception = NOW, *, takes: str = "") -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]
        self.title = name.capitalize()  # type: ignore[misc]
        self.says = says
        self.takes = takes
        self.asked = 0

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        if queue not in (None, self.takes or None):
            return (Problem(code="unknown-queue", text="No such queue.", field="queue"),)
        return tuple(p for p in super().check(resources, None, None))

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def look(*places: Place, preferred: tuple[str, ...] = (), **asked: Any) -> tuple[Any, Places]:
    made = Places({place.name: place for place in places}, preferred, within=0.3)
    request = {"queue": None, "charge": None, **asked}
    return made.look(Resources(), request["queue"], request["charge"], lambda _: ()), made


def chosen(*places: Place, **asked: Any) -> str | None:
    outlooks, made = look(*places, **asked)
    first = made.first(outlooks)
    return first.backend if first else None


@pytest.mark.parametrize(
    ("places", "name"),
    [
        ((Place("local"), Place("slurm")), "local"),
        ((Place("local", waits(SOON)), Place("slurm")), "slurm"),
        ((Place("local", waits(LATER)), Place("slurm", waits(SOON))), "slurm"),
        ((Place("local", waits(SOON)), Place("slurm", waits(LATER))), "local"),
        ((Place("local", waits()), Place("slurm", waits(LATER))), "slurm"),
        ((Place("local", waits()), Place("slurm", waits())), "local"),
        ((Place("local", waits()), Place("slurm", Unavailable("Mute."))), "local"),
        ((Place("local", Refused("No.")), Place("slurm", waits())), "slurm"),
        ((Place("local", RuntimeError("bug")), Place("slurm", waits())), "slurm"),
        ((Place("local", Unavailable("Mute.")), Place("slurm", Refused("No."))), None),
    ],
)
def test_the_place_that_starts_first_is_chosen(places: tuple[Place, ...], name: str | None) -> None:
    assert chosen(*places) == name


def test_of_places_alike_the_preferred_one_is_chosen_and_others_are_not() -> None:
    three = [Place("local"), Place("slurm"), Place("farm")]
    assert chosen(*three) == "local"
    assert chosen(*three, preferred=("farm", "slurm")) == "farm"
    three[2].says = waits(SOON)
    assert chosen(*three, preferred=("farm", "slurm")) == "slurm"
    outlooks, _ = look(*three, preferred=("farm", "slurm"))
    assert [(one.backend, one.allowed) for one in outlooks] == [
        ("farm", True),
        ("slurm", True),
        ("local", False),
    ]


def test_a_queue_that_was_named_goes_where_it_is() -> None:
    assert chosen(Place("local"), Place("slurm", waits(), takes="gpu"), queue="gpu") == "slurm"
    outlooks, made = look(Place("local"), Place("slurm"), queue="moon")
    assert made.first(outlooks) is None
    assert [one.problems[0].code for one in outlooks] == ["unknown-queue"] * 2


class Stuck(Place):
    """A place whose answer never comes."""

    def __init__(self) -> None:
        super().__init__("stuck")
        self.gate = threading.Event()

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        self.asked += 1
        self.gate.wait(60)
        return NOW


def test_a_place_that_does_not_answer_holds_nobody_up() -> None:
    stuck, local = Stuck(), Place("local")
    outlooks, made = look(local, stuck)
    assert [(one.backend, one.silent) for one in outlooks] == [("local", False), ("stuck", True)]
    assert "does not answer" in outlooks[1].text
    for _ in range(9):
        made.look(Resources(cpus=2), None, None, lambda _: ())
    # unanswered questions do not pile up
    assert stuck.asked <= 4
    assert local.asked == 10
    stuck.gate.set()


def test_a_question_that_breaks_is_no_answer() -> None:
    def broken() -> int:
        raise KeyboardInterrupt

    asking: SideBySide[int] = SideBySide()
    quiet = threading.excepthook
    threading.excepthook = lambda _: None
    try:
        assert asking.ask({"good": lambda: 1, "broken": broken}, 5) == {"good": 1}
    finally:
        threading.excepthook = quiet


def test_one_that_was_silent_is_asked_again_and_waited_for_only_briefly() -> None:
    gate, waits = threading.Event(), Waits()
    asking: SideBySide[bool] = SideBySide()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "join", waits.join)
        assert asking.ask({"slow": lambda: gate.wait(60)}, 60) == {}
        assert asking.ask({"slow": lambda: gate.wait(60)}, 60) == {}
    first, second = waits.given
    assert (first > 30, second < 1) == (True, True)
    gate.set()
    assert asking.ask({"slow": lambda: gate.wait(60)}, 60) == {"slow": True}


class Waits:
    """How long a thread would have been waited for; nobody waits."""

    def __init__(self) -> None:
        self.given: list[float] = []

    def join(self, timeout: float = 0.0) -> None:
        self.given.append(timeout)


@pytest.fixture
def notebook(work: Path) -> Path:
    return write_notebook(work / "train.ipynb", code("print(1)"))


def submitting(store: JobStore, folders: JobFolders, *places: Place, **more: Any) -> Submission:
    named = {place.name: place for place in places}
    return Submission(store, folders, named, Kernels(), user="me", **more)


def test_the_job_names_the_place_that_was_chosen_and_the_request_does_not(
    store: JobStore, folders: JobFolders, notebook: Path
) -> None:
    local, slurm = Place("local", waits(LATER)), Place("slurm", takes="gpu")
    desk = submitting(store, folders, local, slurm)
    draft = desk.draft(JobRequest(source=str(notebook)))
    assert draft.backend == "slurm"
    assert draft.why == "Goes to Slurm: starts now. Local: Would wait."
    assert [place.backend for place in draft.places] == ["local", "slurm"]
    job = desk.submit(JobRequest(source=str(notebook), queue="gpu"))
    assert (job.backend, job.queue) == ("slurm", "gpu")
    assert folders.read_request(job.id).backend == "auto"
    assert len(slurm.submitted) == 1
    form = desk.form(notebook)
    assert (form.defaults.backend, form.defaults.queue) == ("auto", None)
    local.says = NOW
    again = desk.rerun(job.id, RerunRequest())
    assert (again.backend, again.queue) == ("slurm", "gpu")
    assert desk.rerun(job.id, RerunRequest(backend="auto")).backend == "local"


def test_a_named_place_is_not_compared_with_others_at_submit(
    store: JobStore, folders: JobFolders, notebook: Path
) -> None:
    local, slurm = Place("local"), Place("slurm", waits(LATER))
    desk = submitting(store, folders, local, slurm)
    assert desk.submit(JobRequest(source=str(notebook), backend="slurm")).backend == "slurm"
    assert (local.asked, slurm.asked) == (0, 0)
    draft = desk.draft(JobRequest(source=str(notebook), backend="slurm"))
    assert draft.why is None
    assert draft.forecast is not None
    assert draft.forecast.expected_start == LATER
    assert draft.places[0].starts_now


def test_where_there_is_one_place_nobody_is_asked_for_a_time_at_submit(
    store: JobStore, folders: JobFolders, notebook: Path
) -> None:
    local = Place("local", Unavailable("Mute."))
    desk = submitting(store, folders, local, Place("slurm"), places=("local",))
    assert desk.submit(JobRequest(source=str(notebook))).backend == "local"
    assert local.asked == 0


def test_what_starts_here_now_asks_nobody_else(
    store: JobStore, folders: JobFolders, notebook: Path
) -> None:
    local, slurm = Place("local"), Place("slurm", takes="gpu")
    desk = submitting(store, folders, local, slurm)
    assert desk.submit(JobRequest(source=str(notebook))).backend == "local"
    assert slurm.asked == 0
    assert desk.submit(JobRequest(source=str(notebook), queue="gpu")).backend == "slurm"
    rather = submitting(store, folders, local, slurm, places=("slurm", "local"))
    assert rather.submit(JobRequest(source=str(notebook))).backend == "slurm"


def test_submitting_after_a_draft_asks_the_systems_once(
    store: JobStore, folders: JobFolders, notebook: Path
) -> None:
    local, slurm = Place("local", waits(LATER)), Place("slurm")
    desk = submitting(store, folders, local, slurm)
    request = JobRequest(source=str(notebook))
    desk.draft(request)
    assert desk.submit(request).backend == "slurm"
    assert (local.asked, slurm.asked) == (3, 1)


def test_nowhere_is_told_with_what_every_place_says(
    store: JobStore, folders: JobFolders, notebook: Path
) -> None:
    desk = submitting(store, folders, Place("local"), Place("slurm", Unavailable("Mute.")))
    draft = desk.draft(JobRequest(source=str(notebook), resources=Resources(gpus=1)))
    assert draft.ok
    desk = submitting(store, folders, Place("local"), Place("slurm", Refused("No account.")))
    draft = desk.draft(JobRequest(source=str(notebook), resources=Resources(cpus=100)))
    assert [problem.text for problem in draft.problems] == [
        "Local: This machine has 8 CPUs and 1 GPU.",
        "Slurm: This machine has 8 CPUs and 1 GPU.",
    ]
    nowhere = submitting(store, folders, Place("local"), Place("slurm"), places=("moon", "sun"))
    draft = nowhere.draft(JobRequest(source=str(notebook)))
    assert [problem.code for problem in draft.problems] == ["no-place"]
    assert draft.problems[0].text.endswith("'places', which names only 'moon', 'sun'.")


def test_the_answer_of_a_place_is_whole_in_the_draft() -> None:
    (outlook,), _ = look(Place("local", waits(SOON, 12)))
    assert outlook == Outlook(
        backend="local",
        title="Local",
        ok=True,
        text="Would wait.",
        expected_start=SOON,
        position=12,
    )


ALL = Share(4, 8, 1)


@pytest.mark.parametrize(
    ("asked", "running", "waiting", "seconds"),
    [
        (Share(1, 1), [], [], 0),
        (Share(4, 1), [Work(Share(4, 4), 60)], [], 60),
        (Share(1, 1), [Work(Share(2, 1), 60), Work(Share(2, 1), 30)], [], 30),
        (Share(1, 1), [Work(Share(4, 1), 60)], [Work(Share(4, 1), 100)], 160),
        (Share(1, 1), [Work(Share(4, 1), 60)], [Work(Share(2, 1), 100)], 60),
        (Share(1, 1, 2), [], [], None),
        (Share(1, 1, 1), [Work(Share(1, 1, 1), 9)], [], 9),
    ],
)
def test_when_the_next_job_has_its_place_at_the_latest(
    asked: Share, running: list[Work], waiting: list[Work], seconds: float | None
) -> None:
    free = ALL
    for work in running:
        free -= work.share
    assert starts_within(asked, free, running, waiting) == seconds


def test_a_start_on_another_day_has_its_date() -> None:
    now = datetime(2026, 11, 21, 12, 0).astimezone()
    assert show_moment(now + timedelta(hours=2), now) == "14:00"
    assert show_moment(now + timedelta(days=2), now) == "12:00 on 2026-11-23"
    outlook = Outlook(
        backend="slurm", title="Slurm", ok=True, text="Would wait.", expected_start=LATER
    )
    here = Outlook(backend="local", title="This machine", ok=True, text="Is full.")
    told = why(outlook, (here, outlook))
    when = show_moment(LATER, datetime.now(UTC))
    assert told == f"Goes to Slurm: starts first there, about {when}. This machine: Is full."
