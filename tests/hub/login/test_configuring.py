"""One call in ``jupyterhub_config.py``, and what it refuses to set."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from tornado.web import HTTPError
from traitlets.config import Config

from jupyter_mlinfn.hub.login.configuring import Iam, login
from jupyter_mlinfn.hub.login.with_tokens import IamLogin
from jupyter_mlinfn.model.errors import InputError

SCOPE = "custom:mlinfn:token"


@pytest.fixture
def iam(tmp_path: Path) -> dict[str, Any]:
    secret = tmp_path / "secret"
    secret.write_text("very secret\n")
    secret.chmod(0o600)
    return {
        "issuer": "https://iam.example.org/", "client": "hub", "secret_file": secret,
        "keys_file": tmp_path / "key",
    }  # fmt: skip


def test_iam_is_set_whole(iam: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)
    c = Config()
    c.Authenticator.allow_all = True
    login(c, "iam", iam=Iam(**iam, profile="wlcg"), groups=["users/ai-infn"])
    made = IamLogin(config=c)
    assert made.token_url == "https://iam.example.org/token"
    assert made.keys_url == "https://iam.example.org/jwk"
    assert made.client_secret == "very secret"
    assert "wlcg.groups" in made.scope
    assert "iam" not in made.scope
    assert not made.allow_all
    assert made.manage_groups
    assert made.enable_auth_state
    assert made.refresh_pre_spawn
    assert stat.S_IMODE(iam["keys_file"].stat().st_mode) == 0o600
    again = Config()
    login(again, "iam", iam=Iam(**iam))
    assert again.CryptKeeper["keys"] == c.CryptKeeper["keys"]


class Offer:
    """Stands for the desk of a hub: its groups change when the file of profiles does."""

    def __init__(self) -> None:
        self.now = {"users/ai-infn"}

    def groups(self) -> set[str]:
        return self.now

    def __deepcopy__(self, _memo: object) -> Offer:
        raise AssertionError("a copy would not see the change")


async def test_groups_are_those_of_the_moment(iam: dict[str, Any]) -> None:
    c, offer = Config(), Offer()
    login(c, "iam", iam=Iam(**iam), groups=offer.groups)
    made = IamLogin(config=c)
    model = {"admin": None, "auth_state": {"oauth_user": {"groups": ["users/ai-infn"]}}}
    assert await made.check_allowed("ada", model)
    offer.now = {"users/other"}
    with pytest.raises(HTTPError, match="none of your groups"):
        await made.check_allowed("ada", model)
    assert not await made.check_allowed("ada", None)


def test_what_others_set_stays(iam: dict[str, Any]) -> None:
    c = Config()
    c.JupyterHub.extra_user_scopes = ["read:metrics"]
    c.Spawner.server_token_scopes = ["access:services!service=x"]
    c.JupyterHub.custom_scopes = {"custom:x": {"description": "x"}}
    login(c, "iam", iam=Iam(**iam))
    assert c.JupyterHub.extra_user_scopes == {"read:metrics", f"{SCOPE}!user"}
    assert c.Spawner.server_token_scopes == [
        "access:services!service=x", "users:activity!user", "access:servers!server",
        f"{SCOPE}!user",
    ]  # fmt: skip
    assert set(c.JupyterHub.custom_scopes) == {"custom:x", SCOPE}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"issuer": "http://iam.example.org/"}, "no https address"),
        ({"issuer": "iam.example.org"}, "no https address"),
        ({"secret_file": Path("none")}, "cannot be read"),
        ({"secret_file": None}, "IAM_CLIENT_SECRET"),
    ],
)
def test_what_cannot_be_set(
    iam: dict[str, Any], changed: dict[str, Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IAM_CLIENT_SECRET", raising=False)
    with pytest.raises(InputError, match=text):
        login(Config(), "iam", iam=Iam(**(iam | changed)))


@pytest.mark.parametrize("name", ["secret_file", "keys_file"])
def test_a_secret_that_others_can_read_is_none(
    iam: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_CRYPT_KEY", raising=False)
    iam[name].write_text("a" * 64)
    iam[name].chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        login(Config(), "iam", iam=Iam(**iam))


def test_the_secret_may_be_in_the_environment(
    iam: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IAM_CLIENT_SECRET", "from outside")
    c = Config()
    login(c, "iam", iam=Iam(**(iam | {"secret_file": None})))
    assert c.IamLogin.client_secret == "from outside"


@pytest.mark.parametrize("kind", ["dummy", "pam"])
def test_a_simple_login_lets_in_who_is_named(kind: Any) -> None:
    c = Config()
    people = {"ada": ["users/ai-infn", "lhcb"], "eve": ["lhcb"], "guest": []}
    login(c, kind, people=people, password="long enough")
    assert c.Authenticator.allowed_users == {"ada", "eve", "guest"}
    assert c.Authenticator.allow_all is False
    assert c.JupyterHub.load_groups.to_dict()["update"] == {
        "lhcb": {"users": ["ada", "eve"]}, "users/ai-infn": {"users": ["ada"]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "told", "text"),
    [
        ("dummy", {"people": {"ada": []}}, "password of 8"),
        ("dummy", {"people": {"ada": []}, "password": "short"}, "password of 8"),
        ("dummy", {"people": {"ada": []}, "password": "x" * 8, "admins": ["ada"]}, "no admin"),
        ("dummy", {"password": "x" * 8}, "who may come in"),
        ("pam", {}, "who may come in"),
        ("pam", {"people": {"root": []}}, "no names of a hub: root"),
        ("pam", {"people": {"A": [], "a": []}}, "no names of a hub: A"),
        ("iam", {}, "which IAM"),
        ("ldap", {}, "no login 'ldap'"),
    ],
)
def test_a_login_that_is_not_whole(kind: Any, told: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        login(Config(), kind, **told)
