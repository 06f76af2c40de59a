"""The program beside a real Jupyter server whose page is played by a websocket client."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import nbformat
import pytest
import websocket

pytestmark = pytest.mark.slow

PATIENCE = 60


class Lab:
    """A real server on ``root``, and a page that saves notebooks when it is asked to."""

    def __init__(self, env: dict[str, str], root: Path) -> None:
        self.token = secrets.token_hex(16)
        self.root = root
        self.saved: list[dict[str, Any]] = []
        self.save: Callable[[dict[str, Any]], dict[str, Any]] = self.not_open
        self.errors = (root.parent / "server.log").open("w")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyter_server", f"--ServerApp.root_dir={root}",
                "--no-browser", "--ServerApp.port=0", "--ServerApp.allow_root=True",
                "--ServerApp.jpserver_extensions={'jupyter_mlinfn': True}",
            ],
            env={**env, "JUPYTER_TOKEN": self.token},
            stdout=self.errors, stderr=self.errors,
        )  # fmt: skip
        self.runtime = Path(env["JUPYTER_RUNTIME_DIR"])
        self.url = self.wait_for(self.address)
        self.wait_for(self.answers)
        self.page: websocket.WebSocket | None = None

    @staticmethod
    def wait_for(look: Callable[[], Any]) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if seen := look():
                return seen
            time.sleep(0.05)
        raise AssertionError("waited in vain")

    def address(self) -> str | None:
        assert self.process.poll() is None, (self.root.parent / "server.log").read_text()
        for file in self.runtime.glob("jpserver-*.json"):
            try:
                return str(json.loads(file.read_text())["url"])
            except ValueError:
                return None
        return None

    def answers(self) -> bool:
        """The runtime file is written before the server listens."""
        try:
            self.ask("GET", "api/status")
        except OSError:
            return False
        return True

    def ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = Request(
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
            method=verb,
        )
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")

    def open_page(self) -> None:
        """Attach the page; from now on there is a runtime file."""
        address = self.url.replace("http", "ws", 1) + f"mlinfn/live?token={self.token}"
        self.page = websocket.create_connection(address, timeout=PATIENCE)
        self.page.send(json.dumps({"type": "subscribe", "topic": "jobs"}))
        threading.Thread(target=self.listen, daemon=True).start()
        self.wait_for(lambda: list(self.runtime.glob("mlinfn-*.json")))

    def listen(self) -> None:
        assert self.page is not None
        while True:
            try:
                frame = json.loads(self.page.recv())
            except (websocket.WebSocketException, OSError, ValueError):
                return
            if frame["type"] == "save":
                self.saved.append(frame)
                said = {"type": "saved", "request": frame["request"], **self.save(frame)}
                self.page.send(json.dumps(said))

    @staticmethod
    def not_open(frame: dict[str, Any]) -> dict[str, Any]:
        return {"ok": False, "error": "not-open"}

    def close(self) -> None:
        if self.page is not None:
            self.page.close()
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.errors.close()


@pytest.fixture
def lab(program) -> Iterator[Lab]:
    made = Lab(program.env, program.home)
    yield made
    made.close()


def write_code(path: Path, code: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = code
    nbformat.write(notebook, path)


def test_unsaved_edits_are_saved_by_the_page_and_submitted(program, lab: Lab, notebook) -> None:
    def save(frame: dict[str, Any]) -> dict[str, Any]:
        write_code(notebook, "print('edited in the page', rate)")
        return {"ok": True, "path": "fit.ipynb"}

    lab.save = save
    lab.open_page()
    ended = program.run("submit", str(notebook), "--json")
    assert ended.code == 0, ended.err
    assert "fit.ipynb was saved in JupyterLab at" in ended.err
    assert lab.saved[0]["path"] == "fit.ipynb"
    folder = program.home / "data" / "mlinfn" / "jobs" / ended.json["id"]
    assert "edited in the page" in (folder / "bundle" / "notebook.ipynb").read_text()


def test_a_notebook_that_is_not_open_is_submitted_as_saved(program, lab: Lab, notebook) -> None:
    lab.open_page()
    ended = program.run("submit", str(notebook), "--dry-run")
    assert ended.code == 0, ended.err
    assert "fit.ipynb is submitted as saved at" in ended.err
    assert len(lab.saved) == 1


def test_a_page_that_could_not_save_stops_the_submit(program, lab: Lab, notebook) -> None:
    lab.save = lambda frame: {"ok": False, "error": "the disk is full"}
    lab.open_page()
    ended = program.run("submit", str(notebook), "--json")
    assert ended.code == 1
    assert ended.json["error"]["code"] == "not-saved"
    assert "the disk is full" in ended.err
    assert program.run("jobs", "--json").json["jobs"] == []


def test_a_kernel_finds_its_notebook_after_a_rename(program, lab: Lab, notebook) -> None:
    session = lab.ask(
        "POST",
        "api/sessions",
        {"path": "fit.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}},
    )
    lab.ask("PATCH", "api/contents/fit.ipynb", {"path": "renamed.ipynb"})
    lab.ask("PATCH", f"api/sessions/{session['id']}", {"path": "renamed.ipynb"})
    kernel = session["kernel"]["id"]

    def save(frame: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "path": "renamed.ipynb"}

    lab.save = save
    lab.open_page()
    ended = program.run("submit", "--from-kernel", kernel, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["source"] == str(program.home / "renamed.ipynb")
    assert lab.saved[0]["kernel_id"] == kernel


def test_a_kernel_nobody_knows_is_told_so(program, lab: Lab) -> None:
    lab.open_page()
    ended = program.run("submit", "--from-kernel", "0123-4567", "--json")
    assert ended.code == 2
    assert ended.json["error"]["code"] == "notebook-unknown"
    assert "%mlinfn submit NAME.ipynb" in ended.err


def test_program_and_server_see_the_same_jobs(program, lab: Lab, notebook) -> None:
    alone = program.run("submit", str(notebook), "--json").json["id"]
    body = {"source": "fit.ipynb", "parameters": {"rate": 2}}
    by_http = lab.ask("POST", "mlinfn/api/v1/jobs", body)["id"]
    listed = {job["id"] for job in program.run("jobs", "--json").json["jobs"]}
    served = {job["id"] for job in lab.ask("GET", "mlinfn/api/v1/jobs")["jobs"]}
    assert listed == served == {alone, by_http}


def test_the_doctor_sees_the_page(program, lab: Lab) -> None:
    def seen() -> dict[str, Any]:
        checks = program.run("doctor", "--json").json["checks"]
        return next(check for check in checks if check["name"] == "jupyterlab")

    assert seen()["state"] == "missing"
    lab.open_page()
    assert seen()["state"] == "ok"
    assert str(program.home) in seen()["text"]
