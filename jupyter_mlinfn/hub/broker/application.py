"""The broker's paths (docs/hub-services.md, section 6): what is not in this table is not there."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Mapping
from typing import Any, Final

from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_mlinfn.hub.broker.asked import LISTS, LOGS, parameters
from jupyter_mlinfn.hub.broker.desk import BrokerDesk
from jupyter_mlinfn.hub.broker.manifest import DeleteOptions, Job, Secret
from jupyter_mlinfn.hub.broker.persons import Person, person
from jupyter_mlinfn.hub.broker.reading import read
from jupyter_mlinfn.hub.service.asking import Asking, session_of
from jupyter_mlinfn.hub.service.requests import JSON, GuardedHandler, HealthHandler, UnknownHandler
from jupyter_mlinfn.model.errors import InputError, MlinfnError, NotFound, Refused

LARGEST_JOB: Final = 256 * 2**10
LARGEST_SECRET: Final = 2**20
LONGEST_LOG: Final = 3600.0
NOTHING: Final[frozenset[str]] = frozenset()


class BrokerHandler(GuardedHandler):
    """Knows whose request it is; a namespace in the path is hers, or there is nothing."""

    SUPPORTED_METHODS: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE")
    log = logging.getLogger("mlinfn-broker")

    def initialize(self, desk: BrokerDesk, asking: Asking, namespaces: str) -> None:
        """What the handlers share; ``namespaces`` is the setting's template."""
        self.desk = desk
        self.asking = asking
        self._namespaces = namespaces

    async def prepare(self) -> None:
        """After all other checks: who it is."""
        await super().prepare()
        self.person: Person = person(session_of(self.asker), self._namespaces)
        told = self.path_kwargs.pop("namespace", self.person.namespace)
        if told != self.person.namespace:
            raise NotFound("There is nothing of this name.")

    def asked(self, allowed: frozenset[str] = NOTHING) -> dict[str, str]:
        """The query. Raises :class:`InputError`."""
        return parameters(self.request.query_arguments, allowed)

    def say(self, document: Mapping[str, Any], status: int = 200) -> None:
        """Answer with an object of Kubernetes."""
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.finish(json.dumps(document))

    async def written(self, kind: str, name: str, doing: Awaitable[Any], status: int = 200) -> None:
        """Do it, and note that it was done or why not."""
        verb = str(self.request.method)
        ended, code = 500, "failed"
        try:
            self.desk.count(self.person)
            told = await doing
            ended, code = status, ""
        except MlinfnError as error:
            ended, code = error.status, error.code
            raise
        finally:
            if asyncio.iscoroutine(doing):
                doing.close()
            await self.desk.audit.note(self.person, verb, kind, name, status=ended, code=code)
        self.say(told, status)

    async def refused(self, kind: str, error: MlinfnError) -> None:
        """Note what could not even be read."""
        await self.desk.audit.note(
            self.person, str(self.request.method), kind, "", status=error.status, code=error.code
        )


class SessionHandler(BrokerHandler):
    """``mlinfn/v1/session``."""

    async def get(self) -> None:
        """Where her jobs go, and what they are made like."""
        self.asked()
        self.answer(await self.desk.session(self.person))


class JobsHandler(BrokerHandler):
    """``jobs``."""

    largest = LARGEST_JOB
    body_is = "This Job"
    shorten = "Give what is large to the job in a file of one of its areas, not as a parameter."

    async def get(self) -> None:
        """Her own."""
        self.say(await self.desk.jobs(self.person, self.asked(LISTS)))

    async def post(self) -> None:
        """One more."""
        try:
            self.asked(frozenset({"fieldValidation", "fieldManager"}))
            self.must_be_json()
            job = read(Job, self.request.body)
        except InputError as error:
            await self.refused("Job", error)
            raise
        await self.written("Job", job.metadata.name, self.desk.make_job(self.person, job), 201)


class JobHandler(BrokerHandler):
    """``jobs/NAME``."""

    async def get(self, name: str) -> None:
        """One of hers."""
        self.asked()
        self.say(await self.desk.job(self.person, name))

    async def delete(self, name: str) -> None:
        """Remove it."""
        try:
            self.asked()
            options = None
            if self.request.body:
                self.must_be_json()
                options = read(DeleteOptions, self.request.body)
        except InputError as error:
            await self.refused("Job", error)
            raise
        await self.written("Job", name, self.desk.remove_job(self.person, name, options))


class PodsHandler(BrokerHandler):
    """``pods``."""

    async def get(self) -> None:
        """Those of her Jobs."""
        asked = self.asked(LISTS | {"fieldSelector"})
        self.say(await self.desk.pods(self.person, asked))


class PodHandler(BrokerHandler):
    """``pods/NAME``."""

    async def get(self, name: str) -> None:
        """One of them."""
        self.asked()
        self.say(await self.desk.pod(self.person, name))


