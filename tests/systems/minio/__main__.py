"""``python -m tests.systems.minio``: build MinIO when it is missing."""

from __future__ import annotations

import sys

from tests.systems.daemons import Missing
from tests.systems.minio import minio

try:
    print(minio(build=True))
except Missing as error:
    sys.exit(f"MinIO cannot be built: {error}")
