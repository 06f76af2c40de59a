"""The hub's broker in place of an API server (docs/hub-services.md, section 6).

A session of a hub has no rights in the cluster and no kubeconfig: it shows the broker its own hub
token, with each request, as it is at that moment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from typing import Final

from httpx2 import Auth, Client, HTTPError, InvalidURL, Request, Response
from pydantic import ValidationError

from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.kubernetes import BrokerSession
from jupyter_mlinfn.process.redaction import redact

TOKEN: Final = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the variable's name
_ADDRESS: Final = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")


class HubToken(Auth):
    """Shows the session's hub token, which lies in the environment and nowhere else."""

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """One request with the token of now."""
        request.headers["Authorization"] = f"token {os.environ.get(TOKEN, '')}"
        yield request


def missing(address: str) -> str:
    """Why the broker cannot be asked; empty when it can."""
    if not _ADDRESS.fullmatch(address):
        return "MLINFN_KUBERNETES_BROKER is no address of a broker."
    if not os.environ.get(TOKEN):
        return "This session has no hub token, so the hub's broker cannot be asked."
    return ""


def client(address: str, within: float) -> Client:
    """What speaks with the broker alone: no redirect is followed, no proxy is used."""
    return Client(base_url=address, auth=HubToken(), timeout=within, trust_env=False)


def session(speaking: Client) -> BrokerSession:
    """What the broker says of this session. Raises :class:`Unavailable`."""
    try:
        answer = speaking.get("mlinfn/v1/session")
    except (HTTPError, InvalidURL, OSError, ValueError) as error:
        text = f"The hub's broker does not answer ({redact(str(error))[:200]})."
        raise Unavailable(text, code="kubernetes-silent") from error
    try:
        if answer.status_code == 200:
            return BrokerSession.model_validate_json(answer.content)
        told = answer.json()
        said = str(told.get("detail", "")) if isinstance(told, dict) else ""
    except ValueError as error:  # a ValidationError is one
        wrong = "has another form" if isinstance(error, ValidationError) else "is no JSON"
        text = f"The hub's broker does not answer (what it says {wrong})."
        raise Unavailable(text, code="kubernetes-silent") from error
    text = f"The hub's broker makes no jobs for this session: {redact(said)[:300]}"
    raise Unavailable(text, code="kubernetes-broker")
