"""``login(c, …)``: everything of the login in ``jupyterhub_config.py``, in one call."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from traitlets.config.loader import LazyConfigValue

from jupyter_mlinfn.hub.login.claims import SCOPES, ClaimProfile, NameFrom
from jupyter_mlinfn.hub.login.naming import hub_name
from jupyter_mlinfn.hub.tokens.handler import SCOPE
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.states import Frozen

Kind = Literal["iam", "dummy", "pam"]
Groups = Collection[str] | Callable[[], Collection[str]]

SECRET_VARIABLE = "IAM_CLIENT_SECRET"  # noqa: S105
"""Where the client's secret may be, in the hub's environment (no session's)."""
_SERVER_SCOPES = ("users:activity!user", "access:servers!server")
"""What JupyterHub gives a session's token where nothing is said."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Iam(Frozen):
    """One client of one INDIGO IAM.

    ``issuer`` as IAM's own ``/.well-known/openid-configuration`` has it. The client's secret is
    in the file ``secret_file`` or in the variable ``IAM_CLIENT_SECRET``, never in a configuration.
    ``callback``: the hub's address for people, with ``/hub/oauth_callback``; ``None``: as the
    browser called it. ``mirror_groups``: IAM's groups are the hub's; else the hub's are made by
    its administrators, and IAM's only say who may come in. ``keys_file`` keeps the key that tokens
    are encrypted with in the hub's database, unless ``JUPYTERHUB_CRYPT_KEY`` has it.
    """

    issuer: str
    client: str
    secret_file: Path | None = None
    profile: ClaimProfile = "iam"
    name_from: NameFrom = "preferred_username"
    callback: str | None = None
    admin_groups: frozenset[str] = frozenset()
    mirror_groups: bool = True
    session_scopes: tuple[str, ...] = ()
    session_audiences: tuple[str, ...] = ()
    keys_file: Path = Path("jupyterhub_crypt_key")
    service: str = "INDIGO IAM"


def login(
    c: Any,
    kind: Kind,
    *,
    groups: Groups = (),
    iam: Iam | None = None,
    people: Mapping[str, Collection[str]] | None = None,
    password: str | None = None,
    admins: Collection[str] = (),
) -> None:
    """Set the login in ``c``; lists of ``c`` are added to, and nothing else of it is touched.

    ``iam``: INDIGO IAM. ``groups`` are the full paths of the groups that may come in, or a function
    that says them at any time (all groups named in any profile, from a file that may change).

    ``dummy``: for a first try on one's own machine. ``people`` are names and their groups; all
    have the one ``password`` (8 characters at least, there is no default).

    ``pam``: accounts of this machine. ``people`` may come in, with these groups.

    ``admins`` are names of the hub (not with ``dummy``).

    Raises :class:`InputError` with what is missing.
    """
    if kind == "iam":
        if iam is None:
            raise InputError("Say which IAM: login(c, 'iam', iam=Iam(issuer=…, client=…)).")
        _iam(c, iam, groups)
    elif kind in ("dummy", "pam"):
        _simple(c, kind, people or {}, password, admins)
    else:
        raise InputError(f"There is no login {kind!r}. There are iam, dummy and pam.", field="kind")
    if admins:
        c.Authenticator.admin_users = set(admins)


def _iam(c: Any, iam: Iam, groups: Groups) -> None:
    from jupyter_mlinfn.hub.login.with_tokens import IamLogin

    issuer = _checked_issuer(iam.issuer).removesuffix("/")
    c.JupyterHub.authenticator_class = IamLogin
    told = c.IamLogin
    told.issuer = iam.issuer
    for trait, path in (
        ("authorize_url", "authorize"), ("token_url", "token"),
        ("userdata_url", "userinfo"), ("keys_url", "jwk"),
    ):  # fmt: skip
        told[trait] = f"{issuer}/{path}"
    told.client_id, told.client_secret = iam.client, _secret(iam)
    told.scope = list(SCOPES[iam.profile])
    told.claim_profile, told.name_from = iam.profile, iam.name_from
    # said here, so that a word for all authenticators cannot open the hub to everybody
    told.allow_all, told.allow_existing_users = False, False
    # configuration is copied deeply, with whatever a method belongs to; a function is not
    told.member_groups = (lambda: groups()) if callable(groups) else groups
    told.administrator_groups = set(iam.admin_groups)
    told.manage_groups = iam.mirror_groups
    told.session_scopes = list(iam.session_scopes)
    told.session_audiences = list(iam.session_audiences)
    told.login_service = iam.service
    if iam.callback is not None:
        told.oauth_callback_url = iam.callback
    if not os.environ.get("JUPYTERHUB_CRYPT_KEY"):
        c.CryptKeeper.keys = [_crypt_key(iam.keys_file)]
    _let_sessions_ask(c)


def _let_sessions_ask(c: Any) -> None:
    """A session's hub token gets the right to a token of the login service, its owner's alone."""
    mine = f"{SCOPE}!user"
    description = "Get a short-lived token of the login service for one's own session"
    c.JupyterHub.custom_scopes.update({SCOPE: {"description": description}})
    users = c.JupyterHub.extra_user_scopes
    if isinstance(users, LazyConfigValue):
        users.update({mine})
    else:
        c.JupyterHub.extra_user_scopes = {*users, mine}
    c.Spawner.server_token_scopes.extend([*_SERVER_SCOPES, mine])


def _checked_issuer(issuer: str) -> str:
    parts = urlsplit(issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise InputError(
            f"The issuer {issuer!r} is no https address: tokens would travel in clear.",
            field="issuer",
        )
    return issuer


def _secret(iam: Iam) -> str:
    if iam.secret_file is None:
        found = os.environ.get(SECRET_VARIABLE, "")
        where = f"the variable {SECRET_VARIABLE}"
    else:
        found = _read_private(iam.secret_file)
        where = str(iam.secret_file)
    if not found:
        raise InputError(f"There is no secret of the client in {where}.", field="secret_file")
    return found


def _read_private(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            if os.fstat(opened.fileno()).st_mode & 0o077:
                raise InputError(f"Others can read {file}. Run: chmod 600 {file}")
            return opened.read().strip()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error


def _crypt_key(file: Path) -> str:
    """The key in ``file``, which is made when there is none; 32 bytes in hex digits."""
    try:
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = _read_private(file)
        if not re.fullmatch(r"[0-9a-f]{64}", key):
            raise InputError(f"{file} holds no key: 64 hex digits.") from None
        return key
    with os.fdopen(made, "w", encoding="utf-8") as opened:
        key = secrets.token_hex(32)
        opened.write(key)
    return key


def _simple(
    c: Any,
    kind: Kind,
    people: Mapping[str, Collection[str]],
    password: str | None,
    admins: Collection[str],
) -> None:
    if not people:
        raise InputError("Say who may come in: people={'ada': ['users/ai-infn']}.", field="people")
    strange = sorted(name for name in people if hub_name(name) != name)
    if strange:
        raise InputError(f"These are no names of a hub: {', '.join(strange)}.", field="people")
    if kind == "dummy":
        if admins:
            raise InputError("The dummy login has no administrators.", field="admins")
        if password is None or len(password) < 8:
            raise InputError("The login needs a password of 8 characters.", field="password")
        c.JupyterHub.authenticator_class = "shared-password"
        c.SharedPasswordAuthenticator.user_password = password
    else:
        c.JupyterHub.authenticator_class = "pam"
    c.Authenticator.allow_all = False
    c.Authenticator.allowed_users = set(people)
    members: dict[str, dict[str, list[str]]] = {}
    for name, groups in sorted(people.items()):
        for group in sorted(groups):
            members.setdefault(group, {"users": []})["users"].append(name)
    c.JupyterHub.load_groups.update(members)
