"""Environments by HTTP and live, with the real engine and a real channel."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.server import watching
from tests.server.serving import Page, Reply, Server, problem_of

pytestmark = pytest.mark.slow

Frame = dict[str, Any]
TINY = ["python", "greeting=1.0"]


@pytest.fixture
def mlinfn_settings(small_channel: Path) -> dict[str, Any]:
    return {"channels": [small_channel.as_uri()]}


async def start(server: Server, key: str | None = None, **request: Any) -> Reply:
    headers = {"Idempotency-Key": key} if key else {}
    return await server.ask("POST", "environments/tasks", body=request, headers=headers)


async def ended(server: Server, task: str) -> dict[str, Any]:
    """The task once it has ended."""
    async with asyncio.timeout(60):
        while True:
            read: dict[str, Any] = (await server.ask("GET", f"environments/tasks/{task}")).json
            if read["state"] != "running":
                return read
            await asyncio.sleep(0.1)


async def carried_out(server: Server, **request: Any) -> dict[str, Any]:
    reply = await start(server, **request)
    assert reply.status == 202, reply.json
    task = await ended(server, reply.json["id"])
    assert task["state"] == "succeeded", task
    return task


async def make(server: Server, name: str = "mine", **more: Any) -> dict[str, Any]:
    return await carried_out(server, action="create", name=name, packages=TINY, **more)


async def rows(server: Server) -> dict[str, dict[str, Any]]:
    listed = (await server.ask("GET", "environments")).json["environments"]
    return {row["name"]: row for row in listed if row["kind"] == "own"}


async def test_the_life_of_an_environment(server: Server) -> None:
    task = await make(server)
    assert "mine" in task["result"]["text"]
    assert (await rows(server))["mine"]["digest"]

    preview = await carried_out(
        server, action="change", name="mine", add=["greeting=2.0"], preview=True
    )
    (changed,) = preview["result"]["change"]["changed"]
    assert changed["name"] == "greeting"
    await carried_out(
        server, action="change", name="mine", add=["greeting=2.0"], after=preview["id"]
    )
    details = (await server.ask("GET", "environments/mine")).json
    assert {"greeting": "2.0"}.items() <= {
        package["name"]: package["version"] for package in details["packages"]
    }.items()

    states = (await server.ask("GET", "environments/mine/history")).json["states"]
    assert [state["current"] for state in states] == [True, False]
    query = {"left": f"mine@{states[1]['digest']}", "right": "mine"}
    other = (await server.ask("GET", "environments/difference", query=query)).json
    assert [one["name"] for one in other["change"]["changed"]] == ["greeting"]

    await carried_out(server, action="restore", name="mine", digest=states[1]["digest"])
    plan = (await server.ask("GET", "environments/gc")).json
    assert states[0]["digest"] in {item["digest"] for item in plan["items"]}
    task = await carried_out(server, action="gc")
    assert "gone" in task["result"]["text"]
    gone = task["result"]["freed"]
    assert gone["done"]
    assert not any(Path(item["path"]).exists() for item in gone["items"])

    deleted = await server.ask("DELETE", "environments/mine")
    assert (deleted.status, deleted.json["name"]) == (200, "mine")
    assert await rows(server) == {}
    assert problem_of(await server.ask("GET", "environments/mine/history"))["status"] == 404


@pytest.mark.parametrize("form", ["environment.yml", "conda-lock.yml", "explicit"])
async def test_what_is_exported_makes_the_same_again(server: Server, form: str) -> None:
    await make(server)
    reply = await server.ask("GET", "environments/mine/export", query={"form": form})
    file = reply.json
    assert file["form"] == form
    await carried_out(
        server, action="create", name="again", file_name=file["file_name"], file_text=file["text"]
    )
    found = await rows(server)
    assert found["again"]["digest"] == found["mine"]["digest"]


async def test_a_kernel_comes_and_goes(server: Server) -> None:
    await carried_out(server, action="create", name="note", packages=["python", "ipykernel"])
    made = await server.ask("POST", "environments/note/kernel", body={})
    assert made.json["registered"]
    specs = (await server.fetch("GET", "api/kernelspecs")).json["kernelspecs"]
    assert made.json["kernel"] in specs
    assert (await rows(server))["note"]["kernels"] == [made.json["kernel"]]
    gone = await server.ask("DELETE", "environments/note/kernel")
    assert not gone.json["registered"]
    specs = (await server.fetch("GET", "api/kernelspecs")).json["kernelspecs"]
    assert made.json["kernel"] not in specs
    unpacked = await server.ask("POST", "environments/note/kernel", body={"image": True})
    assert (unpacked.status, unpacked.json["code"]) == (409, "not-packed")


async def test_sharing_copies_to_a_folder(server: Server, tmp_path: Path) -> None:
    await make(server)
    (tmp_path / "group").mkdir()
    shared = {"action": "share", "name": "mine", "folder": str(tmp_path / "group")}
    task = await carried_out(server, **shared)
    assert task["result"]["path"] == str(tmp_path / "group" / "mine")
    assert (tmp_path / "group" / "mine").is_dir()
    absent = await start(server, **{**shared, "folder": str(tmp_path / "absent")})
    assert (absent.status, absent.json["code"]) == (400, "bad-folder")


async def test_a_lock_for_several_platforms(server: Server) -> None:
    await make(server)
    query = {"form": "platforms"}
    none = await server.ask("GET", "environments/mine/export", query=query)
    assert (none.status, none.json["code"]) == (409, "no-papers")
    platforms = ["linux-64", "linux-aarch64"]
    asked = {"action": "lock", "name": "mine", "platforms": platforms}
    first = await start(server, key="a-key-of-mine", **asked)
    again = await start(server, key="a-key-of-mine", **asked)
    assert (first.status, again.json["id"]) == (202, first.json["id"])
    task = await ended(server, first.json["id"])
    assert task["state"] == "succeeded", task
    file = (await server.ask("GET", "environments/mine/export", query=query)).json
    assert file["file_name"] == "conda-lock.yml"
    assert set(platforms) <= set(file["text"].split())
    wrong = await start(server, **{**asked, "platforms": ["vax-780"]})
    assert (await ended(server, wrong.json["id"]))["result"]["code"] == "unknown-platform"


async def test_packages_are_found_while_one_types(server: Server, room: Any) -> None:
    for typed, expected in (("g", "greeting"), ("greet", "greeting"), ("GREETING", "greeting")):
        reply = await server.ask("GET", "environments/packages", query={"search": typed})
        assert expected in [package["name"] for package in reply.json["packages"]]
    (package,) = reply.json["packages"]
    assert package["versions"] == ["2.0", "1.0"]
    first = room.workbench.package_search._feed.pid
    await server.ask("GET", "environments/packages", query={"search": "pyth"})
    assert room.workbench.package_search._feed.pid == first, "started anew for every letter"


async def test_the_search_program_ends_with_the_server(server: Server, room: Any) -> None:
    await server.ask("GET", "environments/packages", query={"search": "greet"})
    pid = room.workbench.package_search._feed.pid
    await room.close()
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.05)


async def test_the_same_key_starts_one_task(server: Server) -> None:
    request = {"action": "create", "name": "mine", "packages": TINY}
    first, second = await asyncio.gather(
        start(server, key="a-key", **request), start(server, key="a-key", **request)
    )
    assert first.json["id"] == second.json["id"]
    await ended(server, first.json["id"])
    assert (await start(server, key="a-key", **request)).json["id"] == first.json["id"]
    assert len((await server.ask("GET", "environments/tasks")).json["tasks"]) == 1
    other = await start(server, key="a-key", **{**request, "name": "other"})
    assert (other.status, problem_of(other)["code"]) == (409, "key-used")


async def test_what_cannot_be_solved_is_the_tasks_result(server: Server) -> None:
    reply = await start(server, action="create", name="x", packages=["wants-old", "wants-new"])
    task = await ended(server, reply.json["id"])
    assert (task["state"], task["result"]["code"]) == ("failed", "unsolvable")
    assert "humanize" in task["result"]["text"]
    assert await rows(server) == {}


async def test_a_task_is_cancelled_and_leaves_nothing(server: Server, room: Any) -> None:
    async with silent_channel() as address:
        reply = await start(
            server, action="create", name="mine", packages=["python"], channels=[address]
        )
        task = reply.json["id"]
        assert reply.json["state"] == "running"
        again = await start(server, action="create", name="mine", packages=["python"])
        assert (again.status, problem_of(again)["code"]) == (409, "environment-busy")
        await server.ask("POST", f"environments/tasks/{task}/cancel")
        assert (await ended(server, task))["state"] == "cancelled"
    assert (await server.ask("POST", f"environments/tasks/{task}/cancel")).status == 200
    assert await rows(server) == {}
    assert not list(room.workbench.layout.own.glob("*/staging-*"))


class silent_channel:  # noqa: N801 - reads as a call
    """A server that takes connections and never answers; gives its address."""

    async def __aenter__(self) -> str:
        self.served = await asyncio.start_server(self._never, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.served.sockets[0].getsockname()[1]}/channel"

    async def _never(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    async def __aexit__(self, *_: object) -> None:
        self.served.close()


REFUSED = {
    "unknown action": ({"action": "burn", "name": "x"}, 400, None),
    "no action": ({"name": "x"}, 400, None),
    "bad name": ({"action": "create", "name": "../x", "packages": ["a"]}, 400, "name"),
    "reserved name": ({"action": "create", "name": "tasks", "packages": ["a"]}, 400, "name"),
    "bad packages, all named": (
        {"action": "create", "name": "x", "packages": ["ok", "--file=/etc/passwd", "a b c"]},
        400, "packages.1",
    ),
    "YAML with an object": (
        {"action": "create", "name": "x", "file_name": "environment.yml",
         "file_text": "dependencies: !!python/object/apply:os.system [id]"},
        400, "file_text",
    ),
    "file of an unknown kind": (
        {"action": "create", "name": "x", "file_name": "x.toml", "file_text": "a"},
        400, "file_name",
    ),
    "not there": ({"action": "change", "name": "x", "add": ["a"]}, 404, None),
    "digest that is none": ({"action": "restore", "name": "x", "digest": "zz"}, 400, "digest"),
    "layer as SIF": (
        {"action": "pack", "name": "x", "format": "sif", "over": "y"}, 400, "format",
    ),
    "unknown field": ({"action": "pack", "name": "x", "force": True}, 400, "force"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "status", "field"), REFUSED.values(), ids=REFUSED)
async def test_what_is_refused_starts_nothing(
    server: Server, body: dict[str, Any], status: int, field: str | None
) -> None:
    reply = await start(server, **body)
    assert reply.status == status
    document = problem_of(reply)
    assert field is None or field in {problem["field"] for problem in document["problems"]}
    assert (await server.ask("GET", "environments/tasks")).json["tasks"] == []


class TestPolicy:
    @pytest.fixture
    def mlinfn_settings(self, small_channel: Path) -> dict[str, Any]:
        return {
            "channels": [small_channel.as_uri()],
            "allowed_channels": [small_channel.as_uri()],
            "denied_packages": ["greet*"],
        }

    @pytest.mark.parametrize(
        ("wish", "code"),
        [
            ({"packages": ["greeting"]}, "package-refused"),
            ({"packages": ["python"], "channels": ["conda-forge"]}, "channel-refused"),
            (
                {"file_name": "a.yml", "file_text": "channels: [x]\ndependencies: [python]\n"},
                "channel-refused",
            ),
        ],
    )
    async def test_what_the_admin_does_not_allow(
        self, server: Server, wish: dict[str, Any], code: str
    ) -> None:
        reply = await start(server, action="create", name="x", **wish)
        assert (reply.status, problem_of(reply)["code"]) == (403, code)

    async def test_a_channel_that_may_not_be_searched(self, server: Server) -> None:
        query = {"search": "numpy", "channel": "conda-forge"}
        reply = await server.ask("GET", "environments/packages", query=query)
        assert (reply.status, problem_of(reply)["code"]) == (403, "channel-refused")


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "environments/..%2f..", 400),
        ("GET", "environments/%2fetc%2fpasswd", 400),
        ("GET", "environments/a%0ab/history", 400),
        ("GET", "environments/mine/export?form=../../x", 400),
        ("GET", "environments/nothing/export", 404),
        ("GET", "environments/nothing", 424),
        ("GET", "environments/nothing@00000000", 404),
        ("DELETE", "environments/nothing", 404),
        ("POST", "environments/nothing/kernel", 404),
        ("DELETE", "environments/nothing/kernel", 404),
        ("GET", "environments/tasks/..%2f..", 400),
        ("GET", "environments/tasks/0123456789abcdef", 404),
        ("POST", "environments/tasks/0123456789abcdef/cancel", 404),
        ("GET", "environments/difference?left=/etc/passwd&right=x", 400),
        ("GET", "environments/difference?left=a&right=b", 404),
        ("GET", "environments/packages", 400),
        ("DELETE", "environments/nothing?force=perhaps", 400),
    ],
)
async def test_names_in_addresses_are_checked(
    server: Server, verb: str, path: str, status: int
) -> None:
    address, _, query = path.partition("?")
    body = {} if verb == "POST" and address.endswith("/kernel") else None
    reply = await server.ask(verb, address, raw_query=query, body=body)
    assert reply.status == status, reply.json
    problem_of(reply)


async def listening(server: Server) -> tuple[Page, Frame]:
    page = await server.page()
    await page.say(type="subscribe", topic="tasks")
    return page, await page.until(lambda frame: frame["type"] == "full")


def tells(state: str) -> Any:
    """Whether a delta says that a task is in ``state``."""
    return lambda frame: any(task["state"] == state for task in frame["data"]["changed"])


async def test_progress_goes_out_without_the_environments(server: Server) -> None:
    page, full = await listening(server)
    assert full["data"]["tasks"]["tasks"] == []
    while full["data"]["environments"]["measuring"]:
        full = await page.until(lambda frame: frame["data"]["environments"] is not None)
    reply = await start(server, action="create", name="mine", packages=TINY)
    before = len(page.got)
    last = await page.until(tells("succeeded"))
    deltas = page.got[before:]
    assert all(frame["type"] == "delta" for frame in deltas)
    assert [task["id"] for task in deltas[0]["data"]["changed"]] == [reply.json["id"]]
    assert [frame["seq"] for frame in deltas] == list(
        range(full["seq"] + 1, full["seq"] + 1 + len(deltas))
    )
    assert all(frame["data"]["environments"] is None for frame in deltas[:-1])
    shown = last["data"]["environments"]["environments"]
    assert "mine" in [row["name"] for row in shown]


async def test_a_task_started_here_wakes_the_feed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "REST_SECONDS", 3600.0)
    page, _ = await listening(server)
    await start(server, action="create", name="mine", packages=TINY)
    await page.until(tells("succeeded"))


async def test_a_task_of_the_program_is_shown_too(server: Server, room: Any) -> None:
    from jupyter_mlinfn.model.environment_tasks import Create

    page, _ = await listening(server)
    request = Create(name="mine", packages=tuple(TINY))
    task = await room.run(lambda: room.workbench.tasks.start(request))
    seen = await page.until(tells("succeeded"))
    assert [one["id"] for one in seen["data"]["changed"]] == [task.id]


async def test_what_is_deleted_here_goes_from_every_page(server: Server) -> None:
    await make(server)
    page, full = await listening(server)
    shown = full["data"]["environments"]["environments"]
    assert "mine" in [row["name"] for row in shown]
    await server.ask("DELETE", "environments/mine")

    def without(frame: dict[str, Any]) -> bool:  # sizes may be told before
        list_now = frame["data"]["environments"]
        return list_now is not None and "mine" not in [
            row["name"] for row in list_now["environments"]
        ]

    assert await page.until(without)


async def test_full_frame_and_deltas_tell_the_same(server: Server) -> None:
    page, full = await listening(server)
    tasks = {task["id"]: task for task in full["data"]["tasks"]["tasks"]}
    await start(server, action="create", name="mine", packages=TINY)
    await start(server, action="create", name="other", packages=["no-such-thing"])
    async with asyncio.timeout(60):
        while len(tasks) < 2 or any(task["state"] == "running" for task in tasks.values()):
            frame = await page.hear()
            assert frame is not None
            tasks |= {task["id"]: task for task in frame["data"]["changed"]}
    _, fresh = await listening(server)
    assert {task["id"]: task for task in fresh["data"]["tasks"]["tasks"]} == tasks
