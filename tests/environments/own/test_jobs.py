"""Jobs in own environments: exactly what was recorded runs, or nothing does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from jupyter_mlinfn.environments.own.layout import short
from jupyter_mlinfn.model.environment_tasks import Alter, Restore, Task, TaskRequest
from jupyter_mlinfn.model.errors import PartMissing, Refused
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, RerunRequest, Resources
from jupyter_mlinfn.workbench import Workbench
from tests import parts
from tests.channel.build import CACHE
from tests.channel.downloads import DownloadFailed, fetch
from tests.channel.recipes import RECIPES
from tests.environments.own.conftest import log_of, notebook, run_job, until_jobs_ended

pytestmark = pytest.mark.slow

Done = Callable[[TaskRequest], Task]
SAY = "import sys, greeting; print(sys.prefix, greeting.VERSION)"


def printed(record: JobRecord) -> str:
    assert record.output is not None, record.reason
    book = nbformat.read(record.output, as_version=4)
    return "".join(out.get("text", "") for cell in book.cells for out in cell.outputs)


def test_a_job_runs_in_the_lock_and_keeps_it(bench: Workbench, one: Path, tmp_path: Path) -> None:
    kernel = bench.own.register("one").kernel
    source = notebook(tmp_path / "a.ipynb", SAY, kernel=kernel)
    record = run_job(bench, JobRequest(source=str(source)))
    assert record.state == "succeeded", record.reason
    assert printed(record).split() == [str(one), "1.0"]
    assert (record.environment.name, record.environment.digest) == (
        "one",
        bench.own.record("one").digest,
    )
    ref = bench.folders.read_spec(record.id).environment
    assert ref.locked
    assert ref.prefix == str(one)
    kept = bench.folders.bundle(record.id) / "conda-lock.yml"
    assert kept.read_text() == (bench.own.papers("one") / "conda-lock.yml").read_text()


def test_a_change_after_the_submit_leaves_the_queued_job_alone(
    bench: Workbench, one: Path, done: Done, tmp_path: Path
) -> None:
    first = bench.submission.submit(occupying(bench, tmp_path))
    source = notebook(tmp_path / "a.ipynb", SAY)
    job = bench.submission.submit(JobRequest(source=str(source), environment="one"))
    done(Alter(name="one", add=("greeting=2.0",)))
    assert bench.own.state("one").prefix != one
    assert [
        item.name for item in bench.own.collect(dry_run=False).items if item.kind == "prefix"
    ] == []
    assert bench.store.get(job.id).state == "queued"
    bench.actions.cancel(first.id)
    until_jobs_ended(bench)
    record = bench.store.get(job.id)
    assert record.state == "succeeded", record.reason
    assert printed(record).split() == [str(one), "1.0"]
    again = run_job(bench, JobRequest(source=str(source), environment="one"))
    assert printed(again).split() == [str(bench.own.state("one").prefix), "2.0"]
    pinned = JobRequest(
        source=str(source), environment=f"one@{short(record.environment.digest or '')}"
    )
    old = run_job(bench, pinned)
    assert printed(old).split() == [str(one), "1.0"]
    assert old.environment == record.environment


def occupying(bench: Workbench, folder: Path) -> JobRequest:
    """A job that keeps all others waiting."""
    source = notebook(folder / "wait.ipynb", "import time; time.sleep(600)")
    cpus = bench.backends["local"].limits().cpus
    return JobRequest(source=str(source), resources=Resources(cpus=cpus, memory=2**28))


def pip_install(prefix: Path) -> None:
    """What people do: the environment's own pip, with a wheel that the channel was made from."""
    try:
        wheels = fetch(RECIPES["small"], CACHE / "wheels")
    except DownloadFailed as error:
        parts.missed("pip install into a prefix", str(error))
        pytest.skip(str(error))
    wheel = next(one for one in wheels if one.name.startswith("humanize-4.11.0-"))
    pip = [prefix / "bin" / "python", "-I", "-m", "pip", "install", "--no-index", "--no-deps"]
    done = subprocess.run([*pip, wheel], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parts.took_part("pip install into a prefix", done.stdout.strip().splitlines()[-1])


def edit_one_file(prefix: Path) -> None:
    module = next(prefix.glob("lib/python3.*/site-packages/greeting.py"))
    text = module.read_text()
    module.unlink()  # its inode is shared with the package cache
    module.write_text(text.replace("1.0", "6.6"))


def delete_one_file(prefix: Path) -> None:
    next(prefix.glob("lib/python3.*/textwrap.py")).unlink()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (pip_install, "humanize 4.11.0 was added"),
        (edit_one_file, "site-packages/greeting.py was changed"),
        (delete_one_file, "textwrap.py is missing"),
    ],
)
def test_a_prefix_that_was_changed_is_refused(
    bench: Workbench, one: Path, tmp_path: Path, harm: Callable[[Path], None], told: str
) -> None:
    source = notebook(tmp_path / "a.ipynb", SAY)
    request = JobRequest(source=str(source), environment="one")
    waiting = bench.submission.submit(occupying(bench, tmp_path))
    job = bench.submission.submit(request)
    harm(one)
    with pytest.raises(Refused) as refused:
        bench.submission.submit(request)
    assert refused.value.code == "environment-mismatch"
    assert told in refused.value.text
    bench.actions.cancel(waiting.id)
    until_jobs_ended(bench)
    record = bench.store.get(job.id)
    assert record.state == "failed"
    assert record.reason is not None
    assert record.reason.code == "environment-mismatch"
    assert told in record.reason.text
    assert f"mlinfn env undo one --to {one.name}" in record.reason.text
    assert f"mlinfn env clone {one}" in record.reason.text
    assert record.output is None


