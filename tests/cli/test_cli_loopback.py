"""Runtime files that are not to be trusted, and servers that answer oddly.

The servers here are the odd ones; the real one is in ``test_cli_with_lab.py``.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_mlinfn.cli import server
from jupyter_mlinfn.cli.loopback import is_loopback, post
from jupyter_mlinfn.model.errors import Conflict, InputError

Reply = Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Reply], str]]:
    """``odd(reply)`` starts a server on loopback that answers what ``reply`` says."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    running: list[ThreadingHTTPServer] = []

    def start(reply: Reply) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status, headers, body = reply(self)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        running.append(made)
        threading.Thread(target=made.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{made.server_port}/base/"

    yield start
    for made in running:
        made.shutdown()
        made.server_close()


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    return folder


def announce(folder: Path, root: Path, url: str = "http://127.0.0.1:1/", **more: Any) -> Path:
    said = {"url": url, "secret": "s3cret", "root_dir": str(root), "pid": os.getpid(), **more}
    file = folder / f"mlinfn-{said['pid']}.json"
    file.write_text(json.dumps(said))
    file.chmod(0o600)
    return file


def dead_pid() -> int:
    return next(pid for pid in range(400_000, 500_000) if not psutil.pid_exists(pid))


def test_a_good_file_is_read(runtime: Path, tmp_path: Path) -> None:
    announce(runtime, tmp_path)
    assert [found.root for found in server.attached()] == [tmp_path]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.chmod(0o640),
        lambda file: file.write_text("{"),
        lambda file: file.write_text("[]"),
        lambda file: file.write_text('{"url": 1}'),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: (file.rename(file.parent / "elsewhere"), file.symlink_to("elsewhere")),
        lambda file: (file.unlink(), os.mkfifo(file, 0o600)),
        lambda file: (file.unlink(), file.mkdir(0o700)),
    ],
    ids=["readable-by-group", "half", "list", "fields", "binary", "link", "fifo", "folder"],
)
def test_a_file_that_is_not_ours_alone_or_damaged_is_left_out(
    runtime: Path, tmp_path: Path, spoil: Callable[[Path], Any]
) -> None:
    spoil(announce(runtime, tmp_path))
    assert server.attached() == []


def test_a_dead_servers_file_is_left_out(runtime: Path, tmp_path: Path) -> None:
    announce(runtime, tmp_path, pid=dead_pid())
    announce(runtime, tmp_path, pid=0)
    announce(runtime, tmp_path, pid=-1)
    announce(runtime, tmp_path, pid=2**70)
    assert server.attached() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.1:8888/",
        "http://127.0.0.1.example.org/",
        "http://localhost@192.0.2.1/",
        "http://user:pass@127.0.0.1/",
        "file:///etc/passwd",
        "http+unix://%2Ftmp%2Fsock/",
        "//127.0.0.1/",
        "",
        "http://[::1",
    ],
)
def test_the_secret_never_leaves_this_machine(url: str, runtime: Path, tmp_path: Path) -> None:
    assert not is_loopback(url)
    announce(runtime, tmp_path, url=url)
    assert server.attached() == []
    assert post(url, {}, headers={}, timeout=1) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:8888/", "https://[::1]:1/x", "http://localhost"])
def test_this_machine_is_known_by_all_its_names(url: str) -> None:
    assert is_loopback(url)


def test_a_redirect_is_not_followed(odd: Callable[[Reply], str]) -> None:
    seen: list[str] = []
    elsewhere = odd(lambda request: (seen.append("asked"), (200, {}, b"{}"))[1])
    url = odd(lambda request: (307, {"Location": elsewhere}, b""))
    answer = post(url, {}, headers={"X-Mlinfn-Secret": "s3cret"}, timeout=5)
    assert answer is not None
    assert answer.status == 307
    assert seen == []


def test_a_notebook_outside_of_the_root_is_not_asked_for(
    odd: Callable[[Reply], str], runtime: Path, tmp_path: Path
) -> None:
    asked: list[str] = []
    url = odd(lambda request: (asked.append("x"), (200, {}, b"{}"))[1])
    (tmp_path / "root").mkdir()
    outside = tmp_path / "root-secret" / "fit.ipynb"
    outside.parent.mkdir()
    outside.write_text("{}")
    announce(runtime, tmp_path / "root", url=url)
    assert not server.save_notebook(outside).by_lab
    assert asked == []


def answer_of(status: int, document: Any) -> Reply:
    return lambda request: (status, {}, json.dumps(document).encode())


@pytest.mark.parametrize(
    "reply",
    [
        answer_of(404, {"code": "not-found"}),
        answer_of(403, {"code": "refused"}),
        answer_of(500, {}),
        answer_of(200, {}),
        answer_of(200, ["a", "list"]),
        answer_of(
            200, {"path": "gone.ipynb", "saved_at": "2026-01-01T00:00:00Z", "saved_by": "lab"}
        ),
        answer_of(200, {"path": "fit.ipynb", "saved_at": "yesterday", "saved_by": "lab"}),
        lambda request: (200, {}, b"<html>"),
        lambda request: (200, {}, b"\xff" * 100),
    ],
)
def test_an_odd_answer_means_as_saved_on_disk(
    odd: Callable[[Reply], str], runtime: Path, tmp_path: Path, reply: Reply
) -> None:
    path = tmp_path / "fit.ipynb"
    path.write_text("{}")
    announce(runtime, tmp_path, url=odd(reply))
    saved = server.save_notebook(path)
    assert saved.path == path
    assert not saved.by_lab
    assert "is submitted as saved at" in saved.sentence()


def test_a_page_that_cannot_save_stops_the_submit(
    odd: Callable[[Reply], str], runtime: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fit.ipynb"
    path.write_text("{}")
    detail = {"detail": "JupyterLab could not save: disk full.", "code": "not-saved"}
    announce(runtime, tmp_path, url=odd(answer_of(409, detail)))
    with pytest.raises(Conflict, match="disk full") as raised:
        server.save_notebook(path)
    assert raised.value.code == "not-saved"


def test_the_kernel_names_the_notebook_under_its_present_name(
    odd: Callable[[Reply], str], runtime: Path, tmp_path: Path
) -> None:
    asked: list[dict[str, str | None]] = []

    def reply(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        asked.append({"secret": request.headers["X-Mlinfn-Secret"], "path": request.path})
        said = {"path": "new.ipynb", "saved_at": "2026-01-01T10:00:00+00:00", "saved_by": "lab"}
        return 200, {}, json.dumps(said).encode()

    (tmp_path / "new.ipynb").write_text("{}")
    announce(runtime, tmp_path, url=odd(reply))
    saved = server.notebook_of("kernel-1")
    assert saved.path == tmp_path / "new.ipynb"
    assert "was saved in JupyterLab at" in saved.sentence()
    assert asked == [{"secret": "s3cret", "path": "/base/mlinfn/api/v1/notebooks/save"}]


def test_without_a_page_the_name_from_the_kernels_start_counts_while_it_exists(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fit.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    with pytest.raises(InputError) as raised:
        server.notebook_of("kernel-1")
    assert raised.value.code == "notebook-unknown"
    path.write_text("{}")
    assert server.notebook_of("kernel-1").path == path
