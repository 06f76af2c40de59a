"""A real Slurm for sweeps, as for jobs."""

from __future__ import annotations

from tests.jobs.backends.conftest import cluster, desk, own_folders

__all__ = ["cluster", "desk", "own_folders"]
