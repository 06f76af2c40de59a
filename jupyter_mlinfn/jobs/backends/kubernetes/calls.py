"""The API server: who asks, deadlines, pages, and what a refusal means.

lightkube reads the kubeconfig (or the account of this pod) and makes the connection; requests are
plain REST, because what is read here must also be readable when a cluster is newer than a client.
In a hub's session its broker is asked in place of both (:mod:`.brokered`).
"""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.kubernetes import KUEUE, BrokerSession
from jupyter_mlinfn.process.redaction import redact

if TYPE_CHECKING:
    from httpx2 import Client

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the account it may act as."""

_ANSWERS_WITHIN: Final = 15.0
_TELLS_WITHIN: Final = 3.0
_PAGE: Final = 500
_LARGEST: Final = 64 * 2**20

_KUEUE_VERSIONS: Final = ("v1beta2", "v1beta1")


@dataclass(frozen=True)
class Place:
    """Where jobs go: the server's address and the namespace. ``session``: the broker's word, where
    one is asked in place of the cluster."""

    server: str
    namespace: str
    session: BrokerSession | None = None


class Absent(MlinfnError):
    """There is no such object."""


class Exists(MlinfnError):
    """There is an object of this name already."""


class Calls:
    """One namespace of one cluster. All raise :class:`Unavailable` when it does not answer."""

    def __init__(self, kubeconfig: str = "", namespace: str = "", broker: str = "") -> None:
        self._kubeconfig = kubeconfig
        self._broker = broker
        self._namespace = namespace
        self._lock = threading.Lock()
        self._made: tuple[Client, Place] | None = None
        self._told: BrokerSession | None = None

    def missing(self) -> str:
        """Why nobody can be asked here; empty when somebody can."""
        if importlib.util.find_spec("lightkube") is None:
            return (
                "The part that speaks with Kubernetes is not installed here: "
                "install jupyter_mlinfn[kubernetes]."
            )
        if self._broker:
            from jupyter_mlinfn.jobs.backends.kubernetes import brokered

            return brokered.missing(self._broker)
        if self._file() is None and not (ACCOUNT / "token").exists():
            return "There is no kubeconfig here, and this is no pod that may ask Kubernetes."
        return ""

    @property
    def place(self) -> Place:
        """Where jobs go now. Raises :class:`Unavailable` when the kubeconfig does not tell."""
        return self._connection()[1]

    @property
    def owner(self) -> str:
        """The label by which the broker knows its owner's objects; empty without a broker.
        Raises :class:`Unavailable`."""
        session = self.place.session
        return session.owner if session else ""

    def session_pod(self) -> Any | None:
        """The pod that jobs are made like by the broker's word; ``None`` without a broker."""
        if not self._broker:
            return None
        self._told = None  # the offer may have changed since it was asked
        self._forget()
        session = self.place.session
        return session.pod if session else None

    # --- jobs -----------------------------------------------------------------------------------

    def jobs(self, selector: str) -> list[Any]:
        """All jobs with these labels."""
        return self._list(f"/apis/batch/v1/{self._here()}/jobs", labelSelector=selector)

    def job(self, name: str) -> Any:
        """One job. Raises :class:`Absent`."""
        return self._ask("GET", f"/apis/batch/v1/{self._here()}/jobs/{name}")

    def create(self, manifest: Mapping[str, Any]) -> Any:
        """Make a job. Raises :class:`Exists`, and :class:`Refused` when it is never taken."""
        strict = {"fieldValidation": "Strict", "fieldManager": "jupyter-mlinfn"}
        return self._ask(
            "POST", f"/apis/batch/v1/{self._here()}/jobs", params=strict, body=manifest
        )

    def delete(self, name: str) -> None:
        """Remove a job and its pods, each with its grace; harmless when it is gone."""
        options = {
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
        }  # fmt: skip
        try:
            self._ask("DELETE", f"/apis/batch/v1/{self._here()}/jobs/{name}", body=options)
        except Absent:
            return

    def put_secret(self, manifest: Mapping[str, Any]) -> None:
        """Make a Secret, or give it this content when it is there."""
        place = f"/api/v1/{self._here()}/secrets"
        try:
            self._ask("POST", place, body=manifest)
        except Exists:
            self._ask("PUT", f"{place}/{manifest['metadata']['name']}", body=manifest)

    def delete_secret(self, name: str) -> None:
        """Remove a Secret; harmless when it is gone."""
        try:
            self._ask("DELETE", f"/api/v1/{self._here()}/secrets/{name}")
        except Absent:
            return

    def pods(self, selector: str) -> list[Any]:
        """All pods with these labels that have not succeeded."""
        # what succeeded has said so in its folder, and of a sweep there may be thousands
        left = "status.phase!=Succeeded"
        place = f"/api/v1/{self._here()}/pods"
        return self._list(place, labelSelector=selector, fieldSelector=left)

    def pod(self, name: str) -> Any:
        """One pod. Raises :class:`Absent`."""
        return self._ask("GET", f"/api/v1/{self._here()}/pods/{name}")

    # --- Kueue ----------------------------------------------------------------------------------

    def kueue(self) -> str:
        """The version of Kueue's API that is spoken here; empty where there is no Kueue."""
        try:
            told = self._ask("GET", f"/apis/{KUEUE}", within=_TELLS_WITHIN)
        except Absent:
            return ""
        served = [str(one.get("version")) for one in told.get("versions", ())]
        return next((name for name in _KUEUE_VERSIONS if name in served), "")

    def workloads(self, version: str) -> list[Any]:
        """All that waits or runs in the namespace by Kueue's word."""
        return self._list(f"/apis/{KUEUE}/{version}/{self._here()}/workloads")

    def local_queues(self, version: str) -> list[Any]:
        """The queues of the namespace."""
        place = f"/apis/{KUEUE}/{version}/{self._here()}/localqueues"
        return self._list(place, within=_TELLS_WITHIN)

    def cluster_queues(self, version: str) -> list[Any] | None:
        """The quotas behind the queues; ``None`` where this person may not see them."""
        try:
            return self._list(f"/apis/{KUEUE}/{version}/clusterqueues", within=_TELLS_WITHIN)
        except (Absent, Refused):
            return None

    # --- inside ---------------------------------------------------------------------------------

    def _here(self) -> str:
        return f"namespaces/{self.place.namespace}"

    def _list(self, path: str, *, within: float | None = None, **asked: str) -> list[Any]:
        """All items, page by page; a list that grew too old is begun again once."""
        for _again in range(2):
            found: list[Any] = []
            after = ""
            while True:
                params = {**asked, "limit": str(_PAGE), **({"continue": after} if after else {})}
                try:
                    page = self._ask("GET", path, params=params, within=within)
                except Absent:
                    if after:  # 410: the rest of this list cannot be had any more
                        break
                    raise
                found += _items(page)
                after = str(page.get("metadata", {}).get("continue") or "")
                if not after:
                    return found
        raise _silent("its list changed while it was read")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        within: float | None = None,
    ) -> Any:
        from httpx2 import HTTPError, InvalidURL, StreamError
        from lightkube.core.exceptions import ConfigError

        client, _place = self._connection()
        data = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data else {}
        try:
            answer = client.request(
                method,
                path,
                params=dict(params or {}),
                content=data,
                headers=kind,
                timeout=within or _ANSWERS_WITHIN,
            )
        except (HTTPError, InvalidURL, StreamError, ConfigError, OSError, ValueError) as error:
            self._forget()
            raise _silent(str(error) or type(error).__name__) from error
        if answer.status_code == 401:
            self._forget()
        return _read(answer.status_code, answer.content)

    def _connection(self) -> tuple[Client, Place]:
        with self._lock:
            if self._made is None:
                self._made = self._connect()
            return self._made

    def _connect(self) -> tuple[Client, Place]:
        if self._broker:
            return self._connect_to_broker()
        from httpx2 import Timeout
        from lightkube.config import client_adapter
        from lightkube.config.kubeconfig import KubeConfig
        from lightkube.core.exceptions import ConfigError
        from msgspec import MsgspecError
        from yaml import YAMLError

        file = self._file()
        try:
            found = KubeConfig.from_file(file) if file else KubeConfig.from_service_account(ACCOUNT)
            config = found.get()
            if config is None:
                raise ConfigError("it has no current context")
            asked = client_adapter.ConnectionParams(timeout=Timeout(_ANSWERS_WITHIN))
            client = client_adapter.Client(config, asked)
        except (ConfigError, MsgspecError, YAMLError, OSError, LookupError, TypeError, ValueError,
                AssertionError, AttributeError) as error:  # fmt: skip
            where = f"The kubeconfig {file}" if file else "The account of this pod"
            text = f"{where} cannot be used: {redact(str(error))[:200]}."
            raise Unavailable(text, code="kubernetes-config") from error
        return client, Place(str(config.cluster.server), self._namespace or config.namespace)

    def _connect_to_broker(self) -> tuple[Client, Place]:
        from jupyter_mlinfn.jobs.backends.kubernetes import brokered

        client = brokered.client(self._broker, _ANSWERS_WITHIN)
        told = self._told = self._told or brokered.session(client)
        return client, Place(self._broker, told.namespace, told)

    def _forget(self) -> None:
        """The next call reads the kubeconfig again: a token may be new there."""
        with self._lock:
            self._made = None

    def _file(self) -> Path | None:
        """The kubeconfig: the setting's, that of the environment, the person's own."""
        named = self._kubeconfig or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
        file = Path(named or "~/.kube/config").expanduser()
        return file if named or file.is_file() else None


