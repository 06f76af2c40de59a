"""``NAME`` and ``NAME@DIGEST``: an environment as it is, or one state it was in."""

from __future__ import annotations

import re

from jupyter_mlinfn.environments.own.layout import check_name
from jupyter_mlinfn.model.errors import InputError

_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{8,64}", re.ASCII)


def split_state(text: str) -> tuple[str, str | None]:
    """The name and the digest, ``None`` where none is given.

    Raises :class:`InputError` (``bad-name``, ``bad-digest``) for what can be neither.
    """
    name, at, digest = text.partition("@")
    check_name(name)
    if not at:
        return name, None
    if _DIGEST.fullmatch(digest) is None:
        raise InputError(
            f"'{digest[:80]}' is no digest of a lock.",
            code="bad-digest",
            field="name",
            hint=f"'mlinfn env history {name}' lists them; the first eight digits are enough.",
        )
    return name, digest


def check_state(text: str) -> str:
    """``text`` itself, if it can name an environment or a state of one."""
    split_state(text)
    return text
