"""One digest of a sweep, sent by its last point: never two, and owed where a point was lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.notices import delivering, digest
from jupyter_mlinfn.jobs.notices.webhook import HookPolicy, Perhaps, post
from jupyter_mlinfn.jobs.supervisor.farewell import after_the_end
from tests.jobs.notices.listening import MailServer, WebServer

pytestmark = pytest.mark.slow

ENDS = """
import sys
from pathlib import Path
from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.supervisor.farewell import after_the_end
sys.stdin.read(1)
for number in sys.argv[2:]:
    after_the_end(AttemptFolder(Path(sys.argv[1], "points", number, "attempts", "1")))
"""

DIES = """
import os, signal, sys
from pathlib import Path
from jupyter_mlinfn.jobs.notices import delivering

def die():
    os.kill(os.getpid(), signal.SIGKILL)

moment, write, written = sys.argv[2], delivering.write_durably, []

def writes(path, content):
    if moment == f"before note {len(written) + 1}":
        die()
    write(path, content)
    written.append(path)
    if moment == f"after note {len(written)}":
        die()

delivering.write_durably = writes
delivering.deliver(Path(sys.argv[1]), {"state": "succeeded"})
"""


def make_job(root: Path, targets: tuple[str, ...], points: int = 0, **plan: Any) -> Path:
    """A job's folder as the submit leaves it."""
    folder = root / "abcdefghij"
    folder.mkdir()
    spec = {"id": folder.name, "name": "scan", "backend": "slurm", "output_folder": "/out"}
    (folder / "job.json").write_text(json.dumps({**spec, "points": points}))
    (folder / delivering.PLAN).write_text(json.dumps({"targets": targets, **plan}))
    return folder


def make_sweep(root: Path, web: WebServer, points: int) -> Path:
    """The same of a sweep that tells a web address."""
    hooks = {"hosts": [web.place], "private": True}
    return make_job(root, (f"http://{web.place}/",), points, webhooks=hooks)


def end(folder: Path, point: int, state: str = "succeeded") -> AttemptFolder:
    """A point that has ended; nobody was told of it yet."""
    attempt = AttemptFolder(folder / "points" / str(point) / "attempts" / "1")
    attempt.path.mkdir(parents=True, exist_ok=True)
    told = {
        "state": state,
        "started_at": f"2026-11-22T01:00:{point:02}.000+00:00",
        "ended_at": f"2026-11-22T01:01:{point:02}.000+00:00",
        "usage": {"peak_memory": 1000 + point, "cpu_seconds": 0.5},
        "output": f"/out/{point}",
    }
    attempt.end.write_text(json.dumps(told))
    return attempt


def test_points_that_end_at_once_on_many_machines_send_one_digest(
    tmp_path: Path, web: WebServer
) -> None:
    folder = make_sweep(tmp_path, web, 12)
    for point in range(12):
        end(folder, point, "failed" if point == 5 else "succeeded")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ENDS, str(folder), *map(str, range(first, 12, 4))],
            stdin=subprocess.PIPE,
        )
        for first in range(4)
    ]
    for one in running:
        one.communicate(b"x")
        assert one.returncode == 0
    (body,) = web.bodies
    assert body["job"]["sweep"] == {
        "points": 12, "throttle": None, "succeeded": 11, "failed": 1, "cancelled": 0,
    }  # fmt: skip
    assert body["job"]["reason"] == {"code": "points-failed", "text": "1 of 12 points failed."}
    assert (body["job"]["started_at"], body["job"]["ended_at"]) == (
        "2026-11-22T01:00:00.000+00:00",
        "2026-11-22T01:01:11.000+00:00",
    )
    assert body["job"]["usage"] == {"peak_memory": 1011, "cpu_seconds": 6.0}
    assert "Of 12 points: 11 succeeded, 1 failed, 0 cancelled." in body["text"]
    assert delivering.settled(folder)


def test_nothing_is_sent_before_the_last_point_whatever_ends_again(
    tmp_path: Path, web: WebServer
) -> None:
    folder = make_sweep(tmp_path, web, 2)
    first = end(folder, 0)
    after_the_end(first)
    after_the_end(first)
    after_the_end(end(folder, 1, "evicted"))
    assert web.bodies == []
    assert not delivering.settled(folder)
    after_the_end(end(folder, 1))
    after_the_end(first)
    assert len(web.bodies) == 1


def test_a_point_whose_machine_died_before_it_was_noted_is_found(
    tmp_path: Path, web: WebServer
) -> None:
    folder = make_sweep(tmp_path, web, 3)
    end(folder, 1)  # and killed right then
    after_the_end(end(folder, 0))
    after_the_end(end(folder, 2, "cancelled"))
    (body,) = web.bodies
    assert body["job"]["sweep"]["succeeded"] == 2
    assert body["job"]["state"] == "cancelled"


