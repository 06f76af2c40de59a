"""The engine: carries out one request on environments, then ends.

``python -I -m jupyter_mlinfn.environments.engine TASKFOLDER [DESCRIPTOR]``; the descriptor has held
the task's lock ``alive`` since before the task could be seen. A process of its own, because the
solver's threads may crash an interpreter that ends in the ordinary way (``os._exit`` here), and
because it may be killed at any moment without harm. Exit code: that of the result, 130 when
cancelled.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jupyter_mlinfn.environments.engine.assignment import Assignment, read_assignment
from jupyter_mlinfn.environments.engine.failing import failure
from jupyter_mlinfn.environments.engine.leaving import Leaving
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.model.environment_tasks import (
    Collect,
    LockPlatforms,
    Pack,
    Share,
    TaskResult,
)
from jupyter_mlinfn.process.durable import write_durably
from jupyter_mlinfn.process.locks import acquire


def main(arguments: Sequence[str]) -> NoReturn:
    """The program. Never returns."""
    code = 1
    try:
        folder, *descriptor = arguments
        code = carry_out(Path(folder).resolve(), int(descriptor[0]) if descriptor else None)
    except BaseException:  # nothing may keep this process from ending at once
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def carry_out(folder: Path, alive: int | None = None) -> int:
    """Carry out the task in ``folder`` and write its result; the exit code.

    ``alive``: the descriptor of the task's lock. Without one, and where another engine works on
    this task already, nothing is done.
    """
    if alive is None:
        alive = acquire(folder / "alive")  # held until this process ends
    if alive is None:
        return 1
    os.set_inheritable(alive, False)  # what outlives a killed engine must not pass for it
    reporter = Reporter(folder / "events.jsonl")
    reporter.say("starting")
    result = _result(folder, reporter, alive)
    write_durably(folder / "result.json", result.model_dump_json(indent=1))
    return result.exit_code


def _result(folder: Path, reporter: Reporter, alive: int) -> TaskResult:
    try:
        assignment = read_assignment(folder)
        leaving = Leaving(folder, _what_is_kept(assignment))
        leaving.hold(alive)  # or who looks while we clear up takes us for dead
        leaving.watch()
        return _perform(assignment, reporter, leaving)
    except BaseException as error:  # a panic of the solver is no Exception
        return failure(error, folder)


def _what_is_kept(assignment: Assignment) -> str:
    """What is as before when the task is stopped, as a sentence."""
    request = assignment.request
    if isinstance(request, Collect):
        return "The rest stays."
    if isinstance(request, Share):
        return f"What lay in {request.folder} is as it was before."
    place = assignment.place
    if place.record.exists():
        return f"'{place.name}' is as it was before."
    return f"'{place.name}' was not made."


def _perform(assignment: Assignment, reporter: Reporter, leaving: Leaving) -> TaskResult:
    request = assignment.request
    if isinstance(request, Pack):
        from jupyter_mlinfn.environments.engine.packing import perform_pack

        return perform_pack(assignment, request, reporter, leaving)
    if isinstance(request, LockPlatforms):
        from jupyter_mlinfn.environments.engine.locking import perform_lock

        return perform_lock(assignment, request, reporter, leaving)
    if isinstance(request, Share):
        from jupyter_mlinfn.environments.engine.publishing import perform_share

        return perform_share(assignment, request, reporter, leaving)
    if isinstance(request, Collect):
        from jupyter_mlinfn.environments.engine.collecting import perform_collect

        return perform_collect(assignment, request, reporter, leaving)
    from jupyter_mlinfn.environments.engine.actions import Action

    return Action(assignment, reporter, leaving).perform()


if __name__ == "__main__":
    main(sys.argv[1:])
