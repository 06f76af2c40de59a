"""The magics: a shim for kernels of any environment, and how it gets there.

Nothing heavy is imported here. Whoever starts an IPython kernel (the server's provisioner, the
job runner) passes its command line through :func:`with_magics`.
"""

from __future__ import annotations

import itertools
import os
import site
import sys
from collections.abc import Sequence
from pathlib import Path

_MODULES = {"ipykernel_launcher", "ipykernel"}
_OPTION = "--IPKernelApp.code_to_run="
_NO_HISTORY = "--HistoryManager.enabled=False"
_START = """\
import sys, importlib.util as u
sys.path.append({folder!r})
s = u.find_spec("mlinfn")
if s and s.origin == {file!r}:
    import mlinfn
    mlinfn.start(*{arguments!r})
"""


def shim_folder() -> Path:
    """The folder to put at the END of ``sys.path``; it holds ``mlinfn.py`` and nothing else."""
    return Path(__file__).resolve().parent / "shim"


def own_program() -> tuple[str, ...]:
    """How to start the ``mlinfn`` program of this installation, isolated from its caller.

    ``-I`` would hide the user's site folder too, where ``pip install --user`` puts packages.
    """
    here, user = os.path.realpath(__file__), os.path.realpath(site.getusersitepackages())
    isolated = ("-E", "-P") if os.path.commonpath([here, user]) == user else ("-I",)
    return (sys.executable, *isolated, "-m", "jupyter_mlinfn.cli")


def start_code(kernel_id: str) -> str:
    """One line of Python that loads the magics and leaves no name behind.

    Does nothing where the folder cannot be seen (a kernel in a container) or where the person
    has a module ``mlinfn`` of their own.
    """
    folder = shim_folder()
    code = _START.format(
        folder=str(folder),
        file=str(folder / "mlinfn.py"),
        arguments=(kernel_id, *own_program()),
    )
    return f"exec({code!r}, {{}})"


def with_magics(command: Sequence[str], kernel_id: str) -> list[str]:
    """The kernel's command line, with the magics if it starts ipykernel; else as it is.

    By ``code_to_run``, not ``exec_lines``: a list on the command line would replace the
    ``exec_lines`` of the person's own IPython configuration (``%autoreload`` and the like).
    A line that already carries code keeps it, and goes without the magics.
    """
    words = list(command)
    own = _own_words(words)
    if own is None:
        return words
    if any(word in {"-c", "--c"} or word.startswith("--c=") for word in own):
        return words
    if any("code_to_run" in word for word in own):
        return words
    return [*words, _OPTION + start_code(kernel_id)]


def without_history(command: Sequence[str]) -> list[str]:
    """The kernel's command line, with no history on disk if it starts ipykernel; else as it is.

    What a job runs is nothing that the person typed, and many jobs write one file at once.
    ``enabled=False`` and not a file in memory: nothing is opened, and ``In`` and ``Out`` are
    there without it (IPython's ``HistoryManager``). A line that says so itself keeps its own word.
    """
    words = list(command)
    own = _own_words(words)
    if own is None or any("HistoryManager." in word for word in own):
        return words
    return [*words, _NO_HISTORY]


def _own_words(words: list[str]) -> list[str] | None:
    """What follows ``-m ipykernel_launcher`` on a line; ``None`` where it starts none."""
    modules = [i for i, pair in enumerate(itertools.pairwise(words), 1) if _is_kernel(pair)]
    return words[modules[0] + 1 :] if modules else None


def _is_kernel(pair: tuple[str, str]) -> bool:
    option, module = pair
    return option == "-m" and module in _MODULES
