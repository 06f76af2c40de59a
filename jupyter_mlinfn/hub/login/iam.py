"""INDIGO IAM as the hub's login.

What OAuthenticator 17.4 and JupyterHub 6.1.1 do not do, and this does (reference: their source):

- ``check_allowed`` runs again at every refresh and before every start, by form and by REST: who
  left the groups is out, with a text;
- a start with tokens that cannot be refreshed is refused also where the hub would go on with
  "stale" ones (requests with an API token, or by another person);
- concurrent refreshes wait for each other, and a new refresh token is in the database before
  anything else is done with it;
- a name stays with the subject that had it first;
- silence of the provider keeps people logged in, and starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.login import LogoutHandler
from oauthenticator.oauth2 import OAuthCallbackHandler
from tornado import web
from traitlets import Any as AnyTrait
from traitlets import Bool, Enum, List, Set, Unicode

from jupyter_mlinfn.hub.login.claims import (
    claimed_name,
    groups_of,
    shown_as,
)
from jupyter_mlinfn.hub.login.naming import hub_name
from jupyter_mlinfn.hub.login.provider import ExpiredTokens, Provider
from jupyter_mlinfn.hub.login.standing import Look, Looks, Standing, now
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable

_OUT = (
    "You are signed in, but none of your groups opens this hub. Ask the people who run it which "
    "group you need. If you were added to it just now, log in again."
)
_AGAIN = "Your login has ended. Log in to the hub again, then start your session."
_NOT_NOW = (
    "Your login service does not answer, so nobody can say whether you may start a session now. "
    "Sessions that run go on. Try again in a few minutes."
)


class Callback(OAuthCallbackHandler):  # type: ignore[misc]  # oauthenticator is untyped to us
    """Where the provider sends people back to."""

    def log_exception(self, *about: Any) -> None:
        """Tornado's own line has the whole address, and with it a code that may still be good."""
        error = about[1]
        if isinstance(error, web.HTTPError):
            self.log.warning("Login refused with %d: %s", error.status_code, error.log_message)
        else:
            super().log_exception(*about)


