"""Stores to look into: a gateway that checks signatures, and MinIO, each with keys of its owner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jupyter_mlinfn.model.areas import Area, BucketStore
from jupyter_mlinfn.storage.bucket.keys import Keys
from jupyter_mlinfn.storage.bucket.objects import Bucket
from jupyter_mlinfn.storage.bucket.talking import s3_client
from tests.systems import minio, s3
from tests.systems.daemons import Missing


def bucket_area(endpoint: str, bucket: str = "s3://people/homes/anna", **changes: Any) -> Area:
    """A bucket as a hub tells it."""
    store = {name: changes.pop(name) for name in ("audience", "role", "sts") if name in changes}
    told = {
        "name": "home", "title": "Objects", "kind": "bucket", "path": "", "writable": True,
        "survives": True, "audience": "you", "bucket": bucket,
        "store": BucketStore(endpoint=endpoint, **store),
    }  # fmt: skip
    return Area.model_validate(told | changes)


@dataclass
class GivenKeys:
    """The same keys for whoever asks; how often is counted."""

    given: Keys
    asked: int = 0

    def keys(self, area: Area, *, refused: Keys | None = None) -> Keys:
        self.asked += 1
        return self.given


@dataclass
class Store:
    """A store with one bucket and the keys of its owner."""

    endpoint: str
    name: str
    keys: Keys

    def area(self, prefix: str = "homes/anna", **changes: Any) -> Area:
        return bucket_area(self.endpoint, f"s3://{self.name}/{prefix}".rstrip("/"), **changes)

    def bucket(self, prefix: str = "homes/anna", **changes: Any) -> Bucket:
        return Bucket(self.area(prefix, **changes), GivenKeys(self.keys))

    def put(self, key: str, content: bytes = b"x") -> None:
        """An object of any name, as another program makes it."""
        store = self.area().store
        assert store is not None
        s3_client(store, self.keys).put_object(Bucket=self.name, Key=key, Body=content)


def owner_keys(access: str, secret: str) -> Keys:
    now = datetime.now(UTC)
    return Keys(access, secret, "", now, now + timedelta(hours=1))


@pytest.fixture(scope="package", params=["versitygw", "minio"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    try:
        if request.param == "minio":
            running = minio.start()
            made = Store(running.endpoint, minio.BUCKET, owner_keys(*running.owner))
        else:
            running = s3.start()
            made = Store(running.endpoint, s3.BUCKET, owner_keys(*running.keys.values()))
    except Missing as error:
        pytest.skip(f"{request.param}: {error}")
    yield made
    running.stop()
