"""Kinds of accelerators: what their names tell, and which one is the smallest that is enough.

People ask for memory (``--gpu-memory 10GiB``) or a model (``--gpu-model A100``); every system names
its devices in its own way: ``a100``, ``nvidia.com/mig-1g.10gb``, ``NVIDIA A100-SXM4-80GB MIG
1g.10gb``. A device *has* an amount when its maker sells it as that: of a ``1g.10gb`` slice the
driver leaves 9.5 GiB to use, and it counts as 10. Pure.

Sizes: NVIDIA's data sheets and "MIG User Guide" (profile names hold the size), AMD's for MI.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.jobs import Resources
from jupyter_mlinfn.model.quantities import MAX_MEMORY, parse_memory, show_count, show_memory

GIB: Final = 2**30

KEPT_BACK: Final = 0.08
"""The part of its memory that a device may keep for itself: 15.0 of a T4's 16 GiB can be used."""

_MIG: Final = re.compile(r"\d{1,2}g\.(\d{1,4})gb", re.ASCII)
_SIZE: Final = re.compile(r"(?:^|[^a-z0-9.])(\d{1,4})\s?gi?b(?![a-z0-9])", re.ASCII)
_WORD: Final = re.compile(r"\d{1,2}g\.\d{1,4}gb|[a-z0-9]+", re.ASCII)

MODELS: Final[Mapping[str, int]] = {
    "k80": 12, "p100": 16, "p40": 24, "p4": 8, "v100": 16, "v100s": 32, "t4": 16, "a2": 16,
    "a10": 24, "a16": 16, "a30": 24, "a40": 48, "a100": 40, "a800": 80, "h100": 80, "h800": 80,
    "h200": 141, "gh200": 96, "b200": 180, "l4": 24, "l40": 48, "l40s": 48,
    "rtx4000": 8, "rtx5000": 16, "rtx6000": 24, "rtx8000": 48,
    "rtxa4000": 16, "rtxa5000": 24, "rtxa6000": 48, "a4000": 16, "a5000": 24, "a6000": 48,
    "1080ti": 11, "2080ti": 11, "3080": 10, "3090": 24, "4080": 16, "4090": 24, "5090": 32,
    "titanv": 12, "titanrtx": 24,
    "mi50": 16, "mi100": 32, "mi210": 64, "mi250": 128, "mi250x": 128, "mi300a": 128,
    "mi300x": 192,
}  # fmt: skip
"""GiB of models that come in one size; of those in several the least, which is never too much."""


@dataclass(frozen=True)
class Shape:
    """One kind of accelerator. ``name`` as its system writes it, ``memory`` in bytes (``None``:
    nobody knows), ``count`` the most that one machine has, ``where`` such a machine's name.
    """

    name: str
    memory: int | None
    count: int = 1
    where: str = ""


def memory_of(name: str, told: Mapping[str, int] | None = None) -> int | None:
    """Bytes of a kind of device by its name; ``None``: the name does not tell.

    ``told`` is the owner's word (setting ``gpu_types``), which counts before every name.
    """
    for known, size in (told or {}).items():
        if known.casefold() == name.casefold():
            return size
    plain = name.casefold()
    if found := _MIG.search(plain) or _SIZE.search(plain.replace("_", "-")):
        return int(found[1]) * GIB
    known_words = [word for word in _words(plain) if word in MODELS]
    # the longest word is the most exact one: "rtx a5000" before "a5000"
    return MODELS[max(known_words, key=len)] * GIB if known_words else None


def told_sizes(setting: Mapping[str, str]) -> dict[str, int]:
    """The setting ``gpu_types`` in bytes. Raises :class:`InputError` for what is no memory."""
    return {
        name: parse_memory(text, field=f"Mlinfn.gpu_types.{name}") for name, text in setting.items()
    }


def is_model(name: str, asked: str) -> bool:
    """Whether a device called ``name`` is one of the model ``asked``: all its words are there."""
    wanted, words = _WORD.findall(asked.casefold()), set(_words(name.casefold()))
    return bool(wanted) and (set(wanted) <= words or "".join(wanted) in words)


def has_memory(measured: int | None, asked: int | None) -> bool:
    """Whether a device with so much memory counts as one that has ``asked`` bytes."""
    return asked is None or (measured is not None and measured >= least_measured(asked))


