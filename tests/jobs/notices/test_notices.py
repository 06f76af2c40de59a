"""Telling people of the end of a job: once, to a real mail server and a real web server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.notices import delivering, mail, webhook
from jupyter_mlinfn.jobs.notices.webhook import HookPolicy, Undelivered, is_public, refusal
from jupyter_mlinfn.jobs.rows import change
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.model.sweeps import Sweep
from tests.jobs.backends.desk import Desk
from tests.jobs.notices.listening import MailServer, WebServer
from tests.jobs.workplace import code, write_notebook

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(
    tmp_path: Path, post_office: MailServer, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk whose administrator named both servers."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    made = Desk(
        tmp_path,
        "local",
        f"c.Mlinfn.mail_host = '{post_office.place}'\n"
        "c.Mlinfn.mail_sender = 'jobs@lab.example'\n"
        "c.Mlinfn.mail_to = 'ada@lab.example'\n"
        "c.Mlinfn.mail_security = 'none'\n"
        f"c.Mlinfn.webhook_hosts = ['{web.place}']\n"
        "c.Mlinfn.webhook_private = True\n",
    )
    yield made
    made.close()


def until(told: list[object], count: int, desk: Desk) -> None:
    """Look as a server does until so many notices came."""
    limit = time.monotonic() + 20
    while len(told) < count:
        assert time.monotonic() < limit
        desk.bench.reconciler.run_once()
        time.sleep(0.1)


def looks(desk: Desk, times: int = 3) -> None:
    """Several looks, each of which would send what is owed."""
    for _ in range(times):
        errands = desk.bench.reconciler.errands
        errands._next = 0.0
        errands.look()
        errands.finish(10)


def until_paid(desk: Desk) -> None:
    """Look until nothing is owed: whoever sends writes down a moment later that it was sent."""
    limit = time.monotonic() + 30
    while owes(desk):
        assert time.monotonic() < limit
        looks(desk, 1)
        time.sleep(0.05)


def until_noted(folder: Path) -> None:
    """Wait until it is written down of every notice what became of it, for now."""
    limit = time.monotonic() + 30
    while {text for _, text in delivering.fates(folder)} & {"not sent yet", "being sent"}:
        assert time.monotonic() < limit
        time.sleep(0.05)


def owes(desk: Desk) -> bool:
    return bool(desk.bench.reconciler.errands._owed())


def test_a_job_tells_of_its_end_once(desk: Desk, post_office: MailServer, web: WebServer) -> None:
    url = f"http://{web.place}/hook/KEY-OF-THE-HOOK?room=1"
    job = desk.submit("print(1)", notify=("mail", url, "lab"))
    desk.until(job.id, "succeeded")
    until(post_office.letters, 1, desk)  # type: ignore[arg-type]
    until(web.bodies, 1, desk)  # type: ignore[arg-type]
    looks(desk)
    (letter,) = post_office.letters
    assert (letter["From"], letter["To"]) == ("jobs@lab.example", "ada@lab.example")
    assert letter["Subject"] == "Job study succeeded"
    assert f"study ({job.id}) succeeded after" in letter.get_content()
    (body,) = web.bodies
    assert web.paths == ["/hook/KEY-OF-THE-HOOK?room=1"]
    assert (body["event"], body["job"]["id"], body["job"]["state"]) == (
        *("job-ended", job.id),
        "succeeded",
    )
    assert body["job"]["attempts"] == 1
    until_paid(desk)


def test_the_supervisor_tells_while_nobody_looks(desk: Desk, web: WebServer) -> None:
    job = desk.submit("1 / 0", notify=(f"http://{web.place}/",))
    limit = time.monotonic() + 40
    while not web.bodies:
        assert time.monotonic() < limit, desk.story(job.id)
        time.sleep(0.1)
    assert web.bodies[0]["job"]["reason"]["code"] == "notebook-error"
    desk.until(job.id, "failed")
    looks(desk)
    assert len(web.bodies) == 1


def test_nothing_of_a_web_address_but_its_host_is_shown(desk: Desk, web: WebServer) -> None:
    url = f"http://{web.place}/KEY-OF-THE-HOOK"
    job = desk.submit("print(1)", notify=(url,))
    assert job.notify == ("https://127.0.0.1/…",)
    desk.until(job.id, "succeeded")
    details = desk.bench.actions.details(job.id)
    assert "KEY-OF-THE-HOOK" not in details.model_dump_json()
    database = b"".join(path.read_bytes() for path in desk.bench.database.parent.glob("jobs.sq*"))
    assert b"KEY-OF-THE-HOOK" not in database
    # a rerun still knows where to
    again = desk.bench.folders.read_request(job.id)
    assert again.notify == (url,)


def test_a_job_that_never_ran_is_told_of_by_whoever_looks(desk: Desk, web: WebServer) -> None:
    first = desk.submit("import time; time.sleep(60)")
    job = desk.submit("print(1)", after=(first.id,), notify=(f"http://{web.place}/",))
    desk.bench.actions.cancel(job.id)
    desk.until(job.id, "cancelled")
    desk.bench.actions.cancel(first.id)
    until(web.bodies, 1, desk)  # type: ignore[arg-type]
    assert web.bodies[0]["job"]["state"] == "cancelled"
    desk.until(first.id, "cancelled")


def test_a_sweep_sends_one_digest(desk: Desk, web: WebServer) -> None:
    job = desk.submit(
        "assert lr < 3",
        cell="lr = 0",
        sweep=Sweep(axes={"lr": (1, 2, 3)}),
        notify=(f"http://{web.place}/",),
    )
    desk.until(job.id, "failed", within=120)
    until(web.bodies, 1, desk)  # type: ignore[arg-type]
    looks(desk)
    (body,) = web.bodies
    assert body["job"]["sweep"]["failed"] == 1
    assert "Of 3 points: 2 succeeded, 1 failed, 0 cancelled." in body["text"]


def test_what_fails_for_now_is_tried_again_and_only_that(
    desk: Desk, web: WebServer, post_office: MailServer
) -> None:
    web.statuses = [503]
    job = desk.submit("print(1)", notify=("mail", f"http://{web.place}/"))
    desk.until(job.id, "succeeded")
    until(web.bodies, 1, desk)  # type: ignore[arg-type]
    folder = desk.bench.folders.job(job.id)
    until_noted(folder)
    looks(desk)
    assert len(web.bodies) == 1  # not at once
    assert owes(desk)
    assert delivering.fates(folder)[1][1].startswith("not delivered: It answers with the status")
    state = folder / "notices" / "1.json"
    note = json.loads(state.read_text())
    state.write_text(json.dumps({**note, "not_before": 0}))
    looks(desk)
    assert len(web.bodies) == 2
    assert len(set(web.keys)) == 1  # the receiver can tell that it is the same
    assert len(post_office.letters) == 1
    until_paid(desk)


def test_a_lost_index_does_not_tell_again(desk: Desk, web: WebServer) -> None:
    job = desk.submit("print(1)", notify=(f"http://{web.place}/",))
    desk.until(job.id, "succeeded")
    until(web.bodies, 1, desk)  # type: ignore[arg-type]
    until_paid(desk)
    desk.bench.store.close()
    for path in desk.bench.database.parent.glob("jobs.sq*"):
        path.unlink()
    # what is made anew owes it, until the first look reads what became of it
    assert desk.look(job.id).state == "succeeded"
    looks(desk)
    until_paid(desk)
    assert len(web.bodies) == 1


def test_a_draft_says_what_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    desk = Desk(tmp_path, "local")
    notebook = write_notebook(desk.work / "n.ipynb", code("1"))
    targets = ("lab", "mail", "http://hooks.example.org/x", "https://me:pw@example.org/")
    request = JobRequest(source=str(notebook), notify=targets, backend="local")
    problems = desk.bench.submission.draft(request).problems
    assert [one.field for one in problems] == ["notify.1", "notify.2", "notify.3"]
    with pytest.raises(InputError):
        desk.bench.submission.submit(request)
    desk.close()


# --- where nothing may be sent ------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1"),
        *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1"),
        "2001:0:53aa:64c:0:fbff:0:1",
    ],
)
def test_no_private_address_in_any_form(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.org/", "ftp://example.org/", "https://", "https://a b/", "nonsense"),
        *("https://example.org:22/", "https://me:pw@example.org/", "https://example.org:x/"),
        "https://exämple.org/",
    ],
)
def test_addresses_that_are_refused_unasked(url: str) -> None:
    assert refusal(url, HookPolicy())


def test_only_named_hosts_where_there_are_any() -> None:
    named = HookPolicy(hosts=("hooks.example.org", "other.example.org:8443"))
    assert not refusal("https://hooks.example.org/x", named)
    assert not refusal("https://other.example.org:8443/x", named)
    assert refusal("https://hooks.example.org:8443/x", named)
    assert refusal("https://example.org/", named)
    assert refusal("http://hooks.example.org/", named)


def test_a_name_for_a_private_address_is_not_asked(web: WebServer) -> None:
    host = "localhost"
    open_policy = HookPolicy(hosts=(f"{host}:{web.server_address[1]}",))
    url = f"https://{host}:{web.server_address[1]}/"
    with pytest.raises(Undelivered, match="private network") as caught:
        webhook.post(url, b"{}", open_policy, "x")
    assert caught.value.final
    assert web.bodies == []


def test_no_redirect_is_followed(web: WebServer) -> None:
    web.statuses = [302]
    here = HookPolicy(hosts=(web.place,), private=True)
    with pytest.raises(Undelivered, match="not followed"):
        webhook.post(f"http://{web.place}/", b"{}", here, "x")
    assert web.paths == ["/"]


def test_no_proxy_is_asked(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    here = HookPolicy(hosts=(web.place,), private=True)
    webhook.post(f"http://{web.place}/", b"{}", here, "x")
    assert len(web.bodies) == 1


def test_a_mail_address_cannot_add_headers(post_office: MailServer) -> None:
    told = {"host": post_office.place, "sender": "a@b.example", "security": "none"}
    with pytest.raises(Undelivered) as caught:
        mail.send({**told, "to": "x@y.example\nBcc: z@y.example"}, "s", "t", "d")
    assert caught.value.final
    mail.send({**told, "to": "x@y.example"}, "one\nBcc: z@y.example", "t", "d")
    (letter,) = post_office.letters
    assert letter["Bcc"] is None
    assert letter["Subject"] == "one Bcc: z@y.example"


def test_a_refused_recipient_is_final_and_a_silent_server_is_not(post_office: MailServer) -> None:
    told = {"host": post_office.place, "sender": "a@b.example", "to": "x@y.example"}
    post_office.refuses = b"550 no such person\r\n"
    with pytest.raises(Undelivered) as caught:
        mail.send({**told, "security": "none"}, "s", "t", "d")
    assert caught.value.final
    with pytest.raises(Undelivered) as caught:
        # it speaks no TLS, so nothing is told in the clear
        mail.send({**told, "security": "starttls"}, "s", "t", "d")
    assert not caught.value.final
    assert post_office.letters == []


def test_only_one_of_two_senders_sends(desk: Desk, web: WebServer) -> None:
    job = desk.submit("print(1)")
    desk.until(job.id, "succeeded")
    folder = desk.bench.folders.job(job.id)
    plan = {"targets": [f"http://{web.place}/"], "webhooks": {"hosts": [web.place], "private": 1}}
    (folder / delivering.PLAN).write_text(json.dumps(plan))
    from jupyter_mlinfn.process import locks

    held = locks.acquire(folder / "notices.lock")
    assert held is not None
    assert not delivering.deliver(folder, {"state": "succeeded"})
    os.close(held)
    assert delivering.deliver(folder, {"state": "succeeded"})
    assert delivering.deliver(folder, {"state": "succeeded"})
    assert len(web.bodies) == 1


LOOKS = """
import sys
from jupyter_mlinfn.settings import load_settings
from jupyter_mlinfn.workbench import Workbench
Workbench(load_settings()).reconciler.run_once()
"""


def test_a_program_that_ends_waits_for_what_it_sends(desk: Desk, web: WebServer) -> None:
    web.seconds = 1.0
    job = desk.submit("print(1)")
    desk.until(job.id, "succeeded")
    folder = desk.bench.folders.job(job.id)
    plan = {"targets": [f"http://{web.place}/"], "webhooks": {"hosts": [web.place], "private": 1}}
    (folder / delivering.PLAN).write_text(json.dumps(plan))
    with desk.bench.store.index.write() as connection:
        change(connection, job.id, owes=True)
    subprocess.run([sys.executable, "-c", LOOKS], check=True)
    limit = time.monotonic() + 20
    while not delivering.settled(folder):  # the dispatcher may be the one that sends it
        assert time.monotonic() < limit, delivering.fates(folder)
        time.sleep(0.1)
    assert delivering.fates(folder)[0][1] == "sent"
    assert len(web.bodies) == 1
