"""What a pod of a staged job is given: addresses that allow one thing each, in a Secret's file."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Access(BaseModel):
    """The addresses, each signed: to get the ``parcel``, what there was ``before``, ``images`` by
    digest and the word ``cancel``; to put ``results`` and ``news``."""

    model_config = ConfigDict(frozen=True)

    job: str
    parcel: str
    before: str
    results: str
    news: str
    cancel: str
    images: dict[str, str] = {}

    @classmethod
    def read(cls, file: Path) -> Access:
        """Raises OSError and ValueError. Kubernetes may renew the file while the pod runs."""
        return cls.model_validate_json(file.read_bytes())
