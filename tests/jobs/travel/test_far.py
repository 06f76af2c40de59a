"""The far side of a Slurm by ssh, with the real program there and no ssh between."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import threading
from dataclasses import replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import IO
from unittest import mock

import pytest

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends.slurm.far import Far
from jupyter_mlinfn.jobs.backends.slurm.ssh import Ssh
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.travel.__main__ import main
from jupyter_mlinfn.jobs.travel.tidying import AWAY
from jupyter_mlinfn.model.errors import Refused, Unavailable
from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.run import Completed
from tests.jobs.travel.conftest import packed
from tests.jobs.travel.ways_home import ended, output_folder


class Near(Ssh):
    """Runs the program there in this process; a site that is ``cut`` off answers nothing.

    ``login`` is what a login there prints first.
    """

    def __init__(self, login: str = "") -> None:
        super().__init__("site")
        self.cut = False
        self.verbs: list[str] = []
        self.calls: list[tuple[str, ...]] = []
        self.login = login
        self._alone = threading.Lock()

    def call(self, path: str, *arguments: str, deadline: float, stdin: bytes = b"") -> Completed:
        with BytesIO(stdin) as source, BytesIO() as target:
            done = self.send(path, *arguments, deadline=deadline, source=source, target=target)
            said = self.login.encode() + target.getvalue()
        return replace(done, stdout=said)

    def send(
        self,
        path: str,
        *arguments: str,
        deadline: float,
        source: IO[bytes] | None = None,
        target: IO[bytes] | None = None,
    ) -> Completed:
        if self.cut:
            raise Unavailable("There is no way to the site.", code="ssh-silent")
        assert arguments[:3] == ("-I", "-m", "jupyter_mlinfn.jobs.travel")
        self.verbs.append(arguments[3])
        self.calls.append(arguments)
        told = TextIOWrapper(BytesIO(source.read() if source else b""))
        given, errors = TextIOWrapper(BytesIO()), StringIO()
        streams = mock.patch.multiple(sys, stdin=told, stdout=given, stderr=errors)
        with self._alone, streams:
            code = main(["travel", *arguments[3:]])
        given.flush()
        if target is not None:
            target.write(given.buffer.getvalue())  # type: ignore[attr-defined]
        return Completed((path, *arguments), code, b"", errors.getvalue().encode(), 0.0)


@pytest.fixture
def site() -> Near:
    return Near()


@pytest.fixture
def far(site: Near, folders: JobFolders, tmp_path: Path) -> Far:
    return Far(site, folders, str(tmp_path / "site"), sys.executable)


@pytest.fixture
def there(home: Path, tmp_path: Path) -> Path:
    """Where the job's folder comes to lie."""
    return tmp_path / "site" / "jobs" / home.name


PROGRAM = "jupyter_mlinfn.jobs.travel"
OVER = {"over": Word("7", "over"), "runs": Word("7", "runs", host="n1")}


def look(far: Far, store: JobStore, job: str, phase: str = "") -> tuple[dict[str, Word], set[str]]:
    return far.look([store.get(job)], {job: OVER[phase]} if phase else {})


def test_a_parcel_and_its_image_are_sent_once(
    far: Far, site: Near, home: Path, there: Path, tmp_path: Path
) -> None:
    image = tmp_path / "ml.sqsh"
    image.write_bytes(b"an environment")
    digest = f"sha256:{hashlib.sha256(image.read_bytes()).hexdigest()}"
    path = home / "bundle" / "environment.json"
    told = json.loads(path.read_text())
    told["ref"] |= {"image": str(image), "image_digest": digest}
    path.write_text(json.dumps(told))
    far.send(home.name)
    far.send(home.name)
    assert site.verbs == ["ready", "image", "unpack", "ready"]
    ref = json.loads((there / "bundle" / "environment.json").read_text())["ref"]
    assert Path(ref["image"]).read_bytes() == b"an environment"
    assert far.folder(home.name) == there
    done = site.call("x", "-I", "-m", PROGRAM, "image", str(there), digest, deadline=1, stdin=b"y")
    assert done.returncode == 4
    image.unlink()
    Path(ref["image"]).unlink()
    with pytest.raises(Refused, match="Pack it again"):
        far.send(home.name)


def test_what_has_ended_comes_home_and_its_folder_there_goes(
    far: Far, store: JobStore, home: Path, there: Path
) -> None:
    far.send(home.name)
    ended(there)
    assert look(far, store, home.name, "runs") == ({}, set())
    assert (output_folder(home) / "study.ipynb").exists()
    assert (home / AWAY).exists()
    far.remove(home.name)
    assert not there.exists()
    assert not (home / AWAY).exists()


def test_what_left_no_word_comes_home_as_it_is_once(
    far: Far, site: Near, store: JobStore, home: Path, there: Path
) -> None:
    far.send(home.name)
    attempt = ended(there)
    attempt.end.unlink()
    for phase in ("over", ""):
        assert look(far, store, home.name, phase) == ({}, set())
    assert site.verbs.count("give") == 1
    here = AttemptFolder(home / "attempts" / "1")
    assert here.log.read_text() == "one\ntwo\n"
    assert not here.end.exists()


