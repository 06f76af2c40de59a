"""The one table of routes: handlers, authorisation, tests and OpenAPI are all made from it.

Nothing but the standard library is imported here, because the table is read when the server
starts. Models and functions are named by text and looked up at the first request.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

API = "mlinfn/api/v1"
LIVE = "mlinfn/live"
LIVE_ACTION = "read"
LIVE_RESOURCE = "mlinfn:live"
TOPIC_RESOURCES = {"gpus": "mlinfn:gpus", "jobs": "mlinfn:jobs", "tasks": "mlinfn:environments"}
MAX_BODY = 25 * 2**20
"""Bytes of a request body; a longer one is refused with 413."""

Action = Literal["read", "write", "execute"]
JOB_ERRORS = (404, 503)
TASKS = "model.environment_tasks"
ANSWERS = "model.environment_answers"


@dataclass(frozen=True)
class Route:
    """One verb on one path.

    ``call`` names a function of this package, ``module:function``; ``answer``, ``body`` and
    ``query`` name pydantic models the same way, relative to ``jupyter_mlinfn``. ``errors`` are
    the statuses beside 400, 403 and 500 that every route may answer. A ``polled`` route does
    not count as activity of the person. ``slow`` ones may take many seconds and have threads of
    their own. ``stirs`` is the live topic that is to be looked at after it.
    """

    verb: Literal["get", "post", "delete"]
    path: str
    name: str
    summary: str
    action: Action
    resource: str
    call: str
    answer: str | None
    status: int = 200
    body: str | None = None
    query: str | None = None
    idempotent: bool = False
    polled: bool = False
    secret: bool = False
    slow: bool = False
    stirs: Literal["tasks"] | None = None
    errors: tuple[int, ...] = ()


def look_up(name: str) -> Any:
    """The object behind ``module:name``, relative to ``jupyter_mlinfn``."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(f"jupyter_mlinfn.{module}"), attribute)


