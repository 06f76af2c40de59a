"""Short-lived keys by the whole way: a hub, its login, MinIO's key service; all of them real."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.storage.bucket.aws_profiles import write_profiles
from jupyter_mlinfn.storage.bucket.exchanging import exchange
from jupyter_mlinfn.storage.bucket.hub_token import token_for
from jupyter_mlinfn.storage.bucket.keeping import FOLDER, SessionKeys
from jupyter_mlinfn.storage.bucket.keys import Keys
from jupyter_mlinfn.storage.bucket.objects import Bucket
from jupyter_mlinfn.storage.bucket.talking import s3_client, sts_client
from tests.storage.bucket.conftest import bucket_area
from tests.systems import iam as provider
from tests.systems import minio
from tests.systems.daemons import Missing, started
from tests.systems.hub import PART, Hub, Person

pytestmark = pytest.mark.system

LINES = """
import os
from pathlib import Path
from jupyter_mlinfn.hub.login.configuring import Iam, login
login(c, 'iam', groups=['users/ai-infn'], iam=Iam(
    issuer=os.environ['TEST_ISSUER'], client='hub-iam', secret_file=Path('client-secret'),
    callback=os.environ['TEST_CALLBACK'], session_audiences=('minio', 'elsewhere')))
"""


class Site:
    """A hub, its login service and a store that believes it; three people have sessions."""

    def __init__(self) -> None:
        self.hub = Hub()
        callback = f"{self.hub.url}/hub/oauth_callback"
        self.iam = provider.start([callback], readers=["minio", "elsewhere"])
        self.running: list[Any] = [self.iam]
        try:
            self.store = minio.start(self.iam.issuer)
            self.running.append(self.store)
            secret = self.hub.work / "client-secret"
            secret.write_text(self.iam.secret)
            secret.chmod(0o600)
            self.hub.lines = (LINES,)
            told = {"TEST_ISSUER": self.iam.issuer, "TEST_CALLBACK": callback}
            self.hub.environment |= told
            self.running.append(started(self.hub, PART))
            self.environs = {name: self._arrive(name) for name in ("anna", "ben", "cleo")}
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for one in reversed(self.running):
            one.stop()

    def _arrive(self, name: str) -> dict[str, str]:
        """Log in, start a session: what it was started with."""
        self.iam.person(name, "users/ai-infn")
        person = Person(self.hub, name)
        address = f"{self.hub.url}/hub/oauth_login?next=/hub/home"
        assert self.iam.log_in(person.browser, address, name).status_code == 200
        assert person.page("spawn", allow_redirects=False).status_code == 302
        self.hub.until_ready(name)
        (found,) = (one for one in self.hub.session_files() if one["user"] == name)
        return {str(key): str(value) for key, value in found["environment"].items()}

    def area(self, bucket: str = "s3://people/homes/anna", **changes: Any) -> Area:
        told = {"audience": minio.AUDIENCE, "role": self.store.role} | changes
        return bucket_area(self.store.endpoint, bucket, **told)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    try:
        running = Site()
    except Missing as error:
        pytest.skip(f"hub, provider and MinIO: {error}")
    yield running
    running.stop()


def refusal(site: Site, keys: Keys, verb: str, **asked: Any) -> str:
    """S3's code where the keys have no right to that; empty where they have."""
    from botocore.exceptions import ClientError

    store = site.area().store
    assert store is not None
    try:
        getattr(s3_client(store, keys), verb)(Bucket="people", **asked)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_keys_are_for_the_prefix_of_the_area_and_nothing_else(site: Site, tmp_path: Path) -> None:
    area = site.area()
    keys = SessionKeys(tmp_path, site.environs["anna"]).keys(area)
    assert timedelta(0) < keys.ends - datetime.now(UTC) <= timedelta(hours=1)
    assert refusal(site, keys, "put_object", Key="homes/anna/a.txt", Body=b"1") == ""
    assert refusal(site, keys, "get_object", Key="homes/anna/a.txt") == ""
    assert refusal(site, keys, "list_objects_v2", Prefix="homes/anna/") == ""
    for verb, asked in (
        ("put_object", {"Key": "shared/a.txt", "Body": b"1"}),  # MinIO's rule alone would let her
        ("put_object", {"Key": "homes/annabel/a.txt", "Body": b"1"}),
        ("get_object", {"Key": "homes/ben/a.txt"}),
        ("list_objects_v2", {"Prefix": "shared/"}),
        ("list_objects_v2", {"Prefix": "homes/anna"}),
        ("list_objects_v2", {}),
        ("delete_object", {"Key": "shared/a.txt"}),
    ):
        assert refusal(site, keys, verb, **asked) == "AccessDenied", (verb, asked)


