"""Share an environment with others, packed first where that was asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.holding import holding
from jupyter_mlinfn.environments.engine.leaving import Leaving
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.own.sharing import Stopped, check_folder, images_to_share, share
from jupyter_mlinfn.environments.own.states import State, find_state
from jupyter_mlinfn.model.environment_tasks import Pack, Share, TaskResult
from jupyter_mlinfn.model.quantities import show_memory


def perform_share(
    assignment: Assignment, request: Share, reporter: Reporter, leaving: Leaving
) -> TaskResult:
    """The result. Raises :class:`MlinfnError`, OSError; others see what they saw before then."""
    leaving.be_gentle()
    folder = Path(request.folder)
    check_folder(folder)
    state = _state(assignment, request)
    if request.preview:
        return _succeeded(_would(state, request))
    if request.pack and state.current and not images_to_share(state):
        from jupyter_mlinfn.environments.engine.packing import perform_pack

        pack = Pack(name=request.name)
        packed = perform_pack(replace(assignment, request=pack), pack, reporter, leaving)
        if packed.state != "succeeded":
            return packed

    def report(name: str, done: int, total: int) -> None:
        reporter.say("copying", name, done=done, total=total, unit="bytes")

    with holding(assignment.place, leaving.hold):
        reporter.say("copying")
        try:
            done = share(
                _state(assignment, request),
                folder,
                assignment.identifier,
                report=report,
                stopped=leaving.wished.is_set,
            )
        except Stopped:
            return leaving.cancelled()
    return _succeeded(done.text, str(done.path))


def _state(assignment: Assignment, request: Share) -> State:
    name = request.name
    return find_state(assignment.layout, f"{name}@{request.digest}" if request.digest else name)


def _would(state: State, request: Share) -> str:
    where = f"would be copied to {Path(request.folder) / request.name}"
    if images := images_to_share(state):
        size = show_memory(sum(image.size for image in images))
        return f"Its lock and its packed file ({size}) {where}. Others can run it at once."
    if request.pack:
        return f"It would be packed first; then its lock and its packed file {where}."
    return f"Its lock alone (a few KiB) {where}. Others can clone it; pack it to let them run it."


def _succeeded(text: str, path: str | None = None) -> TaskResult:
    return TaskResult(state="succeeded", ended_at=datetime.now(UTC), text=text, path=path)
