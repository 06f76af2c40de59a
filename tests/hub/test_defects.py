"""The 21 mistakes of published hubs, one test each: S1 to S9 of a Docker one, K1 to K12 of a
Kubernetes one. Each would fail if we made that mistake.

The offers are the shipped ones, with every single choice in them; the spawners are the real
classes, which say what they would ask their engine or cluster for.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import pkgutil
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from traitlets.config import Config

import jupyter_mlinfn.hub
from jupyter_mlinfn.hub.configuring import configure
from jupyter_mlinfn.hub.login.iam import IamAuthenticator
from jupyter_mlinfn.hub.login.identity_tokens import verified
from jupyter_mlinfn.hub.options import from_form
from jupyter_mlinfn.hub.page import make_page, render
from jupyter_mlinfn.hub.ways.docker import PlannedDockerSpawner
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.plans import Plan
from jupyter_mlinfn.profiles.choice import KEYS
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.offer import make_offer
from jupyter_mlinfn.profiles.reading import read_text
from jupyter_mlinfn.profiles.spawners import docker, honouring, kube
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, KubeSite, Toleration
from jupyter_mlinfn.storage.making import make
from tests.profiles.spawners import offers, real
from tests.profiles.spawners.offers import ADA, AI, ML, every_plan, person, plan

pytestmark = pytest.mark.slow

PACKAGE = Path(jupyter_mlinfn.hub.__file__).parent.parent
CHECKOUT = PACKAGE.parent
DEVICE = "GPU-51a1700f-0000-4000-8000-000000000004"
SECRETS = ("the-client-secret", "the-refresh-token", "the-access-token", "the-password")
DOCKER = DockerSite(roots=ML.ceiling.roots)
KUBE = KubeSite(
    fuse_resource="smarter-devices/fuse",
    tolerations=(Toleration(key="reserved", value="ml", groups=frozenset({"users/ai-infn"})),),
)


async def container(made: Plan, device: str = DEVICE) -> dict[str, Any]:
    """What the engine is asked for."""
    spawner = real.of_docker()
    devices = (device,) if made.pool else ()
    lease = "one" if made.pool else None
    real.apply(spawner, docker.traits(made, DOCKER, devices, lease))
    return await real.container(spawner)


async def pod(made: Plan) -> dict[str, Any]:
    """What the cluster is asked for."""
    spawner = real.of_kube()
    real.apply(spawner, kube.traits(made, KUBE))
    return await real.pod(spawner)


def refused(book: Any, who: Any = ADA, **options: object) -> str:
    """The text of why these options are no plan, and the status that a caller sees."""
    with pytest.raises(MlinfnError) as found:
        plan(book, who, **options)
    assert found.value.status in (400, 403)
    return found.value.text


def sources() -> Iterator[tuple[Path, str]]:
    """All code that runs in a hub or beside it."""
    for room in ("hub", "profiles", "leases", "storage", "database"):
        for file in sorted((PACKAGE / room).rglob("*.py")):
            yield file, file.read_text(encoding="utf-8")


# --- a single machine with Docker ---------------------------------------------------------------


async def test_s1_no_container_is_privileged_and_no_file_can_say_so() -> None:
    for made in every_plan(ML):
        asked = await container(made)
        host = asked["host_config"]
        assert (host.get("Privileged"), host.get("CapAdd")) in [(None, None), (False, None)]
        assert host["CapDrop"] == ["ALL"]
        assert not asked["user"].startswith(("0", "root"))
    example = (offers.FOLDER / "ml-infn.toml").read_text()
    for word in ("privileged = true", 'cap_add = ["SYS_ADMIN"]', "user = 0", 'network = "host"'):
        with pytest.raises(MlinfnError) as told:
            read_text(example.replace("collaborative = true", word), "profiles.toml")
        assert word.split()[0] in told.value.problems[0].text
    with pytest.raises(MlinfnError):
        read_text(example.replace('["fuse", "userns"]', '["sys_admin"]'), "profiles.toml")
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        DockerSite(uid=0)


async def test_s2_an_image_is_a_name_of_the_offer_wherever_it_comes_from() -> None:
    for image in ("evil.invalid/x", "lab@evil.invalid/x", "lab\n", ["lab"], {"lab": 1}, "", "Lab"):
        refused(ML, profile="cpu", image=image)
    for key in ("img", "image_", "Image", "allowed_images", "_xsrf"):
        assert key in refused(ML, profile="cpu", **{key: "lab"})
    refused(ML, profile="cpu", image="lab-gpu")  # of the offer, and not of this profile
    spawner = PlannedDockerSpawner(user=real.USER, hub=real.HUB)
    real.apply(spawner, docker.traits(plan(ML, profile="cpu"), DOCKER))
    meant = spawner.image
    assert await spawner.check_allowed("evil.invalid/x") == meant == ML.image["lab"].reference


async def test_s3_a_container_gets_its_own_device_and_not_the_first() -> None:
    with_gpu = [made for made in every_plan(ML) if made.pool]
    assert with_gpu
    for made in with_gpu:
        for device in (DEVICE, "MIG-1"):
            (request,) = (await container(made, device))["host_config"]["DeviceRequests"]
            assert (request["Count"], request["DeviceIDs"]) == (0, [device])
    with pytest.raises(Refused):
        docker.traits(with_gpu[0], DOCKER)  # no lease, no device, no container


async def test_s4_no_secret_of_the_login_is_in_a_session(tmp_path: Path) -> None:
    c = configured(tmp_path, "ml-infn.toml")
    assert "auth_state_hook" not in c.Spawner
    assert "environment" not in c.Spawner
    authenticator = IamAuthenticator(
        client_id="hub", client_secret=SECRETS[0], issuer="https://iam.example.org/"
    )
    spawner = real.of_docker()
    spawner.authenticator = authenticator
    real.apply(spawner, docker.traits(plan(ML), DOCKER))
    await spawner.run_auth_state_hook(auth_state())
    told = json.dumps(await real.container(spawner))
    assert not [secret for secret in SECRETS if secret in told]


async def test_s5_no_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    authenticator = IamAuthenticator(
        client_id="hub",
        client_secret=SECRETS[0],
        issuer="https://iam.example.org/",
        member_groups=frozenset({"users/ai-infn"}),
        log=logging.getLogger("hub"),
    )
    state = auth_state()
    model = await authenticator.update_auth_model(
        {"name": "ada", "admin": False, "auth_state": state}
    )
    assert await authenticator.get_user_groups(state) == {"users/ai-infn"}
    assert await authenticator.check_allowed("ada", model)
    user = SimpleNamespace(
        name="ada", get_auth_state=lambda: answered({**state, "mlinfn_issuer": "x"})
    )
    with pytest.raises(Refused):
        await authenticator._check_owner(user, {**model, "name": "ada"})
    assert "another subject" in caplog.text.lower()
    assert not [secret for secret in SECRETS if secret in caplog.text]
    printing = re.compile(r"^\s*print\(|log\w*\.\w+\([^)]*(?:auth_state|token_response)\b", re.M)
    assert [str(file) for file, text in sources() if printing.search(text)] == []


def test_s6_an_identity_token_counts_with_its_signature_alone() -> None:
    claims = {"iss": "https://iam/", "aud": "hub", "sub": "ada", "iat": 1, "exp": 9_999_999_999}
    unsigned = jwt.encode(claims, None, "none")
    known = jwt.encode(claims, "the hub knows this secret, too, and so may others", "HS256")
    for token in (unsigned, known, unsigned.rsplit(".", 1)[0] + ".x", "", None):
        with pytest.raises(Refused):
            verified(token, {"keys": []}, "https://iam/", "hub")
    trusting = re.compile(r"verify_\w+[\"']?\s*[:=]\s*False|algorithms=None|ssl\.CERT_NONE")
    assert [str(file) for file, text in sources() if trusting.search(text)] == []


def test_s7_no_token_and_no_password_is_shipped(tmp_path: Path) -> None:
    given = re.compile(
        r"""(?ix) (?:api_?token|client_?secret|password|cookie_secret) ["']? \s* [:=] \s*
        ["'](?! ["'<{$] )[^"'\s{}$<>]{6,}["']""",
        re.VERBOSE,
    )
    files = [
        *(file for file in (CHECKOUT / "examples").rglob("*") if file.is_file()),
        *(file for file in (CHECKOUT / "deploy").rglob("*") if file.is_file()),
        *(file for file, _ in sources()),
    ]
    found = [
        f"{file.name}: {line}"
        for file in files
        if "templates" not in file.parts
        for line in given.findall(file.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []
    for service in configured(tmp_path, "ml-infn.toml").JupyterHub.services:
        assert "api_token" not in service  # the hub makes one by chance at each start
        assert service.get("admin") is None


async def test_s8_memory_and_cpus_are_names_of_the_offer_and_always_limited() -> None:
    for memory in (
        "1e400G",
        "16Gi ",
        "16g",
        "999GiB",
        -1,
        0,
        None,
        float("nan"),
        "4GiB\n",
        ["4GiB"],
    ):
        if memory is not None:
            refused(ML, profile="cpu", memory=memory)
    for cpu in (0, -1, 1e9, float("nan"), "１", 3, True, "2 ", [2]):
        refused(ML, profile="cpu", cpu=cpu)
    for made in every_plan(ML):
        host = (await container(made))["host_config"]
        assert 0 < host["Memory"] == host["MemorySwap"] == made.memory <= ML.ceiling.memory
        assert 0 < host["CpuQuota"] <= ML.ceiling.cpu * host["CpuPeriod"]
        assert host["PidsLimit"] > 0


async def test_s9_a_groups_folder_is_its_members_alone(tmp_path: Path) -> None:
    def writable(*groups: str) -> set[str]:
        made = plan(ML, person("bea", "ml-infn/users", *groups), profile="cpu")
        return {mount.source for mount in made.mounts if not mount.read_only}

    other = "/srv/ml-infn/collabspace/" + slug("cms/higgs")
    assert other in writable("cms/higgs")
    assert other not in writable("cms", "atlas/higgs", "cms/higgs-x")
    everywhere = writable() & {
        mount.source
        for mount in plan(ML, person("eve", "ml-infn/users"), profile="cpu").mounts
        if not mount.read_only
    }
    assert everywhere == {"/srv/ml-infn/collabspace/" + slug("ml-infn/users")}
    modes = made_modes(tmp_path)
    assert {mode & 0o007 for name, mode in modes.items() if "collabspace/" in name} == {0}


# --- a cluster with Kubernetes ------------------------------------------------------------------


def test_k1_everything_loads_and_the_two_lines_work_as_published(tmp_path: Path) -> None:
    for room in ("hub", "profiles", "leases", "storage"):
        package = importlib.import_module(f"jupyter_mlinfn.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "__main__" not in found.name and ".migrations." not in found.name:
                importlib.import_module(found.name)
    for name, kind in (("ml-infn.toml", "Docker"), ("ai-infn.toml", "Kube")):
        c = configured(tmp_path / kind, name)
        assert kind in c.JupyterHub.spawner_class.__name__


async def test_k2_no_secret_of_the_configuration_is_logged_or_readable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    address = "postgresql+psycopg://hub:the-password@127.0.0.1:1/leases"
    c = configured(tmp_path, "ml-infn.toml", database=address)
    desk = c.JupyterHub.spawner_class.desk
    with pytest.raises(Unavailable) as failed:  # nobody answers there, which is worth a line
        await desk.counter.pools()
    said = [caplog.text, *capfd.readouterr(), failed.value.text, repr(failed.value), repr(desk)]
    assert "the-password" not in "".join(said) + str(c)
    holders = [file for file in (tmp_path / "state").rglob("*") if file.is_file()]
    assert any("the-password" in file.read_text() for file in holders)  # for the service
    assert {oct(stat.S_IMODE(file.stat().st_mode) & 0o077) for file in holders} == {"0o0"}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_k3_two_people_never_share_a_name_a_home_or_a_volume() -> None:
    close = ("a_b", "ab", "a-b", "A-B", "a--b", "a_b_", "a.b", "a b", "ａｂ")
    homes = {
        mount.source
        for name in close
        for book, group in ((ML, "ml-infn/users"), (AI, "users/ai-infn"))
        for mount in plan(book, person(name, group)).mounts
        if "private" in mount.source or "homes" in mount.source
    }
    assert len(homes) == 2 * len(close)


async def test_k4_tolerations_never_grow_and_end_with_the_group() -> None:
    spawner = real.of_kube()
    seen = []
    for groups in (["users/ai-infn"], ["users/ai-infn"], ["users/ai-infn"], ["admins/ai-infn"]):
        made = plan(AI, person("ada", *groups), profile="gpu-slice")
        real.apply(spawner, kube.traits(made, KUBE))
        seen.append((await real.pod(spawner))["spec"].get("tolerations", []))
    assert [len(one) for one in seen] == [1, 1, 1, 0]


def test_k5_number_size_and_model_are_checked_against_the_offer() -> None:
    slice_ = {"profile": "gpu-slice"}
    for accelerator in (
        "gpu:NVIDIA-A100:8",
        "a100-7g-80gb",
        "a30",
        "none",
        8,
        ["a30", "t4"],
        "t4\n",
    ):
        refused(AI, **slice_, accelerator=accelerator)
    refused(AI, **slice_, cpu=64)
    refused(AI, **slice_, memory="512GiB")
    refused(AI, person("bea", "users/ai-infn"), **slice_, image="lab-next")
    refused(AI, person("bea", "users/ai-infn"), profile="gpu-large")
    for count in (2, -1, 1.5, "1e9", True):
        refused(AI, profile="fpga", resources={"fpga-u55c": count})


async def test_k6_a_countable_resource_is_given_or_refused_and_never_forgotten() -> None:
    refused(AI, profile="fpga", resources={"fpga:u55c": 1})
    refused(AI, profile="cpu", resources={"fpga-u55c": 1})
    made = plan(AI, profile="fpga", resources={"fpga-u55c": 1})
    name = AI.resource["fpga-u55c"].site_name
    (asked,) = (await pod(made))["spec"]["containers"]
    assert asked["resources"]["limits"][name] == "1"
    told = honouring.unhonoured(AI, "docker")
    assert [one for one in told if one.field == "profile.fpga.resources"]
    with pytest.raises(Refused):
        docker.traits(made, DOCKER)


async def test_k7_the_model_is_required_for_each_accelerator() -> None:
    offered = {made.pool.name: made for made in every_plan(AI) if made.pool}
    assert set(offered) == set(AI.accelerator)
    for name, made in offered.items():
        affinity = (await pod(made))["spec"]["affinity"]["nodeAffinity"]
        assert list(affinity) == ["requiredDuringSchedulingIgnoredDuringExecution"], name
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        (label,) = term["matchExpressions"]
        assert (label["key"], label["operator"]) == (kube.PRODUCT, "In")
        assert label["values"] == [AI.accelerator[name].node[kube.PRODUCT]]


def test_k8_the_page_is_there_while_nobody_knows_what_is_free() -> None:
    offer = make_offer(ML, ADA)
    now = datetime(2026, 11, 22, tzinfo=UTC)
    page = render(make_page(offer, {}, (), now, silent="The database does not answer."))
    assert all(f'value="{profile.name}"' in page for profile in offer.profiles)
    assert "The database does not answer." in page
    # a choice of an older file, and things that no form has sent
    for last in (
        {"profile": "gone"},
        {"profile": ["gpu"]},
        {"x": None},
        {"profile": "gpu", "cpu": {}},
    ):
        assert 'value="gpu"' in render(make_page(offer, last, (), now))


async def test_k9_rights_are_of_a_profile_and_never_of_all() -> None:
    kinds = {}
    for made in every_plan(AI):
        spec = (await pod(made))["spec"]
        context = spec["containers"][0]["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        kinds.setdefault(made.profile, context["seccompProfile"]["type"])
    assert kinds.pop("apptainer") == "Localhost"
    assert set(kinds.values()) == {"RuntimeDefault"}


def test_k10_nothing_is_made_writable_for_everybody(tmp_path: Path) -> None:
    modes = made_modes(tmp_path)
    assert len(modes) > 3
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o002} == {}
    loose = re.compile(r"chmod\([^)]*0o?[0-7]{0,2}[0-7]{2}[2367]\b|umask\(0\)")
    assert [str(file) for file, text in sources() if loose.search(text)] == []


async def test_k11_whatever_can_be_chosen_changes_what_is_started() -> None:
    """No box on the page that nobody reads, and no option that nobody could choose."""
    changed = set()
    for book, start in ((ML, container), (AI, pod)):
        for options in offers.every_options(make_offer(book, ADA)):
            (key,) = set(options) - {"profile"} or {"profile"}
            first = json.dumps(await start(plan(book, profile=options["profile"])), sort_keys=True)
            second = json.dumps(await start(plan(book, **options)), sort_keys=True)
            if first != second:
                changed.add(key)
    profiles = {json.dumps(await pod(plan(AI, profile=one.name))) for one in AI.profile}
    assert len(profiles) == len(AI.profile)
    assert changed | {"profile"} == set(KEYS)
    # and the page sends those, and nothing else
    form = {"profile": ["gpu"], "offloading": ["on"], "cpu--gpu": ["4"], "cpu--cpu": ["8"]}
    assert from_form(form) == {"profile": "gpu", "cpu": "4", "offloading": "on"}
    assert "offloading" in refused(ML, **from_form(form))


async def test_k12_no_key_of_the_object_store_is_in_a_pod_or_in_the_file() -> None:
    for made in every_plan(AI):
        spec = (await pod(made))["spec"]
        assert [one["name"] for one in spec["containers"]] == ["notebook"]
        assert "initContainers" not in spec
        assert "s3" not in {kind for volume in spec["volumes"] for kind in volume}
        assert not any("secret" in volume or "csi" in volume for volume in spec["volumes"])
        names = {one["name"] for one in spec["containers"][0]["env"]}
        assert not [one for one in names if "SECRET" in one or "ACCESS_KEY" in one]
    example = (offers.FOLDER / "ai-infn.toml").read_text()
    for name in ("AWS_SECRET_ACCESS_KEY", "S3_ACCESS_KEY", "MINIO_PASSWORD", "IAM_CLIENT_SECRET"):
        line = f'variables = {{ {name} = "x" }}\nprivileges = ["userns"]'
        with pytest.raises(MlinfnError) as told:
            read_text(example.replace('privileges = ["userns"]', line), "profiles.toml")
        assert name in told.value.problems[0].text
    with pytest.raises(MlinfnError):
        read_text(example.replace("s3://ai-infn-", "s3://key:secret@ai-infn-"), "profiles.toml")


# --- what several of them stand on --------------------------------------------------------------


def configured(folder: Path, example: str, **more: Any) -> Config:
    """The two lines, for one of the shipped offers."""
    folder.mkdir(parents=True, exist_ok=True)
    c = Config()
    c.JupyterHub.template_paths, c.JupyterHub.services, c.JupyterHub.load_roles = [], [], []
    configure(c, offers.FOLDER / example, state=folder / "state", devices="simulated", **more)
    return c


def auth_state() -> dict[str, Any]:
    """What the hub keeps of a login."""
    tokens = {"access_token": SECRETS[2], "refresh_token": SECRETS[1], "id_token": SECRETS[2]}
    claims = {"sub": "7", "preferred_username": "ada", "name": "Ada", "groups": ["users/ai-infn"]}
    return {**tokens, "token_response": tokens, "oauth_user": claims}


async def answered(what: Any) -> Any:
    """As a database that is asked."""
    return what


def made_modes(folder: Path) -> dict[str, int]:
    """The modes of all folders that a start makes, with a umask that hides nothing."""
    root = folder / "srv"
    root.mkdir()
    made = plan(ML, profile="cpu")
    mounts = [
        mount.model_copy(update={"source": f"{root}{mount.source}"})
        for mount in made.mounts
        if mount.create
    ]
    before = os.umask(0)
    try:
        make(mounts, (os.getuid(), os.getgid()), areas=made.areas, roots=(str(root),))
    finally:
        os.umask(before)
    found = list(root.rglob("*"))
    return {str(one.relative_to(root)): stat.S_IMODE(one.stat().st_mode) for one in found}
