"""Secrets of jobs: there while the job runs, renewed, gone at its end, and nowhere else."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.credentials import CannotRead, Redactor, Source
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import JobRequest
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.workplace import code, write_notebook

pytestmark = pytest.mark.slow

TOKEN = "tOkEn-0123456789-of-the-first-hour"
RENEWED = "tOkEn-9876543210-of-the-second-hour"
PROXY = "MIICsecretPROXYlineAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
S3 = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
WANDB = 'wandb-key-"quoted"-0123456789'
ALL = (TOKEN, RENEWED, PROXY, S3, WANDB, WANDB.replace('"', '\\"'))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The person's own secrets."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "proxy").write_text(
        f"-----BEGIN CERTIFICATE-----\n{PROXY}\n-----END CERTIFICATE-----\n"
    )
    (folder / "s3").write_text(
        f"[default]\naws_access_key_id = AKIDEXAMPLE1\naws_secret_access_key = {S3}\n"
    )
    return folder


@pytest.fixture
def desk(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk whose settings declare one secret of each kind."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WANDB_SECRET_FOR_TEST", WANDB)
    told = {
        "iam": {"kind": "token", "file": str(home / "token")},
        "proxy": {"kind": "x509", "file": str(home / "proxy")},
        "s3": {"kind": "s3", "file": str(home / "s3")},
        "wandb-key": {"kind": "other", "variable": "WANDB_SECRET_FOR_TEST"},
        "gone": {"kind": "token", "file": str(home / "none")},
    }
    made = Desk(tmp_path / "desk", "local", f"c.Mlinfn.secrets = {told!r}\n")
    yield made
    made.close()


def found_in(folder: Path) -> list[str]:
    """Files below ``folder`` that hold one of the secrets."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path}: {one}" for one in ALL if one.encode() in content]
    return found


