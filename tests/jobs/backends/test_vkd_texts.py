"""What is asked of vkd and read from it, and to whom a token is shown; no cluster is asked."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.backends.kubernetes import room
from jupyter_mlinfn.jobs.backends.kubernetes.vkd import asking, calls, reading
from jupyter_mlinfn.jobs.backends.kubernetes.vkd.backend import VkdBackend
from jupyter_mlinfn.jobs.backends.kubernetes.vkd.calls import Calls
from jupyter_mlinfn.jobs.backends.kubernetes.vkd.reading import Ours
from jupyter_mlinfn.jobs.backends.protocol import VkdSettings
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.jobs import Resources
from tests.jobs.backends.desk import Desk
from tests.jobs.workplace import make_spec
from tests.systems.vkd import ILLNESSES, TOKEN, Bunshin, Listener

GIB = 2**30
OURS = Ours("abcdefghij", reading.digest("a-token"), 1)
NAME = f"ada-{reading.name(OURS)}-jgvxm"
ARRAY = Array(offset=4, points="4,7-8,10", id=NAME)

KEYS = st.sampled_from(
    ("name", "queue", "spec", "status", "completions", "suspend", "active", "succeeded", "failed",
     "conditions", "type", "completedIndexes", "resourceGroups", "flavors", "resources")
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(NAME)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def told(status: Any, completions: int | None = 1, **spec: Any) -> reading.VkdJob:
    """One job as vkd tells of it, among those of others."""
    item = {"user": "ada", "name": NAME, "queue": "ml", "status": status}
    other = {"user": "eve", "name": "eve-sandbox-test-jgvxm", "status": None, "spec": {}}
    (one,) = reading.jobs([other, {**item, "spec": {"completions": completions, **spec}}])
    return one


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", ["{}", "ada-{}-jgvxm", "ada-b-{}-24567", "mlinfn-{}-x"])
def test_our_job_is_known_by_its_name_whatever_vkd_puts_around_it(around: str) -> None:
    name = around.format(reading.name(OURS))
    assert reading.ours(name) == OURS
    assert reading.ours(name.replace("-", "_")) == OURS


@pytest.mark.parametrize(
    "name", ["", "mlinfn-abcdefghij", "ada-sandbox-test-jgvxm", "mlinfn-x-1-1"]
)
def test_other_names_are_not_ours(name: str) -> None:
    assert reading.ours(name) is None


def test_a_token_is_in_no_name() -> None:
    assert "a-token" not in reading.name(OURS)
    assert reading.digest("a-token") != reading.digest("a-token.0")


# --- what is asked for ----------------------------------------------------------------------------


def test_a_request_has_the_fields_of_the_public_client_and_no_others(tmp_path: Path) -> None:
    spec = make_spec(cpus=2, memory=3 * GIB, gpus=1)
    spec = spec.model_copy(
        update={"resources": spec.resources.model_copy(update={"gpu_memory": 5 * GIB})}
    )
    settings = VkdSettings(
        original_pod="jupyter-ada", cvmfs="pvc-csi", juicefs="sidecar", offload_node="recas"
    )
    offloaded = spec.model_copy(update={"offload": True})
    made = asking.bunshin("mlinfn-a", offloaded, tmp_path, "ml", settings, "0-4")
    asked = Bunshin.model_validate(made)
    assert (asked.cpu_request, asked.memory_request) == (2, "3072Mi")
    assert asked.gpu_memory_request == "5120Mi"
    assert asked.active_deadline_seconds == 5 * 3600 + 1800
    assert (asked.completions, asked.offloading.node_name) == (5, "recas")
    plain = asking.bunshin("mlinfn-a", make_spec(), tmp_path, "ml", VkdSettings())
    assert {"original_pod", "completions", "offloading", "gpu_memory_request"}.isdisjoint(plain)
    assert Bunshin.model_validate(plain).active_deadline_seconds == 3600 + 1800


@pytest.mark.parametrize(("evictable", "usual"), [(False, "higher"), (True, "lowest")])
def test_no_job_comes_before_interactive_work(evictable: bool, usual: str, tmp_path: Path) -> None:
    spec = make_spec(evictable=evictable)
    made = asking.bunshin("mlinfn-a", spec, tmp_path, "ml", VkdSettings())
    assert made["priority"] == usual
    assert "fire" not in asking.PRIORITIES


def test_a_persons_text_is_no_line_of_the_script(tmp_path: Path) -> None:
    hostile = tmp_path / 'it\'s\n$(touch owned) "`id`"'
    hostile.mkdir()
    spec = make_spec(name="x\n$(touch owned)", source=str(hostile / "a.ipynb"))
    made = asking.bunshin("mlinfn-a", spec, hostile, "ml", VkdSettings())
    sandbox = tmp_path / "sand box"
    sandbox.mkdir()
    for file, text in made["sandbox"].items():
        (sandbox / file).write_text(text)
    script = made["script"].replace("/sandbox", str(sandbox))
    assert Path(script).read_text() == asking.SCRIPT
    (sandbox / "python").write_text("/bin/echo")
    for argv in (("bash", script), ("sh", script)):
        said = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert said.stdout == f"-I -m {asking.MODULE} {sandbox}/job.json\n"
    assert json.loads((sandbox / "job.json").read_text())["folder"] == str(hostile)
    assert made["sandbox"]["python"] == sys.executable
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("queue", ["", "a b", "../x", "A", "x\n", "-x", "x" * 64])
def test_a_queue_whose_name_is_none_is_refused(queue: str, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        asking.bunshin("mlinfn-a", make_spec(), tmp_path, queue, VkdSettings())


def test_network_file_systems_that_a_job_needs_are_asked_for() -> None:
    mounts = (
        "overlay / overlay rw 0 0\n"
        "srv:/home /home/ada nfs4 rw 0 0\n"
        "JuiceFS:x /jfs/big\\040data fuse.juicefs rw 0 0\n"
        "srv:/other /other nfs rw 0 0\n"
        "tmpfs /home/ada/tmp tmpfs rw 0 0\n"
    )
    paths = ["/home/ada/work", "/jfs/big data/x", "/home/ada/tmp/x", "/home/adam", "/usr"]
    assert asking.volumes(paths, mounts) == {"juicefs": ["/jfs/big data"], "nfs": ["/home/ada"]}


# --- what is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "spec", "phase"),
    [
        (None, {}, "waits"),
        ({}, {"suspend": True}, "waits"),
        ({"active": 1}, {}, "runs"),
        ({"active": 1, "ready": 0}, {"suspend": False}, "runs"),
        ({"succeeded": 1}, {}, "over"),
        ({"failed": 1}, {}, "over"),
        ({"failed": 1, "active": 1}, {}, "runs"),
        ({"failed": 1}, {"suspend": True}, "waits"),
        ({"conditions": [{"type": "Complete", "status": "True"}]}, {}, "over"),
        ({"failed": 1, "conditions": [{"type": "FailureTarget", "status": "True"}]}, {}, "waits"),
    ],
)
def test_what_the_numbers_of_pods_mean(status: Any, spec: Any, phase: str) -> None:
    assert reading.word(told(status, **spec)).phase == phase


def test_points_are_told_by_indexes_where_there_are_some_and_by_numbers_where_not() -> None:
    full = told({"active": 1, "completedIndexes": "0,2", "succeeded": 2}, 4)
    states = {i: e.phase for e in reading.elements(full, ARRAY) for i in e.indexes}
    assert states == {0: "over", 4: "over", 3: "runs", 6: "waits"}
    plain = told({"active": 1, "succeeded": 1}, 4)
    states = {i: e.phase for e in reading.elements(plain, ARRAY) for i in e.indexes}
    assert states == {0: "runs", 3: "runs", 4: "waits", 6: "waits"}
    done = reading.elements(told({"succeeded": 3, "failed": 1}, 4), ARRAY)
    assert {i: e.phase for e in done for i in e.indexes} == dict.fromkeys((0, 3, 4, 6), "over")


@pytest.mark.parametrize("answer", [[], {}, ["a", "b"], [1], "mlinfn", None, [None]])
def test_a_submit_that_names_no_job_is_no_answer(answer: Any) -> None:
    with pytest.raises(ValueError):
        reading.made(answer)


@given(anything)
def test_whatever_is_told_is_read_or_is_a_value_error(answer: Any) -> None:
    for read in (reading.jobs, reading.made, reading.said, lambda item: reading.queues(item, {})):
        try:
            read(answer)
        except ValueError:
            continue


@given(st.dictionaries(KEYS, anything, max_size=4), st.dictionaries(KEYS, anything, max_size=4))
def test_whatever_is_told_of_our_job_is_read_or_is_a_value_error(spec: Any, status: Any) -> None:
    try:
        (one,) = reading.jobs([{"name": NAME, "spec": spec, "status": status}])
        reading.word(one)
        reading.elements(one, ARRAY)
    except ValueError:
        return


def resource(name: str, quota: str, **more: str) -> dict[str, str]:
    return {"name": name, "nominalQuota": quota, **more}


def flavour(name: str, cpu: str, gpus: str, **more: str) -> dict[str, Any]:
    few = [resource("cpu", cpu, **more), resource("memory", "300Gi", **more)]
    return {"name": name, "resources": [*few, resource("nvidia.com/gpu", gpus, **more)]}


def test_quotas_are_told_by_flavour_with_what_is_used() -> None:
    """The flavours and numbers are those of the public client's ``queues.csv``."""
    group = {
        "flavors": [
            flavour("cpu-only", "8", "0", borrowingLimit="0"),
            flavour("gpu-mig-1g.10gb", "56", "14"),
            flavour("gpu-rtx5000", "32", "4"),
            flavour("gpu-a100", "28", "1"),
            flavour("gpu-t4", "0", "0", borrowingLimit="0"),
        ]
    }
    used = {
        "name": "gpu-mig-1g.10gb",
        "resources": [
            {"name": "cpu", "total": "16", "borrowed": "4"}, {"name": "nvidia.com/gpu", "total": 3},
        ],
    }  # fmt: skip
    master = {
        "name": "master",
        "spec": {"cohort": "aiinfn", "resourceGroups": [group]},
        "status": {"flavorsReservation": [used], "pendingWorkloads": 2},
    }
    held = {"type": "Active", "status": "False", "message": "held by admin"}
    stopped = {"name": "stopped", "spec": {}, "status": {"conditions": [held]}}
    found = reading.queues([master, stopped], {})
    queue, other = room.offered(found, "master", {})
    assert (queue.cpus, queue.gpus) == (124, 19)
    assert {one.name: (one.memory, one.total, one.free) for one in queue.gpu_shapes} == {
        "gpu-a100": (40 * GIB, 1, 1),
        "gpu-mig-1g.10gb": (10 * GIB, 14, 11),
        "gpu-rtx5000": (16 * GIB, 4, 4),
    }
    assert queue.free is not None
    assert (queue.free.cpus, queue.free.gpus) == (108, 16)
    assert queue.text == "Its jobs use 4 CPUs of other queues now."
    assert "held by admin" in other.text
    asked = Resources(gpus=1, gpu_memory=12 * GIB)
    assert room.gpu(found[0], asked, {}, {}) == "nvidia.com/gpu-rtx5000"
    assert room.problems(found, asked, "master", {}) == []
    (problem,) = room.problems(found, Resources(gpus=1, gpu_memory=90 * GIB), "master", {})
    assert problem.code == "asks-too-much"