class IamAuthenticator(Provider):
    """One IAM, one client, one of its claim profiles."""

    callback_handler = Callback

    login_service = Unicode("INDIGO IAM", config=True)
    enable_auth_state = Bool(True, config=True)
    refresh_pre_spawn = Bool(True, config=True)
    custom_403_message = Unicode(_OUT, config=True)

    claim_profile: Any = Enum(
        ("iam", "wlcg"), "iam", config=True, help="The client's claim profile."
    )
    name_from: Any = Enum(("preferred_username", "sub"), "preferred_username", config=True)
    member_groups = AnyTrait(
        (),
        config=True,
        help="Full paths of the groups that may come in: a collection, or a function for one.",
    )
    administrator_groups = Set(Unicode(), config=True, help="Groups that administer the hub.")

    session_scopes = List(
        Unicode(), config=True, help="Scopes of a session's token; empty: the hub's own."
    )
    session_audiences = List(
        Unicode(), config=True, help="Audiences that a session may ask a token for."
    )

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.looks = Looks()

    # -- who somebody is

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """The hub's name of her. Raises :class:`Refused`."""
        return hub_name(claimed_name(user_info, self.name_from))

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """The full paths of her groups, for the hub's own (with ``manage_groups``)."""
        return set(groups_of(auth_state[self.user_auth_state_key], self.claim_profile))

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Add what the hub shows of her, and whether she administers it."""
        told = auth_model["auth_state"][self.user_auth_state_key]
        auth_model["user_info"] = shown_as(told, auth_model["name"])
        if self.administrator_groups:
            # a plain yes or no: who left the group is no administrator any more
            groups = groups_of(told, self.claim_profile)
            auth_model["admin"] = bool(
                auth_model["admin"] or groups & set(self.administrator_groups)
            )
        return auth_model

    def _opening(self) -> Collection[str]:
        groups: Collection[str] | Callable[[], Collection[str]] = self.member_groups
        return groups() if callable(groups) else groups

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Whether she may come in. Raises 403 with a text where not."""
        if auth_model is None:
            return False
        if auth_model["admin"] or username in self.allowed_users:
            return True
        told = auth_model["auth_state"][self.user_auth_state_key]
        if groups_of(told, self.claim_profile) & set(self._opening()):
            return True
        raise _refusal(403, _OUT)

    # -- coming in

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> Any:
        """Log somebody in. Raises 403 or 503 with a text."""
        try:
            model = await super().authenticate(handler, data, **kwargs)
            await self._check_owner(handler.find_user(model["name"]), model)
        except MlinfnError as error:
            raise _refusal(error.status, _plain(error)) from error
        return model

    async def _check_owner(self, user: Any, model: dict[str, Any]) -> None:
        """A name belongs to the subject that first logged in with it; names are given anew at IAM.

        Raises :class:`Refused`. An account that an admin made belongs to who logs in first.
        """
        model["auth_state"]["mlinfn_issuer"] = self.issuer
        before = await user.get_auth_state() if user is not None else None
        if before and self._whose(before) != self._whose(model["auth_state"]):
            self.log.warning("Another subject of the login service wants the name %r", user.name)
            raise Refused(
                f"The name {user.name} belongs to another person on this hub. Ask the people who "
                "run it for an account.",
                code="name-taken",
            )

    def _whose(self, auth_state: dict[str, Any]) -> tuple[str, str]:
        told = auth_state.get(self.user_auth_state_key) or {}
        return (auth_state.get("mlinfn_issuer", self.issuer), str(told.get("sub")))

    # -- staying in

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool:
        """Look whether somebody may stay. Called when 5 minutes went by, and before each start.

        ``True``: she may, or nobody can say now. ``False``: she has to log in again. Raises 403
        with a text where she may not. All that changed is in the database when this returns.
        """
        if handler is not None and not hasattr(handler, "_token_authenticated"):
            # JupyterHub 6.1.1 reads it for requests with a cookie, and never set it there
            handler._token_authenticated = False
        if isinstance(handler, LogoutHandler):
            return True
        look = await self.look_at(user, handler)
        if look.standing is Standing.REFUSED:
            if isinstance(handler, APIHandler) and handler._token_authenticated:
                # JupyterHub 6.1 keeps a refusal at this moment to itself, and answers "Forbidden"
                handler.set_status(403)
                handler.finish({"status": 403, "message": look.text})
            raise _refusal(403, look.text)
        return look.standing in (Standing.SOUND, Standing.SILENT)

    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Refuse what the hub lets through with stale tokens. Raises 403 or 503 with a text."""
        look = self.looks.newest(user.name)
        standing = look.standing if look is not None else Standing.NO_LOGIN
        if standing is Standing.SILENT:
            raise _refusal(503, _NOT_NOW)
        if look is not None and standing is Standing.REFUSED:
            raise _refusal(403, look.text)
        asking = getattr(getattr(spawner, "handler", None), "current_user", None)
        if standing is Standing.EXPIRED or (standing is Standing.NO_LOGIN and asking is user):
            raise _refusal(403, _AGAIN)

    async def look_at(self, user: Any, handler: Any) -> Look:
        """Ask the provider about somebody; one that began after this call is as good."""
        called = now()
        async with self.looks.lock(user.name):
            found = self.looks.since(user.name, called)
            return found or self.looks.keep(user.name, await self._look(user, handler, now()))

    async def _look(self, user: Any, handler: Any, begun: float) -> Look:
        auth_state = await user.get_auth_state()
        if not auth_state:
            return Look(begun, Standing.NO_LOGIN)
        try:
            model = await self._model_of(user, auth_state)
            await self._check_stays(user, model)
        except ExpiredTokens as error:
            return Look(begun, Standing.EXPIRED, _plain(error))
        except Unavailable as error:
            return Look(begun, Standing.SILENT, _plain(error))
        except Refused as error:
            self.log.warning("%s may not come in any more: %s", user.name, error.code)
            return Look(begun, Standing.REFUSED, _plain(error))
        # the hub would do this with our answer, but after the lock is given back
        await handler.auth_to_user(model, user)
        return Look(begun, Standing.SOUND)

    async def _model_of(self, user: Any, auth_state: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._auth_model(auth_state["token_response"])
        except ExpiredTokens:
            told = await self.renew(user, auth_state)
            return await self._auth_model(told)

    async def _auth_model(self, token_info: dict[str, Any]) -> dict[str, Any]:
        # OAuthenticator's own way from tokens to a person; it has no public name in 17.x
        model: dict[str, Any] = await self._token_to_auth_model(token_info)
        return model

    async def _check_stays(self, user: Any, model: dict[str, Any]) -> None:
        """Whether ``model`` is still she and may come in. Raises :class:`Refused`."""
        await self._check_owner(user, model)
        # a new user name at IAM is for the next login; until then the account of this one keeps
        # its own, and has no right that came with the new one
        model["name"] = user.name
        model["admin"] = True if user.name in self.admin_users else None
        model = await self.update_auth_model(model)
        if not self.check_blocked_users(user.name, model):
            raise Refused("Your account is blocked on this hub. Ask the people who run it.")
        try:
            await self.check_allowed(user.name, model)
        except web.HTTPError as error:
            raise Refused(str(error.log_message), code="not-in-a-group") from error

    # -- tokens (with the person's lock held)

    async def renew(self, user: Any, auth_state: dict[str, Any], **wishes: str) -> dict[str, Any]:
        """Trade the refresh token for new tokens; the answer of the provider.

        The next refresh token is in the database before this returns. With ``wishes`` (``scope``,
        ``audience``) the access token is a narrower one, for somebody else, and is not kept.
        Raises :class:`ExpiredTokens`, :class:`Unavailable`, :class:`Refused`.
        """
        refresh_token = auth_state.get("refresh_token")
        if not refresh_token:
            raise ExpiredTokens(_AGAIN)
        params = self.build_refresh_token_request_params(refresh_token) | wishes
        told = await self.request_tokens(params)
        # a provider that does not rotate sends none
        told["refresh_token"] = told.get("refresh_token") or refresh_token
        newer = {"refresh_token": told["refresh_token"]}
        # first of all: to look at the rest of the answer may fail, and the old one is void
        safe = auth_state | newer
        safe["token_response"] = auth_state["token_response"] | newer
        await user.save_auth_state(safe)
        subject = auth_state[self.user_auth_state_key]["sub"]
        if "id_token" in told and (await self.believed(told))["sub"] != subject:
            raise Refused("Your login service spoke of two different people.", code="two-subjects")
        told["mlinfn_subject"] = subject
        if not wishes:
            kept = {"token_response": told, "access_token": told["access_token"]}
            await user.save_auth_state(safe | kept)
        return told


def _refusal(status: int, text: str) -> web.HTTPError:
    # without a reason the hub's page has the whole sentence as its heading, and again below
    return web.HTTPError(status, text, reason="Not now" if status == 503 else "Not allowed")


def _plain(error: MlinfnError) -> str:
    # tornado fills in "%" where it logs
    return error.text.replace("%", "")