def in_arguments() -> list[str]:
    """Processes that show a secret in their arguments, or (other than this one) environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            if name == "environ" and process.name == str(os.getpid()):
                continue
            try:
                content = (process / name).read_bytes()
            except OSError:
                continue
            found += [f"{process}/{name}: {one}" for one in ALL if one.encode() in content]
    return found


PRINTS = (
    "import os\n"
    "paths = [os.environ[n] for n in ('BEARER_TOKEN_FILE', 'X509_USER_PROXY', "
    "'AWS_SHARED_CREDENTIALS_FILE', 'MLINFN_SECRET_WANDB_KEY')]\n"
    "for path in paths:\n"
    "    print(path.rsplit('/', 2)[-2:], oct(os.stat(path).st_mode & 0o777), "
    "open(path).read())\n"
)


def until_printed(desk: Desk, job: str) -> None:
    """Wait until the partial notebook holds what the first cell printed."""
    limit = time.monotonic() + 30
    while not desk.partial(job):
        assert time.monotonic() < limit, desk.story(job)
        time.sleep(0.1)


def until_gone(desk: Desk) -> None:
    """The supervisor, or whoever looks, removes the copies when the job has ended."""
    limit = time.monotonic() + 10
    while found_in(desk.root):
        assert time.monotonic() < limit, found_in(desk.root)
        desk.bench.reconciler.run_once()
        time.sleep(0.1)


def test_a_secret_is_in_its_file_while_the_job_runs_and_nowhere_at_all(desk: Desk) -> None:
    names = ("iam", "proxy", "s3", "wandb-key")
    waits = "import time\nwhile not os.path.exists('go'):\n    time.sleep(0.05)"
    fails = "raise ValueError(open(paths[0]).read())"
    job = desk.submit(PRINTS, "open(paths[0]).read()", waits, fails, secrets=names)
    desk.until(job.id, "running")
    until_printed(desk, job.id)
    folder = desk.bench.folders.job(job.id)
    kept = folder / "secrets"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()
    } == dict.fromkeys(names, 0o600)
    assert in_arguments() == []
    elsewhere = [one for one in found_in(desk.root) if not one.startswith(f"{kept}/")]
    assert elsewhere == []
    (desk.work / "go").touch()
    done = desk.until(job.id, "failed")
    until_gone(desk)
    assert not kept.exists()
    assert done.reason is not None
    assert TOKEN not in done.reason.text
    assert done.secrets == names
    (printed, *_) = texts(done.output)
    assert printed.count("'secrets'") == 4
    assert printed.count("0o600") == 4
    assert "***" in printed
    assert "***" in (folder / "attempts" / "1" / "log.txt").read_text()


def test_a_renewed_secret_reaches_the_job_that_runs(desk: Desk, home: Path) -> None:
    waits = (
        "import os, time\n"
        "path = os.environ['BEARER_TOKEN_FILE']\n"
        "first = open(path).read()\n"
        "open('seen', 'w').close()\n"
        "while open(path).read() == first:\n    time.sleep(0.05)\n"
        "print(len(open(path).read()))"
    )
    job = desk.submit(waits, secrets=("iam",))
    limit = time.monotonic() + 30
    while not (desk.work / "seen").exists():
        assert time.monotonic() < limit, desk.story(job.id)
        time.sleep(0.1)
    fresh = home / "token.new"
    fresh.write_text(RENEWED + "\n")
    fresh.replace(home / "token")
    # nobody looks but the job's own supervisor
    while not (desk.bench.folders.attempt(job.id, 1) / "end.json").exists():
        assert time.monotonic() < limit, desk.story(job.id)
        time.sleep(0.1)
    assert texts(desk.until(job.id, "succeeded").output) == [f"{len(RENEWED) + 1}\n"]
    until_gone(desk)


def test_a_script_has_them_too_and_its_log_does_not(desk: Desk) -> None:
    script = desk.work / "use.py"
    script.write_text("import os\nprint('it is', open(os.environ['BEARER_TOKEN_FILE']).read())\n")
    request = JobRequest(source=str(script), backend="local", secrets=("iam",))
    job = desk.bench.submission.submit(request)
    desk.until(job.id, "succeeded")
    log = (desk.bench.folders.attempt(job.id, 1) / "log.txt").read_text()
    assert "it is ***" in log
    until_gone(desk)


def test_secrets_of_a_job_that_never_ran_are_removed(desk: Desk) -> None:
    first = desk.submit("import time; time.sleep(60)")
    job = desk.submit("1", after=(first.id,), secrets=("iam",))
    assert found_in(desk.root)
    desk.bench.actions.cancel(job.id)
    desk.bench.actions.cancel(first.id)
    desk.until(job.id, "cancelled")
    desk.bench.reconciler.errands._next = 0.0
    desk.bench.reconciler.errands.look()
    assert found_in(desk.root) == []
    desk.until(first.id, "cancelled")


def test_what_was_not_declared_or_cannot_be_read_is_told_before(desk: Desk) -> None:
    notebook = write_notebook(desk.work / "n.ipynb", code("1"))
    request = JobRequest(source=str(notebook), backend="local", secrets=("nobody", "gone"))
    problems = desk.bench.submission.draft(request).problems
    assert [(one.code, one.field) for one in problems] == [
        ("unknown-secret", "secrets.0"),
        ("secret-unreadable", "secrets.1"),
    ]
    with pytest.raises(InputError):
        desk.bench.submission.submit(request)
    assert desk.bench.folders.all() == []


def test_a_source_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * (credentials.LARGEST + 1))
    (tmp_path / "empty").touch()
    for name in ("pipe", "large", "empty", "missing"):
        with pytest.raises(CannotRead):
            Source("token", str(tmp_path / name)).read({})
    with pytest.raises(CannotRead):
        Source("token", variable="NOT_SET_ANYWHERE").read({})


@pytest.mark.parametrize(
    "told",
    [
        {"a/../b": {"kind": "token", "file": "/x"}},
        {"a": {"kind": "key", "file": "/x"}},
        {"a": {"kind": "token"}},
        {"a": {"kind": "token", "file": "/x", "variable": "Y"}},
        {"a": {"kind": "token", "file": "/x", "value": "secret"}},
    ],
)
def test_settings_that_declare_no_secret(told: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ValueError, match="The setting secrets"):
        credentials.declared(told)


def test_another_machine_reads_again_only_what_lies_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, home = tmp_path / "job", tmp_path / "at-home"
    job.mkdir()
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for place in (home, tmp_path):
        (place / "token").write_text("first-first")
    sources = {
        "mine": Source("token", str(home / "token")),
        "local": Source("token", str(tmp_path / "token")),
    }
    (job / credentials.SOURCES).write_bytes(credentials.note(sources))
    credentials.bring(job, {})
    told = json.loads((job / credentials.SOURCES).read_text())
    (job / credentials.SOURCES).write_text(json.dumps({**told, "host": "another"}))
    for place in (home, tmp_path):
        (place / "token").write_text("other-other")
        os.utime(place / "token", ns=(1, 1))
    assert credentials.renew(job)
    assert (job / "secrets" / "mine").read_text() == "other-other"
    assert (job / "secrets" / "local").read_text() == "first-first"
    assert not credentials.renew(job)


def test_the_redactor_learns_renewed_secrets_and_keeps_the_old(tmp_path: Path) -> None:
    source = tmp_path / "token"
    source.write_text(TOKEN)
    (tmp_path / credentials.SOURCES).write_bytes(
        credentials.note({"iam": Source("token", str(source))})
    )
    credentials.bring(tmp_path, {})
    redact = Redactor(tmp_path)
    assert redact(f"<{TOKEN}>") == "<***>"
    source.write_text(RENEWED)
    credentials.renew(tmp_path)
    redact._next = 0.0
    assert redact(f"<{TOKEN}{RENEWED}>") == "<******>"
    assert Redactor(tmp_path / "none")(TOKEN) == TOKEN
