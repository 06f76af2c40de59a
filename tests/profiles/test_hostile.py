"""Hostile inputs in one table, as far as they can touch a file, a choice or a name.

The numbers are those of the list of sixty that this project keeps, with two more (61, 62). Doors:

- ``choice``: options of a form or of a REST call, from a member who is offered ``gpu-small``.
- ``file``: what stands in ``profiles.toml`` in place of something right.

Each must be refused with a status of 4xx and a problem that names the field, and nothing else:
no other exception, no plan.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from jupyter_mlinfn.model.errors import InputError, MlinfnError, Refused
from jupyter_mlinfn.model.plans import Identity, Plan
from jupyter_mlinfn.profiles.choice import choose, remembered
from jupyter_mlinfn.profiles.offer import make_offer
from jupyter_mlinfn.profiles.places import ProfilesError
from jupyter_mlinfn.profiles.planning import make_plan
from jupyter_mlinfn.profiles.reading import read_text
from tests.profiles.files import ANNA, TEXT, book, person

SHA = "sha256:" + "a" * 64


@dataclass(frozen=True)
class Row:
    """One hostile input: options for ``choice``; ``(right, hostile)`` texts for ``file``."""

    number: int
    title: str
    door: Literal["choice", "file"]
    what: Any
    where: str

    def __str__(self) -> str:
        return f"{self.number}-{self.door}-{self.title}"


def choice(number: int, title: str, where: str, **options: Any) -> Row:
    return Row(number, title, "choice", {"profile": "gpu-small", **options}, where)


def extra(number: int, title: str, where: str) -> Row:
    """An option that nobody knows, with a value that would do harm."""
    return choice(number, title, where, **{where: title})


def in_file(number: int, title: str, where: str, right: str, hostile: str) -> Row:
    return Row(number, title, "file", (right, hostile), where)


def image(number: int, reference: str) -> Row:
    """A reference that stands in the file in place of a right one."""
    hostile = f"reference = {json.dumps(reference)}"
    right = 'reference = "harbor.example.org/ok/lab:1.2"'
    return in_file(number, reference[:40], "image.lab.reference", right, hostile)


def source(number: int, path: str) -> Row:
    """A folder of the host in place of a right one."""
    return in_file(number, path, "volume.home.source", "/srv/data/homes/{user}", path)


ROWS = [
    choice(18, "an image named like an option", "image", image="-p /"),
    in_file(18, "a profile named like an option", "profile.-p /.name", '"cpu"', '"-p /"'),
    choice(19, "an option with a file", "image", image="--file=/etc/passwd"),
    choice(20, "two commands", "profile", profile="cpu; id"),
    choice(21, "a command in dollars", "charge", charge="$(id)"),
    choice(22, "a command in backticks", "accelerator", accelerator="`id`"),
    choice(23, "a file's address", "image", image="file:///etc/passwd"),
    image(23, "file:///etc/passwd"),
    image(23, "http://127.0.0.1/a:1"),
    in_file(
        23,
        "a registry that is an address",
        "ceiling.registries",
        '"harbor.example.org/ok/"',
        '"http://127.0.0.1/"',
    ),
    image(24, "git+ssh://git@evil.example/a.git"),
    choice(25, "docker://evil", "image", image="docker://evil"),
    choice(25, "the @ trick", "image", image="lab@evil.example/x"),
    image(25, "docker://evil"),
    image(25, "harbor.example.org/ok/a@evil.example/x"),
    image(25, "harbor.example.org/ok/a:1@evil.example/x:1"),
    image(25, "harbor.example.org/ok/../evil/a:1"),
    image(25, "harbor.example.org/ok/a"),
    image(25, f"evil.example/harbor.example.org/ok/a@{SHA}"),
    image(25, "harbor.example.org.evil.example/ok/a:1"),
    image(25, "harbor.example.org/okay/a:1"),
    image(25, "registry.example.org:5000/exact/lab-evil:1"),
    image(25, f"harbor.example.org/ok/a@{SHA}0"),
    image(25, "harbor.example.org/ok/" + "a" * 600 + ":1"),
    choice(26, "an image with a newline", "image", image="lab\n"),
    image(26, "harbor.example.org/ok/lab:1\n"),
    image(26, "harbor.example.org/ok/lab\n:1"),
    choice(27, "a group that is not hers", "charge", charge="cms"),
    extra(27, "root", "queue"),
    in_file(
        27,
        "two queues in one name",
        "profile.gpu-small.queues",
        "ports = [8787]",
        'queues = ["a,b"]',
    ),
    in_file(
        30,
        "two folders in one",
        "profile.gpu-small.environments",
        "ports = [8787]",
        'environments = ["/envs:/etc"]',
    ),
    extra(27, "all", "partition"),
    extra(28, "queue 1000", "queue 1000"),
    extra(28, "root", '+Owner="root"'),
    in_file(
        29,
        "a label that is too long",
        f"accelerator.mig-small.node.{'x' * 60}",
        '"nvidia.com/gpu.product"',
        '"' + "x" * 64 + '"',
    ),
    in_file(
        29,
        "a label's value with a newline",
        "accelerator.mig-small.node.nvidia.com/gpu.product",
        '"NVIDIA-A100-80GB-PCIe"',
        r'"A100\n"',
    ),
    in_file(
        29,
        "another namespace",
        "profile.cpu.namespace",
        'images = ["lab"]\ncpu',
        'images = ["lab"]\nnamespace = "kube-system"\ncpu',
    ),
    *(
        in_file(29, name, f"profile.gpu-small.variables.{name}", "OMP_NUM_THREADS", name)
        for name in ("LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES", "IAM_CLIENT_SECRET", "PATH")
    ),
    extra(29, "kube-system", "namespace"),
    choice(29, "LD_PRELOAD", "environment", environment={"LD_PRELOAD": "x"}),
    choice(30, "the host's disk", "areas", areas=["/:/host"]),
    source(30, "/"),
    source(30, "/:/host"),
    source(30, "/etc"),
    source(30, "/proc/1/root"),
    source(30, "/var"),
    source(30, "/var/run/docker.sock"),
    source(30, "/run/containerd/containerd.sock"),
    source(30, "/srv/data/../../etc"),
    source(30, "/srv/data-secret/{user}"),
    source(30, "/srv/data/{user}/../x"),
    source(30, "/srv/data/{home}"),
    source(30, "/srv/data/{user.__class__}"),
    source(30, "//srv/data/{user}"),
    source(30, "~/data"),
    source(30, "/srv/data/engine.sock"),
    in_file(30, "a root above the system", "ceiling.roots", '"/srv/data"', '"/"'),
    in_file(30, "a root that holds the engine", "ceiling.roots", '"/srv/data"', '"/var/lib"'),
    in_file(30, "a mount over the system", "volume.home.target", '"/home/jovyan"', '"/etc/ssh"'),
    in_file(30, "a mount over everything", "volume.home.target", '"/home/jovyan"', '"/"'),
    extra(31, "node[1-99999]", "nodelist"),
    choice(31, "a range of areas", "areas", areas=["cms[1-99999]"]),
    *(
        choice(32, repr(cpu)[:20], "cpu", cpu=cpu)
        for cpu in (0, -1, 1e9, math.nan, "１", "4 ", "4.0", 10**400, True)
    ),
    *(
        in_file(32, str(cpu), "profile.cpu.cpu", "[1, 0.5]", f"[{cpu}]")
        for cpu in (0, -1, 1e9, "nan", "inf", '"１"', "true", 17)
    ),
    *(
        choice(33, memory, "memory", memory=memory)
        for memory in ("1e400G", "16GiB ", "16g", "16Gi", "17179869184")
    ),
    choice(33, "a size nobody offers", "memory", memory=2**34 + 1),
    *(
        in_file(33, memory, "profile.cpu.memory", '"2GiB"', f'"{memory}"')
        for memory in ("1e400G", "16Gi ", "0", "-1GiB", "128GiB", "１GiB")
    ),
    extra(34, "8", "gpus"),
    choice(34, "eight of them", "accelerator", accelerator={"mig-small": 8}),
    choice(34, "eight in a list", "accelerator", accelerator=["mig-small"] * 8),
    choice(34, "eight behind a colon", "accelerator", accelerator="mig-small:8"),
    choice(34, "eight FPGAs where two are offered", "resources.fpga", resources={"fpga": 8}),
    choice(34, "minus one", "resources.fpga", resources={"fpga": -1}),
    choice(34, "true", "resources.fpga", resources={"fpga": True}),
    choice(34, "one and a half", "resources.fpga", resources={"fpga": 1.5}),
    in_file(
        34,
        "a whole GPU under a ceiling of three sevenths",
        "profile.gpu-small.accelerators",
        'mig = "3g.40gb"\n',
        "",
    ),
    extra(35, "99999-00:00:00", "time"),
    in_file(35, "274 years", "profile.gpu-small.time.max", '"12h"', '"99999-00:00:00"'),
    in_file(35, "two days under a ceiling of one", "profile.gpu-small.time.max", '"12h"', '"2d"'),
    choice(36, "a range for a number", "resources.fpga", resources={"fpga": "0-10000000"}),
    choice(36, "ten million", "cpu", cpu=list(range(100))),
    choice(37, "an object for a text", "profile", profile={"profile": "gpu-small"}),
    choice(37, "a list for a text", "image", image=["lab"]),
    choice(37, "a text for a list", "areas", areas="cms"),
    choice(37, "a list for an object", "resources", resources=["fpga"]),
    choice(37, "ten thousand areas", "areas", areas=["cms"] * 10_000),
    choice(37, "ten thousand resources", "resources", resources=dict.fromkeys(range(10_000), 1)),
    choice(38, "nested a hundred deep", "areas", areas=json.loads("[" * 100 + "]" * 100)),
    choice(
        61, "an allowed image, by its reference", "image", image="harbor.example.org/ok/lab:1.2"
    ),
    choice(61, "an image of another profile", "image", image="staff"),
    extra(62, "true", "privileged"),
    extra(62, "token", "_xsrf"),
    extra(62, "x", "__proto__"),
    choice(
        62, "a spawner's own trait", "extra_host_config", extra_host_config={"privileged": True}
    ),
]


@pytest.mark.parametrize("row", [r for r in ROWS if r.door == "choice"], ids=str)
def test_a_hostile_choice_is_refused_and_names_its_field(row: Row) -> None:
    offer = make_offer(book(), ANNA)
    with pytest.raises(MlinfnError) as caught:
        choose(offer, row.what)
    assert isinstance(caught.value, InputError | Refused)
    assert [problem.field for problem in caught.value.problems] == [row.where]
    text = caught.value.problems[0].text
    assert len(text) < 500
    assert text.isprintable()


@pytest.mark.parametrize("row", [r for r in ROWS if r.door == "choice"], ids=str)
def test_a_hostile_choice_of_last_time_becomes_what_is_offered(row: Row) -> None:
    offer = make_offer(book(), ANNA)
    kept, _ = remembered(offer, row.what)
    make_plan(book(), offer, kept, ANNA)


@pytest.mark.parametrize("row", [r for r in ROWS if r.door == "file"], ids=str)
def test_a_hostile_file_is_refused_with_its_line(row: Row) -> None:
    right, hostile = row.what
    assert right in TEXT
    text = TEXT.replace(right, hostile, 1)
    with pytest.raises(ProfilesError) as caught:
        read_text(text, "p.toml")
    assert row.where in [problem.field for problem in caught.value.problems]


@pytest.mark.parametrize("options", [[], ["profile"], "profile", 7, None])
def test_options_that_are_no_object_are_refused(options: Any) -> None:
    with pytest.raises(InputError) as caught:
        choose(make_offer(book(), ANNA), options)
    assert caught.value.problems[0].field == "options"


def homes(identity: Identity) -> Plan:
    known = book()
    offer = make_offer(known, identity)
    return make_plan(known, offer, choose(offer, {"profile": "gpu-small"}), identity)


NAMES = [
    "a_b", "ab", "A", "a", "é", "e\u0301", "x" * 300, "x" * 301, "..", ".", "root", "a/b", "a-b",
    "{group}", "a\n", "a ", "", "-p", "$(id)", "users-ai-infn",
]  # fmt: skip


def test_57_no_two_names_share_a_folder_and_none_leaves_the_root() -> None:
    sources = {}
    for name in NAMES:
        mounts = homes(person(name, "users/ai-infn")).mounts
        (home,) = (mount for mount in mounts if mount.target == "/home/jovyan")
        parent, _, folder = home.source.rpartition("/")
        assert parent == "/srv/data/homes"
        assert folder not in ("", ".", "..", "root")
        sources[home.source] = name
    assert len(sources) == len(NAMES)


@pytest.mark.parametrize(
    "group",
    [
        "users/ai-infn/admins", "admins/users/ai-infn", "ai-infn", "users", "Users/ai-infn",
        "/users/ai-infn", "users/ai-infn/", "users/ai-infn ", "users/ai-infn,cms", "users:ai-infn",
        "admins", "users/ai-infn\n", "*", "", "cmss",
    ],
)  # fmt: skip
def test_58_a_group_is_its_whole_path_and_nothing_near_it(group: str) -> None:
    offer = make_offer(book(), person("anna", group))
    assert [profile.name for profile in offer.profiles] == ["cpu"]


def test_58_two_groups_of_one_last_name_are_two_groups() -> None:
    text = TEXT.replace('groups = ["admins/ai-infn"]\nimages', 'groups = ["a/admin"]\nimages')
    known = book(text)
    assert make_offer(known, person("anna", "a/admin")).find("staff") is None  # image is others'
    text = text.replace(
        'reference = "harbor.example.org/ok/staff:3"\ngroups = ["admins/ai-infn"]',
        'reference = "harbor.example.org/ok/staff:3"',
    )
    known = book(text)
    assert make_offer(known, person("anna", "a/admin")).find("staff") is not None
    assert make_offer(known, person("anna", "b/admin")).find("staff") is None


@pytest.mark.parametrize("group", ["a,b", "a b ", " a", "a//b", "../a", "a/../b", "/a", "", "a\tb"])
def test_58_a_group_that_could_be_read_as_two_is_refused_in_the_file(group: str) -> None:
    hostile = f"groups = [{json.dumps(group)}]"
    with pytest.raises(ProfilesError) as caught:
        read_text(TEXT.replace('groups = ["*"]', hostile, 1), "p.toml")
    assert [problem.field for problem in caught.value.problems] == ["profile.cpu.groups"]


@pytest.mark.parametrize("group", ["urn:mace:infn:group", "ai infn/users", "a.b-c_d", "città"])
def test_58_signs_that_are_part_of_a_name_stay_part_of_it(group: str) -> None:
    text = TEXT.replace('groups = ["*"]', f"groups = [{json.dumps(group)}]", 1)
    assert make_offer(book(text), person("anna", group)).find("cpu") is not None
    for near in (*group.split(":"), *group.split(), group.upper()):
        if near != group:
            assert make_offer(book(text), person("anna", near)).find("cpu") is None
