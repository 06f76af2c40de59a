"""Clients of an object store by botocore: one address, one set of keys, nothing of the person's.

Her own ``~/.aws``, ``AWS_PROFILE`` and keys in variables are not looked at: what is done here is
done with the keys of the area or not at all.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Any, Final

from jupyter_mlinfn.model.areas import BucketStore
from jupyter_mlinfn.model.errors import PartMissing
from jupyter_mlinfn.storage.bucket.keys import Keys

_CONNECTS_WITHIN: Final = 5
_ANSWERS_WITHIN: Final = 20
_TRIES: Final = 3
_NOT_HERS: Final = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
_making = Lock()


def s3_client(store: BucketStore, keys: Keys) -> Any:
    """A client of the store with these keys; may be used from several threads."""
    return _client("s3", store.endpoint, store.region, keys)


def sts_client(store: BucketStore) -> Any:
    """A client of the store's key service; its questions are not signed."""
    return _client("sts", store.sts or store.endpoint, store.region, None)


def _client(service: str, endpoint: str, region: str, keys: Keys | None) -> Any:
    try:
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.session import Session
    except ImportError:
        raise PartMissing(
            "The part that speaks with object stores is not installed here: install "
            "jupyter_mlinfn[s3].",
            code="no-s3-client",
        ) from None
    config = Config(
        signature_version=None if keys else UNSIGNED,
        connect_timeout=_CONNECTS_WITHIN,
        read_timeout=_ANSWERS_WITHIN,
        retries={"total_max_attempts": _TRIES, "mode": "standard"},
        s3={"addressing_style": "path"},
        # stores that are not Amazon's do not all know the newer checksums
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        parameter_validation=keys is not None,  # a store with one role wants none named
    )
    with _making:  # a session's parts are made one after another
        return Session(session_vars=_NOT_HERS).create_client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            config=config,
            aws_access_key_id=keys.access if keys else None,
            aws_secret_access_key=keys.secret if keys else None,
            aws_session_token=keys.session if keys else None,
        )
