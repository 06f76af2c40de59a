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
TOPIC_RESOURCES = {one: f"mlinfn:{one}" for one in ("gpus", "jobs", "session")}
TOPIC_RESOURCES |= {"tasks": "mlinfn:environments"}
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
    not count as activity of the person. ``slow`` ones take many seconds, in threads of their own.
    ``stirs`` is the live topic to look at after it. ``media``: what an answer is if not JSON.
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
    stirs: Literal["tasks", "session"] | None = None
    media: str | None = None
    errors: tuple[int, ...] = ()


def look_up(name: str) -> Any:
    """The object behind ``module:name``, relative to ``jupyter_mlinfn``."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(f"jupyter_mlinfn.{module}"), attribute)


ROUTES: tuple[Route, ...] = (
    Route(
        "get", "jobs", "listJobs", "One page of jobs, newest first or grouped by state",
        "read", "mlinfn:jobs", "server.jobs:list_jobs", "model.joblists:FoundJobs",
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
        "post", "jobs/bulk/cancel", "cancelJobs", "End many jobs",
        "write", "mlinfn:jobs", "server.bulk:cancel", "model.joblists:BulkAnswer",
        body="model.joblists:BulkRequest", slow=True, errors=(503,),
    ),
    Route(
        "post", "jobs/bulk/delete", "deleteJobs", "Delete many ended jobs and their folders",
        "write", "mlinfn:jobs", "server.bulk:delete", "model.joblists:BulkAnswer",
        body="model.joblists:BulkRequest", slow=True, errors=(503,),
    ),
    Route(
        "post", "jobs/bulk/rerun", "rerunJobs", "Submit many ended jobs again as they were",
        "execute", "mlinfn:jobs", "server.bulk:rerun", "model.joblists:BulkAnswer",
        body="model.joblists:BulkRequest", idempotent=True, slow=True, errors=(503,),
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
        "post", "jobs/{id}/release", "releaseJob",
        "Let a job go that its batch system holds, with changes to what it asks for",
        "write", "mlinfn:jobs", "server.jobs:release", "model.jobs:JobRecord",
        body="model.releasing:ReleaseRequest", errors=(404, 409, 503),
    ),
    Route(
        "post", "jobs/{id}/rerun", "rerunJob", "Submit the same request again, or an edited one",
        "execute", "mlinfn:jobs", "server.jobs:rerun", "model.jobs:JobRecord",
        status=201, body="model.jobs:RerunRequest", idempotent=True, errors=(404, 409, 424, 503),
    ),
    Route(
        "get", "jobs/{id}/points", "listPoints", "One page of a sweep's points, sorted as asked",
        "read", "mlinfn:jobs", "server.points:list_points", "model.sweeps:PointPage",
        query="server.questions:PointsQuery", polled=True, errors=JOB_ERRORS,
    ),
    Route(
        "get", "jobs/{id}/points.csv", "readPointsCsv", "All points of a sweep as CSV",
        "read", "mlinfn:jobs", "server.points:csv", None, media="text/csv",
        errors=JOB_ERRORS,
    ),
    Route(
        "get", "jobs/{id}/points/{point}/log", "readPointLog", "A piece of a point's log",
        "read", "mlinfn:jobs", "server.points:log", "model.jobs:LogChunk",
        query="server.questions:LogQuery", polled=True, errors=JOB_ERRORS,
    ),
    Route(
        "get", "jobs/{id}/points/{point}/notebook", "readPointNotebook",
        "A point's notebook as far as it has come",
        "read", "mlinfn:jobs", "server.points:notebook", "server.answers:JobNotebook",
        polled=True, errors=(404, 409, 503),
    ),
    Route(
        "post", "jobs/{id}/points/{point}/cancel", "cancelPoint", "End one point of a sweep",
        "write", "mlinfn:jobs", "server.points:cancel", "model.jobs:JobRecord",
        errors=(404, 409, 424, 503),
    ),
    Route(
        "get", "jobs/{a}/diff/{b}", "diffJobs", "What differs between two jobs, or two points",
        "read", "mlinfn:jobs", "server.diff:diff", "model.exactness:JobDiff",
        query="server.questions:DiffQuery", slow=True, errors=(404, 503),
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
        "post", "jobs/{id}/share", "shareJob", "Put a read-only copy of an ended job into an area",
        "write", "mlinfn:jobs", "server.sharing:share", "model.sharing:SharedJob",
        body="model.sharing:ShareRequest", slow=True, errors=(404, 409, 503),
    ),
    Route(
        "post", "jobs/{id}/unshare", "unshareJob", "Take a shared copy of a job away again",
        "write", "mlinfn:jobs", "server.sharing:unshare", None,
        status=204, body="model.sharing:ShareRequest", slow=True, errors=(404, 503),
    ),
    Route(
        "get", "shared-jobs", "listSharedJobs", "What people share in the areas, newest first",
        "read", "mlinfn:shared-jobs", "server.sharing:list_shared", "model.sharing:SharedJobs",
        slow=True, errors=(503,),
    ),
    Route(
        "get", "shared-jobs/{area}/{id}", "readSharedJob", "All that is known of a shared job",
        "read", "mlinfn:shared-jobs", "server.sharing:details", "model.sharing:SharedDetails",
        slow=True, errors=JOB_ERRORS,
    ),
    Route(
        "get", "shared-jobs/{area}/{id}/log", "readSharedLog", "A piece of a shared job's log",
        "read", "mlinfn:shared-jobs", "server.sharing:log", "model.jobs:LogChunk",
        query="server.questions:LogQuery", slow=True, errors=JOB_ERRORS,
    ),
    Route(
        "get", "shared-jobs/{area}/{id}/points", "listSharedPoints",
        "One page of a shared sweep's points, sorted as asked",
        "read", "mlinfn:shared-jobs", "server.sharing:list_points", "model.sweeps:PointPage",
        query="server.questions:PointsQuery", slow=True, errors=JOB_ERRORS,
    ),
    Route(
        "get", "shared-jobs/{area}/{id}/points.csv", "readSharedPointsCsv",
        "All points of a shared sweep as CSV",
        "read", "mlinfn:shared-jobs", "server.sharing:csv", None, media="text/csv",
        slow=True, errors=JOB_ERRORS,
    ),
    Route(
        "get", "shared-jobs/{area}/{id}/points/{point}/log", "readSharedPointLog",
        "A piece of the log of a shared sweep's point",
        "read", "mlinfn:shared-jobs", "server.sharing:point_log", "model.jobs:LogChunk",
        query="server.questions:LogQuery", slow=True, errors=JOB_ERRORS,
    ),
    Route(
        "get", "shared-jobs/{area}/{id}/notebook", "readSharedNotebook",
        "The notebook of a shared job with what it printed",
        "read", "mlinfn:shared-jobs", "server.sharing:notebook", "server.answers:JobNotebook",
        slow=True, errors=(404, 409, 503),
    ),
    Route(
        "get", "shared-jobs/{area}/{id}/diff/{mine}", "diffSharedJob",
        "What differs between a job of one's own and a shared one",
        "read", "mlinfn:shared-jobs", "server.sharing:diff", "model.exactness:JobDiff",
        slow=True, errors=JOB_ERRORS,
    ),
    Route(
        "post", "shared-jobs/{area}/{id}/rerun", "rerunSharedJob",
        "Run a shared job as one's own, in one's own environment",
        "execute", "mlinfn:jobs", "server.sharing:rerun", "model.jobs:JobRecord",
        status=201, body="model.sharing:SharedRerun", idempotent=True, slow=True,
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
        "get", "areas", "listAreas", "The storage areas of this session, as they are now",
        "read", "mlinfn:areas", "server.storage:list_areas", "model.storage:AreaList",
        polled=True, slow=True,
    ),
    Route(
        "post", "areas/{name}/notes", "addNote", "Say in a group's area what you work on",
        "write", "mlinfn:areas", "server.storage:add_note", "model.storage:AreaNote",
        status=201, body="model.storage:NoteRequest", slow=True, errors=(404, 409, 503),
    ),
    Route(
        "delete", "areas/{name}/notes/{note}", "removeNote", "Take one of your notes away",
        "write", "mlinfn:areas", "server.storage:remove_note", None,
        status=204, slow=True, errors=(404, 503),
    ),
    Route(
        "get", "areas/{name}/backups", "listBackups", "The dated copies of an area, newest first",
        "read", "mlinfn:areas", "server.storage:backups", "model.storage:BackupList",
        slow=True, errors=(404, 503),
    ),
    Route(
        "get", "areas/{name}/backups/{copy}", "browseBackup",
        "What lies in a folder of a copy, what was deleted since first",
        "read", "mlinfn:areas", "server.storage:browse", "model.storage:BackupFolder",
        query="server.questions:BrowseQuery", slow=True, errors=(404, 503),
    ),
    Route(
        "get", "areas/{name}/backups/{copy}/deleted", "listDeleted",
        "What a copy holds that the area does not any more",
        "read", "mlinfn:areas", "server.storage:deleted", "model.storage:DeletedFiles",
        slow=True, errors=(404, 503),
    ),
    Route(
        "get", "areas/{name}/objects", "listObjects", "What lies in a folder of a bucket, by pages",
        "read", "mlinfn:areas", "server.storage_objects:browse", "model.storage:BucketFolder",
        query="server.questions:BucketQuery", slow=True, errors=(404, 409, 424, 503),
    ),
    Route(
        "delete", "areas/{name}/objects", "deleteObject", "Delete one object of a bucket",
        "write", "mlinfn:areas", "server.storage_objects:delete", None,
        status=204, query="server.questions:ObjectQuery", slow=True, errors=(404, 409, 424, 503),
    ),
    Route(
        "get", "areas/{name}/objects/content", "readObject", "One object of a bucket as it is",
        "read", "mlinfn:areas", "server.storage_objects:content", None,
        query="server.questions:ObjectQuery", slow=True, media="application/octet-stream",
        errors=(404, 409, 424, 503),
    ),
    Route(
        "post", "areas/{name}/uploads", "startUpload", "Begin to put a file into a bucket",
        "write", "mlinfn:areas", "server.storage_objects:start", "model.storage:StartedUpload",
        status=201, body="model.storage:ObjectUpload", slow=True, errors=(404, 409, 424, 503),
    ),
    Route(
        "post", "areas/{name}/uploads/piece", "uploadPiece", "Send a piece of such a file",
        "write", "mlinfn:areas", "server.storage_objects:piece", "model.storage:StoredPiece",
        body="model.storage:UploadPiece", slow=True, errors=(404, 409, 424, 503),
    ),
    Route(
        "post", "areas/{name}/uploads/end", "endUpload",
        "Put the pieces together, or throw them away",
        "write", "mlinfn:areas", "server.storage_objects:end", None,
        status=204, body="model.storage:EndedUpload", slow=True, errors=(404, 409, 424, 503),
    ),
    Route(
        "post", "areas/{name}/restore", "restoreBackup",
        "Bring a file or folder of a copy back, beside the present one or in its place",
        "write", "mlinfn:areas", "server.storage:restore", "model.storage:RestoreTask",
        status=202, body="model.storage:RestoreRequest", errors=(404, 409, 503),
    ),
    Route(
        "get", "restores/{task}", "readRestore", "How far a restore is, or how it ended",
        "read", "mlinfn:areas", "server.storage:read_restore", "model.storage:RestoreTask",
        polled=True, errors=(404,),
    ),
    Route(
        "post", "restores/{task}/cancel", "cancelRestore",
        "Stop a restore; what it had begun is taken away",
        "write", "mlinfn:areas", "server.storage:cancel_restore", "model.storage:RestoreTask",
        errors=(404,),
    ),
    Route(
        "get", "session", "readSession", "This server's session on its hub, if it has one",
        "read", "mlinfn:session", "server.session:view", "model.sessions:SessionView", polled=True,
    ),
    Route(
        "post", "session/keep", "keepSession", "Keep idle accelerators a while longer",
        "write", "mlinfn:session", "server.session:keep", "model.sessions:SessionView",
        body="server.session:KeepRequest", stirs="session", errors=(404, 409, 503),
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
