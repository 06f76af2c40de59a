"""The parcel there, an attempt that runs in it, and the way home: repeated and killed anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.supervisor.publishing import publish
from jupyter_mlinfn.jobs.travel import giving, news, parcel
from jupyter_mlinfn.jobs.travel import home as taking
from jupyter_mlinfn.jobs.travel.__main__ import main
from jupyter_mlinfn.model.errors import Refused, Unavailable
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.detach import own_program
from tests.jobs.travel.conftest import packed
from tests.jobs.travel.ways_home import ended, killed_at_every_step, listing, output_folder


def given(far: Path) -> BytesIO:
    stream = BytesIO()
    giving.give(far, stream)
    stream.seek(0)
    return stream


# --- there ------------------------------------------------------------------------------------


def test_a_parcel_is_the_same_each_time_and_holds_no_secret(home: Path) -> None:
    (home / "secrets").mkdir()
    (home / "secrets" / "proxy").write_text("very secret")
    (home / "secrets.json").write_text("{}")
    command = json.loads((home / "bundle" / "kernel.json").read_text())
    command["env"] = {"MY_API_TOKEN": "very secret", "MODE": "fast"}
    (home / "bundle" / "kernel.json").write_text(json.dumps(command))
    first = packed(home).getvalue()
    assert packed(home).getvalue() == first
    assert b"very secret" not in first
    with tarfile.open(fileobj=BytesIO(first)) as tar:
        names = tar.getnames()
    assert names[:2] == ["travel.json", "job.json"]
    assert not [name for name in names if name.startswith(("/", "secrets", "attempts"))]


def test_it_works_and_publishes_in_its_own_folder_there(home: Path, far: Path) -> None:
    folder = AttemptFolder(far / "attempts" / "1")
    assert folder.travelled
    assert folder.spec()["workdir"] == str(far / "work")
    assert folder.spec()["output_folder"] == str(folder.path / "published")
    assert (far / "work" / "data" / "events.csv").read_text() == "1,2\n"
    assert not (far / "elsewhere.csv").exists()
    assert not AttemptFolder(home / "attempts" / "1").travelled


def test_unpacking_again_changes_nothing_and_another_jobs_folder_stays(
    home: Path, far: Path
) -> None:
    (far / "attempts" / "1").mkdir(parents=True)
    before = listing(far)
    parcel.unpack(packed(home), far)
    assert listing(far) == before
    (far / "travel.json").write_text('{"token": "of another"}')
    with pytest.raises(Refused, match="another job"):
        parcel.unpack(packed(home), far)
    assert (far / "attempts" / "1").is_dir()


def test_a_parcel_that_is_cut_off_leaves_nothing(home: Path, tmp_path: Path) -> None:
    whole = packed(home).getvalue()
    for length in (0, 100, 512, 1500, len(whole) // 2):
        target = tmp_path / "there" / "job"
        with pytest.raises(Refused):
            parcel.unpack(BytesIO(whole[:length]), target)
        assert list(target.parent.iterdir()) == []


def test_an_input_that_is_gone_is_said(home: Path, work: Path) -> None:
    (work / "data" / "events.csv").unlink()
    with pytest.raises(Refused, match=r"data/events\.csv"):
        parcel.pack(home, BytesIO())


def test_images_and_the_own_python_are_named_as_they_lie_there(home: Path, tmp_path: Path) -> None:
    digest = "sha256:" + "ab" * 32
    path = home / "bundle" / "environment.json"
    told = json.loads(path.read_text())
    argv = [sys.executable, "-m", "some.program", "--digest", digest, "/home/me/ml.sqsh", "--", "x"]
    told["ref"] |= {"image": "/home/me/ml.sqsh", "image_digest": digest, "prefix": sys.prefix}
    told["ref"]["kernel"]["argv"] = argv
    path.write_text(json.dumps(told))
    assert parcel.images(home) == {digest: Path("/home/me/ml.sqsh")}
    far = tmp_path / "there" / "job"
    parcel.unpack(packed(home), far, image_folder=tmp_path / "images")
    ref = json.loads((far / "bundle" / "environment.json").read_text())["ref"]
    here = str(tmp_path / "images" / ("ab" * 32 + ".image"))
    assert (ref["image"], ref["prefix"]) == (here, sys.prefix)
    assert ref["kernel"]["argv"] == [*argv[:5], here, "--", "x"]


# --- home -------------------------------------------------------------------------------------


def test_all_of_an_attempt_comes_home_and_is_published_once(home: Path, far: Path) -> None:
    ended(far)
    (far / "slurm.log").write_text("said there\n")
    taking.take(home, given(far))
    target = output_folder(home)
    assert sorted(os.listdir(target)) == ["latest.png", "plots", "study.ipynb"]
    assert (target / "latest.png").read_bytes() == bytes(range(256))
    attempt = AttemptFolder(home / "attempts" / "1")
    assert json.loads(attempt.end.read_text())["output"] == str(target / "study.ipynb")
    assert attempt.log.read_text() == "one\ntwo\n"
    assert not attempt.connection.exists()
    assert (home / "slurm.log").read_text() == "said there\n"
    assert os.listdir(home / "checkpoints") == ["newest.bin"]
    (target / "study.ipynb").write_text("edited by the person")
    before = listing(home.parent.parent)
    taking.take(home, given(far))
    assert listing(home.parent.parent) == before
    assert (target / "study.ipynb").read_text() == "edited by the person"


def test_killed_at_any_moment_and_done_again_it_gives_the_same(
    home: Path, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(far, 1, "evicted")
    ended(far, 2)
    tar, target = given(far).getvalue(), output_folder(home)

    def no_end_without_results() -> None:
        end = home / "attempts" / "2" / "end.json"
        assert target.is_dir() or not end.exists(), "the end came before the results"

    def bring() -> None:
        taking.take(home, BytesIO(tar))

    steps = ((Path, "replace"), (Path, "rename"), (shutil, "rmtree"))
    assert killed_at_every_step(home, bring, steps, monkeypatch, no_end_without_results) > 20


def test_an_attempt_that_was_evicted_publishes_nothing(home: Path, far: Path) -> None:
    ended(far, 1, "evicted")
    taking.take(home, given(far))
    assert not output_folder(home).exists()
    assert json.loads((home / "attempts" / "1" / "end.json").read_text())["state"] == "evicted"


def test_what_was_not_published_there_is_kept_at_home(home: Path, far: Path) -> None:
    attempt = ended(far, 1, "failed")
    attempt.notebook.write_text("{}")
    attempt.outputs.mkdir()
    (attempt.outputs / "model.bin").write_bytes(b"m")
    attempt.end.write_text(json.dumps({"state": "failed", "output": str(attempt.notebook)}))
    taking.take(home, given(far))
    here = AttemptFolder(home / "attempts" / "1")
    assert (here.outputs / "model.bin").read_bytes() == b"m"
    assert json.loads(here.end.read_text())["output"] == str(here.notebook)


def test_an_output_folder_that_cannot_be_written_keeps_the_results_here(
    home: Path, far: Path
) -> None:
    ended(far)
    output_folder(home).parent.mkdir(exist_ok=True)
    shutil.rmtree(output_folder(home).parent, ignore_errors=True)
    output_folder(home).parent.write_text("a file where the folder should be")
    taking.take(home, given(far))
    end = json.loads((home / "attempts" / "1" / "end.json").read_text())
    assert (Path(end["output"]) / "study.ipynb").read_text() == "{}"
    assert "could not be put" in (home / "attempts" / "1" / "events.jsonl").read_text()


def test_a_folder_that_came_as_a_folder_is_taken_too(home: Path, far: Path) -> None:
    ended(far)
    taking.take(home, far)
    assert (output_folder(home) / "study.ipynb").exists()


def test_what_is_of_another_job_is_not_taken(home: Path, far: Path) -> None:
    ended(far)
    (far / "travel.json").write_text('{"token": "of another"}')
    before = listing(home)
    with pytest.raises(Refused, match="not of this job"):
        taking.take(home, given(far))
    assert listing(home).keys() - {"travel.lock"} == before.keys()


def test_two_do_not_take_the_same_job_home(home: Path, far: Path) -> None:
    ended(far)
    lock = locks.acquire(home / "travel.lock")
    assert lock is not None
    with pytest.raises(Unavailable):
        taking.take(home, given(far))
    os.close(lock)
    taking.take(home, given(far))


# --- news -------------------------------------------------------------------------------------


def test_news_bring_what_is_new_and_never_an_end(home: Path, far: Path) -> None:
    attempt = ended(far)
    attempt.end.rename(far / "aside")
    attempt.notebook.write_text('{"cells": []}')
    news.merge(home, news.gather(far, news.known(home)))
    here = AttemptFolder(home / "attempts" / "1")
    assert here.begun.exists()
    assert here.log.read_text() == "one\ntwo\n"
    assert here.notebook.read_text() == '{"cells": []}'
    with attempt.log.open("a") as log:
        log.write("three\n")
    told = news.gather(far, news.known(home))
    brought = {file.name: file.content for one in told.attempts for file in one.files}
    assert brought["log.txt"] == b"three\n"
    assert "notebook.ipynb" not in brought
    back = news.JobNews.model_validate_json(told.model_dump_json())
    news.merge(home, back)
    news.merge(home, back)
    assert here.log.read_text() == "one\ntwo\nthree\n"
    (far / "aside").rename(attempt.end)
    told = news.gather(far, news.known(home))
    assert [(one.ended, one.files) for one in told.attempts] == [(True, ())]
    news.merge(home, told)
    assert not here.end.exists()


def test_news_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert news.gather(tmp_path / "nowhere", {}).gone


def test_news_write_no_other_file(home: Path) -> None:
    strange = news.FileNews(name="../../job.json", content=b"x", mtime_ns=0)
    end = news.FileNews(name="end.json", content=b"{}", mtime_ns=0)
    before = (home / "job.json").read_bytes()
    news.merge(home, news.JobNews(attempts=(news.AttemptNews(number=1, files=(strange, end)),)))
    assert (home / "job.json").read_bytes() == before
    assert os.listdir(home / "attempts" / "1") == []


# --- the program there ------------------------------------------------------------------------


def call(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    argv = own_program("jupyter_mlinfn.jobs.travel", *words)
    return subprocess.run(argv, input=stdin, capture_output=True, timeout=60, check=False)


def test_the_program_there_speaks_by_its_streams_and_its_code(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "there" / "jobs" / home.name
    assert call("unpack", str(folder), stdin=packed(home).getvalue()).returncode == 0
    ended(folder)
    taking.take(home, BytesIO(call("give", str(folder)).stdout))
    assert (output_folder(home) / "study.ipynb").exists()
    done = call("dance", "x")
    assert (done.returncode, done.stderr) == (2, b"There is no 'dance'.\n")


def test_only_what_travelled_there_is_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    main(["travel", "remove", str(tmp_path / "mine")])
    assert (tmp_path / "mine").is_dir()


def test_a_link_that_leads_out_of_the_results_is_told(far: Path) -> None:
    attempt = AttemptFolder(far / "attempts" / "1")
    attempt.outputs.mkdir(parents=True)
    (attempt.outputs / "data").symlink_to("/etc")
    (attempt.outputs / "a.txt").write_text("a")
    (attempt.outputs / "b.txt").symlink_to("a.txt")
    publish(attempt, attempt.spec(), 0.0)
    told = attempt.events.read_text()
    assert "stay where it ran: data" in told
    assert "b.txt" not in told
