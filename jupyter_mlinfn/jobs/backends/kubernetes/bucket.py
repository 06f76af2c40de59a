"""The S3 bucket through which jobs travel to pods that see no folder of here.

obstore signs and sends; keys are found where the tools of S3 look for them: in ``AWS_*`` variables,
else in the person's credentials file.
"""

from __future__ import annotations

import configparser
import importlib.util
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from jupyter_mlinfn.jobs.backends.protocol import StagingSettings
from jupyter_mlinfn.model.errors import NotFound, Unavailable
from jupyter_mlinfn.process.redaction import redact

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

_ANSWERS_WITHIN: Final = timedelta(seconds=20)
_LONGEST_TRY: Final = timedelta(seconds=30)


class Bucket:
    """One bucket, or what lies below one ``prefix`` of it. All raise :class:`Unavailable`."""

    def __init__(self, settings: StagingSettings) -> None:
        self._settings = settings
        self._made: S3Store | None = None

    def missing(self) -> str:
        """Why nobody can be asked here; empty when somebody can."""
        if importlib.util.find_spec("obstore") is None:
            return "The part that speaks with S3 is not installed here: install jupyter_mlinfn[s3]."
        if not self._settings.bucket:
            return "kubernetes_staging names no bucket."
        return ""

    def put(self, name: str, content: bytes | IO[bytes]) -> None:
        """Store an object under this name."""
        import obstore

        with _speaking():
            obstore.put(self._store(), name, content)

    def get(self, name: str, target: IO[bytes]) -> None:
        """Write an object into ``target``. Raises :class:`NotFound`."""
        import obstore

        with _speaking():
            for chunk in obstore.get(self._store(), name).stream():
                target.write(bytes(chunk))

    def marks(self, prefix: str) -> dict[str, str]:
        """The objects whose names begin so, each with a word that changes with its content."""
        import obstore

        with _speaking():
            return {
                str(one["path"]): str(one["e_tag"])
                for page in obstore.list(self._store(), prefix)
                for one in page
            }

    def remove(self, names: Iterable[str]) -> None:
        """Remove these objects."""
        import obstore

        with _speaking():
            if found := list(names):
                obstore.delete(self._store(), found)

    def address(self, verb: str, name: str, seconds: int) -> str:
        """A web address that allows this one thing to whoever has it, for so long."""
        import obstore

        with _speaking():
            return str(obstore.sign(self._store(), verb, name, timedelta(seconds=seconds)))  # type: ignore[call-overload]

    def _store(self) -> S3Store:
        if self._made is None:
            self._made = self._connect()
        return self._made

    def _connect(self) -> S3Store:
        from obstore.store import S3Store

        told = self._settings
        plain = told.endpoint.startswith("http://")
        return S3Store(
            told.bucket,
            prefix=told.prefix or None,
            endpoint=told.endpoint or None,
            region=told.region,
            virtual_hosted_style_request=False,
            client_options={"allow_http": plain, "timeout": _ANSWERS_WITHIN},
            retry_config={"max_retries": 2, "retry_timeout": _LONGEST_TRY},
            config=_keys(told.profile),
        )


@contextmanager
def _speaking() -> Iterator[None]:
    """The library's errors as ours."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("The bucket has no such object.", code="store-absent") from error
    except (BaseError, ValueError, OSError) as error:
        why = redact(" ".join(str(error).split("Debug source")[0].split()))[:300]
        text = f"The store of staged jobs (S3) does not answer: {why}"
        raise Unavailable(text, code="store-silent") from error


def _keys(profile: str) -> S3Config:
    """The person's keys. Raises :class:`Unavailable` where there are none."""
    if not profile and "AWS_ACCESS_KEY_ID" in os.environ:
        return {}  # the library reads all of them
    named = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    told = configparser.ConfigParser(interpolation=None)
    try:
        told.read(Path(named).expanduser(), encoding="utf-8")
        section = told[profile or "default"]
        found: S3Config = {
            "access_key_id": section["aws_access_key_id"],
            "secret_access_key": section["aws_secret_access_key"],
        }
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        where = f"[{profile or 'default'}] in {named}"
        text = f"There are no keys for S3: neither AWS_ACCESS_KEY_ID nor {where}."
        raise Unavailable(text, code="store-keys") from error
    if token := section.get("aws_session_token"):
        found["session_token"] = token
    return found