def _items(page: Mapping[str, Any]) -> Sequence[Any]:
    found = page.get("items")
    if not isinstance(found, list):
        raise _silent("its answer cannot be read")
    return found


def _read(status: int, content: bytes) -> Any:
    """The answer, or what kind of a refusal it is: Kubernetes' own Status, or the broker's problem
    document."""
    told: Any = None
    if len(content) <= _LARGEST:
        try:
            told = json.loads(content)
        except ValueError:
            told = None
    if 200 <= status < 300:
        if not isinstance(told, dict):
            raise _silent("its answer cannot be read")
        return told
    said = str(told.get("message") or told.get("detail") or "") if isinstance(told, dict) else ""
    said = redact(" ".join(said.split()))[:300] or f"HTTP {status}"
    raise _refusal(status, said)


def _refusal(status: int, said: str) -> MlinfnError:
    if status in (404, 410):
        return Absent(said)
    if status == 409:
        return Exists(said)
    if status == 401:
        text = "Kubernetes does not know you any more. Log in again; your jobs are kept."
        return Unavailable(text, code="kubernetes-login")
    if status == 403 and "exceeded quota" in said:
        return Unavailable(f"The namespace is full for now: {said}", code="kubernetes-full")
    if status in (400, 403, 413, 422):
        return Refused(f"Kubernetes does not take this: {said}", code="refused-by-system")
    return _silent(said)


def _silent(why: str) -> Unavailable:
    text = f"Kubernetes does not answer ({redact(why)[:300]})."
    return Unavailable(text, code="kubernetes-silent")
