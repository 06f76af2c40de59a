"""The program that compiles modules; run by the environment's own Python, 3.7 or newer.

Started as ``python -s -S -B -W ignore -c <this text> JOBS``: ``JOBS`` is a file of NUL-separated
``source``, ``target`` and ``name`` (what tracebacks shall call the module). Writes one line per
module, in order: ``+`` compiled, ``-`` cannot be compiled (a template, another Python's syntax).

The same source gives the same bytes, whatever was compiled before: ``marshal`` marks an object
as shared when anybody else holds it (until 3.10 names, too; bpo-34093), which depends on what is
in memory, so everything is held here and always marked.
"""

from __future__ import annotations

import sys

sys.path[:] = [folder for folder in sys.path if folder]

import importlib.util  # noqa: E402 - the current folder must not be searched
import marshal  # noqa: E402
import types  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKED = (3).to_bytes(4, "little")
"""PEP 552's flags: valid by hash, and the source is looked at."""


def hold(constants: Iterable[object], held: list[object]) -> None:
    """Take a reference to every object that marshal will meet in ``constants``."""
    held.extend(constants)
    for constant in constants:
        if isinstance(constant, types.CodeType):
            for name in ("co_names", "co_varnames", "co_freevars", "co_cellvars"):
                held.extend(getattr(constant, name))
            held += [constant.co_name, constant.co_filename]
            held.append(getattr(constant, "co_qualname", None))
            hold(constant.co_consts, held)
        elif isinstance(constant, (tuple, frozenset)):
            hold(constant, held)


def compiled(source: bytes, name: str) -> bytes | None:
    """The contents of the ``.pyc`` file, or ``None``."""
    try:
        code = compile(source, name, "exec", dont_inherit=True, optimize=0)
        held: list[object] = []
        hold((code,), held)
        content = marshal.dumps(code)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return None
    return importlib.util.MAGIC_NUMBER + CHECKED + importlib.util.source_hash(source) + content


def main() -> None:
    """The program."""
    with open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        words = file.read().split("\0")
    for source, target, name in zip(words[0::3], words[1::3], words[2::3]):  # noqa: B905
        with open(source, "rb") as file:  # noqa: PTH123
            content = compiled(file.read(), name)
        if content is not None:
            with open(target, "xb") as file:  # noqa: PTH123
                file.write(content)
        sys.stdout.write("+\n" if content is not None else "-\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
