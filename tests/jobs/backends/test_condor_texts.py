"""What HTCondor's ads say, as they were recorded from 23.9.6, and anything at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import classad2
import htcondor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.backends.htcondor import calls, describing, holds, parsing, room, states
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import Resources
from tests.jobs.workplace import make_spec

JOB = "abcdefghij"
TOKEN = "0123456789abcdef0123456789abcdef"
GIB = 2**30

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def ad(**fields: object) -> dict[str, object]:
    told = {"MLInfnJobId": JOB, "MLInfnToken": TOKEN, "ClusterId": 12, "ProcId": 0, "JobStatus": 1}
    return told | fields


def one(**fields: object) -> CondorJob:
    (job,), unread = parsing.jobs([ad(**fields)])
    assert unread == 0
    return job


def machine(**fields: object) -> dict[str, object]:
    told = {
        "Machine": "vm", "Name": "slot1@vm", "SlotType": "Partitionable", "State": "Unclaimed",
        "Cpus": 5, "Memory": 7872, "GPUs": 1, "TotalSlotCpus": 6, "TotalSlotMemory": 8000,
        "TotalSlotGPUs": 2, "FileSystemDomain": "mlinfn.test",
        "devices": [
            {"id": "GPU-a", "model": "Tesla T4", "memory": 15360, "free": False},
            {"id": "GPU-b", "model": "NVIDIA A100", "memory": 40960, "free": True},
        ],
    }  # fmt: skip
    return told | fields


def test_an_ad_tells_number_state_host_and_whose_job_it_is() -> None:
    job = one(JobStatus=2, RemoteHost="slot1_2@node7.example.org", NumJobStarts=1)
    assert (job.cluster, job.job, job.token, job.status) == (12, JOB, TOKEN, 2)
    assert (job.host, job.starts) == ("node7.example.org", 1)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {"MLInfnJobId": JOB},
        ad(MLInfnJobId="../x"),
        ad(MLInfnJobId=f"{JOB}\n"),
        ad(ClusterId="12"),
        ad(ClusterId=True),
        ad(JobStatus=float("nan")),
    ],
)
def test_what_is_no_job_is_counted(broken: object) -> None:
    found, unread = parsing.jobs([ad(), broken])
    assert [job.cluster for job in found] == [12]
    assert unread == 1


@given(JSON)
def test_no_answer_whatever_raises(told: Any) -> None:
    parsing.jobs(told)
    parsing.jobs([told])
    parsing.slots(told)
    parsing.slots([told])


@given(st.dictionaries(st.sampled_from(parsing.FIELDS), JSON))
def test_no_ad_whatever_raises(fields: dict[str, Any]) -> None:
    found, unread = parsing.jobs([ad(**fields)])
    assert len(found) + unread == 1
    for job in found:
        states.word(job)


@pytest.mark.parametrize(
    ("status", "phase"),
    [(1, "waits"), (2, "runs"), (3, "over"), (4, "over"), (5, "waits"), (6, "runs"), (7, "runs"),
     (8, "unclear"), (0, "unclear")],
)  # fmt: skip
def test_every_status_has_a_place(status: int, phase: str) -> None:
    word = states.word(one(JobStatus=status))
    assert word.phase == phase
    assert word.id == "12"
    if phase == "waits":
        assert word.waits is not None
    assert word.cancelled == (status == 3)


@pytest.mark.parametrize("code", sorted(holds._HELD))
def test_every_hold_is_told_with_what_can_be_done(code: int) -> None:
    job = one(JobStatus=5, HoldReasonCode=code, HoldReason="Error from slot1@vm: own words.")
    word = states.word(job)
    assert word.phase == "waits"
    assert word.waits is not None
    assert word.waits.code == "held"
    assert "own words" in word.waits.text
    assert "condor_release 12" in word.waits.text


def test_a_hold_nobody_knows_is_told_with_the_system_s_own_words() -> None:
    word = states.word(one(JobStatus=5, HoldReasonCode=4242, HoldReason="quantum\n\x1b[31mtrouble"))
    assert word.waits is not None
    assert "code 4242" in word.waits.text
    assert "quantum [31mtrouble" in word.waits.text


def test_files_that_are_taken_over_are_no_hold() -> None:
    word = states.word(one(JobStatus=5, HoldReasonCode=16, HoldReason="Spooling input data files"))
    assert word.phase == "waits"
    assert word.waits is not None
    assert word.waits.code == "waits-in-queue"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"HoldReasonCode": 46}, "time-limit"),
        ({"HoldReasonCode": 47}, "time-limit"),
        ({"HoldReasonCode": 34}, "out-of-memory"),
        ({"HoldReasonCode": 26, "HoldReason": "memory usage exceeded request_memory",
          "NumJobStarts": 1}, "out-of-memory"),
        ({"HoldReasonCode": 3, "HoldReasonSubCode": states.STARTED_BEFORE}, "preempted"),
    ],
)  # fmt: skip
def test_some_holds_are_an_end(fields: dict[str, Any], code: str) -> None:
    word = states.word(one(JobStatus=5, **fields))
    assert word.phase == "over"
    assert not word.cancelled
    before, after = word.ended
    assert before is not None
    assert after is not None
    assert before.code == after.code == code
    assert "kept" in after.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ExitCode": 1}, "ended with code 1"),
        ({"ExitBySignal": True, "ExitSignal": 9}, "signal 9"),
        ({}, "ended"),
    ],
)
def test_an_end_without_word_tells_what_htcondor_saw(fields: dict[str, Any], words: str) -> None:
    before, after = states.word(one(JobStatus=4, **fields)).ended
    assert before is not None
    assert after is not None
    assert (before.code, after.code) == ("not-started", "runner-died")
    assert words in before.text
    assert words in after.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "not been looked for"),
        ({"LastRejMatchReason": "no match found "}, "enough free"),
        ({"LastRejMatchReason": "insufficient priority "}, "used less"),
        ({"LastRejMatchReason": "submitter limit exceeded"}, "your share"),
        ({"LastRejMatchReason": "something new"}, "something new"),
        ({"NumJobStarts": 1, "LastMatchTime": 1795282187}, "took this job's place back"),
    ],
)
def test_why_it_waits(fields: dict[str, Any], words: str) -> None:
    word = states.word(one(**fields))
    assert word.waits is not None
    assert word.waits.code == "waits-in-queue"
    assert words in word.waits.text


# --- what there is --------------------------------------------------------------------------------


def test_machines_tell_what_there_is_and_what_is_free() -> None:
    fixed = machine(SlotType="Static", State="Claimed", Machine="old", devices=[], TotalSlotGPUs=0)
    slots = parsing.slots([machine(), fixed, {"Machine": "broken"}])
    queue = room.queue(slots)
    assert (queue.cpus, queue.gpus, queue.default) == (12, 2, True)
    assert queue.gpu_models == ("NVIDIA A100", "Tesla T4")
    told = [(one.name, one.memory, one.total, one.free) for one in queue.gpu_shapes]
    assert told == [("Tesla T4", 15 * GIB, 1, 0), ("NVIDIA A100", 40 * GIB, 1, 1)]
    assert queue.free is not None
    assert (queue.free.cpus, queue.free.gpus, queue.free.memory) == (5, 1, 7872 * 2**20)
    assert room.limits(slots).cpus == 6


def test_what_can_never_run_is_told_with_what_there_is() -> None:
    slots = parsing.slots([machine()])
    assert room.problems(slots, Resources(gpus=2), "MLINFN.test") == []
    (gpus,) = room.problems(slots, Resources(gpus=3), "mlinfn.test")
    assert gpus.field == "resources.gpus"
    (elsewhere,) = room.problems(slots, Resources(), "desk.example.org")
    assert elsewhere.code == "no-shared-folder"
    assert "mlinfn.test" in elsewhere.text
    (model,) = room.problems(slots, Resources(gpus=1, gpu_model="H100"), "mlinfn.test")
    assert "T4" in model.text
    assert room.problems((), Resources(gpus=9), "any") == []


def test_the_smallest_accelerator_that_has_the_memory_is_chosen() -> None:
    slots = parsing.slots([machine()])
    assert room.chosen(slots, Resources(gpus=1, gpu_memory=10 * GIB)) == "Tesla T4"
    assert room.chosen(slots, Resources(gpus=1, gpu_memory=30 * GIB)) == "NVIDIA A100"
    assert room.chosen(slots, Resources(gpus=1)) is None
    busy = room.forecast(slots, Resources(gpus=1, gpu_model="T4"), "mlinfn.test")
    assert not busy.starts_now
    assert room.forecast(slots, Resources(gpus=1, gpu_model="A100"), "mlinfn.test").starts_now


def test_the_owner_s_word_on_the_memory_of_a_kind_counts_before_the_machine_s() -> None:
    devices = [{"model": "X1", "memory": None, "free": True}, {"model": "NVIDIA A100"}]
    slots = parsing.slots([machine(devices=devices)])
    told = {kind.name: kind.memory for kind in room.kinds(room.sized(slots, {"X1": 8 * GIB}))}
    assert told == {"X1": 8 * GIB, "NVIDIA A100": 40 * GIB}
    assert room.chosen(slots, Resources(gpus=1, gpu_memory=4 * GIB)) is None


# --- what is submitted ----------------------------------------------------------------------------

HOSTILE_FOLDERS = (
    '/data/it\'s $(HOME) "quoted" $ENV(PATH) $(Cpus)/jobs',
    "/data/#comment @=end {a,b} %s",
    "/data/back\\slash",
    '/data/+Owner = "root"',
    "/data/é ünïcode",
)
ENVIRON = {"HOME": "/home/o'neil", "USER": "oneil", "SECRET_TOKEN": "x", "LANG": "C.UTF-8"}


def spec(**fields: Any) -> Any:
    return make_spec(id=JOB, token=TOKEN, backend="htcondor", **fields)


def described(
    folder: str = "/data/jobs/a", site: dict[str, str] | None = None, **fields: Any
) -> htcondor2.Submit:
    """The description as the submit language itself reads it."""
    given = describing.description(spec(**fields), Path(folder), site or {}, ENVIRON)
    return htcondor2.Submit(given)


def test_a_description_carries_the_job_and_no_words_of_its_name() -> None:
    told = described(
        name='x\n+Owner = "root"\nqueue 1000', charge="ml.infn", evictable=True,
        resources=Resources(gpus=2, cpus=3, memory=3 * GIB + 1, time=600),
    )  # fmt: skip
    assert told["My.MLInfnJobId"] == f'"{JOB}"'
    assert told["My.MLInfnToken"] == f'"{TOKEN}"'
    numbers = (told["request_cpus"], told["request_memory"], told["request_gpus"])
    assert numbers == ("3", "3073", "2")
    assert told["allowed_job_duration"] == "690"
    assert told["accounting_group"] == "ml.infn"
    assert "root" not in str(told).replace(ENVIRON["HOME"], "")


def test_only_an_evictable_job_may_start_twice() -> None:
    told = described()
    assert "NumJobStarts" in told["periodic_hold"]
    assert "NumJobStarts" in told["requirements"]
    again = described(evictable=True, site={"requirements": 'Arch == "X86_64"'})
    assert again["requirements"] == '(Arch == "X86_64")'
    assert "periodic_hold" not in list(again)
    assert "periodic_hold" not in list(described(retries=2))


@pytest.mark.parametrize("folder", HOSTILE_FOLDERS)
def test_any_folder_is_a_folder_only(folder: str) -> None:
    told = described(folder)
    assert told.expand("initialdir") == folder
    assert told.expand("output") == f"{folder}/htcondor.log"
    assert told.expand("error") == told.expand("output")


@pytest.mark.parametrize(
    "folder", ["/data/x\nqueue 1000", "/data/x\\", "/data/x ", "/data/\x00", "/data/$$(Cpus)"]
)
def test_a_folder_that_cannot_be_said_is_refused(folder: str) -> None:
    with pytest.raises(Refused):
        describing.description(spec(), Path(folder), {}, ENVIRON)


@pytest.mark.parametrize(
    "changed",
    [
        {"charge": "a b"},
        {"charge": "ml\n+Owner"},
        {"user": "$(id)", "charge": "ml"},
        {"token": 'x" || true || "'},
        {"id": '" || true'},
    ],
)
def test_a_damaged_record_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(Refused):
        describing.description(spec().model_copy(update=changed), Path("/d"), {}, ENVIRON)


@given(st.text(min_size=1, max_size=60))
def test_no_folder_whatever_becomes_an_attribute(name: str) -> None:
    try:
        given_ = describing.description(spec(), Path("/data") / name.strip("/"), {}, ENVIRON)
    except Refused:
        return
    names = {line.split(" = ")[0] for line in str(htcondor2.Submit(given_)).splitlines()}
    assert {name.lower() for name in names - {"", "queue"}} <= {name.lower() for name in given_}


def test_the_job_s_environment_is_the_person_s_home_and_no_more() -> None:
    told = described().expand("environment")
    assert "'HOME=/home/o''neil'" in told
    assert "SECRET_TOKEN" not in told


def test_a_model_is_a_string_in_the_expression() -> None:
    site = {"gpu_model": 'T4" || true || "\\"'}
    wanted = described(site=site, resources=Resources(gpus=1)).expand("require_gpus")
    assert classad2.ClassAd(f'[DeviceName = "x"; r = {wanted}]').eval("r") is False


# --- whether it is here ---------------------------------------------------------------------------


def test_without_bindings_or_pool_the_back_end_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_CONFIGURATIONS", ())
    assert "no pool is named" in calls.missing({}, {})
    assert calls.missing({"pool": "cm.example.org"}, {}) == ""
    assert calls.missing({}, {"CONDOR_CONFIG": "/x"}) == ""
    # the bindings set this one themselves where they are loaded and find no configuration
    assert "no pool is named" in calls.missing({}, {"CONDOR_CONFIG": "/dev/null"})
    monkeypatch.setattr(calls, "find_spec", lambda _: None)
    assert "jupyter_mlinfn[htcondor]" in calls.missing({"pool": "x"}, {})


def test_the_speaking_program_sees_what_it_needs_and_no_secret() -> None:
    given_ = {"PATH": "/bin", "AWS_SECRET": "x", "_CONDOR_X": "1", "JUPYTERHUB_API_TOKEN": "y"}
    told = calls.environment({"pool": "cm", "tokens": "/t", "charge": "ml"}, given_)
    assert told == {
        "PATH": "/bin",
        "_CONDOR_X": "1",
        "_CONDOR_COLLECTOR_HOST": "cm",
        "_CONDOR_SEC_TOKEN_DIRECTORY": "/t",
    }
