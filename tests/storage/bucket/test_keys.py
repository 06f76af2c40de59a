"""Where keys come from and where they are kept: hubs that say no, clocks, files, profiles."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.cli.main import main
from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import InputError, MlinfnError, NotFound
from jupyter_mlinfn.server.storage_profiles import tell_programs
from jupyter_mlinfn.storage.bucket.aws_profiles import FILE, VARIABLE, write_profiles
from jupyter_mlinfn.storage.bucket.exchanging import exchange
from jupyter_mlinfn.storage.bucket.hub_token import token_for
from jupyter_mlinfn.storage.bucket.keeping import SessionKeys
from jupyter_mlinfn.storage.bucket.keys import Keys, read_document
from jupyter_mlinfn.storage.bucket.place import place_of
from tests.storage.bucket.conftest import bucket_area
from tests.systems.answering import Answering

ENDPOINT = "https://s3.example.org"
GIVEN = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>A</AccessKeyId>
<SecretAccessKey>S3CR3T</SecretAccessKey><SessionToken>T0K3N</SessionToken>
<Expiration>{}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
WRONG = "<ErrorResponse><Error><Code>{}</Code><Message>S3CR3T</Message></Error></ErrorResponse>"


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    """A service that always says the same; what it was asked is in ``asked``."""
    running: list[Answering] = []

    def begin(
        status: int, body: str, headers: dict[str, str] | None = None, asked: Any = None
    ) -> str:
        def handle(request: BaseHTTPRequestHandler) -> None:
            told = request.rfile.read(int(request.headers.get("Content-Length") or 0))
            if asked is not None:
                asked.append((request.path, dict(request.headers), told))
            request.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(body.encode())

        running.append(Answering(handle))
        return running[-1].address

    yield begin
    for one in running:
        one.close()


def problem(code: str, detail: str = "So it is.") -> str:
    return json.dumps({"code": code, "detail": detail})


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (404, '{"status": 404, "message": "Not Found"}', "no-tokens", "gives no tokens"),
        (403, '{"status": 403, "message": "Forbidden"}', "no-tokens", "INDIGO IAM"),
        (403, problem("audience"), "hub-audience", "So it is. Tell your admin"),
        (403, problem("not-in-a-group"), "hub-not-in-a-group", "So it is."),
        (401, problem("no-token"), "hub-no-token", "So it is."),
        (409, problem("sign-in-again", "Log in again."), "sign-in-again", "Log in again."),
        (429, problem("too-many"), "hub-silent", "in a minute"),
        (503, problem("provider-silent"), "hub-silent", "in a minute"),
        (502, "<html>", "hub-silent", "in a minute"),
        (200, "<html>", "hub-silent", "does not answer"),
        (200, '{"access_token": ""}', "hub-silent", "does not answer"),
        (200, "[]", "hub-silent", "does not answer"),
        (302, "", "hub-silent", "in a minute"),
    ],
)
def test_what_a_hub_says_is_told_in_words(
    answering: Callable[..., str], status: int, body: str, code: str, words: str
) -> None:
    elsewhere: list[Any] = []
    other = answering(200, '{"access_token": "t"}', asked=elsewhere)
    url = answering(status, body, {"Location": f"{other}/x"} if status == 302 else None)
    with pytest.raises(MlinfnError) as caught:
        token_for(bucket_area(ENDPOINT), {"JUPYTERHUB_API_URL": url, "JUPYTERHUB_API_TOKEN": "hub"})
    assert caught.value.code == code, caught.value.text
    assert words in caught.value.text
    assert elsewhere == [], "the session's hub token went to another address"


def test_without_a_hub_it_is_said_calmly() -> None:
    for environ in ({}, {"JUPYTERHUB_API_URL": "file:///etc", "JUPYTERHUB_API_TOKEN": "x"}):
        with pytest.raises(MlinfnError) as caught:
            token_for(bucket_area(ENDPOINT), environ)
        assert caught.value.code == "no-hub"
    told = {"JUPYTERHUB_API_URL": "http://127.0.0.1:9", "JUPYTERHUB_API_TOKEN": "x"}
    with pytest.raises(MlinfnError) as silent:
        token_for(bucket_area(ENDPOINT), told)
    assert silent.value.code == "hub-silent"


def date(minutes: float = 0) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)


@pytest.mark.parametrize(
    ("status", "body", "ahead", "code"),
    [
        (403, WRONG.format("AccessDenied"), 0, "keys-refused"),
        (400, WRONG.format("InvalidParameterValue"), 0, "keys-refused"),
        (400, WRONG.format("InvalidIdentityToken"), 9, "clock-skew"),
        (403, WRONG.format("RequestTimeTooSkewed"), 0, "clock-skew"),
        (404, "<html>", 0, "store-fails"),
        (500, WRONG.format("InternalError"), 0, "store-fails"),
        (200, GIVEN.format(""), 0, "store-fails"),
        (200, "<html></html>", 0, "store-fails"),
    ],
)
def test_what_a_key_service_says_is_told_in_words(
    answering: Callable[..., str], status: int, body: str, ahead: float, code: str
) -> None:
    url = answering(status, body, {"Date": date(ahead), "Content-Type": "text/xml"})
    with pytest.raises(MlinfnError) as caught:
        exchange(bucket_area(url), "a.secret.token")
    assert caught.value.code == code, caught.value.text
    assert ("by 9 min" in caught.value.text) == bool(ahead)
    for secret in ("a.secret.token", "S3CR3T"):
        assert secret not in caught.value.text + repr(caught.value)


def test_keys_live_an_hour_at_most_and_the_token_is_in_no_address(
    answering: Callable[..., str],
) -> None:
    asked: list[Any] = []
    url = answering(200, GIVEN.format("2099-01-01T00:00:00Z"), asked=asked)
    keys = exchange(bucket_area(ENDPOINT, sts=url), "a.secret.token")
    assert keys.life() == 3600
    assert (keys.access, keys.secret, keys.session) == ("A", "S3CR3T", "T0K3N")
    assert not {"S3CR3T", "T0K3N"} & set(repr(keys).replace("'", '"').split('"'))
    assert "S3CR3T" not in repr(keys)
    ((path, headers, body),) = asked
    assert "token" not in path
    assert "Authorization" not in headers
    assert b"a.secret.token" in body
    assert b"RoleArn" not in body
    ended = answering(200, GIVEN.format("2020-01-01T00:00:00Z"))
    hub = answering(200, '{"access_token": "t"}')
    environ = {"JUPYTERHUB_API_URL": hub, "JUPYTERHUB_API_TOKEN": "x"}
    with pytest.raises(MlinfnError) as caught:
        SessionKeys(Path("/nonexistent"), environ).keys(bucket_area(ended))
    assert caught.value.code == "clock-skew"


def test_one_token_serves_all_areas_of_a_store_for_a_minute(
    answering: Callable[..., str], tmp_path: Path
) -> None:
    tokens: list[Any] = []
    hub = answering(200, '{"access_token": "t"}', asked=tokens)
    store = answering(200, GIVEN.format("2099-01-01T00:00:00Z"))
    environ = {"JUPYTERHUB_API_URL": hub, "JUPYTERHUB_API_TOKEN": "x"}
    source = SessionKeys(tmp_path, environ)
    for number in range(20):
        source.keys(bucket_area(store, f"s3://people/{number}", audience="minio"))
    assert [json.loads(body) for _, _, body in tokens] == [{"audience": "minio"}]
    assert tokens[0][0] == "/mlinfn/token"


def test_a_file_that_is_no_plain_file_of_hers_is_not_believed(
    answering: Callable[..., str], tmp_path: Path
) -> None:
    hub = answering(200, '{"access_token": "t"}')
    store = answering(200, GIVEN.format("2099-01-01T00:00:00Z"))
    environ = {"JUPYTERHUB_API_URL": hub, "JUPYTERHUB_API_TOKEN": "x"}
    area = bucket_area(store)
    SessionKeys(tmp_path, environ).keys(area)
    (file,) = (tmp_path / "mlinfn-keys").glob("*.json")
    planted = read_document(file.read_text())
    planted = Keys("PLANTED", planted.secret, planted.session, planted.begins, planted.ends)

    def kept() -> str:
        return SessionKeys(tmp_path, environ).keys(area).access

    file.write_text(planted.document())
    assert kept() == "PLANTED"
    for mode in (0o640, 0o604, 0o666):
        file.chmod(mode)
        assert kept() == "A"
        file.write_text(planted.document())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(planted.document())
    elsewhere.chmod(0o600)
    file.unlink()
    file.symlink_to(elsewhere)
    assert kept() == "A"
    assert not file.is_symlink()
    for content in ("", "{}", "[]", "x" * 100_000):
        file.write_text(content)
        assert kept() == "A"


@pytest.mark.parametrize(
    "bucket",
    ["s3://people/a*", "s3://people/${aws:x}", "s3://people/../x", "s3://people//x", "s3://people/",
     "https://people", "s3://", "s3://a", "s3://people/a\n", "s3://k:s@people", "s3://people/?x"],
)  # fmt: skip
def test_no_rule_is_written_for_what_is_no_place(bucket: str) -> None:
    with pytest.raises(InputError):
        place_of(bucket_area(ENDPOINT, bucket))


def test_the_rule_names_one_prefix() -> None:
    told = json.loads(place_of(bucket_area(ENDPOINT)).policy())
    resources = [one for part in told["Statement"] for one in part["Resource"]]
    assert resources == ["arn:aws:s3:::people", "arn:aws:s3:::people/homes/anna/*"]
    assert told["Statement"][0]["Condition"] == {"StringLike": {"s3:prefix": ["homes/anna/*"]}}
    read = json.loads(place_of(bucket_area(ENDPOINT, writable=False)).policy())
    assert read["Statement"][1]["Action"] == ["s3:GetObject"]
    with pytest.raises(NotFound):
        place_of(bucket_area(ENDPOINT).model_copy(update={"store": None}))


def test_profiles_keep_what_is_hers_and_quote_what_is_ours(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("[profile home]\nregion = mars\n\n[default]\nregion = eu-south-1\n")
    areas = [bucket_area(ENDPOINT), bucket_area(ENDPOINT, name="more")]
    path = write_profiles(areas, tmp_path, ("/a b/python", "-m", "x"), {VARIABLE: str(own)})
    assert path == tmp_path / FILE
    text = path.read_text()
    assert text.count("[profile home]") == 1
    assert "region = mars" in text
    assert "credential_process = '/a b/python' -m x more\n" in text
    again = write_profiles(areas, tmp_path, ("y",), {VARIABLE: str(path), "HOME": "/none"})
    assert again == path
    assert "region = mars" not in path.read_text(), "our own file was taken for hers"
    named = bucket_area(ENDPOINT).model_copy(update={"store": None})
    assert write_profiles([named], tmp_path, ("x",), {}) is None


class _Log:
    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, *words: Any) -> None:
        self.said.append(str(words))


class _Server:
    def __init__(self, folder: Path) -> None:
        self.runtime_dir = str(folder)
        self.log = _Log()


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "hers"))
    for name in ("MLINFN_AREAS", "JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_environment")
def test_a_server_tells_kernels_and_terminals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers = os.environ[VARIABLE]
    for told in ("", "[]", '{"store":', '[{"name": "x", "store":{}}]'):
        monkeypatch.setenv("MLINFN_AREAS", told)
        tell_programs(_Server(tmp_path))
        assert os.environ[VARIABLE] == hers
    monkeypatch.setenv("MLINFN_AREAS", json.dumps([areas_as_told(bucket_area(ENDPOINT))],
                                                  separators=(",", ":")))  # fmt: skip
    blocked = tmp_path / "file"
    blocked.touch()
    server = _Server(blocked / "x")
    tell_programs(server)
    assert os.environ[VARIABLE] == hers
    assert len(server.log.said) == 1
    tell_programs(_Server(tmp_path / "runtime"))
    told = Path(os.environ[VARIABLE]).read_text()
    assert "areas key -- home" in told
    assert ENDPOINT in told


def areas_as_told(area: Area) -> dict[str, Any]:
    return area.model_dump(mode="json", exclude_none=True)


@pytest.mark.usefixtures("_environment")
def test_the_terminal_lists_a_bucket_and_gives_keys_to_programs_alone(
    answering: Callable[..., str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    hub = answering(200, '{"access_token": "t"}')
    store = answering(200, GIVEN.format("2099-01-01T00:00:00Z"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("MLINFN_AREAS", f"[{bucket_area(store, batch=['slurm']).model_dump_json()}]")
    assert main(["areas", "key", "--", "home"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "come by way of a hub" in told.err
    assert main(["areas"]) == 0
    told = capsys.readouterr()
    assert "slurm (by S3)" in told.out
    assert "come by way of a hub" in " ".join(told.out.split())
    monkeypatch.setenv("JUPYTERHUB_API_URL", hub)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "x")
    assert main(["areas", "key", "--", "home"]) == 0
    keys = json.loads(capsys.readouterr().out)
    assert (keys["Version"], keys["AccessKeyId"], keys["SessionToken"]) == (1, "A", "T0K3N")
    assert keys["Expiration"].endswith("Z")
    assert main(["areas", "key", "--", "none"]) == 2
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["areas", "key", "--", "home"]) == 2
    assert "S3CR3T" not in capsys.readouterr().out
