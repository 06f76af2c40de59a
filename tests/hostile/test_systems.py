"""What a person types reaches no batch system but as a checked name or a number: whatever it is."""

from __future__ import annotations

import json
import shlex
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jupyter_mlinfn.jobs.backends.htcondor import describing
from jupyter_mlinfn.jobs.backends.kubernetes.manifest import Place, manifest
from jupyter_mlinfn.jobs.backends.slurm import script
from jupyter_mlinfn.model.errors import MlinfnError, Refused
from jupyter_mlinfn.model.jobs import JobRequest, JobSpec
from jupyter_mlinfn.model.kubernetes import owner
from tests.hostile.table import ROWS
from tests.jobs.workplace import make_spec

JOB, TOKEN = "abcdefghij", "0" * 32
FOLDER = Path("/data/jobs/abcdefghij")
ENVIRON = {"HOME": "/home/ada", "USER": "ada"}
POD: Any = {"metadata": {}, "spec": {"containers": [{"name": "job", "image": "r/i:1"}]}}


def slurm(spec: JobSpec, folder: Path = FOLDER) -> str:
    options = script.options(spec, folder, {}, 3600)
    return "\0".join((*options, script.script(folder).decode()))


def htcondor(spec: JobSpec, folder: Path = FOLDER) -> str:
    return json.dumps(describing.description(spec, folder, {}, ENVIRON))


def kubernetes(spec: JobSpec, folder: Path = FOLDER) -> str:
    made = manifest(f"mlinfn-{spec.id}", spec, folder, POD, Place(spec.queue or None))
    return yaml.safe_dump(made).replace(owner(spec.user), "OWNER")


QUICK = settings(deadline=None, max_examples=50)
SYSTEMS = (slurm, htcondor, kubernetes)
System = Callable[..., str]

WORDS = (
    "x\n#SBATCH --uid=0", "--wrap=id", "$(id)", "`id`", 'x\n+Owner="root"', "queue 1000",
    "x\nkind: Secret", "${HOME}", "$$(Cpus)", "'; rm -rf ~; '", "a\\\nb", "\x00", "１", "\u2028x",
    "node[1-99999]", "/:/host", "LD_PRELOAD=/x.so", "{{7*7}}", "<img src=x onerror=alert(1)>",
)  # fmt: skip
texts = st.one_of(st.sampled_from(WORDS), st.text(max_size=40))
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def spec(**told: Any) -> JobSpec:
    return make_spec(JOB, token=TOKEN, submitted_at="2026-01-01T00:00:00Z", **told)


@pytest.mark.parametrize("system", SYSTEMS)
@QUICK
@given(
    name=texts,
    user=texts,
    place=texts,
    parameters=st.dictionaries(names, values, max_size=3),
    outputs=st.lists(texts, max_size=3),
)
def test_nothing_a_person_wrote_changes_what_the_system_is_given(
    system: System,
    name: str,
    user: str,
    place: str,
    parameters: dict[str, Any],
    outputs: list[str],
) -> None:
    told = spec(
        name=name,
        user=user,
        source=f"/home/{place}/x.ipynb",
        workdir=f"/home/{place}",
        output_folder=f"/home/{place}/results",
        parameters=parameters,
        outputs=tuple(outputs),
    )
    assert system(told) == system(spec())


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("field", ["queue", "charge"])
@QUICK
@given(word=texts)
def test_a_queue_or_an_account_is_a_name_or_refused(system: System, field: str, word: str) -> None:
    """Also where the record is older than the check at the door."""
    old = spec().model_copy(update={field: word})
    try:
        given_ = system(old)
    except Refused:
        return
    if given_ != system(spec()):
        assert set(word) <= set(string.ascii_letters + string.digits + "_.@:+-")
        assert not word.startswith("-")


@QUICK
@given(name=texts)
def test_whatever_the_folder_is_called_slurm_s_script_is_one_command(name: str) -> None:
    folder = Path("/data") / name.replace("/", "_").replace("\x00", "_") / JOB
    try:
        lines = script.script(folder).decode().split("\n")
    except Refused:
        assert not str(folder).isprintable()
        return
    first, command, last = lines
    assert (first, last) == ("#!/bin/sh", "")
    told, *argv = shlex.split(command)
    assert told == "exec"
    assert argv[-2:] == [str(folder), "slurm"]
    options = script.options(spec(), folder, {}, None)
    plain = script.options(spec(), FOLDER, {}, None)
    assert [one.split("=")[0] for one in options] == [one.split("=")[0] for one in plain]


@QUICK
@given(name=texts)
def test_whatever_the_folder_is_called_kubernetes_gets_one_word(name: str) -> None:
    folder = Path("/data") / name.replace("/", "_").replace("\x00", "_") / JOB
    made = manifest("mlinfn-x", spec(), folder, POD, Place(None))
    command = made["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[-2].replace("$$", "$") == str(folder)
    assert command[-2].replace("$$", "").count("$") == 0
    plain = manifest("mlinfn-x", spec(), FOLDER, POD, Place(None))
    plain["spec"]["template"]["spec"]["containers"][0]["command"] = command
    assert made == plain


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_row_of_the_table_is_refused_or_says_nothing_to_the_system(
    row: Any, system: System, tmp_path: Path
) -> None:
    """The door is the same for all back-ends; here is what stands behind it."""
    work = tmp_path / "work"
    work.mkdir()
    try:
        request = JobRequest(**{"source": "/n.ipynb", **row.prepare(work)})
    except (ValidationError, MlinfnError):
        return
    told = spec(
        name=request.name or "x", parameters=request.parameters, outputs=request.outputs,
        queue=request.queue, charge=request.charge,
    )  # fmt: skip
    plain = spec(queue=request.queue, charge=request.charge)
    try:
        assert system(told) == system(plain)
    except Refused:
        return
