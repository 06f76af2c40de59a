"""The API server, as the broker's own account; its refusals as ours.

lightkube reads the account and makes the connection; requests are plain REST, as the sessions' are.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from httpx2 import AsyncClient, HTTPError, InvalidURL, Response, StreamError, Timeout
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ConfigError

from jupyter_mlinfn.model.errors import Conflict, MlinfnError, NotFound, Refused, Unavailable
from jupyter_mlinfn.model.kubernetes import KUEUE
from jupyter_mlinfn.process.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERS_WITHIN: Final = 15.0
LARGEST: Final = 64 * 2**20
SMALLEST_STREAM: Final = 300.0
"""Seconds in which a followed log may say nothing before its connection is looked at as gone."""

METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_AWAY: Final = (HTTPError, InvalidURL, StreamError, ConfigError, OSError, ValueError)


class Expired(NotFound):
    """The rest of a list cannot be had any more."""

    status = 410
    default_code = "expired"


class Wrong(Refused):
    """Kubernetes finds an object wrong."""

    status = 422
    default_code = "kubernetes-refused"


class Cluster:
    """One API server. ``kubeconfig`` empty: the account of this pod. All raise
    :class:`Unavailable` when it is silent, and what :func:`refusal` makes of its refusals."""

    def __init__(
        self, kubeconfig: str = "", connect: Callable[[], AsyncClient] | None = None
    ) -> None:
        self._kubeconfig = kubeconfig
        self._connect = connect or self._by_lightkube
        self._client: AsyncClient | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
    ) -> Any:
        """One request; the object that is answered."""
        async with self._request(method, path, params, body, accept, ANSWERS_WITHIN) as answer:
            content = await _all(answer)
        try:
            told = json.loads(content)
        except ValueError as error:
            raise silent("its answer cannot be read") from error
        if not isinstance(told, dict):
            raise silent("its answer cannot be read")
        return told

    @asynccontextmanager
    async def stream(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Response]:
        """An answer that comes bit by bit."""
        asked = self._request("GET", path, params, None, "*/*", SMALLEST_STREAM)
        async with asked as answer:
            yield answer

    async def kueue(self) -> Mapping[str, Any] | None:
        """What is said of Kueue's API; ``None`` where there is none."""
        try:
            found: Mapping[str, Any] = await self.ask("GET", f"/apis/{KUEUE}")
        except NotFound:
            return None
        return found

    async def close(self) -> None:
        """Let go of all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    # --- inside ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        accept: str,
        within: float,
    ) -> AsyncIterator[Response]:
        headers = {"Accept": accept}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        try:
            client = self._client = self._client or self._connect()
            asked = client.stream(
                method, path, params=dict(params or {}), content=data, headers=headers,
                timeout=Timeout(ANSWERS_WITHIN, read=within),
            )  # fmt: skip
            async with asked as answer:
                if answer.status_code >= 400:
                    raise await _refused(answer)
                yield answer
        except _AWAY as error:
            raise silent(str(error) or type(error).__name__) from error

    def _by_lightkube(self) -> AsyncClient:
        from msgspec import MsgspecError
        from yaml import YAMLError

        try:
            found = (
                KubeConfig.from_file(Path(self._kubeconfig))
                if self._kubeconfig
                else KubeConfig.from_service_account()
            )
            config = found.get()
            if config is None:
                raise ConfigError("it has no current context")
            asked = client_adapter.ConnectionParams(timeout=Timeout(ANSWERS_WITHIN))
            return client_adapter.AsyncClient(config, asked)
        except (
            MsgspecError,
            YAMLError,
            LookupError,
            TypeError,
            AssertionError,
            AttributeError,
        ) as error:
            raise ConfigError(f"the broker's own account: {type(error).__name__}") from error


async def _all(answer: Response) -> bytes:
    """The whole of an answer, unless it is far too long."""
    found = bytearray()
    async for chunk in answer.aiter_bytes():
        found += chunk
        if len(found) > LARGEST:
            raise silent("its answer is too long")
    return bytes(found)


async def _refused(answer: Response) -> MlinfnError:
    try:
        told = json.loads(await _all(answer))
    except ValueError:
        told = None
    said = str(told.get("message", "")) if isinstance(told, dict) else ""
    return refusal(answer.status_code, said)


def refusal(status: int, said: str) -> MlinfnError:
    """What a refusal of the API server is to a session."""
    said = redact(" ".join(said.split()))[:500] or f"HTTP {status}"
    if status == 401:
        text = "Kubernetes does not know the hub's broker. Tell an administrator of this hub."
        return Unavailable(text, code="kubernetes-login")
    if status == 404:
        return NotFound(said)
    if status == 409:
        return Conflict(said, code="exists")
    if status == 410:
        return Expired(said)
    if status == 403:
        return Refused(said, code="kubernetes-refused")
    if status in (400, 413, 422):
        return Wrong(said)
    return silent(said)


def silent(why: str) -> Unavailable:
    """Nobody can say how it is."""
    text = f"Kubernetes does not answer the hub's broker ({redact(why)[:300]})."
    return Unavailable(text, code="kubernetes-silent")
