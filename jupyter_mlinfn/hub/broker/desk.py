"""What the broker does for one person: reads what is hers, makes what is offered, removes it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from jupyter_mlinfn.hub.broker import queues
from jupyter_mlinfn.hub.broker.asked import PAGE, own
from jupyter_mlinfn.hub.broker.auditing import Audit
from jupyter_mlinfn.hub.broker.checking import check_job, check_secret
from jupyter_mlinfn.hub.broker.cluster import METADATA, Cluster
from jupyter_mlinfn.hub.broker.manifest import DeleteOptions, Job, Secret
from jupyter_mlinfn.hub.broker.passing import job_of, secret_of, stored_name
from jupyter_mlinfn.hub.broker.persons import Person
from jupyter_mlinfn.hub.broker.standing import Standing
from jupyter_mlinfn.hub.tokens.rate import Rate
from jupyter_mlinfn.model.errors import NotFound, Refused
from jupyter_mlinfn.model.kubernetes import KUEUE, OWNER, BrokerSession

WRITES: Final = 600
"""In a minute, of one person."""
LOGS_AT_ONCE: Final = 8
"""Of one person."""

_KUEUE_FOR: Final = 300.0
_PAGES: Final = 40
_STRICT: Final = {"fieldValidation": "Strict", "fieldManager": "jupyter-mlinfn-broker"}


class TooMany(Refused):
    """Asked too often."""

    status = 429
    default_code = "too-many"


class BrokerDesk:
    """``standing`` says what a session may ask for, ``cluster`` is asked for it, ``audit`` notes
    what was written."""

    def __init__(self, standing: Standing, cluster: Cluster, audit: Audit) -> None:
        self.standing = standing
        self.cluster = cluster
        self.audit = audit
        self._rate = Rate(times=WRITES, seconds=60.0)
        self._kueue: tuple[float, bool] | None = None
        self._reading: Counter[str] = Counter()

    @contextmanager
    def reading(self, who: Person) -> Iterator[None]:
        """One more log that she reads. Raises :class:`TooMany`."""
        if self._reading[who.user] >= LOGS_AT_ONCE:
            raise TooMany(f"You read {LOGS_AT_ONCE} logs at once. Close one of them.")
        self._reading[who.user] += 1
        try:
            yield
        finally:
            self._reading[who.user] -= 1
            self._reading += Counter()  # whoever reads none is forgotten

    def count(self, who: Person) -> None:
        """One write. Raises :class:`TooMany`."""
        wait = self._rate.wait(who.user, time.monotonic())
        if wait:
            raise TooMany(f"You asked for very much at once. Ask again in {wait} s.")

    async def session(self, who: Person) -> BrokerSession:
        """Where her jobs go, and the pod that they are made like."""
        may = await self.standing.of(who, now=True)
        return BrokerSession(namespace=who.namespace, owner=who.owner, pod=dict(may.pod))

    # --- jobs -----------------------------------------------------------------------------------

    async def jobs(self, who: Person, asked: Mapping[str, str]) -> Any:
        """A page of her Jobs."""
        return await self.cluster.ask("GET", _jobs(who), params=own(asked, who))

    async def job(self, who: Person, name: str) -> Any:
        """One of them. Raises :class:`NotFound` also for another person's."""
        return _hers(await self.cluster.ask("GET", f"{_jobs(who)}/{name}"), who)

    async def make_job(self, who: Person, job: Job) -> Any:
        """Check it, and have it made."""
        may = await self.standing.of(who, now=True)
        check_job(job, may, kueue=await self._has_kueue())
        made = job_of(job, may)
        return await self.cluster.ask("POST", _jobs(who), params=_STRICT, body=made)

    async def remove_job(self, who: Person, name: str, options: DeleteOptions | None) -> Any:
        """Remove just the one that was looked at, and its pods."""
        found = await self.job(who, name)
        body = options.written() if options else {"apiVersion": "v1", "kind": "DeleteOptions"}
        body |= {
            "propagationPolicy": "Background",
            "preconditions": {"uid": found["metadata"]["uid"]},
        }
        return await self.cluster.ask("DELETE", f"{_jobs(who)}/{name}", body=body)

    # --- pods -----------------------------------------------------------------------------------

    async def pods(self, who: Person, asked: Mapping[str, str]) -> Any:
        """A page of the pods of her Jobs."""
        return await self.cluster.ask("GET", _pods(who), params=own(asked, who))

    async def pod(self, who: Person, name: str) -> Any:
        """One of them. Raises :class:`NotFound` also for another person's."""
        return _hers(await self.cluster.ask("GET", f"{_pods(who)}/{name}"), who)

    def log_of(self, who: Person, name: str) -> str:
        """The path of a pod's log."""
        return f"{_pods(who)}/{name}/log"

    # --- secrets --------------------------------------------------------------------------------

    async def put_secret(self, who: Person, secret: Secret, *, new: bool) -> Any:
        """Make the Secret of a job, or give it this content."""
        await self.standing.of(who, now=True)
        check_secret(secret, who)
        for owner in secret.metadata.owner_references:
            job = await self.job(who, owner.name)
            if job["metadata"].get("uid") != owner.uid:
                text = "A Secret goes with your own Job of its name."
                raise Refused(text, code="not-offered", field="metadata.ownerReferences")
        made, place = secret_of(secret, who), _secrets(who)
        if new:
            await self.cluster.ask("POST", place, params=_STRICT, body=made)
        else:
            place = f"{place}/{made['metadata']['name']}"
            await self.cluster.ask("PUT", place, params=_STRICT, body=made)
        about = {"name": secret.metadata.name, "namespace": who.namespace}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": about}

    async def remove_secret(self, who: Person, name: str) -> Any:
        """Remove hers of this name."""
        await self.cluster.ask("DELETE", f"{_secrets(who)}/{stored_name(name, who)}")
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}

    # --- Kueue ----------------------------------------------------------------------------------

    async def local_queues(self, who: Person, version: str) -> Any:
        """The queues of the namespace that her profile offers."""
        may = await self.standing.of(who, now=False)
        found = await self._whole(f"/apis/{KUEUE}/{version}/namespaces/{who.namespace}/localqueues")
        return _list("LocalQueueList", version, queues.offered(found, may.queues))

    async def cluster_queues(self, who: Person, version: str) -> Any:
        """The quotas behind them."""
        local = await self.local_queues(who, version)
        found = await self._whole(f"/apis/{KUEUE}/{version}/clusterqueues")
        return _list("ClusterQueueList", version, queues.behind(found, local["items"]))

    async def workloads(self, who: Person, version: str) -> Any:
        """Her own Workloads; of others in the same queues what her place in line needs."""
        may = await self.standing.of(who, now=False)
        jobs = await self._whole(_jobs(who), METADATA, **own({}, who))
        found = await self._whole(f"/apis/{KUEUE}/{version}/namespaces/{who.namespace}/workloads")
        uids = {one["metadata"]["uid"] for one in jobs}
        return _list("WorkloadList", version, queues.in_line(found, uids, may.queues))

    async def kueue(self) -> Mapping[str, Any]:
        """The versions of its API. Raises :class:`NotFound` without Kueue."""
        found = await self.cluster.kueue()
        if found is None:
            raise NotFound("This cluster has no Kueue.")
        return found

    # --- inside ---------------------------------------------------------------------------------

    async def _has_kueue(self) -> bool:
        """Once it was seen it is believed: who asks while it restarts is not let past it."""
        if self._kueue is None or (
            not self._kueue[1] and time.monotonic() - self._kueue[0] > _KUEUE_FOR
        ):
            self._kueue = (time.monotonic(), await self.cluster.kueue() is not None)
        return self._kueue[1]

    async def _whole(self, path: str, accept: str = "application/json", **asked: str) -> list[Any]:
        """All items of a list; of a very long one its beginning."""
        found: list[Any] = []
        after = ""
        for _page in range(_PAGES):
            params = {**asked, "limit": str(PAGE), **({"continue": after} if after else {})}
            page = await self.cluster.ask("GET", path, params=params, accept=accept)
            found += page.get("items") or []
            after = str((page.get("metadata") or {}).get("continue") or "")
            if not after:
                break
        return found


def _jobs(who: Person) -> str:
    return f"/apis/batch/v1/namespaces/{who.namespace}/jobs"


def _pods(who: Person) -> str:
    return f"/api/v1/namespaces/{who.namespace}/pods"


def _secrets(who: Person) -> str:
    return f"/api/v1/namespaces/{who.namespace}/secrets"


def _hers(found: Any, who: Person) -> Any:
    labels = (found.get("metadata") or {}).get("labels") or {}
    if labels.get(OWNER) != who.owner:
        raise NotFound("There is nothing of this name.")
    return found


def _list(kind: str, version: str, items: list[Any]) -> dict[str, Any]:
    return {"apiVersion": f"{KUEUE}/{version}", "kind": kind, "metadata": {}, "items": items}
