"""Asking NVML: the one place where its errors become values.

``nvmlDeviceGetPcieThroughput`` is never asked: it blocks 20 ms for its counter window (NVML
documentation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import pynvml as nv

T = TypeVar("T")

# Answers after which nothing that nvmlInit gave out is valid any more.
GONE: Final = frozenset({nv.NVML_ERROR_UNINITIALIZED, nv.NVML_ERROR_DRIVER_NOT_LOADED})
# Answers that will be the same next time.
NEVER: Final = frozenset({nv.NVML_ERROR_NOT_SUPPORTED, nv.NVML_ERROR_FUNCTION_NOT_FOUND})


@dataclass(frozen=True)
class Refusal:
    """What NVML answered instead of a value; ``code`` is its return code."""

    code: int


def ask(function: Callable[..., T], *arguments: object) -> T | Refusal:
    """The answer of one NVML call; every NVML error becomes a :class:`Refusal`."""
    try:
        return function(*arguments)
    except nv.NVMLError as error:
        return Refusal(error.value)


def value(answer: T | Refusal) -> T | None:
    """The value, or ``None``: not available."""
    return None if isinstance(answer, Refusal) else answer


class Support:
    """Asks about one device and does not repeat a question that it does not support."""

    def __init__(self) -> None:
        self._never: set[str] = set()

    def forget(self) -> None:
        """Ask everything again: the mode of the device may have changed."""
        self._never.clear()

    def ask(self, name: str, *arguments: object) -> object | None:
        """The answer of ``nvmlDeviceGet<name>``, or ``None``: not available."""
        if name in self._never:
            return None
        function = getattr(nv, f"nvmlDeviceGet{name}", None)
        answer = Refusal(nv.NVML_ERROR_FUNCTION_NOT_FOUND)
        if function is not None:
            answer = ask(function, *arguments)
        if not isinstance(answer, Refusal):
            return answer
        if answer.code in NEVER:
            self._never.add(name)
        return None

    def lacks(self, name: str) -> bool:
        """Whether the device was found not to support it (a refusal for now is no lack)."""
        return name in self._never
