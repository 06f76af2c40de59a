"""What a notice says: the public record of a job that has ended, and one sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

_FROM_SPEC = (
    *("id", "name", "kind", "backend", "queue", "charge", "parameters", "resources", "source"),
    *("output_folder", "submitted_at"),
)
_FROM_END = (
    *("state", "reason", "output", "attempts", "started_at", "ended_at", "exit_code", "usage"),
    "sweep",
)


def shown(target: str) -> str:
    """A target as it may be shown: the path of a web address may be a key by itself."""
    return f"https://{urlsplit(target).hostname}/…" if "://" in target else target


def public(spec: Mapping[str, Any], end: Mapping[str, Any]) -> dict[str, Any]:
    """The public record of a job from its ``job.json`` and what is known of its end."""
    environment = spec.get("environment") or {}
    return {
        **{name: spec.get(name) for name in _FROM_SPEC},
        "environment": {name: environment.get(name) for name in ("name", "digest")},
        **{name: end.get(name) for name in _FROM_END},
    }


def sentence(job: Mapping[str, Any]) -> str:
    """``train (abcdefghij) succeeded after 3 min 5 s.``, and why it did not where that is so."""
    text = f"{job['name']} ({job['id']}) {_ended(job)}{_duration(job)}."
    if job.get("sweep"):
        text += f" {_points(job['sweep'])}"
    reason = (job.get("reason") or {}).get("text")
    return f"{text} {reason}" if reason else text


def letter(job: Mapping[str, Any]) -> str:
    """The text of an e-mail."""
    lines = [sentence(job), ""]
    told = {
        "Notebook": job.get("source"),
        "Output": job.get("output") or job.get("output_folder"),
        "Ran on": job.get("backend"),
        "Look closer": f"mlinfn job show {job['id']}",
    }
    lines += [f"{name}: {value}" for name, value in told.items() if value]
    return "\n".join(lines) + "\n"


def subject(job: Mapping[str, Any]) -> str:
    """The subject of an e-mail."""
    return f"{'Sweep' if job.get('sweep') else 'Job'} {job['name']} {_ended(job)}"


def _ended(job: Mapping[str, Any]) -> str:
    return "was cancelled" if job.get("state") == "cancelled" else str(job.get("state"))


def _duration(job: Mapping[str, Any]) -> str:
    from jupyter_mlinfn.model.quantities import show_duration

    try:
        ran = datetime.fromisoformat(job["ended_at"]) - datetime.fromisoformat(job["started_at"])
    except (KeyError, TypeError, ValueError):
        return ""
    return f" after {show_duration(ran.total_seconds())}"


def _points(sweep: Mapping[str, Any]) -> str:
    told = [f"{sweep[state]} {state}" for state in ("succeeded", "failed", "cancelled")]
    return f"Of {sweep['points']} points: {', '.join(told)}."
