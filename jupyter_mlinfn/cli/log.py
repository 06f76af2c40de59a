"""``mlinfn job log``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import LogChunk
    from jupyter_mlinfn.workbench import Workbench

PIECE = 256 * 1024
PAUSE = 0.5


@click.command()
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option(
    "--start", metavar="BYTE", type=int, default=0, help="Where to begin; negative: from the end."
)
@click.option(
    "--point", metavar="K", type=click.IntRange(0, 9999), help="That of this point of a sweep."
)
@json_option
def log(job: str, follow: bool, start: int, point: int | None, as_json: bool) -> None:
    """What a job printed.

    With --json one piece of at most 256 KiB; go on with --start and its 'next'.
    """
    from jupyter_mlinfn.cli.opening import open_bench
    from jupyter_mlinfn.cli.terminal import emit, inert, say
    from jupyter_mlinfn.model.jobs import WAITING

    if follow and as_json:
        raise click.UsageError("--json is one document and cannot follow: leave out one of both.")
    bench = open_bench()
    bench.reconciler.run_once()
    record = bench.store.get(job)
    if start < 0:
        start = max(0, bench.follower.read_log(record.id, limit=1, point=point).size + start)
    if as_json:
        emit(bench.follower.read_log(record.id, start=start, limit=PIECE, point=point))
        return
    if follow and record.state in WAITING:
        say(f"It waits to start. {inert(record.reason.text) if record.reason else ''}".rstrip())
    try:
        print_log(bench, record.id, start, follow=follow, point=point)
    except KeyboardInterrupt:
        say(f"The job goes on. Come back to it: mlinfn job log -f {record.id}")
        raise
    if follow:
        ended = bench.store.get(record.id)
        say(f"{ended.state}" + (f": {inert(ended.reason.text)}" if ended.reason else ""))


def print_log(
    bench: Workbench, job: str, start: int, *, follow: bool, point: int | None = None
) -> None:
    """Write the log piece by piece, until its end, or with ``follow`` the job's."""
    position = start
    while True:
        piece: LogChunk = bench.follower.read_log(job, start=position, limit=PIECE, point=point)
        write(piece.text)
        if piece.next == position or piece.next >= piece.size:
            if piece.ended or not follow:
                return
            time.sleep(PAUSE)
            bench.reconciler.run_once()
        position = piece.next


def write(text: str) -> None:
    """The text as it is for a file or pipe, without terminal commands for a terminal."""
    from jupyter_mlinfn.cli.terminal import calm

    sys.stdout.write(calm(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()
