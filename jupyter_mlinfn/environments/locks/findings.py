"""Everything that is wrong with one file, said at once, each with its line."""

from __future__ import annotations

from jupyter_mlinfn.model.errors import InputError, Problem

_MOST = 50
"""So many are told one by one; more mean that the file is of another kind."""

_ENOUGH = 1000
"""So many end the reading."""


class Findings:
    """Collects problems of the file ``where``; :meth:`check` raises them together.

    ``hint`` says what to do where a problem has no better advice.
    """

    def __init__(self, where: str, *, code: str, hint: str) -> None:
        self._where = where
        self._code = code
        self._hint = hint
        self._problems: list[Problem] = []
        self.count = 0

    def add(self, line: int | None, text: str, *, hint: str | None = None) -> None:
        """One problem: ``text`` is a sentence; ``line`` counts from 1.

        Raises as :meth:`check` does when a file has so many that reading on is no use.
        """
        self.count += 1
        place = f"{self._where}, line {line}" if line else self._where
        if len(self._problems) < _MOST:
            self._problems.append(
                Problem(
                    code=self._code,
                    text=f"{place}: {text}",
                    field="file_text",
                    hint=hint or self._hint,
                )
            )
        if self.count >= _ENOUGH:
            self.check()

    def add_error(self, line: int | None, error: InputError) -> None:
        """A refused value, in the words of whoever refused it."""
        self.add(line, error.text, hint=error.hint)

    def check(self) -> None:
        """Raises :class:`InputError` with all problems found so far, if there are any."""
        if not self._problems:
            return
        first = self._problems[0]
        more = self.count - 1
        text = first.text
        if more:
            least = "at least " if self.count >= _ENOUGH else ""
            text += f" And {least}{more} more {'problem' if more == 1 else 'problems'}."
        raise InputError(
            text, code=self._code, field="file_text", hint=first.hint, problems=self._problems
        )