def test_while_somebody_brings_it_the_job_still_runs(
    far: Far, store: JobStore, home: Path, there: Path
) -> None:
    far.send(home.name)
    ended(there)
    lock = locks.acquire(home / "travel.lock")
    assert lock is not None
    with open(lock, "rb", closefd=True):
        coming, unsaid = look(far, store, home.name, "over")
        assert (coming[home.name].phase, unsaid) == ("runs", set())
    assert look(far, store, home.name, "over") == ({}, set())


def test_a_site_that_is_cut_off_is_silent_and_what_waits_is_done_later(
    far: Far, site: Near, store: JobStore, home: Path, there: Path
) -> None:
    far.send(home.name)
    ended(there)
    site.cut = True
    with pytest.raises(Unavailable):
        look(far, store, home.name, "over")
    with pytest.raises(Unavailable):
        far.cancel(home.name)
    far.remove(home.name)
    assert (home / AWAY).exists()
    site.cut = False
    far.cancel(home.name)
    assert (there / "cancel").exists()
    far.tidy(lambda: [home.name])
    assert there.exists()
    another = Far(site, JobFolders(home.parent.parent), str(there.parent.parent), sys.executable)
    another.tidy(list)
    assert not there.exists()


def test_what_comes_and_is_no_answer_is_not_believed(
    far: Far, site: Near, store: JobStore, home: Path, there: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    far.send(home.name)
    ended(there)
    real = site.send

    def cut(path: str, *words: str, deadline: float, source: IO[bytes] | None = None,
            target: IO[bytes] | None = None) -> Completed:  # fmt: skip
        done = real(path, *words, deadline=deadline, source=source, target=target)
        if target is not None:
            target.truncate(2000)
        return done

    monkeypatch.setattr(site, "send", cut)
    assert look(far, store, home.name, "over") == ({}, {home.name})
    assert not (home / "attempts" / "1" / "end.json").exists()
    monkeypatch.undo()
    assert look(far, store, home.name, "over") == ({}, set())
    assert (home / "attempts" / "1" / "end.json").exists()


def test_a_login_that_prints_something_is_understood(
    folders: JobFolders, home: Path, tmp_path: Path
) -> None:
    far = Far(Near("Welcome to the site\n"), folders, str(tmp_path / "site"), sys.executable)
    far.send(home.name)
    assert far.folder(home.name).is_dir()


@pytest.mark.parametrize("python", ["", "python3", "relative/python", "/a\nb", "/x/../python"])
def test_settings_that_cannot_be_are_told(folders: JobFolders, python: str) -> None:
    assert "far_python" in Far(Near(), folders, "~/mlinfn", python).missing()
    assert Far(Near(), folders, "~/mlinfn", "/usr/bin/python3").missing() == ""
    assert "far_folder" in Far(Near(), folders, "mlinfn", "/usr/bin/python3").missing()


@pytest.fixture
def secret(home: Path, tmp_path: Path) -> Path:
    """The source of a declared secret of the job, which has its copy at home."""
    source = tmp_path / "token"
    source.write_text("very secret one")
    told = {"iam": credentials.Source("token", str(source))}
    (home / credentials.SOURCES).write_bytes(credentials.note(told))
    credentials.bring(home, {})
    return source


def test_secrets_go_there_as_files_of_the_person_alone_and_are_renewed(
    far: Far, site: Near, store: JobStore, home: Path, there: Path, secret: Path
) -> None:
    assert b"very secret" not in packed(home).getvalue()
    far.send(home.name)
    copy = there / "secrets" / "iam"
    assert copy.read_text() == "very secret one"
    assert (stat.S_IMODE(copy.stat().st_mode), stat.S_IMODE(copy.parent.stat().st_mode)) == (
        0o600, 0o700,
    )  # fmt: skip
    assert credentials.variables(there) == {"BEARER_TOKEN_FILE": str(copy)}
    assert str(secret) not in (there / credentials.SOURCES).read_text()
    assert credentials.Redactor(there)("it is very secret one.") == "it is ***."
    assert not credentials.renew(there)
    assert not [word for call in site.calls for word in call if "very secret" in word]
    look(far, store, home.name, "runs")
    assert site.verbs.count("secrets") == 1
    secret.write_text("very secret two")
    os.utime(secret, (2**31, 2**31))
    assert credentials.renew(home)
    look(far, store, home.name, "runs")
    assert (site.verbs.count("secrets"), copy.read_text()) == (2, "very secret two")
    far.remove(home.name)
    assert not there.exists()


def test_what_is_no_secret_is_refused_and_nothing_of_it_is_said(
    far: Far, site: Near, home: Path, there: Path
) -> None:
    far.send(home.name)
    odd = {"../x": {"kind": "token", "tells": "T", "content": "dmVyeSBzZWNyZXQ="}}
    half = json.dumps({"iam": {"kind": "token", "tells": "T", "content": "very secret"}})
    for sent in (json.dumps(odd), half, half[:-9], "[]", '{"iam": 1}'):
        words = ("-I", "-m", PROGRAM, "secrets", str(there))
        done = site.call("x", *words, deadline=1, stdin=sent.encode())
        assert done.returncode == 4
        assert b'secret"' not in done.stderr
        assert b"very" not in done.stderr
    assert not (there / "x").exists()
    assert not (there / "secrets" / "iam").exists()
