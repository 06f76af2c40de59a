"""What the sessions' back-end and the hub's broker both know of our objects in Kubernetes."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

OWNER: Final = "jupyter-mlinfn/owner"
JOB: Final = "jupyter-mlinfn/job"
TOKEN: Final = "jupyter-mlinfn/token"  # noqa: S105 - the annotation's name

MANAGED_BY: Final = ("app.kubernetes.io/managed-by", "jupyter-mlinfn")
"""The label, and its value, of all that we make."""

NAME: Final = "mlinfn-"
"""Jobs are called ``mlinfn-<id>``; one that is handed over again gets a number behind that."""

KUEUE: Final = "kueue.x-k8s.io"
JOB_UID: Final = "kueue.x-k8s.io/job-uid"
QUEUE: Final = "kueue.x-k8s.io/queue-name"
PRIORITY: Final = "kueue.x-k8s.io/priority-class"
LEAST_AT_ONCE: Final = "kueue.x-k8s.io/job-min-parallelism"

GRACE: Final = 60
"""Seconds between Kubernetes' SIGTERM and the end by force, for saving what there is."""

LATEST: Final = 1800
"""Seconds after the job's own limit at which Kubernetes ends it: images have to be fetched too."""

KEPT_FOR: Final = 86400
"""Seconds for which Kubernetes keeps a Job that is over: its pod's log and events can be seen."""

AT_ONCE: Final = 500
"""So many points of a sweep run at once at most: more pods help nobody."""

FOLDER: Final = "/tmp/mlinfn"  # noqa: S108 - inside of a container of its own
"""Where a staged job lies in its pod: an ``emptyDir``."""

ACCESS: Final = "/tmp/mlinfn-access"  # noqa: S108
"""Where its Secret is mounted, with these two files."""

ACCESS_FILE: Final = "access.json"
SECRETS_FILE: Final = "secrets.json"

FOLDER_VOLUME: Final = "mlinfn"
ACCESS_VOLUME: Final = "mlinfn-access"


def owner(user: str) -> str:
    """The label that finds all jobs of a person: names may hold what a label may not."""
    return hashlib.sha256(user.encode()).hexdigest()[:20]


class BrokerSession(BaseModel):
    """What the broker tells a session: where its jobs go, by which label it finds them again,
    and the pod that they are made like (docs/hub-services.md, section 6)."""

    model_config = ConfigDict(frozen=True)

    namespace: str
    owner: str
    pod: dict[str, Any]
