"""The numbers above a list are those of its jobs, whatever becomes of them, and cost no look at
all of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text

from jupyter_mlinfn.database.engine import make_engine
from jupyter_mlinfn.jobs import pages
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.rows import columns_of
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.tables import SCHEMA, jobs, tallies
from jupyter_mlinfn.model.joblists import JobFilter
from jupyter_mlinfn.model.jobs import Reason
from tests.jobs.many import row
from tests.jobs.workplace import REQUEST, make_spec, reference

pytestmark = pytest.mark.slow

WHY = Reason(code="cancelled-by-user", text="You did.")


def counted(connection: Connection) -> set[tuple[str, str, str, bool, int]]:
    """The jobs that are alike, looked at one by one."""
    alike = (jobs.c.backend, jobs.c.environment_name, jobs.c.state, jobs.c.sweep.is_not(None))
    query = select(*alike, func.count()).group_by(*alike)
    return {tuple(one) for one in connection.execute(query)}  # type: ignore[misc]


def check(store: JobStore) -> None:
    with store.index.read() as connection:
        told = {tuple(one) for one in connection.execute(select(tallies))}
        assert told == counted(connection)


def test_whatever_becomes_of_jobs_they_are_counted(store: JobStore) -> None:
    chance = random.Random(7)
    there: list[str] = []
    for _ in range(200):
        if chance.random() < 0.4 or not there:
            backend = chance.choice(("local", "slurm"))
            environment = reference(chance.choice(("python3", "ir")))
            points = [{"k": 1}, {"k": 2}] if chance.random() < 0.3 else []
            spec = make_spec(backend=backend, environment=environment, points=len(points))
            there.append(store.insert(spec, REQUEST, points=points).id)
            continue
        job = chance.choice(there)
        deed = chance.choice(("run", "end", "cancel", "delete", "point"))
        if deed == "run":
            store.observe(job, Observation(state="running", attempt=1))
        elif deed == "end":
            state = chance.choice(("succeeded", "failed"))
            store.observe(job, Observation(state=state, attempt=1, reason=WHY))
        elif deed == "point":
            seen = {0: Observation(state="succeeded", attempt=1)}
            store.observe(job, Observation(state="running", points=seen))
        elif deed == "cancel":
            store.cancel_if_waiting(job, WHY)
        elif store.get(job).ended_at is not None:
            store.delete(job)
            there.remove(job)
        check(store)
    assert len(store.page(limit=200).jobs) == store.counts().total == len(there)


def test_an_index_that_is_read_from_the_folders_is_counted(tmp_path: Path) -> None:
    folders = JobFolders(tmp_path)
    folders.create()
    store = JobStore(tmp_path / "jobs.sqlite", folders)
    store.insert(make_spec(), REQUEST)
    store.close()
    for path in tmp_path.glob("jobs.sq*"):
        path.unlink()
    check(store)
    store.close()


def test_the_jobs_of_an_older_index_are_counted_once(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    path = tmp_path / "jobs.sqlite"
    config = Config()
    config.set_main_option("script_location", str(SCHEMA.scripts))
    config.set_main_option("path_separator", "os")
    engine = make_engine(path, 5.0)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        known = {one.name for one in connection.execute(text("PRAGMA table_info(jobs)"))}
        for number in range(5):
            new = {k: v for k, v in columns_of(make_spec(), REQUEST).items() if k in known}
            new["state"] = "failed" if number else "succeeded"
            connection.execute(jobs.insert().values(revision=number, **new))
    engine.dispose()
    store = JobStore(path)
    check(store)
    assert store.counts().by_state == {"failed": 4, "succeeded": 1}
    store.close()


@pytest.mark.parametrize("order", ["newest", "groups"])
def test_the_first_page_looks_at_no_more_of_a_longer_list(store: JobStore, order: str) -> None:
    def steps() -> int:
        """The steps of SQLite's machine, in hundreds: work, whatever the time."""
        done = 0

        def step() -> None:
            nonlocal done
            done += 1

        with store.index.read() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.set_progress_handler(step, 100)
            try:
                pages.page_of(connection, (), None, 50, None)
                pages.found(connection, JobFilter(), 50, None, order)  # type: ignore[arg-type]
                pages.found(connection, JobFilter(backend=("slurm",)), 5, None, "newest")
            finally:
                driver.set_progress_handler(None, 0)
        return done

    many, found = 6_000, []
    for first in (0, many // 6):
        last = many // 6 if not first else many
        with store.index.write() as connection:
            new = [row(number + 1, many, ("cancelled",)) for number in range(first, last)]
            connection.execute(jobs.insert(), new)
        found.append(steps())
    check(store)
    assert found[1] < found[0] * 1.2 + 10, found
