"""Jobs that go through a bucket: addresses that last, looks that one job does not hold up, and
results that nobody can read."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pytest

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.backends.kubernetes import staging
from jupyter_mlinfn.jobs.backends.kubernetes.away import Away
from jupyter_mlinfn.jobs.backends.kubernetes.bucket import Bucket
from jupyter_mlinfn.jobs.backends.kubernetes.calls import Calls
from jupyter_mlinfn.jobs.backends.kubernetes.staging import Staging
from jupyter_mlinfn.jobs.backends.protocol import StagingSettings
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.jobs.travel import parcel
from jupyter_mlinfn.jobs.travel.giving import give
from jupyter_mlinfn.jobs.travel.tidying import AWAY
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.model.kubernetes import ACCESS_FILE
from jupyter_mlinfn.process import locks
from tests.jobs.travel.conftest import packed
from tests.jobs.travel.test_journey import ended

SETTINGS = StagingSettings(bucket="ml-jobs", prefix="team")
OWNER = {"kind": "Job", "name": "mlinfn-x", "uid": "1"}


class Kept(Bucket):
    """A bucket in memory; ``held``: what nobody gets before it is set."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.objects: dict[str, bytes] = {}
        self.held: dict[str, threading.Event] = {}
        self.signed = 0
        self.got: list[str] = []

    def put(self, name: str, content: bytes | IO[bytes]) -> None:
        self.objects[name] = content if isinstance(content, bytes) else content.read()

    def get(self, name: str, target: IO[bytes]) -> None:
        self.got.append(name)
        if name in self.held:
            assert self.held[name].wait(60)
        target.write(self.objects[name])

    def marks(self, prefix: str) -> dict[str, str]:
        found = self.objects.items()
        return {name: str(hash(content)) for name, content in found if name.startswith(prefix)}

    def remove(self, names: Iterable[str]) -> None:
        for name in list(names):
            del self.objects[name]

    def address(self, verb: str, name: str, seconds: int) -> str:
        self.signed += 1
        return f"https://store/{name}?{verb}={self.signed}"


class Told(Calls):
    """What was said to Kubernetes of Secrets."""

    def __init__(self) -> None:
        self.secrets: dict[str, Mapping[str, Any]] = {}

    def put_secret(self, manifest: Mapping[str, Any]) -> None:
        self.secrets[manifest["metadata"]["name"]] = manifest

    def delete_secret(self, name: str) -> None:
        self.secrets.pop(name, None)


@pytest.fixture
def bucket() -> Kept:
    return Kept()


@pytest.fixture
def calls() -> Told:
    return Told()


@pytest.fixture
def staged(
    folders: JobFolders, bucket: Kept, calls: Told, monkeypatch: pytest.MonkeyPatch
) -> Staging:
    made = Staging(SETTINGS, calls, folders)
    monkeypatch.setattr(made, "_bucket", bucket)
    return made


def send(staged: Staging, home: Path) -> None:
    staged.send(home.name, f"mlinfn-{home.name}", {"of": "ada"})
    staged.belongs(home.name, {"of": "ada"}, OWNER)


def results(home: Path, far: Path) -> bytes:
    """What a pod brings of a job that has ended."""
    parcel.unpack(packed(home), far)
    ended(far)
    stream = BytesIO()
    give(far, stream)
    return stream.getvalue()


def look(staged: Staging, store: JobStore, *jobs: str, phase: str = "over") -> dict[str, str]:
    """The phases after one look; "silent": nothing can be said."""
    records = [store.get(job) for job in jobs]
    words = {job: Word("7", phase) for job in jobs}  # type: ignore[arg-type]
    unsaid = staged.look(records, words)
    told = staged.settled(records, words)
    return {job: "silent" if job in unsaid else told[job].phase for job in jobs}


def until(staged: Staging, store: JobStore, job: str, phase: str) -> None:
    for _ in range(1000):
        if look(staged, store, job) == {job: phase}:
            return
    raise AssertionError(f"it is not {phase}")


