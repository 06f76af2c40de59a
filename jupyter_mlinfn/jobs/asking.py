"""Questions to several systems at once, with one deadline for all of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_AT_ONCE: Final = 4
"""So many questions to one system may be unanswered; another one would wait behind them."""

_REMEMBERED: Final = 10.0
_BRIEFLY: Final = 0.75
"""Seconds for one that was silent a moment ago: a form asks again with every key."""


class SideBySide(Generic[T]):
    """Asks in threads of its own, so that the silence of one costs the others nothing.

    A thread that got no answer is left behind: it ends with its program's own deadline, and the
    interpreter does not wait for it. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._silent: dict[str, float] = {}

    def ask(self, questions: Mapping[str, Callable[[], T]], within: float) -> dict[str, T]:
        """The answers that came ``within`` seconds, by name; those that did not are left out.

        One that did not answer a moment ago is not waited for so long again. A question must not
        raise: what it raises is told as no answer.
        """
        answers: dict[str, T] = {}
        began = time.monotonic()
        threads = {
            name: thread
            for name, question in questions.items()
            if (thread := self._start(name, question, answers)) is not None
        }
        for name, thread in threads.items():
            silent = began - self._silent.get(name, -_REMEMBERED) < _REMEMBERED
            patience = min(within, _BRIEFLY) if silent else within
            thread.join(max(0.0, began + patience - time.monotonic()))
            if not thread.is_alive():
                self._silent.pop(name, None)
            elif not silent:
                self._silent[name] = time.monotonic()
        return dict(answers)

    def _start(
        self, name: str, question: Callable[[], T], answers: dict[str, T]
    ) -> threading.Thread | None:
        with self._lock:
            if self._under_way[name] >= _AT_ONCE:
                return None
            self._under_way[name] += 1

        def run() -> None:
            try:
                answers[name] = question()
            finally:
                with self._lock:
                    self._under_way[name] -= 1

        thread = threading.Thread(target=run, name=f"ask-{name}", daemon=True)
        thread.start()
        return thread