def test_what_the_message_says_repairs_it(
    bench: Workbench, one: Path, done: Done, tmp_path: Path
) -> None:
    edit_one_file(one)
    done(Restore(name="one", digest=one.name))
    source = notebook(tmp_path / "a.ipynb", SAY)
    record = run_job(bench, JobRequest(source=str(source), environment="one"))
    assert record.state == "succeeded", record.reason
    assert printed(record).split() == [str(one), "1.0"]


def test_compiled_modules_and_times_do_not_count(
    bench: Workbench, one: Path, tmp_path: Path
) -> None:
    module = next(one.glob("lib/python3.*/site-packages/greeting.py"))
    subprocess.run([one / "bin" / "python", "-m", "compileall", "-q", module], check=True)
    assert list(module.parent.glob("__pycache__/greeting.*.pyc"))
    module.touch()
    source = notebook(tmp_path / "a.ipynb", SAY)
    record = run_job(bench, JobRequest(source=str(source), environment="one"))
    assert record.state == "succeeded", record.reason


def test_a_removed_prefix_comes_back_before_the_job_starts(
    bench: Workbench, one: Path, done: Done, tmp_path: Path
) -> None:
    old = bench.own.record("one").digest
    done(Alter(name="one", add=("greeting=2.0",)))
    assert [
        item.path for item in bench.own.collect(dry_run=False).items if item.kind == "prefix"
    ] == [str(one)]
    assert not one.exists()
    source = notebook(tmp_path / "a.ipynb", SAY)
    request = JobRequest(source=str(source), environment=f"one@{short(old)}")
    assert "installed again" in " ".join(bench.submission.draft(request).notes)
    record = run_job(bench, request)
    assert record.state == "succeeded", record.reason
    assert printed(record).split() == [str(one), "1.0"]
    assert "installed again from its lock" in log_of(bench, record.id)
    assert bench.own.record("one").digest != old


@pytest.mark.parametrize("twin", [False, True])
def test_an_old_job_runs_again_after_its_environment_was_deleted(
    bench: Workbench, one: Path, done: Done, tmp_path: Path, twin: bool
) -> None:
    source = notebook(tmp_path / "a.ipynb", SAY)
    before = run_job(bench, JobRequest(source=str(source), environment="one"))
    digest = before.environment.digest
    assert digest is not None
    bench.own.delete("one")
    with pytest.raises(PartMissing):
        bench.submission.rerun(before.id, RerunRequest())
    if twin:
        from jupyter_mlinfn.model.environment_tasks import Create

        done(Create(name="one", packages=("python", "ipykernel", "greeting=2.0")))
    job = bench.submission.rerun(before.id, RerunRequest(environment=f"one@{short(digest)}"))
    until_jobs_ended(bench)
    record = bench.store.get(job.id)
    assert record.state == "succeeded", (record.reason, log_of(bench, job.id))
    assert printed(record).split() == [str(one), "1.0"]
    assert record.environment.digest == digest
    assert (bench.own.record("one").digest == digest) is not twin
