"""Jobs that come after others: held back, let go once, ended when they never can run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import reconciler
from jupyter_mlinfn.jobs.backends.protocol import Capacity, Observation
from jupyter_mlinfn.jobs.cancelling import BY_USER
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.holding import settle_all
from jupyter_mlinfn.jobs.reconciler import Reconciler
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import JobRequest, RerunRequest
from tests.jobs.workplace import REQUEST, Listener, code, make_spec, write_notebook

ROOM = Capacity(cpus=8, memory=2**35)


def add(store: JobStore, after: tuple[str, ...] = (), ok: tuple[str, ...] = ()) -> str:
    return store.insert(make_spec(after=after, after_ok=ok), REQUEST).id


def claim(store: JobStore) -> str | None:
    taken = store.claim("here", ROOM, ())
    return taken.job if taken else None


def end(store: JobStore, job: str, state: str = "succeeded") -> None:
    attempt = max(1, store.get(job).attempts)
    store.observe(job, Observation.model_validate({"state": state, "attempt": attempt}))


def reason(store: JobStore, job: str) -> tuple[str, str]:
    found = store.get(job).reason
    assert found is not None
    return found.code, found.text


def test_it_starts_when_the_other_has_ended(store: JobStore) -> None:
    first = add(store)
    second = add(store, after=(first,))
    third = add(store)
    # it stands before the third in line, and keeps nothing back meanwhile
    assert [claim(store), claim(store), claim(store)] == [first, third, None]
    assert reason(store, second) == (
        "waits-for-job",
        f"Waits for the job {store.get(first).name} ({first}) to end.",
    )
    end(store, first, "failed")
    assert claim(store) == second
    assert store.get(second).after == (first,)


def test_it_never_starts_when_the_other_did_not_succeed(store: JobStore) -> None:
    first = add(store)
    second = add(store, ok=(first,))
    third = add(store, ok=(second,))
    fourth = add(store, after=(third,))
    assert claim(store) == first
    end(store, first, "failed")
    assert claim(store) == fourth
    assert {store.get(job).state for job in (second, third)} == {"failed"}
    code_, text = reason(store, second)
    assert code_ == "dependency-failed"
    assert text == (
        f"The job {store.get(first).name} ({first}) had to succeed first, and it failed. "
        "None of your code ran."
    )


def test_all_of_several_count(store: JobStore) -> None:
    one, two = add(store), add(store)
    last = add(store, after=(one,), ok=(two,))
    assert [claim(store), claim(store), claim(store)] == [one, two, None]
    end(store, two)
    assert claim(store) is None
    end(store, one, "cancelled")
    assert claim(store) == last


def test_a_deleted_job_holds_nobody_for_ever(store: JobStore) -> None:
    good, bad = add(store), add(store)
    after_good, after_bad = add(store, ok=(good,)), add(store, ok=(bad,))
    assert [claim(store), claim(store)] == [good, bad]
    end(store, good)
    end(store, bad, "failed")
    store.delete(good)
    store.delete(bad)
    assert claim(store) == after_good
    assert store.get(after_bad).state == "failed"


def test_a_held_job_can_be_cancelled(store: JobStore) -> None:
    first = add(store)
    second = add(store, after=(first,))
    store.mark_cancelling(second)
    assert store.cancel_if_waiting(second, BY_USER)
    assert claim(store) == first
    end(store, first)
    assert claim(store) is None
    assert store.get(second).state == "cancelled"


def test_a_sweep_waits_as_a_whole(store: JobStore) -> None:
    first = add(store)
    spec = make_spec(points=2, after=(first,))
    store.insert(spec, REQUEST, points=[{"lr": 1}, {"lr": 2}])
    assert [claim(store), claim(store)] == [first, None]
    end(store, first)
    assert [claim(store), claim(store), claim(store)] == [spec.id, spec.id, None]


# --- with a back-end --------------------------------------------------------------------------


@pytest.fixture
def notebook(work: Path) -> Path:
    """Something to submit."""
    return write_notebook(work / "train.ipynb", code("lr = 1", "parameters"), code("lr"))


@pytest.fixture
def look(
    store: JobStore, folders: JobFolders, backend: Listener, monkeypatch: pytest.MonkeyPatch
) -> Reconciler:
    """A reconciler to which every job is old enough to be handed over."""
    monkeypatch.setattr(reconciler, "_SUBMIT_TAKES", timedelta(0))
    return Reconciler(store, folders, {"local": backend})


def ask(notebook: Path, **wishes: tuple[str, ...]) -> JobRequest:
    return JobRequest(source=str(notebook), **wishes)  # type: ignore[arg-type]


def test_a_system_that_cannot_wait_gets_the_job_when_it_may_start(
    submission: Submission, store: JobStore, backend: Listener, notebook: Path, look: Reconciler
) -> None:
    first = submission.submit(ask(notebook))
    second = submission.submit(ask(notebook, after_ok=(first.id,)))
    assert len(backend.submitted) == 1
    assert second.reason is not None
    assert second.reason.code == "waits-for-job"
    look.run_once()
    assert len(backend.submitted) == 1
    end(store, first.id)
    look.run_once()
    look.run_once()
    assert len(backend.submitted) == 2
    assert store.get(second.id).backend_id == second.id


@pytest.mark.parametrize("waits", [False, True])
def test_one_that_never_can_run_is_not_handed_over_by_the_look_that_sees_the_other_fail(
    submission: Submission,
    store: JobStore,
    backend: Listener,
    notebook: Path,
    look: Reconciler,
    waits: bool,
) -> None:
    """HTCondor once ran such a job while the index said that none of its code had run."""
    first = submission.submit(ask(notebook))
    second = submission.submit(ask(notebook, after_ok=(first.id,)))
    backend.answers[first.id] = Observation(state="failed", attempt=1)
    backend.waits = waits
    for _ in range(3):
        look.run_once()
    assert len(backend.submitted) == 1
    assert reason(store, second.id)[0] == "dependency-failed"


@pytest.mark.parametrize("before", [True, False])
def test_the_other_may_fail_while_one_is_submitted(
    submission: Submission,
    store: JobStore,
    backend: Listener,
    notebook: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: bool,
) -> None:
    """Just before, and just after, the index is asked whether it is still held back."""
    first = submission.submit(ask(notebook))
    still_held = store.still_held

    def asked() -> frozenset[str]:
        if before:
            end(store, first.id, "failed")
        held = still_held()
        if not before:
            end(store, first.id, "failed")
        return held

    monkeypatch.setattr(store, "still_held", asked)
    second = submission.submit(ask(notebook, after_ok=(first.id,)))
    assert len(backend.submitted) == 1
    settle_all(store.index)
    assert reason(store, second.id)[0] == "dependency-failed"


def test_a_system_that_waits_by_itself_gets_it_at_once(
    submission: Submission, backend: Listener, notebook: Path
) -> None:
    backend.waits = True
    first = submission.submit(ask(notebook))
    submission.submit(ask(notebook, after=(first.id,)))
    assert len(backend.submitted) == 2


def test_the_wait_outlives_the_index(
    submission: Submission, store: JobStore, folders: JobFolders, notebook: Path
) -> None:
    first = submission.submit(ask(notebook))
    second = submission.submit(ask(notebook, after=(first.id,)))
    again = JobStore(folders.data_dir / "another.sqlite", folders)
    assert again.get(second.id).after == (first.id,)
    assert settle_all(again.index) == {second.id}
    end(again, first.id)
    assert settle_all(again.index) == frozenset()
    again.close()


def test_the_draft_tells_of_what_comes_before(
    submission: Submission, store: JobStore, backend: Listener, notebook: Path
) -> None:
    first = submission.submit(ask(notebook))
    draft = submission.draft(ask(notebook, after=(first.id,)))
    assert draft.ok
    assert draft.notes == (
        f"It waits here, and is given to This machine after train ({first.id}) has ended: while "
        "JupyterLab is open, or at your next mlinfn command.",
    )
    assert draft.forecast is not None
    assert draft.forecast.text == f"Starts after train ({first.id}) has ended."
    backend.waits = True
    (note,) = submission.draft(ask(notebook, after=(first.id,))).notes
    assert note.endswith("This machine starts it, also while nobody looks.")
    end(store, first.id, "failed")
    assert submission.draft(ask(notebook, after=(first.id,))).notes == ()


def test_all_that_is_wrong_with_the_jobs_before_is_told_at_once(
    submission: Submission, store: JobStore, notebook: Path
) -> None:
    failed = submission.submit(ask(notebook)).id
    end(store, failed, "failed")
    request = ask(notebook, after=("aaaaaaaaaa",), after_ok=(failed, "bbbbbbbbbb"))
    problems = submission.draft(request).problems
    assert [(one.code, one.field) for one in problems] == [
        ("job-not-found", "after.0"),
        ("dependency-failed", "after_ok.0"),
        ("job-not-found", "after_ok.1"),
    ]
    with pytest.raises(InputError):
        submission.submit(request)


def test_a_rerun_does_not_wait_again(
    submission: Submission, store: JobStore, backend: Listener, notebook: Path
) -> None:
    first = submission.submit(ask(notebook))
    second = submission.submit(ask(notebook, after_ok=(first.id,)))
    end(store, first.id, "failed")
    settle_all(store.index)
    assert store.get(second.id).state == "failed"
    again = submission.rerun(second.id, RerunRequest())
    assert again.after_ok == ()
    assert len(backend.submitted) == 2
