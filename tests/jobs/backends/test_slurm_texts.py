"""What Slurm prints, as it was recorded from 22.05.8, and anything at all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.backends.slurm import calls, parsing, room, script, states
from jupyter_mlinfn.jobs.backends.slurm.parsing import SEPARATOR, SlurmJob
from jupyter_mlinfn.model.errors import PartMissing, Refused
from jupyter_mlinfn.model.jobs import Resources
from tests.jobs.workplace import make_spec

_WIDTHS = dict(parsing.SINFO_FIELDS)


def line(*fields: str) -> str:
    return SEPARATOR.join(("mlinfn", *fields))


def sinfo(**fields: str) -> str:
    told = {
        "Partition": "normal*",
        "Available": "up",
        "Time": "1-00:00:00",
        "StateCompact": "mix",
        "Nodes": "3",
        "CPUs": "2",
        "CPUsState": "2/4/0/6",
        "Memory": "4000",
        "AllocMem": "512",
        "Gres": "gpu:t4:2",
        "GresUsed": "gpu:t4:1(IDX:0)",
    }
    return "".join(f"{text:<{_WIDTHS[name]}}" for name, text in (told | fields).items())


def test_squeue_tells_number_state_reason_start_and_whose_job_it_is() -> None:
    text = line(
        "12", "PENDING", "BeginTime", "2026-11-21T15:30:03", "", "normal", "mlinfn-a", "token"
    )
    (job,), unread = parsing.jobs(text + "\n")
    assert (job.id, job.state, job.reason, job.name) == ("12", "PENDING", "BeginTime", "mlinfn-a")
    assert job.comment == "token"
    assert job.start is not None
    assert job.start == datetime.fromisoformat("2026-11-21T15:30:03").astimezone(UTC)
    assert unread == 0


@pytest.mark.parametrize(
    "broken",
    [
        "slurm_load_jobs error: Unable to contact slurm controller",
        line("12", "PENDING", "None"),
        line("12; rm", "RUNNING", "", "", "", "", "", ""),
        line("12", "what is this", "", "", "", "", "", ""),
        line("12", "RUNNING", "", "", "", "", "", "")[:9],
    ],
)
def test_a_line_that_is_no_job_is_counted(broken: str) -> None:
    good = line("1", "RUNNING", "None", "N/A", "n1", "normal", "x", "y")
    found, unread = parsing.jobs(f"{good}\n{broken}\n")
    assert [job.id for job in found] == ["1"]
    assert unread == 1


@pytest.mark.parametrize(
    ("told", "number", "state", "nodes"),
    [
        ("3|CANCELLED by 0|None assigned|closed", "3", "CANCELLED", ""),
        ("4|FAILED|n2|normal", "4", "FAILED", "n2"),
        ("8|NODE_FAIL|n3|normal", "8", "NODE_FAIL", "n3"),
        ("5_[0,2]|PENDING|None assigned|closed", "5", "PENDING", ""),
        ("6_2|COMPLETED|n3|normal", "6", "COMPLETED", "n3"),
        ("4_1|TIMEOUT|n2|normal", "4", "TIMEOUT", "n2"),
    ],
)
def test_sacct_tells_of_jobs_and_elements(told: str, number: str, state: str, nodes: str) -> None:
    """As slurmdbd 22.05.8 told it."""
    text = SEPARATOR.join((*told.split("|"), "mlinfn-a", ""))
    ((job,), unread) = parsing.accounted(text)
    assert (job.id, job.state, job.nodes, job.name, unread) == (number, state, nodes, "mlinfn-a", 0)


def test_sinfo_tells_what_there_is_and_what_is_free() -> None:
    found, unread = parsing.groups(
        "\n".join((sinfo(), sinfo(Partition="night", Available="down", Time="infinite"), "half"))
    )
    assert unread == 1
    normal, night = room.queues(found)
    assert (normal.name, normal.default, normal.time_limit) == ("normal", True, 86400)
    assert (normal.cpus, normal.gpus, normal.gpu_models) == (6, 6, ("t4",))
    assert normal.free is not None
    assert (normal.free.cpus, normal.free.gpus) == (4, 3)
    assert normal.free.memory == 3 * 3488 * 2**20
    assert (night.time_limit, night.text) == (None, "Closed for now.")


@pytest.mark.parametrize(
    ("text", "count", "models"),
    [
        ("gpu:2", 2, ()),
        ("gpu:a100:4(S:0-1),gpu:a100_1g.5gb:7", 11, ("a100", "a100_1g.5gb")),
        ("shard:8,gpu:t4:1(IDX:0)", 1, ("t4",)),
        ("(null)", 0, ()),
    ],
)
def test_gpus_of_a_node(text: str, count: int, models: tuple[str, ...]) -> None:
    ((group,), _) = parsing.groups(sinfo(Gres=text))
    assert (group.gpus, group.gpu_models) == (count, models)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10:00", 600), ("2:00:00", 7200), ("1-00:00:00", 86400), ("infinite", None), ("x", None)],
)
def test_time_limits(text: str, seconds: int | None) -> None:
    assert parsing.duration(text) == seconds


@given(st.text())
def test_no_text_whatever_raises(text: str) -> None:
    for read in (parsing.jobs, parsing.accounted, parsing.groups):
        found, unread = read(text)
        assert len(found) + unread <= len(text) + 1
    parsing.submitted(text)
    parsing.duration(text)


@given(st.lists(st.text(), min_size=8, max_size=8))
def test_no_field_whatever_raises(fields: list[str]) -> None:
    parsing.jobs(line(*fields))
    parsing.accounted(SEPARATOR.join(fields[:6]))


@pytest.mark.parametrize("text", ["12\n", "12;cluster\n", "warning: x\n12\n"])
def test_the_number_sbatch_gives(text: str) -> None:
    assert parsing.submitted(text) == "12"


@pytest.mark.parametrize("text", ["", "0", "Submitted", "12x", "-1"])
def test_no_number_is_made_up(text: str) -> None:
    assert parsing.submitted(text) is None


@pytest.mark.parametrize("state", sorted(states._PHASES))
def test_every_state_has_a_place_and_every_end_a_reason(state: str) -> None:
    job = SlurmJob("1", state)
    if states.phase(job) != "over":
        assert states.waiting(job).text
    elif state == "CANCELLED":
        assert states.ended(job, begun=True) is None
    else:
        reason = states.ended(job, begun=True)
        assert reason is not None
        assert "kept" in reason.text


def test_a_state_nobody_knows_is_no_end() -> None:
    assert states.phase(SlurmJob("1", "QUANTUM")) == "unclear"


@pytest.mark.parametrize(
    ("reason", "code", "word"),
    [
        ("Priority", "waits-in-queue", "priority"),
        ("QOSMaxJobsPerUserLimit", "waits-in-queue", "limit of your account"),
        ("JobHeldUser", "held", "scontrol release"),
        ("launch failed requeued held", "held", "could not start"),
        ("SomethingNew", "waits-in-queue", "SomethingNew"),
        ("", "waits-in-queue", "Waits in Slurm."),
    ],
)
def test_reasons_in_words(reason: str, code: str, word: str) -> None:
    told = states.waiting(SlurmJob("1", "PENDING", reason))
    assert told.code == code
    assert word in told.text


def test_the_script_holds_nothing_a_person_wrote() -> None:
    folder = Path("/data/it's $(here); #SBATCH --uid=0")
    text = script.script(folder).decode()
    assert text.splitlines()[0] == "#!/bin/sh"
    assert len(text.splitlines()) == 2
    assert "'\"'\"'" in text
    with pytest.raises(Refused):
        script.script(Path("/data/x\n#SBATCH --uid=0"))


def test_options_carry_the_job_and_no_words_of_its_name() -> None:
    spec = make_spec(name="x\n#SBATCH --uid=0", queue="gpu", charge="ml", evictable=True, gpus=2)
    given = script.options(spec, Path("/data/jobs/100%"), {"gpu_model": "t4", "qos": "low"}, 3600)
    assert not any("uid" in word for word in given)
    assert "--partition=gpu" in given
    assert "--account=ml" in given
    assert "--qos=low" in given
    assert "--gres=gpu:t4:2" in given
    assert "--requeue" in given
    assert "--output=/data/jobs/100%%/slurm.log" in given
    assert "--time=60" in given
    with pytest.raises(Refused):
        script.options(spec.model_copy(update={"queue": "--wrap=id"}), Path("/d"), {}, None)


def test_without_slurm_the_back_end_says_so_and_nothing_is_asked(tmp_path: Path) -> None:
    assert "not on this machine" in calls.Local(str(tmp_path)).missing()
    for name in calls.NEEDED[1:]:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o700)
    assert "sbatch" in calls.Local(str(tmp_path)).missing()
    with pytest.raises(PartMissing):
        calls.Local(str(tmp_path)).run("sbatch", deadline=1)


def test_what_can_never_run_is_told_with_what_there_is() -> None:
    groups, _ = parsing.groups("\n".join((sinfo(), sinfo(Partition="night", Gres="(null)"))))
    assert room.problems(groups, Resources(), None) == []
    (unknown,) = room.problems(groups, Resources(), "day")
    assert "normal, night" in unknown.text
    (gpus,) = room.problems(groups, Resources(gpus=1), "night")
    assert gpus.field == "resources.gpus"
    undefined, _ = parsing.groups(sinfo(Partition="night"))
    (needed,) = room.problems(undefined, Resources(), None)
    assert needed.code == "queue-needed"
    assert room.problems((), Resources(gpus=9), "any") == []
