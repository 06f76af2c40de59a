"""A run is shared whole or not at all, without secrets, and looked at with one's own rights."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.exactness.comparing import compare
from jupyter_mlinfn.jobs.sharing import giving
from jupyter_mlinfn.model.environments import EnvironmentRef
from jupyter_mlinfn.model.errors import (
    Conflict,
    InputError,
    MlinfnError,
    NotFound,
    Refused,
    Unavailable,
)
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.model.sharing import SharedRerun
from tests.jobs.sharing.people import PRINTED, SECRET, Person, give, person, rewrite
from tests.jobs.workplace import Kernels, code, reference, write_notebook

pytestmark = pytest.mark.slow

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_is_shared_is_the_run_and_nothing_else(ada: Person, area: Path) -> None:
    job = ada.ran(secrets=("s",), notify=("lab", "https://hook.example.org/key-of-a-hook"))
    home = ada.folders.job(job.id)
    assert (home / "secrets" / "s").is_file()
    (home / "key").write_text("idempotency-key-of-ada", encoding="utf-8")
    shared = ada.sharing.share(job.id)
    folder = area / job.id
    assert shared.path == str(folder)
    assert files(folder) == {
        "shared.json",
        "bundle/notebook.ipynb",
        "bundle/environment.json",
        "bundle/modules/helper.py",
        "attempts/1/log.txt",
        "attempts/1/values.jsonl",
        "attempts/1/notebook.ipynb",
        "outputs/fit.ipynb",
        "outputs/table.csv",
    }
    spec = ada.folders.read_spec(job.id)
    whole = b"".join((folder / name).read_bytes() for name in files(folder))
    for hidden in (
        SECRET, spec.token, "key-of-a-hook", "idempotency-key-of-ada",
    ):  # fmt: skip
        assert hidden.encode() not in whole
    modes = {stat.S_IMODE((folder / name).stat().st_mode) for name in files(folder)}
    assert modes == {0o644}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert [path.name for path in area.iterdir()] == [job.id]


@pytest.mark.parametrize("where", ["log", "output", "kernel"])
def test_a_run_that_holds_a_secret_is_not_shared(ada: Person, area: Path, where: str) -> None:
    job = ada.ran(secrets=("s",))
    said = SECRET
    if where == "log":
        path = ada.folders.attempt(job.id, 1) / "log.txt"
        path.write_text("x" * (2**20 - 10) + said, encoding="utf-8")
    elif where == "output":
        (Path(job.output_folder) / "table.csv").write_text(said, encoding="utf-8")
    else:
        kernel = ada.folders.bundle(job.id) / "kernel.json"
        told = json.loads(kernel.read_text(encoding="utf-8"))
        told["env"] = {"API_TOKEN": PRINTED.strip()}
        kernel.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(Refused) as refused:
        ada.sharing.share(job.id)
    assert refused.value.code == "holds-secret"
    assert said not in refused.value.text
    assert list(area.iterdir()) == []


def test_shared_again_it_is_replaced_and_taken_back_it_is_gone(ada: Person, area: Path) -> None:
    job = ada.ran()
    ada.sharing.share(job.id, "group")
    (Path(job.output_folder) / "more.txt").write_text("more", encoding="utf-8")
    ada.sharing.share(job.id, str(area))
    assert (area / job.id / "outputs" / "more.txt").is_file()
    assert [one.name for one in area.iterdir()] == [job.id]
    assert [one.name for one in ada.sharing.unshare(job.id)] == ["group"]
    assert list(area.iterdir()) == []
    with pytest.raises(NotFound):
        ada.sharing.unshare(job.id)


def test_a_copy_that_fails_leaves_what_was_shared(
    ada: Person, area: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ada.ran()
    ada.sharing.share(job.id)
    before = (area / job.id / "shared.json").read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(giving.os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        ada.sharing.share(job.id)
    assert (area / job.id / "shared.json").read_bytes() == before
    assert [one.name for one in area.iterdir()] == [job.id]


def test_what_cannot_be_shared_says_why(ada: Person, area: Path) -> None:
    source = write_notebook(ada.work / "n.ipynb", code("1"))
    waits = ada.submission.submit(JobRequest(source=str(source), backend="local"))
    with pytest.raises(Conflict, match="has not ended"):
        ada.sharing.share(waits.id)
    job = ada.ran()
    with pytest.raises(NotFound, match="no area 'else'"):
        ada.sharing.share(job.id, "else")
    (area / job.id).mkdir()
    with pytest.raises(Conflict, match="not yours"):
        ada.sharing.share(job.id)


@root
def test_a_colleague_opens_compares_and_runs_it(ada: Person, eve: Person, area: Path) -> None:
    job = ada.ran()
    ada.sharing.share(job.id)
    give(area / job.id)
    (listed,) = eve.sharing.listed().jobs
    assert (listed.id, listed.owner, listed.mine) == (job.id, "user 4711", False)
    assert listed.parameters == {"rate": "0.5"}
    told = eve.sharing.details(job.id[:5])
    assert told.details.job.name == job.name
    assert [one.path for one in told.outputs] == ["outputs/fit.ipynb", "outputs/table.csv"]
    look = eve.sharing.look(f"group/{job.id}")
    assert look.log().text == PRINTED
    assert PRINTED.strip() in look.notebook().read_text(encoding="utf-8")

    mine = eve.sharing.rerun(job.id, SharedRerun(parameters={"rate": 0.7}), eve.work)
    assert mine.id != job.id
    assert mine.parameters == {"rate": 0.7}
    folder = eve.work / "shared" / f"fit-{job.id}"
    assert Path(mine.source) == folder / "fit.ipynb"
    assert (folder / "helper.py").read_text(encoding="utf-8") == "RATE = 2\n"
    assert [one.path for one in eve.folders.read_spec(mine.id).files if one.role == "module"] == [
        "helper.py"
    ]
    found = compare(eve.reader.read(mine.id), eve.sharing.look(job.id).facts())
    sections = {one.name: one.same for one in found.sections}
    assert (sections["code"], sections["parameters"]) == (True, False)
    assert "parameters (rate)" in found.text
    # the same once more, into the same folder
    assert eve.sharing.rerun(job.id, SharedRerun(), eve.work).parameters == {"rate": 0.5}
    with pytest.raises(Refused, match="belongs to user 4711"):
        eve.sharing.unshare(job.id, "group")


class Other(Kernels):
    """The same kernels with other packages."""

    def resolve(self, name: str) -> EnvironmentRef:
        return reference(name).model_copy(update={"digest": "sha256:" + "1" * 64})


def test_another_environment_is_refused_until_one_wants_it(
    ada: Person, area: Path, tmp_path: Path
) -> None:
    job = ada.ran()
    ada.sharing.share(job.id)
    eve = person(tmp_path / "eve", area, Other())
    with pytest.raises(Refused) as refused:
        eve.sharing.rerun(job.id, SharedRerun(), eve.work)
    assert refused.value.code == "other-environment"
    assert not (eve.work / "shared").exists()
    eve.sharing.rerun(job.id, SharedRerun(other_environment=True), eve.work)
    eve.store.close()


def test_secrets_are_ones_own(ada: Person, eve: Person) -> None:
    job = ada.ran(secrets=("s",))
    ada.sharing.share(job.id)
    with pytest.raises(InputError, match="No secret is called 's'"):
        eve.sharing.rerun(job.id, SharedRerun(), eve.work)


HOSTILE = {
    "a link in the place of the folder": lambda folder: _link_folder(folder),
    "a link in the place of the note": lambda folder: _link(folder / "shared.json"),
    "a link in the place of a file": lambda folder: _link(folder / "bundle/notebook.ipynb"),
    "a link on the way": lambda folder: _link_folder(folder / "bundle"),
    "a pipe": lambda folder: _pipe(folder / "attempts/1/log.txt"),
    "no JSON": lambda folder: (folder / "shared.json").write_text("{"),
    "a huge note": lambda folder: os.truncate(folder / "shared.json", 2**40),
    "a huge file": lambda folder: os.truncate(folder / "attempts/1/log.txt", 2**40),
    "other content": lambda folder: (folder / "bundle/notebook.ipynb").write_text("{}"),
    "a file that is gone": lambda folder: (folder / "bundle/notebook.ipynb").unlink(),
    "a name with ..": lambda folder: _name(folder, "bundle/../../../../etc/hostname"),
    "a full name": lambda folder: _name(folder, "/etc/hostname"),
    "a name twice": lambda folder: _name(folder, "bundle/notebook.ipynb"),
    "another job": lambda folder: _another(folder),
    "a module with ..": lambda folder: _module(folder),
}


@pytest.mark.parametrize("harm", HOSTILE.values(), ids=HOSTILE)
@root
def test_hostile_runs_are_refused_in_words(
    ada: Person, eve: Person, area: Path, harm: object
) -> None:
    job, good = ada.ran(), ada.ran()
    for one in (job, good):
        ada.sharing.share(one.id)
    assert callable(harm)
    harm(area / job.id)
    if not (area / job.id).is_symlink():
        give(area / job.id)
    with pytest.raises(MlinfnError) as refused:
        eve.sharing.look(job.id).facts()
    assert refused.value.code == "shared-damaged"
    assert "Nothing of it was used" in refused.value.text
    with pytest.raises(MlinfnError):
        eve.sharing.rerun(job.id, SharedRerun(), eve.work)
    assert list(eve.work.iterdir()) == []
    kept = eve.folders.data_dir / "shared"
    assert not kept.exists() or list(kept.iterdir()) == []
    # the others are listed all the same
    assert good.id in [one.id for one in eve.sharing.listed().jobs]


@root
def test_files_of_somebody_else_are_refused(ada: Person, eve: Person, area: Path) -> None:
    job = ada.ran()
    ada.sharing.share(job.id)
    give(area / job.id)
    os.chown(area / job.id / "bundle" / "notebook.ipynb", 4712, 4712)
    with pytest.raises(Refused, match="belongs to user 4712"):
        eve.sharing.look(job.id).facts()


def test_the_folders_it_names_are_never_looked_into(
    ada: Person, eve: Person, area: Path, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    (private / "diary.ipynb").write_text('{"cells": []}', encoding="utf-8")
    job = ada.ran()
    ada.sharing.share(job.id)
    told = json.loads((area / job.id / "shared.json").read_text(encoding="utf-8"))
    for part in ("job", "spec"):
        told["details"][part]["output_folder"] = str(private)
    told["details"]["job"]["output"] = str(private / "diary.ipynb")
    rewrite(area / job.id, details=told["details"])
    facts = eve.sharing.look(job.id).facts()
    assert facts.outputs is None
    assert "diary" not in str(facts)


def test_the_same_id_in_two_areas_is_asked_for(ada: Person, area: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    job = ada.ran()
    ada.sharing.share(job.id)
    two = person(tmp_path / "two", area)
    two.sharing._areas = (str(area), str(other))
    (other / job.id).symlink_to(area / job.id)
    with pytest.raises(Refused, match="Say which"):
        two.sharing.look(job.id)
    with pytest.raises(Refused, match="link"):
        two.sharing.look(f"other/{job.id}")
    two.store.close()


def _link(path: Path) -> None:
    aside = path.with_name("aside")
    path.rename(aside)
    path.symlink_to(aside)


def _link_folder(path: Path) -> None:
    aside = path.with_name(f"{path.name}-aside")
    path.rename(aside)
    path.symlink_to(aside)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _name(folder: Path, name: str) -> None:
    note = json.loads((folder / "shared.json").read_text(encoding="utf-8"))
    content = (folder / "bundle/notebook.ipynb").read_bytes()
    more = {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    rewrite(folder, files=[*note["files"], more])


def _another(folder: Path) -> None:
    note = json.loads((folder / "shared.json").read_text(encoding="utf-8"))
    note["details"]["spec"]["id"] = "aaaaaaaaaa"
    rewrite(folder, details=note["details"])


def _module(folder: Path) -> None:
    note = json.loads((folder / "shared.json").read_text(encoding="utf-8"))
    for one in note["details"]["spec"]["files"]:
        if one["role"] == "module":
            one["path"] = "../../../../../../etc/hostname"
    rewrite(folder, details=note["details"])