class LogHandler(BrokerHandler):
    """``pods/NAME/log``: what comes goes on at once, and ends when either end goes."""

    _going: asyncio.Task[None] | None = None

    async def get(self, name: str) -> None:
        """What a pod of hers wrote."""
        asked = self.asked(LOGS)
        await self.desk.pod(self.person, name)
        with self.desk.reading(self.person):
            self._going = asyncio.create_task(self._pass_on(name, asked))
            done, _ = await asyncio.wait({self._going}, timeout=LONGEST_LOG)
            if not done:
                self._going.cancel()
                await asyncio.wait({self._going})
        if not self._going.cancelled():
            self._end(self._going.exception())

    def _end(self, error: BaseException | None) -> None:
        """What was begun and cut off is not ended as if it were whole."""
        if error is not None and not self._headers_written:
            raise error
        if error is not None:
            self.log.info("A log was cut off: %s", error)
            self.detach().close()

    async def _pass_on(self, name: str, asked: Mapping[str, str]) -> None:
        path = self.desk.log_of(self.person, name)
        async with self.desk.cluster.stream(path, asked) as answer:
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            async for chunk in answer.aiter_bytes():
                try:
                    self.write(chunk)
                    await self.flush()
                except StreamClosedError:
                    return

    def on_connection_close(self) -> None:
        """Who read it is gone: nobody is asked for more."""
        super().on_connection_close()
        if self._going is not None:
            self._going.cancel()


class SecretsHandler(BrokerHandler):
    """``secrets``: they are made, renewed and removed, and never shown."""

    largest = LARGEST_SECRET
    body_is = "This Secret"
    shorten = (
        "Declare fewer or shorter secrets for the job; a large file belongs in one of its areas."
    )

    async def post(self) -> None:
        """That of a job."""
        secret = await self.secret()
        doing = self.desk.put_secret(self.person, secret, new=True)
        await self.written("Secret", secret.metadata.name, doing, 201)

    async def secret(self, name: str = "") -> Secret:
        """The document, which has this name. Raises :class:`InputError`."""
        try:
            self.asked()
            self.must_be_json()
            secret = read(Secret, self.request.body)
            if name and secret.metadata.name != name:
                raise InputError("It has another name than its path.", field="metadata.name")
        except InputError as error:
            await self.refused("Secret", error)
            raise
        return secret


class SecretHandler(SecretsHandler):
    """``secrets/NAME``."""

    SUPPORTED_METHODS = ("PUT", "DELETE")

    async def put(self, name: str) -> None:
        """Its new content."""
        secret = await self.secret(name)
        doing = self.desk.put_secret(self.person, secret, new=False)
        await self.written("Secret", name, doing)

    async def delete(self, name: str) -> None:
        """Remove it."""
        self.asked()
        await self.written("Secret", name, self.desk.remove_secret(self.person, name))


class KueueHandler(BrokerHandler):
    """``apis/kueue.x-k8s.io``."""

    async def get(self) -> None:
        """The versions of its API."""
        self.asked()
        self.say(await self.desk.kueue())


class QueuesHandler(BrokerHandler):
    """``localqueues``, ``clusterqueues``, ``workloads``: always whole."""

    async def get(self, version: str, kind: str) -> None:
        """What of them is for her."""
        self.asked(frozenset({"limit"}))
        looks = {
            "localqueues": self.desk.local_queues,
            "clusterqueues": self.desk.cluster_queues,
            "workloads": self.desk.workloads,
        }
        try:
            self.say(await looks[kind](self.person, version))
        except Refused as error:
            if error.code == "kubernetes-refused":
                self.log.warning("The broker's account may not read %s: %s", kind, error.text)
            raise


def application(desk: BrokerDesk, asking: Asking, prefix: str, namespaces: str) -> web.Application:
    """The broker below ``prefix`` (with a slash at both ends)."""
    shared = {"desk": desk, "asking": asking, "namespaces": namespaces}
    space, name = r"namespaces/(?P<namespace>[^/]+)", r"(?P<name>[a-z0-9][a-z0-9.-]{0,252})"
    batch, core = f"{prefix}apis/batch/v1/{space}", f"{prefix}api/v1/{space}"
    kueue = f"{prefix}apis/kueue\\.x-k8s\\.io"
    version = r"(?P<version>v[0-9]{1,3}(?:(?:alpha|beta)[0-9]{1,3})?)"
    return web.Application(
        [
            (f"{prefix}mlinfn/v1/session", SessionHandler, shared),
            (f"{batch}/jobs", JobsHandler, shared),
            (f"{batch}/jobs/{name}", JobHandler, shared),
            (f"{core}/pods", PodsHandler, shared),
            (f"{core}/pods/{name}", PodHandler, shared),
            (f"{core}/pods/{name}/log", LogHandler, shared),
            (f"{core}/secrets", SecretsHandler, shared),
            (f"{core}/secrets/{name}", SecretHandler, shared),
            (kueue, KueueHandler, shared),
            (f"{kueue}/{version}/{space}/(?P<kind>localqueues|workloads)", QueuesHandler, shared),
            (f"{kueue}/{version}/(?P<kind>clusterqueues)", QueuesHandler, shared),
            (f"{prefix}health", HealthHandler),
        ],
        default_handler_class=UnknownHandler,
        log_function=lambda _handler: None,
    )
