"""``mlinfn gpus``."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from rich.table import Table

    from jupyter_mlinfn.model.accelerators import Accelerator, GpuSnapshot, Holder
    from jupyter_mlinfn.workbench import Workbench

INTERVAL = 2.0
SHOWN_HOLDERS = 3


@click.command()
@click.option("--watch", is_flag=True, help=f"Look again every {INTERVAL:g} s until Ctrl-C.")
@json_option
def gpus(watch: bool, as_json: bool) -> None:
    """Show the GPUs and MIG slices, how busy they are and who holds them."""
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit

    if watch and as_json:
        raise click.UsageError("--json is one document and cannot watch: leave out one of both.")
    bench = open_bench()
    if as_json:
        emit(look(bench))
    elif watch and sys.stdout.isatty():
        watch_gpus(bench)
    else:
        show_snapshot(look(bench))
        while watch:
            time.sleep(INTERVAL)
            show_snapshot(look(bench))


def look(bench: Workbench) -> GpuSnapshot:
    """One sample, with the names of the jobs that hold devices."""
    from jupyter_mlinfn.gpus.holders import Knowledge
    from jupyter_mlinfn.gpus.snapshot import take_snapshot

    return take_snapshot(
        simulated=bench.settings.gpus_simulated, knowledge=Knowledge(jobs=names_of_jobs(bench))
    )


def names_of_jobs(bench: Workbench) -> dict[str, str]:
    """The running jobs' names; the GPUs are shown without them while the index is silent."""
    from jupyter_mlinfn.cli.terminal import say
    from jupyter_mlinfn.model.errors import Unavailable

    try:
        page = bench.store.page(states=("starting", "running"), limit=200)
    except Unavailable as error:
        say(f"Jobs are shown without their names. {error.text}")
        return {}
    return {record.id: record.name for record in page.jobs}


def watch_gpus(bench: Workbench) -> None:
    """The table in place, drawn again every :data:`INTERVAL` seconds."""
    from rich.live import Live
    from rich.text import Text

    from jupyter_mlinfn.cli.terminal import console

    with Live(console=console(), auto_refresh=False) as live:
        while True:
            snapshot = look(bench)
            seen = Text(snapshot.missing) if snapshot.missing else gpus_table(snapshot)
            live.update(seen, refresh=True)
            time.sleep(INTERVAL)


def show_snapshot(snapshot: GpuSnapshot) -> None:
    """The accelerators, or calmly why there are none."""
    from jupyter_mlinfn.cli.terminal import answer, inert, say, show

    if snapshot.simulated:
        say("These GPUs are simulated.")
    if snapshot.missing:
        answer(inert(snapshot.missing))
    if snapshot.accelerators:
        show(gpus_table(snapshot))


def gpus_table(snapshot: GpuSnapshot) -> Table:
    """One row an accelerator, MIG slices below the GPU they are cut from."""
    from jupyter_mlinfn.cli.terminal import table

    made = table(
        ("GPU", "NAME", "SIGNAL", "MEMORY", "POWER", "TEMP", "HOLDERS"),
        right=("MEMORY", "POWER", "TEMP"),
    )
    for device in in_order(snapshot):
        made.add_row(*row(device))
    return made


def in_order(snapshot: GpuSnapshot) -> list[Accelerator]:
    """Every GPU followed by its slices."""
    parents = [device for device in snapshot.accelerators if device.parent is None]
    known = {device.uuid for device in parents}
    ordered: list[Accelerator] = []
    for parent in parents:
        ordered.append(parent)
        ordered += [device for device in snapshot.accelerators if device.parent == parent.uuid]
    return ordered + [
        device
        for device in snapshot.accelerators
        if device.parent is not None and device.parent not in known
    ]


def row(device: Accelerator) -> tuple[str, ...]:
    """The cells of one accelerator; what is not known is a dash, never zero."""
    from jupyter_mlinfn.cli.terminal import inert
    from jupyter_mlinfn.model.quantities import show_memory

    name = device.mig.profile if device.mig else device.name
    memory = device.memory
    return (
        f"  {device.index}/{device.mig.gpu_instance}" if device.mig else str(device.index),
        inert(name + (" (cut)" if device.cut else "")),
        signal_words(device),
        f"{show_memory(memory.used)} / {show_memory(memory.total)}" if memory else "–",
        f"{device.power:.0f} W" if device.power is not None else "–",
        f"{device.temperature:.0f} °C" if device.temperature is not None else "–",
        inert(holder_words(device)),
    )


def signal_words(device: Accelerator) -> str:
    """``busy 83 %``, ``idle 40 min``, ``unknown``, ``lost``, ``silent since 14:02``."""
    from jupyter_mlinfn.model.quantities import show_duration

    if device.state == "lost":
        return "lost"
    if device.state == "silent":
        since = f" since {device.taken_at.astimezone():%H:%M}" if device.taken_at else ""
        return f"silent{since}"
    if device.cut:
        return "see slices"
    signal = device.signal
    words: str = signal.state
    if signal.percent is not None and signal.state != "idle":
        words += f" {signal.percent:.0f} %"
    if signal.since is not None and signal.state == "idle":
        words += f" {show_duration((datetime.now(UTC) - signal.since).total_seconds())}"
    return words


def holder_words(device: Accelerator) -> str:
    """Who holds it, the first few by name."""
    if device.problem:
        return device.problem
    if not device.holders:
        return "" if device.cut else "free"
    named = [one_holder(holder) for holder in device.holders[:SHOWN_HOLDERS]]
    more = len(device.holders) - SHOWN_HOLDERS
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def one_holder(holder: Holder) -> str:
    """``train.ipynb (you)``, ``outside this container``, ``python (mario)``."""
    who = "you" if holder.mine else holder.user
    title = (
        "outside this container" if holder.kind == "outside" and not holder.title else holder.title
    )
    return f"{title} ({who})" if who else title
