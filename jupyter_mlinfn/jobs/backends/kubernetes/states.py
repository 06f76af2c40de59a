"""What the states of Jobs, pods and workloads mean for a job, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jupyter_mlinfn.jobs.backends.kubernetes.parsing import KubernetesJob, Pod, Workload
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.model.jobs import Reason, ReasonCode

_NO_IMAGE: Final = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull",
     "ImageInspectError", "RegistryUnavailable"}
)  # fmt: skip
_CANNOT_START: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff",
     "ContainerCannotRun", "StartError"}
)  # fmt: skip

_KUEUE: Final[dict[str, str]] = {
    "Pending": "Waits in Kueue's queue {queue} until enough of its quota is free.",
    "WaitingForQuota": "Waits in Kueue's queue {queue} until enough of its quota is free.",
    "Waiting": "Waits in Kueue's queue {queue} for its turn.",
    "NoMatchingFlavor": "Kueue's queue {queue} has no kind of machine for what this job asks for. "
    "Cancel it and ask for something else, or choose another queue.",
    "ExceedsMaxQuota": "This job asks for more than Kueue's queue {queue} ever has. "
    "Cancel it and ask for less, or choose another queue.",
    "Inadmissible": "Kueue's queue {queue} takes no jobs for now.",
    "Preempted": "Kueue took this job's place back for another job. "
    "It waits in the queue {queue} to start again.",
    "AdmissionCheck": "Waits for a check that Kueue makes before it starts a job.",
    "ClusterQueueStopped": "Kueue's queue {queue} was stopped by an administrator. "
    "The job starts when it goes on.",
    "LocalQueueStopped": "Kueue's queue {queue} was stopped by an administrator. "
    "The job starts when it goes on.",
    "PodsReadyTimeout": "The job's pod did not start in time. Kueue tries again later.",
    "NodeFailures": "The machine that ran this job failed. Kueue starts the job again.",
}


def word(
    job: KubernetesJob,
    pods: Sequence[Pod],
    workload: Workload | None,
    position: tuple[int, int] | None,
) -> Word:
    """What Kubernetes says of a job. ``pods`` are its own, the oldest first; ``position``: its
    number among those that wait in its queue, and how many these are."""
    pod = pods[-1] if pods else None
    host = pod.node or None if pod else None
    if job.over is not None:
        return over(job, pod)
    if job.deleting:
        # its pods are being ended: how it ends is known when that is done
        return Word(id=job.name, phase="unclear", host=host)
    if job.suspended:
        return Word(id=job.name, phase="waits", waits=_waits(workload, position))
    if pod is None:
        text = "Its turn has come: Kubernetes is making its pod."
        waits = Reason(code="waits-in-queue", text=text)
        return Word(id=job.name, phase="waits", waits=waits)
    return of_pod(job, pod)


def of_pod(job: KubernetesJob, pod: Pod) -> Word:
    """What a pod says of a job, or of one point, that is not over."""
    host = pod.node or None
    if pod.phase in ("Succeeded", "Failed"):
        return Word(id=job.name, phase="unclear", host=host)
    if (why := _stuck(pod)) is not None:
        return Word(id=job.name, phase="waits", waits=why)
    return Word(id=job.name, phase="runs" if pod.phase == "Running" else "starts", host=host)


def over(job: KubernetesJob, pod: Pod | None) -> Word:
    """A job, or one point, that is over for Kubernetes; ``pod``: its last one, if it is known."""
    reason = job.over.reason if job.over is not None else ""
    host = pod.node or None if pod else None
    return Word(id=job.name, phase="over", ended=_ended(reason, pod), host=host)


def _waits(workload: Workload | None, position: tuple[int, int] | None) -> Reason:
    if workload is None:
        text = "Waits for Kueue to look at it, or was suspended by somebody."
        return Reason(code="waits-in-queue", text=text)
    if not workload.active:
        text = (
            "Kueue does not start this job: it was put on hold, or it failed to start too often. "
            "Ask your administrators, or cancel it."
        )
        return Reason(code="held", text=text)
    quota, evicted = workload.condition("QuotaReserved"), workload.condition("Evicted")
    told = quota
    if evicted is not None and evicted.holds:
        told = evicted
    reason = told.reason if told is not None else "Waiting"
    text = _KUEUE.get(reason, f"Waits in Kueue's queue {{queue}} ({_short(reason)}).")
    text = text.format(queue=workload.queue)
    if told is quota and quota is not None and quota.holds:
        text = f"Its turn has come in Kueue's queue {workload.queue}."
    elif told is quota and quota is not None and quota.message:
        text += f" Kueue says: {_short(quota.message)}."
    if position is not None:
        text += f" It is number {position[0]} of {position[1]} that wait there."
    return Reason(code="waits-in-queue", text=text)


def _stuck(pod: Pod) -> Reason | None:
    """Why a pod that was made does not start; ``None`` when it does."""
    if pod.unscheduled is not None and not pod.node:
        said = _short(pod.unscheduled)
        text = f"Waits until a machine of the cluster has room for it. Kubernetes says: {said}."
        return Reason(code="waits-in-queue", text=text)
    if pod.waits is None:
        return None
    reason, message = pod.waits
    if reason in _NO_IMAGE:
        text = (
            f"The cluster cannot get the container image of this job ({_short(message)}). "
            "Kubernetes goes on trying. Ask your administrators, or cancel it."
        )
        return Reason(code="held", text=text)
    if reason in _CANNOT_START:
        text = f"The container of this job cannot be started: {_short(message or reason)}."
        return Reason(code="held", text=text)
    return None


def _ended(reason: str, pod: Pod | None) -> tuple[Reason, Reason]:
    """Why a job is over that left no word: when none of its code ran, and when some had."""
    code, text = _why(reason, pod)
    never = Reason(code=code, text=f"{text} None of your code ran.")
    if code == "runner-died":
        said = (
            "Kubernetes started this job, and it ended before any of your code ran. "
            "The pod's log says why, as long as the cluster keeps it."
        )
        never = Reason(code="not-started", text=said)
    return never, Reason(code=code, text=f"{text} What it had written so far was kept.")


def _why(reason: str, pod: Pod | None) -> tuple[ReasonCode, str]:
    container = pod.ended[0] if pod and pod.ended else ""
    if container == "OOMKilled" or (pod and pod.reason == "OOMKilled"):
        text = "The job used more memory than it asked for and was ended. Ask for more."
        return "out-of-memory", text
    if reason == "DeadlineExceeded" or (pod and pod.reason == "DeadlineExceeded"):
        return "time-limit", "Kubernetes ended the job at its time limit. Ask for more time."
    if pod and (pod.reason in ("NodeLost", "Shutdown", "NodeShutdown", "Terminated")):
        return "node-lost", "The machine that ran this job failed or was shut down."
    if pod and pod.reason == "Evicted":
        return (
            "node-lost",
            "The machine ran short of memory or disk and ended this job.",
        )
    if pod and (taken := pod.disrupted) is not None:
        if taken.reason in ("DeletionByTaintManager", "DeletionByPodGC"):
            return "node-lost", "The machine that ran this job failed."
        return "preempted", "Kubernetes took this job's place back for something else."
    return "runner-died", "The program that ran this job was killed from outside."


def _short(text: str) -> str:
    """One line of what a system said, without the full stop at its end."""
    line = " ".join(text.split())[:300]
    return line.rstrip(".") or "nothing more"
