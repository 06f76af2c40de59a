"""Types of GPUs as Slurm writes them: which one a job gets, what is free, when it would start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.slurm import parsing, room
from jupyter_mlinfn.jobs.backends.slurm.script import options
from jupyter_mlinfn.model.jobs import Forecast, Resources
from tests.jobs.backends.test_slurm_texts import sinfo
from tests.jobs.workplace import make_spec

GIB = 2**30
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CUT = {
    "Gres": "gpu:a100:1(S:0),gpu:1g.10gb:7(S:1)",
    "GresUsed": "gpu:a100:1(IDX:0),gpu:1g.10gb:3(IDX:0-2)",
}


def groups(**fields: str) -> tuple[parsing.Group, ...]:
    return parsing.groups(sinfo(**{**CUT, **fields}))[0]


def test_the_types_of_a_machine_are_counted_apart() -> None:
    (group,) = groups()
    assert group.gpu_types == {"a100": (1, 1), "1g.10gb": (7, 3)}
    assert (group.gpus, group.gpus_used) == (8, 4)
    (queue,) = room.queues([group])
    told = [(one.name, one.memory, one.total, one.free) for one in queue.gpu_shapes]
    nodes = group.nodes
    assert told == [
        ("1g.10gb", 10 * GIB, 7 * nodes, 4 * nodes),
        ("a100", 40 * GIB, nodes, 0),
    ]


@pytest.mark.parametrize(
    ("asked", "told", "kind"),
    [
        ({"gpu_memory": 10 * GIB}, {}, "1g.10gb"),
        ({"gpu_memory": 20 * GIB}, {}, "a100"),
        ({"gpu_memory": 60 * GIB}, {}, None),
        ({"gpu_memory": 60 * GIB}, {"a100": 80 * GIB}, "a100"),
        ({"gpu_model": "A100"}, {}, "a100"),
        ({"gpu_model": "A100", "gpus": 2}, {}, None),
        ({}, {}, None),
    ],
)
def test_a_job_gets_the_smallest_type_that_is_enough(
    asked: dict[str, object], told: dict[str, int], kind: str | None
) -> None:
    wanted = Resources.model_validate({"gpus": 1, **asked})
    assert room.kind(groups(), wanted, None, told) == kind
    spec = make_spec().model_copy(update={"resources": wanted})
    given = options(spec, Path("/jobs/x"), {}, None, kind)
    gres = f"gpu:{kind}:{wanted.gpus}" if kind else f"gpu:{wanted.gpus}"
    assert f"--gres={gres}" in given


def test_gpus_without_a_type_are_asked_for_without_one() -> None:
    plain = groups(Gres="gpu:2", GresUsed="gpu:0")
    wanted = Resources(gpus=1, gpu_memory=10 * GIB)
    (problem,) = room.problems(plain, wanted, None)
    assert problem.code == "gpu-memory-unknown"
    assert "gpu_types" in problem.text
    told = {"gpu": 16 * GIB}
    assert room.problems(plain, wanted, None, told) == []
    kind = room.kind(plain, wanted, None, told)
    spec = make_spec().model_copy(update={"resources": wanted})
    assert "--gres=gpu:1" in options(spec, Path("/jobs/x"), {}, None, kind)


def test_room_is_that_of_the_type() -> None:
    busy = room.forecast(groups(), Resources(gpus=1, memory=GIB), None, "a100")
    assert not busy.starts_now
    assert room.forecast(groups(), Resources(gpus=1, memory=GIB), None, "1g.10gb").starts_now


def test_the_queue_of_the_settings_is_the_default_one() -> None:
    two = (*groups(), *groups(Partition="gpu"))
    assert [(one.name, one.default) for one in room.queues(two, "gpu")] == [
        ("gpu", True),
        ("normal", False),
    ]
    assert room.queues(two, "gone")[0].name == "normal"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (
            "sbatch: Job 7 to start at 2026-11-21T17:40:00 using 2 processors on nodes n1 "
            "in partition normal",
            datetime(2026, 11, 21, 17, 40, tzinfo=UTC),
        ),
        ("sbatch: Job 7 to start at Unknown using 1 processors", None),
        ("allocation failure: Requested node configuration is not available", None),
        ("", None),
    ],
)
def test_the_trial_tells_a_moment_or_nothing(text: str, moment: datetime | None) -> None:
    assert parsing.trial(text) == moment


def test_slurm_s_word_on_the_start_goes_before_free_room() -> None:
    free = Forecast(starts_now=True, text="There is room.")
    full = Forecast(starts_now=False, text="Would wait: no machine has enough.")

    def said(known: Forecast, minutes: float | None, before: int | None = 0) -> Forecast:
        start = None if minutes is None else NOW + timedelta(minutes=minutes)
        return room.expected(known, start, before, "the queue normal of Slurm", NOW)

    assert said(free, 0.5).starts_now
    assert said(free, 0.5).text == "There is room."
    assert said(full, 0.5).text == "Slurm would start it now in the queue normal of Slurm."
    later = said(free, 90, 1)
    assert not later.starts_now
    assert later.text.startswith("Would wait in the queue normal of Slurm. Slurm expects")
    assert later.text.endswith("; 1 job waits there now.")
    assert later.expected_start == NOW + timedelta(minutes=90)
    assert said(full, None, 12).position == 12
    # "in a year" is how Slurm says that it cannot tell
    assert said(full, 60 * 24 * 365).expected_start is None