ROUTES: tuple[Route, ...] = (
    Route(
        "get", "jobs", "listJobs", "One page of jobs, newest first",
        "read", "mlinfn:jobs", "server.jobs:list_jobs", "model.jobs:JobPage",
        query="server.questions:JobsQuery", polled=True, errors=(503,),
    ),
    Route(
        "post", "jobs", "submitJob", "Submit a notebook, a script or a cell as a job",
        "execute", "mlinfn:jobs", "server.jobs:submit", "model.jobs:JobRecord",
        status=201, body="model.jobs:JobRequest", idempotent=True, errors=(404, 409, 424, 503),
    ),
    Route(
        "post", "jobs/draft", "draftJob", "Check a request: all problems at once, and a forecast",
        "read", "mlinfn:jobs", "server.jobs:draft", "model.jobs:Draft",
        body="model.jobs:JobRequest", errors=(404, 424, 503),
    ),
    Route(
        "get", "jobs/form", "jobForm", "What a submit form needs: parameters, kernels, defaults",
        "read", "mlinfn:jobs", "server.jobs:form", "model.offer:SubmitForm",
        query="server.questions:FormQuery", errors=(404, 503),
    ),
    Route(
        "post", "jobs/cleanup", "cleanUpJobs", "Remove ended jobs, or show what would go",
        "write", "mlinfn:jobs", "server.jobs:cleanup", "model.jobs:CleanupPlan",
        body="model.jobs:CleanupRequest", errors=(503,),
    ),
    Route(
        "get", "jobs/{id}", "readJob", "All that is known of one job",
        "read", "mlinfn:jobs", "server.jobs:details", "model.jobs:JobDetails",
        polled=True, errors=JOB_ERRORS,
    ),
    Route(
        "delete", "jobs/{id}", "deleteJob", "Delete an ended job and its folder",
        "write", "mlinfn:jobs", "server.jobs:delete", None,
        status=204, errors=(404, 409, 503),
    ),
    Route(
        "post", "jobs/{id}/cancel", "cancelJob", "End a job",
        "write", "mlinfn:jobs", "server.jobs:cancel", "model.jobs:JobRecord",
        errors=(404, 409, 503),
    ),
    Route(
        "post", "jobs/{id}/rerun", "rerunJob", "Submit the same request again, or an edited one",
        "execute", "mlinfn:jobs", "server.jobs:rerun", "model.jobs:JobRecord",
        status=201, body="model.jobs:RerunRequest", idempotent=True, errors=(404, 409, 424, 503),
    ),
    Route(
        "get", "jobs/{id}/log", "readJobLog", "A piece of the job's log, by byte offset",
        "read", "mlinfn:jobs", "server.jobs:log", "model.jobs:LogChunk",
        query="server.questions:LogQuery", polled=True, errors=JOB_ERRORS,
    ),
    Route(
        "get", "jobs/{id}/notebook", "readJobNotebook", "The job's notebook as far as it has come",
        "read", "mlinfn:jobs", "server.jobs:notebook", "server.answers:JobNotebook",
        polled=True, errors=JOB_ERRORS,
    ),
    Route(
        "post", "jobs/{id}/kernel", "jobKernel", "Where to open a kernel to look at a failure",
        "execute", "mlinfn:jobs", "server.jobs:debug_kernel", "model.jobs:DebugKernel",
        errors=(404, 409, 424, 503),
    ),
    Route(
        "get", "environments", "listEnvironments", "Your own environments, managed and found ones",
        "read", "mlinfn:environments", "server.environments:list_environments",
        "model.environments:EnvironmentList", polled=True, errors=(503,),
    ),
    Route(
        "post", "environments/tasks", "startTask",
        "Create, clone, change, restore, lock, pack or share an environment, or free space",
        "execute", "mlinfn:environments", "server.environments:start", f"{TASKS}:Task",
        status=202, body="server.questions:EnvironmentRequest", idempotent=True, stirs="tasks",
        errors=(404, 409, 424, 503),
    ),
    Route(
        "get", "environments/tasks", "listTasks", "What runs, and what ended within the last hour",
        "read", "mlinfn:environments", "server.environments:list_tasks", f"{TASKS}:TaskList",
        polled=True, errors=(503,),
    ),
    Route(
        "get", "environments/tasks/{task}", "readTask", "How far a task is, or how it ended",
        "read", "mlinfn:environments", "server.environments:read_task", f"{TASKS}:Task",
        polled=True, errors=(404, 503),
    ),
    Route(
        "post", "environments/tasks/{task}/cancel", "cancelTask",
        "End a task; what it had begun is taken away",
        "write", "mlinfn:environments", "server.environments:cancel_task", f"{TASKS}:Task",
        stirs="tasks", errors=(404, 503),
    ),
    Route(
        "get", "environments/difference", "compareEnvironments",
        "What is other in one environment or lock than in another",
        "read", "mlinfn:environments", "server.environments:difference", f"{ANSWERS}:Difference",
        query="server.questions:DifferenceQuery", errors=(404, 503),
    ),
    Route(
        "get", "environments/packages", "searchPackages",
        "Packages and versions in the configured channels, as one types",
        "read", "mlinfn:environments", "server.environments:packages", f"{ANSWERS}:PackageMatches",
        query="server.questions:PackagesQuery", slow=True, errors=(424, 503),
    ),
    Route(
        "get", "environments/gc", "planCleanup", "What no environment, kernel or job uses any more",
        "read", "mlinfn:environments", "server.environments:plan_gc", f"{TASKS}:GcPlan",
        slow=True, errors=(503,),
    ),
    Route(
        "get", "environments/{name}", "readEnvironment", "All that is known of one environment",
        "read", "mlinfn:environments", "server.environments:details",
        f"{ANSWERS}:EnvironmentDetails", polled=True, errors=(404, 424, 503),
    ),
    Route(
        "delete", "environments/{name}", "deleteEnvironment",
        "Delete one of your environments; refused while something uses it",
        "write", "mlinfn:environments", "server.environments:delete",
        f"{ANSWERS}:DeletedEnvironment", query="server.questions:DeleteQuery", slow=True,
        stirs="tasks", errors=(404, 409, 503),
    ),
    Route(
        "get", "environments/{name}/history", "environmentHistory",
        "The states an environment was in, newest first",
        "read", "mlinfn:environments", "server.environments:history",
        f"{ANSWERS}:EnvironmentHistory", polled=True, errors=(404, 503),
    ),
    Route(
        "get", "environments/{name}/export", "exportEnvironment",
        "An environment as environment.yml, conda-lock.yml or a list of addresses",
        "read", "mlinfn:environments", "server.environments:export", f"{ANSWERS}:ExportedFile",
        query="server.questions:ExportQuery", errors=(404, 409, 503),
    ),
    Route(
        "post", "environments/{name}/kernel", "registerKernel",
        "Offer an environment as a kernel",
        "write", "mlinfn:environments", "server.environments:register",
        f"{ANSWERS}:RegisteredKernel", body="server.questions:KernelRequest", stirs="tasks",
        errors=(404, 409, 424, 503),
    ),
    Route(
        "delete", "environments/{name}/kernel", "unregisterKernel",
        "Offer an environment as a kernel no longer",
        "write", "mlinfn:environments", "server.environments:unregister",
        f"{ANSWERS}:RegisteredKernel", query="server.questions:KernelRequest", stirs="tasks",
        errors=(404, 503),
    ),
    Route(
        "get", "gpus", "readGpus", "The accelerators, their signals and their holders, now",
        "read", "mlinfn:gpus", "server.gpus:snapshot", "model.accelerators:GpuSnapshot",
        polled=True,
    ),
    Route(
        "get", "gpus/{uuid}/history", "readGpuHistory", "The last minutes of one accelerator",
        "read", "mlinfn:gpus", "server.gpus:history", "model.accelerators:GpuHistory",
        query="server.questions:HistoryQuery", polled=True, errors=(404,),
    ),
    Route(
        "get", "doctor", "runDoctor", "What this machine offers, what is missing, what to do",
        "read", "mlinfn:doctor", "server.doctor:report", "diagnosis:Diagnosis",
    ),
    Route(
        "post", "notebooks/save", "saveNotebook", "Ask the open JupyterLab to save a notebook",
        "write", "mlinfn:notebooks", "server.notebooks:save", "server.answers:SavedNotebook",
        body="server.questions:SaveRequest", secret=True, errors=(404, 409),
    ),
)  # fmt: skip
