"""``mlinfn env``: the real program, the real engine, a real channel; no server runs here."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ended, Program
from tests.cli.terminals import at_terminal, end_of

pytestmark = pytest.mark.slow

__all__ = ["at_terminal"]  # a fixture

TINY = ("python", "greeting=1.0")


@pytest.fixture
def desk(program: Program, small_channel: Path) -> Program:
    """A home whose channel is the small one."""
    return configured(program, small_channel.as_uri())


def configured(program: Program, channel: str) -> Program:
    config = program.home / "config"
    config.mkdir(exist_ok=True)
    (config / "jupyter_mlinfn_config.py").write_text(f"c.Mlinfn.channels = ['{channel}']\n")
    return program


@pytest.fixture
def mine(desk: Program) -> Program:
    """The same with an environment ``mine``."""
    done(desk.run("env", "create", "mine", *TINY, "--yes"))
    return desk


def done(ended: Ended) -> Ended:
    assert ended.code == 0, f"{ended.out}\n{ended.err}"
    return ended


def environments(program: Program) -> Path:
    return program.home / "data" / "mlinfn" / "environments"


def names(program: Program) -> set[str]:
    listed = program.run("env", "list", "--json").json["environments"]
    return {row["name"] for row in listed if row["kind"] == "own"}


def versions(program: Program, name: str) -> dict[str, str]:
    shown = program.run("env", "show", name, "--json").json
    return {package["name"]: package["version"] for package in shown["packages"]}


def states(program: Program, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = program.run("env", "history", name, "--json").json["states"]
    return found


def test_the_life_of_an_environment(desk: Program) -> None:
    made = done(desk.run("env", "create", "mine", *TINY, "--yes", "--json")).json
    assert (made["state"], made["action"]) == ("succeeded", "create")
    assert "mine" in made["result"]["text"]
    assert versions(desk, "mine")["greeting"] == "1.0"

    added = done(desk.run("env", "add", "mine", "greeting=2.0", "--yes"))
    assert "greeting" in added.out
    assert versions(desk, "mine")["greeting"] == "2.0"
    newest, first = states(desk, "mine")
    assert (newest["current"], first["current"]) == (True, False)

    done(desk.run("env", "undo", "mine", "--yes"))
    assert versions(desk, "mine")["greeting"] == "1.0"
    done(desk.run("env", "undo", "mine", "--to", newest["digest"][7:19], "--yes"))
    assert versions(desk, "mine")["greeting"] == "2.0"
    done(desk.run("env", "remove", "mine", "greeting", "--yes"))
    assert "greeting" not in versions(desk, "mine")

    done(desk.run("env", "delete", "mine", "--yes"))
    assert names(desk) == set()
    assert not (environments(desk) / "own" / "mine").exists()


def test_undoing_twice_goes_further_back(mine: Program) -> None:
    done(mine.run("env", "add", "mine", "greeting=2.0", "--yes"))
    done(mine.run("env", "add", "mine", "wants-old", "--yes"))
    third, second, first = (state["digest"] for state in states(mine, "mine"))
    done(mine.run("env", "undo", "mine", "--yes"))
    assert states(mine, "mine")[0]["digest"] == second
    done(mine.run("env", "undo", "mine", "--yes"))
    assert states(mine, "mine")[0]["digest"] == first
    ended = mine.run("env", "undo", "mine", "--yes", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "no-earlier-state")
    done(mine.run("env", "undo", "mine", "--to", third, "--yes"))
    assert states(mine, "mine")[0]["digest"] == third


def test_clone_change_and_compare(mine: Program) -> None:
    done(mine.run("env", "clone", "mine", "copy", "--add", "greeting=2.0", "--yes"))
    assert versions(mine, "mine")["greeting"] == "1.0"
    assert versions(mine, "copy")["greeting"] == "2.0"
    same = mine.run("env", "diff", "mine", "mine", "--json")
    assert (same.code, same.json["change"]["changed"]) == (0, [])
    other = mine.run("env", "diff", "mine", "copy", "--json")
    assert other.code == 1
    (changed,) = other.json["change"]["changed"]
    assert (changed["name"], changed["before"][:3], changed["after"][:3]) == (
        "greeting", "1.0", "2.0",
    )  # fmt: skip
    assert "greeting" in mine.run("env", "diff", "mine", "copy").out


def test_what_is_exported_makes_the_same_environment_again(mine: Program) -> None:
    digest = states(mine, "mine")[0]["digest"]
    for number, form in enumerate(("conda-lock.yml", "explicit")):
        file = "explicit.txt" if form == "explicit" else form
        done(mine.run("env", "export", "mine", "--form", form, "-o", file))
        done(mine.run("env", "create", f"again{number}", "--file", file, "--yes"))
        assert states(mine, f"again{number}")[0]["digest"] == digest
        assert mine.run("env", "diff", "mine", f"./{file}").code == 0
    text = done(mine.run("env", "export", "mine")).out
    assert "greeting=1.0" in text
    (mine.home / "wish.yml").write_text(text)
    done(mine.run("env", "create", "third", "--file", "wish.yml", "--yes"))
    assert states(mine, "third")[0]["digest"] == digest


def test_a_file_that_is_there_is_not_written_over(mine: Program) -> None:
    (mine.home / "lock.yml").write_text("mine")
    ended = mine.run("env", "export", "mine", "-o", "lock.yml", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "file-exists")
    assert (mine.home / "lock.yml").read_text() == "mine"


def test_a_lock_for_another_platform(mine: Program) -> None:
    words = ("--platform", "linux-64", "--platform", "linux-aarch64", "--json")
    made = done(mine.run("env", "lock", "mine", *words)).json
    assert (made["form"], made["file_name"]) == ("platforms", "conda-lock.yml")
    assert {"linux-64", "linux-aarch64"} <= set(made["text"].split())


def test_a_kernel_comes_and_goes(desk: Program) -> None:
    done(desk.run("env", "create", "note", "python", "ipykernel", "--yes"))
    made = done(desk.run("env", "kernel", "note", "--json")).json
    spec = desk.home / "data" / "kernels" / made["kernel"] / "kernel.json"
    assert json.loads(spec.read_text())["metadata"]["mlinfn"]["environment"] == "note"
    done(desk.run("env", "kernel", "note", "--remove"))
    assert not spec.exists()
    assert names(desk) == {"note"}
    unpacked = desk.run("env", "kernel", "note", "--image", "--json")
    assert (unpacked.code, unpacked.json["error"]["code"]) == (1, "not-packed")


def test_an_environment_without_ipykernel_is_no_kernel(mine: Program) -> None:
    ended = mine.run("env", "kernel", "mine")
    assert ended.code != 0
    assert "mlinfn env add mine ipykernel" in ended.err


def test_a_preview_changes_nothing(mine: Program) -> None:
    before = states(mine, "mine")
    seen = done(mine.run("env", "add", "mine", "greeting=2.0", "--dry-run", "--json")).json
    assert seen["preview"]
    (changed,) = seen["result"]["change"]["changed"]
    assert changed["name"] == "greeting"
    shown = done(mine.run("env", "create", "other", "python", "--dry-run")).out
    assert "python" in shown
    assert "added" in shown
    assert states(mine, "mine") == before
    assert names(mine) == {"mine"}


@pytest.mark.parametrize(
    "words",
    [
        ("create", "other", "python"),
        ("clone", "mine", "other"),
        ("add", "mine", "greeting=2.0"),
        ("update", "mine"),
        ("pack", "mine"),
        ("delete", "mine"),
        ("gc",),
    ],
    ids=lambda words: words[0],
)
def test_where_nobody_can_be_asked_nothing_is_done(
    program: Program, words: tuple[str, ...]
) -> None:
    ended = program.run("env", *words, "--json")
    assert ended.code == 2
    assert "--dry-run" in ended.json["error"]["text"]
    assert "--yes" in ended.err
    assert not (environments(program) / "tasks").exists()


def test_at_a_terminal_no_means_no(mine: Program, at_terminal: Any) -> None:
    child = at_terminal("env", "add", "mine", "greeting=2.0")
    child.expect("greeting")
    child.expect("Change 'mine'?")
    child.sendline("n")
    code, said = end_of(child)
    assert (code, "Nothing was changed" in said) == (1, True)
    assert versions(mine, "mine")["greeting"] == "1.0"


def test_at_a_terminal_yes_does_what_was_shown(mine: Program, at_terminal: Any) -> None:
    child = at_terminal("env", "add", "mine", "greeting=2.0")
    child.expect("Change 'mine'?")
    child.sendline("y")
    code, said = end_of(child)
    assert code == 0, said
    assert versions(mine, "mine")["greeting"] == "2.0"
    asked, previewed = mine.run("env", "tasks", "--json").json["tasks"][:2]
    assert (asked["preview"], previewed["preview"]) == (False, True)
    request = environments(mine) / "tasks" / asked["id"] / "request.json"
    assert json.loads(request.read_text())["after"] == previewed["id"]


def test_at_a_terminal_progress_is_shown_and_ctrl_c_cancels(
    program: Program, at_terminal: Any, silent_channel: str
) -> None:
    configured(program, silent_channel)
    child = at_terminal("env", "create", "mine", "python")
    child.expect("Looking for packages")
    child.sendintr()
    code, said = end_of(child)
    assert (code, "Cancelled" in said) == (130, True)
    assert "Do it" not in said
    assert names(program) == set()


@pytest.fixture
def somebody_running(mine: Program) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the environment ``mine``, as a kernel is one."""
    prefix = mine.run("env", "show", "mine", "--json").json["environment"]["prefix"]
    python = str(Path(prefix) / "bin" / "python")
    with subprocess.Popen([python, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_what_runs_in_it_keeps_its_files_and_that_is_said(
    mine: Program, somebody_running: subprocess.Popen[bytes]
) -> None:
    changed = done(mine.run("env", "add", "mine", "greeting=2.0", "--yes"))
    assert f"until you restart it: process {somebody_running.pid}." in changed.err
    old = Path(os.readlink(f"/proc/{somebody_running.pid}/exe"))
    assert old.exists()
    done(mine.run("env", "gc", "--yes"))
    assert old.exists()
    refused = mine.run("env", "delete", "mine", "--yes", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "environment-in-use")
    assert old.exists()
    somebody_running.kill()
    somebody_running.wait()
    done(mine.run("env", "delete", "mine", "--yes"))
    assert not old.exists()


@pytest.fixture
def silent_channel() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/channel"


def test_ctrl_c_ends_the_task_and_keeps_nothing(program: Program, silent_channel: str) -> None:
    process = configured(program, silent_channel).start("env", "create", "mine", "python", "--yes")
    tasks = environments(program) / "tasks"
    wait_for(lambda: any(tasks.glob("*/events.jsonl")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Cancelling" in err
    assert "Traceback" not in err
    (task,) = program.run("env", "tasks", "--json").json["tasks"]
    assert task["state"] == "cancelled"
    assert not (environments(program) / "own" / "mine" / "environment.json").exists()
    assert not list((environments(program) / "own").glob("*/staging-*"))


def test_a_task_is_seen_and_cancelled_from_elsewhere(program: Program, silent_channel: str) -> None:
    process = configured(program, silent_channel).start("env", "create", "mine", "python", "--yes")
    wait_for(lambda: program.run("env", "tasks", "--json").json["tasks"])
    (task,) = program.run("env", "tasks", "--json").json["tasks"]
    assert task["state"] == "running"
    assert "mine" in program.run("env", "tasks").out
    done(program.run("env", "cancel", task["id"][:6]))
    process.communicate(timeout=60)
    assert process.returncode == 130


def wait_for(happened: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


REFUSED = {
    "no package of that name": (("create", "x", "no-such-thing"), "unknown-package"),
    "they do not go together": (("create", "x", "wants-old", "wants-new"), "unsolvable"),
}


@pytest.mark.parametrize(("words", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_solved_is_said_in_words(
    desk: Program, words: tuple[str, ...], code: str
) -> None:
    ended = desk.run("env", *words, "--yes", "--json")
    assert ended.code == 2
    assert ended.json["state"] == "failed"
    assert ended.json["result"]["code"] == code
    assert "Nothing was changed" in ended.err
    assert names(desk) == set()


WRONG = {
    "name with a slash": (("create", "a/b", "python", "--yes"), 2, "bad-name"),
    "name of dots": (("create", "..", "python", "--yes"), 2, "bad-name"),
    "name with a line break": (("create", "a\nb", "python", "--yes"), 2, "bad-name"),
    "name with a leading dash": (("create", "--yes", "--", "-p", "python"), 2, "bad-name"),
    "name of 300 characters": (("create", "n" * 300, "python", "--yes"), 2, "bad-name"),
    "Unicode twin": (("create", "раса", "python", "--yes"), 2, "bad-name"),
    "reserved name": (("create", "gc", "python", "--yes"), 2, "bad-name"),
    "option as a package": (
        ("create", "x", "--yes", "--", "--file=/etc/passwd"), 2, "bad-requirement",
    ),
    "address as a package": (
        ("create", "x", "https://example.org/x.conda", "--yes"), 2, "bad-requirement",
    ),
    "bad pip requirement": (("create", "x", "--pip", "-r x", "--yes"), 2, "bad-requirement"),
    "bad channel": (("create", "x", "y", "-c", "ftp://a/b", "--yes"), 2, "bad-channel"),
    "file that is not there": (("create", "x", "--file", "no.yml", "--yes"), 2, "source-missing"),
    "nothing to install": (("create", "x", "--yes"), 2, "usage"),
    "nothing to add": (("add", "x", "--yes"), 2, "usage"),
    "history of nothing": (("history", "x"), 2, "environment-not-found"),
    "adding to nothing": (("add", "x", "y", "--yes"), 2, "environment-not-found"),
    "packing nothing": (("pack", "x", "--yes"), 2, "environment-not-found"),
    "undoing nothing": (("undo", "x", "--yes"), 2, "environment-not-found"),
    "exporting nothing": (("export", "x"), 2, "environment-not-found"),
    "comparing nothing": (("diff", "x", "y"), 2, "environment-not-found"),
    "kernel of nothing": (("kernel", "x"), 2, "environment-not-found"),
    "deleting nothing": (("delete", "x", "--yes"), 2, "environment-not-found"),
    "digest that is none": (("diff", "x@zz", "y"), 2, "bad-digest"),
    "task that is none": (("cancel", "../../x"), 2, "bad-task"),
    "task that is not there": (("cancel", "0123456789abcdef"), 2, "no-such-task"),
    "kernel that is not there": (("show", "pyton3"), 3, "environment-missing"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "code", "error"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_refused_in_both_languages(
    program: Program, words: tuple[str, ...], code: int, error: str
) -> None:
    before, dashes, after = _parted(words)
    ended = program.run("env", *before, "--json", *dashes, *after)
    assert (ended.code, ended.json["error"]["code"]) == (code, error), ended.err
    assert ended.err
    assert "Traceback" not in ended.err
    assert not (environments(program) / "tasks").exists()


def _parted(words: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    if "--" not in words:
        return words, (), ()
    place = words.index("--")
    return words[:place], ("--",), words[place + 1 :]


def test_all_wrong_packages_are_named_at_once(program: Program) -> None:
    ended = program.run("env", "create", "x", "?", "--pip", "?", "--yes", "--json")
    fields = [problem["field"] for problem in ended.json["error"]["problems"]]
    assert fields == ["packages.0", "pip.0"]


def test_packages_are_found_by_a_part_of_their_name(desk: Program) -> None:
    found = done(desk.run("env", "search", "GREET", "--json")).json
    (package,) = found["packages"]
    assert (package["name"], package["versions"]) == ("greeting", ["2.0", "1.0"])
    assert "2.0, 1.0" in done(desk.run("env", "search", "greet")).out
    assert "No package is called like" in done(desk.run("env", "search", "zzzz")).out


def test_a_channel_that_is_not_there_is_said(program: Program) -> None:
    ended = configured(program, "file:///no/such/channel").run("env", "search", "numpy", "--json")
    assert ended.code == 3
    assert "/no/such/channel" in ended.json["problem"]


def test_gc_removes_what_nothing_uses(mine: Program) -> None:
    done(mine.run("env", "add", "mine", "greeting=2.0", "--yes"))
    old = next(state for state in states(mine, "mine") if not state["current"])
    plan = done(mine.run("env", "gc", "--dry-run", "--json")).json
    assert old["digest"] in {item["digest"] for item in plan["items"]}
    assert not plan["done"]
    task = done(mine.run("env", "gc", "--yes", "--json")).json
    gone = task["result"]["freed"]
    assert (task["action"], task["state"], gone["done"]) == ("gc", "succeeded", True)
    assert not any(Path(item["path"]).exists() for item in gone["items"])
    assert versions(mine, "mine")["greeting"] == "2.0"
    done(mine.run("env", "undo", "mine", "--yes"))  # installed again from its lock
    assert versions(mine, "mine")["greeting"] == "1.0"


def test_sharing_copies_what_others_can_clone(mine: Program) -> None:
    folder = mine.home / "group"
    folder.mkdir()
    told = done(mine.run("env", "share", "mine", str(folder)))
    assert str(folder) in told.out
    config = mine.home / "config" / "jupyter_mlinfn_config.py"
    config.write_text(config.read_text() + f"c.Mlinfn.managed_environments = ['{folder}']\n")
    done(mine.run("env", "delete", "mine", "--yes"))
    done(mine.run("env", "clone", "mine", "ours", "--yes"))
    assert versions(mine, "ours")["greeting"] == "1.0"


def test_the_story_from_a_managed_environment_to_a_job(mine: Program, make_notebook: Any) -> None:
    """Managed → my own, with more in it, a kernel, one file, and a job in exactly that."""
    folder = mine.home / "managed"
    folder.mkdir()
    done(mine.run("env", "share", "mine", str(folder)))
    done(mine.run("env", "delete", "mine", "--yes"))
    config = mine.home / "config" / "jupyter_mlinfn_config.py"
    config.write_text(config.read_text() + f"c.Mlinfn.managed_environments = ['{folder}']\n")
    (row,) = [
        row
        for row in mine.run("env", "list", "--json").json["environments"]
        if row["kind"] == "managed"
    ]
    assert row["name"] == "mine"

    done(mine.run("env", "clone", "mine", "fit", "--add", "ipykernel", "--yes"))
    kernel = done(mine.run("env", "kernel", "fit", "--json")).json["kernel"]
    packed = done(mine.run("env", "pack", "fit", "--yes", "--json")).json["result"]["image"]
    assert Path(packed["path"]).stat().st_size == packed["size"]

    notebook = make_notebook(
        "fit.ipynb", ["import greeting, sys; print(greeting.VERSION, sys.prefix)"], kernel=kernel
    )
    job = done(mine.run("submit", str(notebook), "--env", "fit", "--wait", "--json")).json
    digest = states(mine, "fit")[0]["digest"]
    assert (job["state"], job["environment"]["digest"]) == ("succeeded", digest)
    output = json.loads(Path(job["output"]).read_text())
    (said,) = [
        text
        for cell in output["cells"]
        for shown in cell.get("outputs", [])
        for text in ["".join(shown.get("text", []))]
        if text.startswith("1.0 ")
    ]
    assert str(environments(mine) / "own" / "fit") in said


def test_sharing_packs_first_when_asked(mine: Program) -> None:
    folder = mine.home / "group"
    folder.mkdir()
    done(mine.run("env", "share", "mine", str(folder), "--pack", "--json"))
    assert [path.suffix for path in (folder / "mine" / "images").iterdir()] == [".sqfs"]


def test_what_was_put_there_by_hand_is_locked_or_put_back(
    mine: Program, make_notebook: Any
) -> None:
    made = done(mine.run("env", "create", "fit", "python", "ipykernel", "--yes", "--json")).json
    assert made["state"] == "succeeded"
    source = str(make_notebook("six.ipynb", ["print(6 * 7)"]))
    prefix = Path(mine.run("env", "show", "fit", "--json").json["environment"]["prefix"])
    module = next(prefix.glob("lib/python3.*/textwrap.py"))
    text = module.read_text()
    module.unlink()
    module.write_text(text + "# mine\n")
    refused = mine.run("submit", source, "--env", "fit")
    assert refused.code == 4
    assert "--put-back" in refused.err
    wrong = mine.run("submit", source, "--env", "fit", "--lock-now")
    assert wrong.code == 4
    assert "--put-back" in wrong.err
    assert "textwrap.py" in wrong.err
    job = done(mine.run("submit", source, "--env", "fit", "--put-back", "--wait", "--json")).json
    assert job["state"] == "succeeded"
    assert module.read_text() == text
    kept = list((prefix.parents[1] / "edited").glob("*/lib/python3.*/textwrap.py"))
    assert [path.read_text() for path in kept] == [text + "# mine\n"]
    told = done(mine.run("env", "lock", "fit", "--now", "--dry-run"))
    assert "Nothing to lock" in told.out