def test_a_large_result_holds_up_no_other_job(
    staged: Staging, store: JobStore, submission: Submission, folders: JobFolders, bucket: Kept,
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(staging, "_WAITED_FOR", 0.05)
    asked = JobRequest(source=str(tmp_path / "work" / "study.ipynb"), backend="local")
    other = folders.job(submission.submit(asked).id)
    for one in (home, other):
        send(staged, one)
        bucket.put(f"jobs/{one.name}/results", results(one, tmp_path / "pods" / one.name))
    large = threading.Event()
    bucket.held[f"jobs/{home.name}/results"] = large
    end = other / "attempts" / "1" / "end.json"
    for _ in range(1000):
        seen = look(staged, store, home.name, other.name)
        assert seen[home.name] == "runs", "it is still on its way"
        if seen[other.name] == "over":
            break
    assert json.loads(end.read_text())["state"] == "succeeded"
    assert bucket.got.count(f"jobs/{home.name}/results") == 1
    large.set()
    until(staged, store, home.name, "over")
    assert (home / "attempts" / "1" / "end.json").exists()


def test_results_that_nobody_can_read_end_the_job_and_are_kept(
    staged: Staging, store: JobStore, bucket: Kept, calls: Told, home: Path
) -> None:
    send(staged, home)
    name = f"jobs/{home.name}/results"
    bucket.put(name, b"this is no tar" * 1000)
    until(staged, store, home.name, "over")
    assert bucket.got.count(name) == 5
    record = store.get(home.name)
    assert staged.look([record], {}) == set()
    word = staged.settled([record], {})[home.name]
    begun, waited = word.ended
    assert begun == waited
    assert begun is not None
    assert "cannot be read" in begun.text
    assert f"ml-jobs/team/{name}" in begun.text
    assert bucket.got.count(name) == 5, "it is not tried for ever"
    staged.remove(home.name)
    assert list(bucket.objects) == [name]
    assert calls.secrets == {}
    assert not (home / AWAY).exists()


def test_better_results_of_a_later_pod_are_taken(
    staged: Staging, store: JobStore, bucket: Kept, home: Path, tmp_path: Path
) -> None:
    send(staged, home)
    bucket.put(f"jobs/{home.name}/results", b"this is no tar" * 1000)
    assert look(staged, store, home.name) == {home.name: "silent"}
    bucket.put(f"jobs/{home.name}/results", results(home, tmp_path / "pod"))
    until(staged, store, home.name, "over")
    assert (home / "attempts" / "1" / "end.json").exists()
    staged.remove(home.name)
    assert bucket.objects == {}


def test_while_another_process_brings_it_the_job_still_runs(
    staged: Staging, store: JobStore, bucket: Kept, home: Path, tmp_path: Path
) -> None:
    send(staged, home)
    bucket.put(f"jobs/{home.name}/results", results(home, tmp_path / "pod"))
    lock = locks.acquire(home / "travel.lock")
    assert lock is not None
    with open(lock, "rb", closefd=True):
        assert look(staged, store, home.name) == {home.name: "runs"}
    until(staged, store, home.name, "over")


def test_addresses_are_made_anew_long_before_they_expire(
    staged: Staging, store: JobStore, calls: Told, home: Path
) -> None:
    send(staged, home)
    first = calls.secrets[f"mlinfn-{home.name}"]
    look(staged, store, home.name, phase="waits")
    assert calls.secrets[f"mlinfn-{home.name}"] is first
    note = json.loads((home / AWAY).read_text())
    assert note["signed_at"] > 0
    note["signed_at"] -= staging.VALID_FOR / 2
    (home / AWAY).write_text(json.dumps(note))
    look(staged, store, home.name, phase="waits")
    second = calls.secrets[f"mlinfn-{home.name}"]
    assert second["stringData"] != first["stringData"]
    assert second["metadata"] == first["metadata"]
    assert second["metadata"]["ownerReferences"] == [OWNER]
    look(staged, store, home.name, phase="waits")
    assert calls.secrets[f"mlinfn-{home.name}"] is second


def test_declared_secrets_are_in_the_secret_alone_and_are_renewed_in_the_pod(
    staged: Staging, store: JobStore, bucket: Kept, calls: Told, home: Path, tmp_path: Path
) -> None:
    source = tmp_path / "token"
    source.write_text("very secret one")
    told = {"iam": credentials.Source("token", str(source))}
    (home / credentials.SOURCES).write_bytes(credentials.note(told))
    credentials.bring(home, {})
    send(staged, home)
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    def kubelet() -> None:
        for name, text in calls.secrets[f"mlinfn-{home.name}"]["stringData"].items():
            (mounted / name).write_text(text)

    kubelet()
    pod = Away(mounted / ACCESS_FILE, tmp_path / "pod")
    there = tmp_path / "pod" / "jobs" / home.name
    parcel.unpack(packed(home), there)
    pod._settle_secrets()
    copy = there / "secrets" / "iam"
    assert (copy.read_text(), stat.S_IMODE(copy.stat().st_mode)) == ("very secret one", 0o600)
    assert credentials.variables(there) == {"BEARER_TOKEN_FILE": str(copy)}
    assert b"very secret" not in b"".join(bucket.objects.values())
    first = calls.secrets[f"mlinfn-{home.name}"]
    look(staged, store, home.name, phase="runs")
    assert calls.secrets[f"mlinfn-{home.name}"] is first
    source.write_text("very secret two")
    os.utime(source, (2**31, 2**31))
    assert credentials.renew(home)
    look(staged, store, home.name, phase="runs")
    kubelet()
    pod._settle_secrets()
    assert copy.read_text() == "very secret two"
    staged.remove(home.name)
    assert calls.secrets == {}
