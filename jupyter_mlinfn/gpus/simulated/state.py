"""The state of the simulated cards, and its text form that ``nvml.c`` reads."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

STATE_VARIABLE = "MLINFN_NVML_STATE"
CALLS_VARIABLE = "MLINFN_NVML_CALLS"


@dataclass
class Process:
    """A process on a card (``gi`` None) or instance; memory in MiB, None: not available."""

    pid: int
    memory_mib: int | None = 500
    gi: int | None = None
    graphics: bool = False


@dataclass
class Instance:
    """A MIG instance in one of a card's slots; ``util`` in percent is what GPM would say."""

    slot: int
    uuid: str
    gi: int
    ci: int = 0
    name: str = "NVIDIA A100-SXM4-80GB MIG 1g.10gb"
    memory_mib: int = 9728
    used_mib: int = 12
    slices: int = 1
    util: float | None = None


@dataclass
class Card:
    """A GPU. Power in mW, energy in mJ growing with the power from ``since`` (epoch)."""

    uuid: str
    name: str = "NVIDIA A100-SXM4-80GB"
    memory_mib: int = 81920
    used_mib: int = 4
    util: int | None = 0
    power_mw: int | None = 60_000
    limit_mw: int | None = 400_000
    temperature: int | None = 35
    energy_mj: int = 1_000_000
    since: float = 0.0
    mig: bool | None = False
    gpm: bool = False
    lost: bool = False
    hang: bool = False
    refused: bool = False
    hidden: bool = False
    instances: list[Instance] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)


@dataclass
class State:
    """Everything the stand-in library knows; ``init`` is the code that nvmlInit returns."""

    driver: str = "570.86.10"
    nvml: str = "12.570.86.10"
    cuda: int = 12080
    init: int = 0
    latency_us: int = 0
    pcie_ms: int = 20
    generation: int = 0
    cards: list[Card] = field(default_factory=list)

    def text(self) -> str:
        """The lines ``nvml.c`` reads."""
        lines = [_line("system", self)]
        for at, card in enumerate(self.cards):
            lines.append(_line("gpu", card))
            lines += [_line("mig", one, gpu=at) for one in card.instances]
            lines += [_line("process", one, gpu=at) for one in card.processes]
        return "".join(lines)

    def write(self, path: Path) -> None:
        """Replaces the state file at once, so that no call reads half of it."""
        staged = path.with_suffix(".next")
        staged.write_text(self.text(), encoding="utf-8")
        staged.replace(path)


def _line(kind: str, thing: State | Card | Instance | Process, **more: int) -> str:
    words = {one.name: getattr(thing, one.name) for one in fields(thing)} | more
    return f"{kind} {' '.join(f'{k}={_word(v)}' for k, v in words.items() if _is_plain(v))}\n"


def _is_plain(value: object) -> bool:
    return not isinstance(value, list)


def _word(value: object) -> str:
    if value is None:
        return "-1"
    if isinstance(value, bool):
        return str(int(value))
    return str(value).replace(" ", "_")
