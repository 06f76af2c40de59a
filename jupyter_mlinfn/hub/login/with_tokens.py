"""The login of a hub whose sessions can ask for tokens: the authenticator and its one route."""

from __future__ import annotations

from typing import Any

from jupyter_mlinfn.hub.login.iam import IamAuthenticator
from jupyter_mlinfn.hub.tokens.handler import ROUTE, TokenHandler
from jupyter_mlinfn.hub.tokens.minting import Mint
from jupyter_mlinfn.hub.tokens.rate import Rate


class IamLogin(IamAuthenticator):
    """:class:`IamAuthenticator`, with the token handler beside the login's own pages."""

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """The pages of the login, and ``/hub/api/mlinfn/token``."""
        tokens = (ROUTE, TokenHandler, {"mint": Mint(self), "rate": Rate()})
        return [*super().get_handlers(app), tokens]
