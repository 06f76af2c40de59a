"""Submits one job with an idempotency key: ``python -m tests.faults.submitter PATH KEY``."""

from __future__ import annotations

import sys

from jupyter_mlinfn.model.jobs import JobRequest, Resources
from jupyter_mlinfn.workbench import Workbench

if __name__ == "__main__":
    small = Resources(cpus=1, memory=2**30, time=300)
    request = JobRequest(source=sys.argv[1], environment="python3", resources=small)
    Workbench().submission.submit(request, sys.argv[2])
