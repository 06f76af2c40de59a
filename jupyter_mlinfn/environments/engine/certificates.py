"""Whether rattler failed for want of certificates."""

from __future__ import annotations

from rattler.networking import Client

from jupyter_mlinfn.environments.locks.certificates import SIGN


def not_certified(error: BaseException) -> bool:
    """Whether ``error`` is how rattler tells it: by two words, or by a panic that says nothing.

    After a panic a client is made once more, to be sure.
    """
    if type(error).__name__ != "RustPanic":
        return isinstance(error, ValueError) and str(error) == SIGN
    try:
        Client()
    except ValueError as again:
        return str(again) == SIGN
    return False