# --- who is spoken to -----------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener(lambda method, _resource, _asked: (200, [] if method == "GET" else [NAME]))
    yield made
    made.close()


@pytest.fixture
def ask(listener: Listener, tmp_path: Path) -> Calls:
    """Calls to the listener, which wants the token of a file."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return Calls(VkdSettings(url=listener.url, token_file=str(tmp_path / "token")))


@pytest.mark.parametrize(
    "url",
    ["ftp://localhost/x", "file:///etc/passwd", "localhost:8000", "http://example.org/api/v1",
     "http://localhost.example.org/", "http://127.0.0.1@example.org/", "https://a:b@example.org/",
     "http://localhost:8000/api?x=1", "http://localhost:8000/a/../b", "http://10.0.0.1/", "http:///",
     "http://localhost:8000/a b", "http://localhost:99999/", "http://localhost:8000/a\r\nX: y",
     "http://[::1/"],
)  # fmt: skip
def test_an_address_that_is_none_is_told_and_never_asked(url: str) -> None:
    there = Calls(VkdSettings(url=url))
    assert "The address of vkd" in there.missing()
    with pytest.raises(Unavailable):
        there.jobs()


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8000/api/v1", "http://127.0.0.1:8000/user/ada/proxy/8000/api/v1/",
     "http://[::1]:8000", "https://hub.example.org/user/ada%40x/proxy/8000/api/v1"],
)  # fmt: skip
def test_an_address_of_this_machine_or_with_tls_is_taken(url: str) -> None:
    assert Calls(VkdSettings(url=url)).place == url.rstrip("/")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("c.Mlinfn.kubernetes_vkd = {'priority': 'fire'}", "lowest, lower, higher, highest"),
        ("c.Mlinfn.kubernetes_vkd = {'evictable_priority': 'x'}", "the priority 'x'"),
        ("c.Mlinfn.kubernetes_vkd = {'url': 'http://example.org'}", "The address of vkd"),
        (
            "c.Mlinfn.kubernetes_vkd = {'points': 5}\n"
            "c.Mlinfn.kubernetes_staging = {'bucket': 'b'}",
            "kubernetes_staging",
        ),
        ("c.Mlinfn.kubernetes_vkd = {'points': 5}", ""),
    ],
)
def test_settings_that_cannot_be_are_told_without_asking(
    own_folders: Path, settings: str, said: str
) -> None:
    desk = Desk(own_folders, "kubernetes", f"{settings}\n")
    backend = desk.bench.backends["kubernetes"]
    assert isinstance(backend, VkdBackend)
    assert said in backend.missing()
    assert bool(said) == bool(backend.missing())
    desk.close()


def test_what_a_shell_holds_alone_chooses_nothing(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VKD_API_URL", "http://localhost:8000/api/v1")
    desk = Desk(own_folders, "kubernetes")
    assert not isinstance(desk.bench.backends["kubernetes"], VkdBackend)
    desk.close()


def test_plain_http_to_others_is_the_administrators_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VKD_API_URL", "http://vkd.analysis.svc:8000/api/v1")
    assert Calls(VkdSettings()).missing()
    assert Calls(VkdSettings(plain_http=True)).place == "http://vkd.analysis.svc:8000/api/v1"
    monkeypatch.delenv("VKD_API_URL")
    assert Calls(VkdSettings()).place == calls.DEFAULT


def test_a_token_is_in_the_header_and_nowhere_else(
    ask: Calls, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ask.jobs()
    ask.create({"name": "x"})
    ask.delete("x")
    assert [one[:2] for one in listener.asked] == [
        ("GET", "jobs"), ("POST", "bunshinjobs"), ("DELETE", "jobs"),
    ]  # fmt: skip
    for _method, resource, body, headers in listener.asked:
        assert headers["Authorization"] == f"token {TOKEN}"
        assert TOKEN not in f"{resource}{body}{ {**headers, 'Authorization': ''} }"
    listener.ill = lambda _method, _resource: "403"
    with pytest.raises(Unavailable) as error:
        ask.jobs()
    assert TOKEN not in f"{error.value}{caplog.text}"


def test_a_file_without_a_token_asks_nobody(ask: Calls, listener: Listener, tmp_path: Path) -> None:
    for text in ("", "two words", "a\nb", "é"):
        (tmp_path / "token").write_text(text)
        with pytest.raises(Unavailable):
            ask.jobs()
    (tmp_path / "token").unlink()
    with pytest.raises(Unavailable):
        ask.jobs()
    assert listener.asked == []


@pytest.mark.parametrize("illness", ILLNESSES)
def test_silence_of_every_kind_is_no_list_of_jobs(
    ask: Calls, listener: Listener, illness: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 0.7)
    listener.ill = lambda _method, _resource: illness
    with pytest.raises((MlinfnError, ValueError)) as error:
        reading.jobs(ask.jobs())
    assert not isinstance(error.value, Refused)


@pytest.mark.parametrize(
    ("status", "lasting"), [("400", True), ("422", True), ("403", False), ("500", False)]
)
def test_only_what_vkd_never_takes_is_refused(
    ask: Calls, listener: Listener, status: str, lasting: bool
) -> None:
    listener.ill = lambda _method, _resource: status
    with pytest.raises(Refused if lasting else Unavailable):
        ask.create({"name": "x"})


def test_what_is_gone_is_removed(ask: Calls, listener: Listener) -> None:
    listener.ill = lambda _method, _resource: "404"
    ask.delete("x")
