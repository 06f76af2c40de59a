"""A token of the login service for keys of the store: S3's ``AssumeRoleWithWebIdentity``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.storage.bucket.keys import Keys
from jupyter_mlinfn.storage.bucket.place import place_of
from jupyter_mlinfn.storage.bucket.talking import sts_client
from jupyter_mlinfn.storage.bucket.wording import asking_for_keys

LONGEST: Final = 3600
"""Seconds that keys live at most."""

SESSION_NAME: Final = "jupyter-mlinfn"


def exchange(area: Area, token: str) -> Keys:
    """Keys to the prefix of ``area`` and nothing else, for an hour at most.

    Raises as :func:`~.wording.asking_for_keys`.
    """
    place = place_of(area)
    role = {"RoleArn": place.store.role} if place.store.role else {}
    begins = datetime.now(UTC).replace(microsecond=0)
    client = sts_client(place.store)
    with asking_for_keys(area):
        told = client.assume_role_with_web_identity(
            RoleSessionName=SESSION_NAME,
            WebIdentityToken=token,
            Policy=place.policy(),
            DurationSeconds=LONGEST,
            **role,
        )["Credentials"]
        ends: datetime = told["Expiration"].astimezone(UTC)
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        access, secret, session = (str(told[name]) for name in names)
    return Keys(access, secret, session, begins, min(ends, begins + timedelta(seconds=LONGEST)))