def test_an_area_that_is_only_read_has_keys_that_only_read(site: Site, tmp_path: Path) -> None:
    area = site.area("s3://people/shared", writable=False)
    site.store.client("s3").put_object(Bucket="people", Key="shared/data", Body=b"1")
    keys = SessionKeys(tmp_path, site.environs["anna"]).keys(area)
    assert refusal(site, keys, "get_object", Key="shared/data") == ""
    assert refusal(site, keys, "put_object", Key="shared/x", Body=b"1") == "AccessDenied"
    assert refusal(site, keys, "delete_object", Key="shared/data") == "AccessDenied"


def test_whoever_asks_for_anothers_prefix_gets_keys_that_open_nothing(
    site: Site, tmp_path: Path
) -> None:
    """The rule of the store decides between people: a session may ask for what it likes."""
    site.store.client("s3").put_object(Bucket="people", Key="homes/anna/mine", Body=b"1")
    keys = SessionKeys(tmp_path, site.environs["ben"]).keys(site.area())
    assert refusal(site, keys, "get_object", Key="homes/anna/mine") == "AccessDenied"
    token = token_for(site.area(), site.environs["ben"])
    store = site.area().store
    assert store is not None
    told = sts_client(store).assume_role_with_web_identity(
        RoleArn=store.role, RoleSessionName="x", WebIdentityToken=token, DurationSeconds=3600
    )["Credentials"]  # fmt: skip
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    bare = Keys(*(told[name] for name in names), keys.begins, keys.ends)
    assert refusal(site, bare, "get_object", Key="homes/anna/mine") == "AccessDenied"
    assert refusal(site, bare, "put_object", Key="homes/ben/x", Body=b"1") == ""


def test_keys_are_kept_for_the_session_alone_and_renewed_before_they_end(
    site: Site, tmp_path: Path
) -> None:
    area, now = site.area(), [datetime.now(UTC)]
    source = SessionKeys(tmp_path, site.environs["anna"], lambda: now[0])
    first = source.keys(area)
    assert source.keys(area) == first
    other = SessionKeys(tmp_path, site.environs["anna"], lambda: now[0])
    assert other.keys(area) == first, "each program asks the hub for a token"
    (file,) = (tmp_path / FOLDER).glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert source.keys(site.area("s3://people/homes/anna/x")) != first
    now[0] = first.ends - timedelta(minutes=19)
    second = source.keys(area)
    assert second.access != first.access
    assert source.keys(area, refused=second).access != second.access
    file.chmod(0o644)
    now[0] = datetime.now(UTC)
    third = SessionKeys(tmp_path, site.environs["anna"]).keys(area)
    assert third.access != second.access, "keys that others could have written were used"


def test_keys_go_on_while_the_hub_is_silent(site: Site, tmp_path: Path) -> None:
    area, now = site.area(), [datetime.now(UTC)]
    environ = dict(site.environs["anna"])
    source = SessionKeys(tmp_path, environ, lambda: now[0])
    first = source.keys(area)
    now[0] = first.ends - timedelta(minutes=5)
    name = source._name(area)
    environ["JUPYTERHUB_API_TOKEN"] = "0" * 32
    assert source._name(area) == name
    assert source.keys(area) == first
    now[0] = first.ends
    with pytest.raises(MlinfnError) as caught:
        source.keys(area)
    assert caught.value.code != "clock-skew"


