"""One hash for each thing that determines what a job computes. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jupyter_mlinfn.model.exactness import Fingerprint
from jupyter_mlinfn.model.jobs import BundledFile, JobSpec


def fingerprint(spec: JobSpec) -> Fingerprint:
    """The fingerprint of a job, from its spec alone.

    The place where it runs and what it may use are no part of it, nor are commit and changes of
    the repository: the code itself is.
    """
    code = _of([(file.path, file.sha256) for file in _files(spec, "notebook")])
    parts = {
        "code": hash_of([spec.kind, list(spec.command), code, spec.injection]),
        "modules": _of([(file.path, file.sha256) for file in _files(spec, "module")]),
        "parameters": hash_of([spec.parameters, spec.points_sha256]),
        "inputs": _inputs(spec),
        "environment": spec.environment.digest,
        "image": spec.environment.image_digest,
        "seed": spec.seed,
    }
    git = spec.git
    return Fingerprint(
        **parts,
        commit=git.commit if git else None,
        changes=git.diff_sha256 if git else None,
        # of an input that was not hashed its size and time have to do
        all=hash_of([parts, [[file.path, file.size, file.mtime] for file in _unhashed(spec)]]),
    )


def hash_of(value: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its names."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _files(spec: JobSpec, role: str) -> list[BundledFile]:
    return sorted((file for file in spec.files if file.role == role), key=lambda file: file.path)


def _unhashed(spec: JobSpec) -> list[BundledFile]:
    return [file for file in _files(spec, "input") if file.sha256 is None]


def _inputs(spec: JobSpec) -> str | None:
    if _unhashed(spec):
        return None
    return _of([(file.path, file.sha256) for file in _files(spec, "input")])


def _of(files: list[tuple[str, str | None]]) -> str | None:
    return hash_of(files) if files else None
