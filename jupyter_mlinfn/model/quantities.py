"""Quantities people type and read: bytes, durations, counts.

Memory follows the IEC prefixes (IEC 80000-13): ``8GiB`` is 8·2³⁰ bytes; ``8GB`` is 8·10⁹.
A bare letter (``8G``) is read as the binary prefix, as Slurm and HTCondor do.
"""

from __future__ import annotations

import re
from datetime import datetime

from jupyter_mlinfn.model.errors import InputError

_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}
_DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_MEMORY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s?([kmgtpKMGTP]?)([iI]?)([bB]?)", re.ASCII)
_CLOCK = re.compile(r"(?:([0-9]{1,4})-)?([0-9]{1,4}):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(s|min|m|h|d)", re.ASCII)
_SPANS = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,3})?(?:s|min|m|h|d))+", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}

MAX_MEMORY = 2**50
MAX_DURATION = 366 * 86400
MAX_COUNT = 100_000

_TENTHS_BELOW = 10
_NOISE = 1e-6
"""What floating point leaves: 2.3 * 10 is a little less than 23."""


def parse_memory(text: str, *, field: str = "memory") -> int:
    """Bytes of ``8GiB``, ``512M``, ``1.5g`` or a plain number of bytes.

    Raises :class:`InputError` for anything else, for 0 and for more than 1 PiB.
    """
    found = _MEMORY.fullmatch(text)
    if not found:
        raise InputError(
            f"'{text[:40]}' is not an amount of memory. Write for example 8GiB or 512MiB.",
            code="bad-memory",
            field=field,
        )
    number, prefix, binary, unit = found.groups()
    decimal = bool(unit) and not binary and bool(prefix)
    amount = int(float(number) * (_DECIMAL if decimal else _BINARY)[prefix.lower()])
    if not 1 <= amount <= MAX_MEMORY:
        raise InputError(
            f"{text} of memory is outside of 1 B to 1 PiB.", code="bad-memory", field=field
        )
    return amount


def parse_duration(text: str, *, field: str = "time") -> int:
    """Whole seconds of ``8h``, ``90min``, ``1h30m``, ``01:30:00``, ``2-12:00:00`` (days-h:m:s).

    Raises :class:`InputError` for anything else, for 0 and for more than 366 days.
    """
    seconds: float | None = None
    if clock := _CLOCK.fullmatch(text):
        days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
        seconds = days * 86400 + hours * 3600 + minutes * 60 + rest
    elif _SPANS.fullmatch(text):
        seconds = sum(float(n) * _SECONDS[unit] for n, unit in _SPAN.findall(text))
    if seconds is None:
        raise InputError(
            f"'{text[:40]}' is not a time. Write for example 8h, 90min or 01:30:00.",
            code="bad-time",
            field=field,
        )
    if not 1 <= seconds <= MAX_DURATION:
        raise InputError(
            f"A time of {text} is outside of 1 s to 366 days.", code="bad-time", field=field
        )
    return int(seconds)


def parse_count(text: str, *, field: str, least: int = 0, most: int = MAX_COUNT) -> int:
    """A whole number in ASCII digits between ``least`` and ``most``; :class:`InputError` else."""
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        raise InputError(
            f"{field} must be a whole number from {least} to {most}, not '{text[:40]}'.",
            code="bad-number",
            field=field,
        )
    return int(text)


def show_count(number: int, noun: str) -> str:
    """A number of things for people: ``1 CPU``, ``2 CPUs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def show_memory(amount: int) -> str:
    """``8589934592`` → ``8.0 GiB``; below 1 KiB plain bytes."""
    value = float(amount)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{int(value)} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} PiB"


def show_duration(seconds: float) -> str:
    """``5400`` → ``1 h 30 min``; below a minute ``42 s``, below ten seconds ``0.5 s``; above two
    days ``3 d 4 h``. Cut, not rounded, as the panels do."""
    whole = max(0, int(seconds + _NOISE))
    tenths = int(seconds * 10 + _NOISE)
    if 0 < seconds < _TENTHS_BELOW and tenths % 10:
        return f"{tenths // 10}.{tenths % 10} s"
    if seconds > 0 and not tenths:
        return "less than 0.1 s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    if whole < 2 * 86400:
        minutes = whole % 3600 // 60
        return f"{whole // 3600} h {minutes} min" if minutes else f"{whole // 3600} h"
    hours = whole % 86400 // 3600
    return f"{whole // 86400} d {hours} h" if hours else f"{whole // 86400} d"


def show_moment(moment: datetime, now: datetime) -> str:
    """``17:40`` here, with the date where that is not the day of ``now``: ``09:00 on
    2026-11-23``. Both times have a zone."""
    here = moment.astimezone()
    today = here.date() == now.astimezone().date()
    return f"{here:%H:%M}" if today else f"{here:%H:%M on %Y-%m-%d}"
