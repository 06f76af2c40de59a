"""The session API (docs/hub-services.md, section 2)."""

from __future__ import annotations

import time
from typing import Final

from pydantic import ConfigDict
from tornado import web

from jupyter_mlinfn.hub.reclaim.verdicts import VerdictRequest
from jupyter_mlinfn.hub.reclaim.watch import Watch
from jupyter_mlinfn.hub.service.asking import Asking, Model, must_be_service, session_of
from jupyter_mlinfn.hub.service.definition import CULLER
from jupyter_mlinfn.hub.service.requests import GuardedHandler, HealthHandler, UnknownHandler
from jupyter_mlinfn.model.leases import PoolState
from jupyter_mlinfn.model.states import Frozen

VERBS: Final = ("GET", "POST")


class Nothing(Frozen):
    """The body where there is nothing to say: ``{}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Accelerators(Frozen):
    """What is free now."""

    pools: tuple[PoolState, ...]


class ServiceHandler(GuardedHandler):
    """Knows what is watched, beside what all our services do."""

    SUPPORTED_METHODS = VERBS

    def initialize(self, watch: Watch, asking: Asking) -> None:
        """What the handlers share."""
        self.watch = watch
        self.asking = asking
        self.asker: Model = {}


class SessionHandler(ServiceHandler):
    """``api/v1/session``."""

    def get(self) -> None:
        """The asker's session."""
        self.answer(self.watch.session(session_of(self.asker), time.monotonic()))


class KeepHandler(ServiceHandler):
    """``api/v1/session/keep``."""

    def post(self) -> None:
        """Keep the accelerators a while longer."""
        key = session_of(self.asker)
        self.body(Nothing)
        self.answer(self.watch.keep(key, time.monotonic()))


class AcceleratorsHandler(ServiceHandler):
    """``api/v1/accelerators``."""

    def get(self) -> None:
        """What is free now, for every session."""
        session_of(self.asker)
        self.answer(Accelerators(pools=self.watch.pools(time.monotonic())))


class VerdictHandler(ServiceHandler):
    """``api/v1/verdict``."""

    def post(self) -> None:
        """Whether a session is to end: for the culler alone."""
        must_be_service(self.asker, CULLER)
        self.answer(self.watch.verdict(self.body(VerdictRequest), time.monotonic()))


def application(watch: Watch, asking: Asking, prefix: str) -> web.Application:
    """The service below ``prefix`` (with a slash at both ends)."""
    shared = {"watch": watch, "asking": asking}
    api = f"{prefix}api/v1/"
    return web.Application(
        [
            (f"{api}session", SessionHandler, shared),
            (f"{api}session/keep", KeepHandler, shared),
            (f"{api}accelerators", AcceleratorsHandler, shared),
            (f"{api}verdict", VerdictHandler, shared),
            (f"{prefix}health", HealthHandler),
        ],
        default_handler_class=UnknownHandler,
        log_function=lambda _handler: None,
    )