def test_programs_of_s3_find_keys_by_the_profile_of_the_area(site: Site, tmp_path: Path) -> None:
    area = site.area(name="objects")
    runtime, home = tmp_path / "runtime", tmp_path / "home"
    own = home / ".aws" / "config"
    own.parent.mkdir(parents=True)
    own.write_text("[profile hers]\nregion = eu-south-1\n")
    environ = {
        **site.environs["anna"],
        "HOME": str(home), "PATH": os.environ["PATH"], "JUPYTER_RUNTIME_DIR": str(runtime),
        "MLINFN_AREAS": f"[{area.model_dump_json()}]",
    }  # fmt: skip
    argv = (sys.executable, "-m", "jupyter_mlinfn.cli", "areas", "key", "--")
    config = write_profiles([area], runtime, argv, environ)
    assert config is not None
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    lines = """
import botocore.session
session = botocore.session.Session(profile="objects")
s3 = session.create_client("s3")
s3.put_object(Bucket="people", Key="homes/anna/by profile", Body=b"hello")
print(s3.get_object(Bucket="people", Key="homes/anna/by profile")["Body"].read().decode())
print(session.get_credentials().method, session.get_credentials().access_key)
print(sorted(botocore.session.Session().available_profiles))
"""
    done = subprocess.run(
        (sys.executable, "-c", lines), env=environ | {"AWS_CONFIG_FILE": str(config)},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    hello, about, profiles = done.stdout.splitlines()
    assert hello == "hello"
    assert profiles == "['hers', 'objects']"
    assert about.startswith("custom-process ")
    (file,) = (runtime / FOLDER).glob("*.json")
    told = json.loads(file.read_text())
    assert told["AccessKeyId"] == about.split()[1]
    for secret in (told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"]):
        assert secret not in config.read_text()
        assert secret not in "".join(environ.values())
        assert secret not in done.stderr + str(argv)


def test_what_is_in_the_way_is_told_in_words(site: Site, tmp_path: Path) -> None:
    token = token_for(site.area(audience="elsewhere"), site.environs["cleo"])
    good = token_for(site.area(), site.environs["cleo"])
    for error, code, call in (
        (Refused, "keys-refused", lambda: exchange(site.area(), token)),
        (Refused, "keys-refused", lambda: exchange(site.area(), "no.such.token")),
        (Refused, "keys-refused", lambda: exchange(site.area(role=f"{site.store.role}x"), good)),
        (Unavailable, "store-silent", lambda: exchange(bucket_area("http://127.0.0.1:9"), good)),
        (Refused, "hub-audience", lambda: token_for(site.area(audience="x"), site.environs["ben"])),
    ):  # fmt: skip
        with pytest.raises(error) as caught:
            call()
        assert caught.value.code == code, caught.value.text
        assert caught.value.text.endswith((".", ")."))
        assert token not in caught.value.text
        assert good not in caught.value.text
    source = SessionKeys(tmp_path, site.environs["cleo"])
    with pytest.raises(Refused) as denied:
        Bucket(site.area("s3://people/homes/ben"), source).read("x")
    assert denied.value.code == "bucket-refused"
    area = site.area("s3://people/homes/cleo")
    bad = source.keys(area)
    turned = Keys("NOBODYS" + bad.access[7:], bad.secret, bad.session, bad.begins, bad.ends)

    class Turned:
        def keys(self, area: Area, *, refused: Keys | None = None) -> Keys:
            return turned if refused is None else bad

    assert Bucket(area, Turned()).list().more is None, "keys that ended were not had anew"