def test_a_lost_point_leaves_the_digest_to_whoever_looks(tmp_path: Path, web: WebServer) -> None:
    folder = make_sweep(tmp_path, web, 3)
    after_the_end(end(folder, 0))
    after_the_end(end(folder, 2))
    assert web.bodies == []
    lost = {"state": "failed", "sweep": {"points": 3, "succeeded": 2, "failed": 1, "cancelled": 0}}
    assert delivering.deliver(folder, lost)
    after_the_end(end(folder, 1))  # it was not lost after all
    (body,) = web.bodies
    assert body["job"]["sweep"]["failed"] == 1


@pytest.mark.parametrize("harm", ["", "[]", "{}", '{"states": "ss"}'])
def test_a_damaged_note_of_ends_is_owed_or_made_anew(
    tmp_path: Path, web: WebServer, harm: str
) -> None:
    folder = make_sweep(tmp_path, web, 3)
    for point in range(3):
        end(folder, point)
    (folder / digest.NAME).write_text(harm)
    after_the_end(end(folder, 0))
    assert len(web.bodies) == 1


def test_where_no_machine_can_send_it_is_owed(tmp_path: Path, web: WebServer) -> None:
    folder = make_sweep(tmp_path, web, 1)
    plan = json.loads((folder / delivering.PLAN).read_text())
    dead = {**plan, "targets": ["http://127.0.0.1:9/"]}
    dead["webhooks"] = {"hosts": ["127.0.0.1:9"], "private": True}
    (folder / delivering.PLAN).write_text(json.dumps(dead))
    after_the_end(end(folder, 0))
    assert not delivering.settled(folder)
    assert "It is tried again" in delivering.fates(folder)[0][1]
    # the next server that looks, when it is time
    (folder / delivering.PLAN).write_text(json.dumps(plan))
    (folder / "notices" / "0.json").unlink()
    assert delivering.deliver(folder, {"state": "succeeded"})
    assert len(web.bodies) == 1


@pytest.mark.parametrize(
    ("moment", "least"),
    [
        ("before note 1", 1),  # nothing went out: it is sent by the next one
        ("after note 1", 0),  # it may have gone out
        ("before note 2", 1),  # it was taken, and that was not written down
        ("after note 2", 1),
    ],
)
@pytest.mark.parametrize("way", ["web", "mail"])
def test_killed_at_whatever_moment_it_is_never_sent_twice(
    tmp_path: Path, web: WebServer, post_office: MailServer, way: str, moment: str, least: int
) -> None:
    settings = {"host": post_office.place, "sender": "a@b.example", "to": "x@y.example"}
    folder = make_job(
        tmp_path,
        ("mail" if way == "mail" else f"http://{web.place}/",),
        mail={**settings, "security": "none"},
        webhooks={"hosts": [web.place], "private": True},
    )
    died = subprocess.run([sys.executable, "-c", DIES, str(folder), moment], check=False)
    assert died.returncode == -signal.SIGKILL
    for _ in range(3):
        assert delivering.deliver(folder, {"state": "succeeded"})
    assert len(web.bodies) + len(post_office.letters) == least
    assert delivering.settled(folder)
    told = delivering.fates(folder)[0][1]
    doubtful = moment in ("after note 1", "before note 2")
    assert told.startswith("perhaps delivered" if doubtful else "sent")


def test_a_receiver_that_hangs_up_without_a_word_may_have_it(web: WebServer) -> None:
    web.statuses = [0]
    here = HookPolicy(hosts=(web.place,), private=True)
    with pytest.raises(Perhaps):
        post(f"http://{web.place}/", b"{}", here, "x")
    assert len(web.bodies) == 1


def test_a_disk_that_is_full_sends_nothing(tmp_path: Path, web: WebServer) -> None:
    folder = make_sweep(tmp_path, web, 0)
    (folder / "notices").write_text("no folder can be made here")
    with pytest.raises(OSError, match="exists"):
        delivering.deliver(folder, {"state": "succeeded"})
    assert web.bodies == []


def test_a_mail_server_that_wants_to_wait_is_asked_again(
    tmp_path: Path, post_office: MailServer
) -> None:
    post_office.refuses = b"450 greylisted\r\n"
    settings = {"host": post_office.place, "sender": "a@b.example", "to": "x@y.example"}
    folder = make_job(tmp_path, ("mail",), mail={**settings, "security": "none"})
    assert not delivering.deliver(folder, {"state": "succeeded"})
    assert "try later (450)" in delivering.fates(folder)[0][1]


def test_a_goodbye_that_is_lost_is_no_second_letter(
    tmp_path: Path, post_office: MailServer
) -> None:
    post_office.goodbye = b"421 going down\r\n"
    settings = {"host": post_office.place, "sender": "a@b.example", "to": "x@y.example"}
    folder = make_job(tmp_path, ("mail",), mail={**settings, "security": "none"})
    assert delivering.deliver(folder, {"state": "succeeded"})
    assert delivering.fates(folder) == [("mail", "sent")]
    assert len(post_office.letters) == 1