def least_measured(asked: int) -> int:
    """Bytes a driver must tell of a device that is to have ``asked`` (HTCondor's
    ``GlobalMemoryMb`` is such a number, in MiB)."""
    return min(MAX_MEMORY, int(asked * (1 - KEPT_BACK)))


def suits(name: str, memory: int | None, asked: Resources) -> bool:
    """Whether a kind of device has the memory and is the model that ``asked`` names."""
    model = asked.gpu_model is None or is_model(name, asked.gpu_model)
    return model and has_memory(memory, asked.gpu_memory)


def smallest(shapes: Iterable[Shape], asked: Resources) -> Shape | None:
    """The smallest kind that is enough, of which one machine has as many as are asked for."""
    found = [one for one in shapes if one.count >= asked.gpus]
    found = [one for one in found if suits(one.name, one.memory, asked)]
    return min(found, key=lambda one: _rank(one.name, one.memory, asked), default=None)


def suiting(
    devices: Sequence[FreeAccelerator], memory: int | None, model: str | None
) -> list[FreeAccelerator]:
    """Those of ``devices`` that are enough, the one to take first being the first."""
    asked = Resources(gpus=1, gpu_memory=memory, gpu_model=model)
    found = [one for one in devices if suits(one.name, one.memory, asked)]
    if memory is None and model is None:
        return found
    return sorted(found, key=lambda one: _rank(one.name, one.memory, asked))


def problems(shapes: Sequence[Shape], asked: Resources, here: str) -> list[Problem]:
    """Why no kind is enough, with what there is; none when one is. ``here``: "on this machine"."""
    if not asked.gpus or (asked.gpu_memory is None and asked.gpu_model is None):
        return []
    if not shapes:
        text = f"There is no GPU {here}."
        return [Problem(code="asks-too-much", text=text, field="resources.gpus")]
    field = "resources.gpu_model"
    if asked.gpu_model and not any(is_model(one.name, asked.gpu_model) for one in shapes):
        text = f"There is no GPU {asked.gpu_model!r} {here}. There are: {named(shapes)}."
        return [Problem(code="unknown-gpu-model", text=text, field=field)]
    enough = [one for one in shapes if suits(one.name, one.memory, asked)]
    if not enough:
        return [_too_large(shapes, asked, here)]
    if (most := max(one.count for one in enough)) < asked.gpus:
        text = f"A job may have {show_count(most, 'such GPU')} {here}, not {asked.gpus}."
        return [Problem(code="asks-too-much", text=text, field="resources.gpus")]
    return []


def named(shapes: Iterable[Shape]) -> str:
    """The kinds there are, smallest first: ``t4 (16.0 GiB), a100 (40.0 GiB)``."""
    known = {one.name: one.memory for one in shapes}
    ordered = sorted(known.items(), key=lambda pair: (pair[1] or MAX_MEMORY, pair[0]))
    return ", ".join(f"{name} ({show_memory(size)})" if size else name for name, size in ordered)


def _too_large(shapes: Sequence[Shape], asked: Resources, here: str) -> Problem:
    of_model = [one for one in shapes if not asked.gpu_model or is_model(one.name, asked.gpu_model)]
    known = [one for one in of_model if one.memory]
    wanted = show_memory(asked.gpu_memory or 0)
    if not known:
        text = (
            f"How much memory the GPUs {here} have is not known ({named(of_model)}). "
            "Ask for the model instead, or have the setting gpu_types tell."
        )
        return Problem(code="gpu-memory-unknown", text=text, field="resources.gpu_memory")
    largest = max(known, key=lambda one: one.memory or 0)
    place = f" on {largest.where}" if largest.where else ""
    text = (
        f"No accelerator {here} has {wanted}; the largest is {largest.name} with "
        f"{show_memory(largest.memory or 0)}{place}."
    )
    return Problem(code="asks-too-much", text=text, field="resources.gpu_memory")


def _rank(name: str, memory: int | None, asked: Resources) -> tuple[int, str]:
    """Smallest first; who names a model and no size means a whole one before a slice of it."""
    size = MAX_MEMORY if memory is None else memory
    return (-size if asked.gpu_memory is None else size), name


def _words(text: str) -> list[str]:
    """``nvidia rtx a5000`` → nvidia, rtx, a5000, and each two neighbours as one word."""
    words = _WORD.findall(text)
    return words + [one + other for one, other in pairwise(words)]
