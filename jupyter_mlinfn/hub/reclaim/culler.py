"""jupyterhub-idle-culler with our arbiter: it asks the hub's service before it ends a session.

    python -m jupyter_mlinfn.hub.reclaim.culler [options of jupyterhub-idle-culler]

A service of its own, because ending sessions is a right that the one which reads devices and
talks to sessions does not need. While that one is silent nothing is ended.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jupyterhub_idle_culler import IdleCuller, parse_date
from pydantic import ValidationError
from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest

from jupyter_mlinfn.hub.reclaim.verdicts import Verdict, VerdictRequest
from jupyter_mlinfn.hub.service.ending import end_with_parent

SERVICE_VARIABLE = "MLINFN_HUB_SERVICE"
PATIENCE = 10.0
_log = logging.getLogger("mlinfn-culler")


class Arbiter:
    """The hook. ``service`` is the address of the hub's service, ``token`` the culler's own."""

    def __init__(self, service: str, token: str) -> None:
        self._address = f"{service.rstrip('/')}/api/v1/verdict"
        self._token = token
        self._silent = False

    async def __call__(
        self, *, inactive: timedelta | None, server: Mapping[str, Any], **_: object
    ) -> bool:
        """Whether the culler is to end ``server``, a server of the hub's REST API."""
        answer = await self._ask(
            VerdictRequest(
                user=owner_of(server),
                server=server["name"],
                inactive=None if inactive is None else max(0.0, inactive.total_seconds()),
                age=_age(server.get("started")),
            )
        )
        if answer is not None and answer.ends:
            word = "would be" if answer.dry_run else "is"
            _log.info("%s %s ended: %s", server["url"], word, answer.text)
        return answer is not None and answer.cull

    async def _ask(self, asked: VerdictRequest) -> Verdict | None:
        request = HTTPRequest(
            self._address,
            method="POST",
            body=asked.model_dump_json(),
            headers={
                "Authorization": f"token {self._token}",
                "Content-Type": "application/json",
            },
            request_timeout=PATIENCE,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
            verdict = Verdict.model_validate(json.loads(answer.body))
        except (HTTPError, OSError, ValueError, ValidationError) as error:
            if not self._silent:
                _log.error("The hub's service does not answer, so nothing is ended: %s", error)
            self._silent = True
            return None
        self._silent = False
        return verdict


def owner_of(server: Mapping[str, Any]) -> str:
    """Whose server it is: the culler hands on the server alone, without its user."""
    return str(server["full_name"]).rpartition("/")[0]


def _age(started: str | None) -> float | None:
    if not started:
        return None
    began: datetime = parse_date(started)
    return max(0.0, (datetime.now(UTC) - began).total_seconds())


def main() -> None:
    """Run the culler until the hub ends it."""
    logging.basicConfig(level=logging.INFO)
    end_with_parent()
    arbiter = Arbiter(os.environ[SERVICE_VARIABLE], os.environ["JUPYTERHUB_API_TOKEN"])
    IdleCuller.launch_instance(cull_arbiter_hook=arbiter, config_file="")


if __name__ == "__main__":
    main()
