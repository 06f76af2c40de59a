"""Plan a new environment: from packages, or from the text of a file."""

from __future__ import annotations

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.papers import wish_of, with_requirements
from jupyter_mlinfn.environments.engine.plans import Plan, locked_plan
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.engine.solving import Question, answer
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import require_platform
from jupyter_mlinfn.environments.locks.requirements import check_channel, check_pip, conda_name
from jupyter_mlinfn.environments.locks.wishes import Wish, read_wish
from jupyter_mlinfn.model.environment_tasks import Create
from jupyter_mlinfn.model.errors import InputError


def plan_create(assignment: Assignment, request: Create, reporter: Reporter) -> Plan:
    """What ``request`` comes to. Raises :class:`MlinfnError` in words for people."""
    platform = assignment.policy.platform
    given = _given(request, platform)
    if isinstance(given, Lock):
        require_platform(given, platform, where=request.file_name or "The lock")
        assignment.policy.check_channels(given.channels)
        return locked_plan("create", given, wish_of(given), platform)
    wish = _complete(assignment, request, given)
    assignment.policy.check_channels(wish.all_channels)
    reporter.say("solving", _what(wish))
    question = Question(wish.channels, wish.conda, platform, cuda=assignment.policy.cuda)
    return Plan(
        action="create",
        records=answer(question, assignment.repodata),
        channels=wish.channels,
        wish=wish,
        pip_wanted=wish.pip,
        notes=wish.notes,
    )


def _given(request: Create, platform: str) -> Wish | Lock:
    if request.file_text is None:
        return Wish()
    given = read_wish(request.file_text, request.file_name or "environment.yml", platform=platform)
    if isinstance(given, Lock) and (request.packages or request.pip):
        raise InputError(
            "A lock is installed as it is: no packages can be added to it at once.",
            code="bad-input",
            field="packages",
            hint="Create the environment from the lock, then add the packages.",
        )
    return given


def _complete(assignment: Assignment, request: Create, given: Wish) -> Wish:
    """The wish of file and request together, with Python where pip needs it."""
    conda = with_requirements(given.conda, request.packages)
    pip = (*given.pip, *(check_pip(text) for text in request.pip))
    if pip and "python" not in map(conda_name, conda):
        conda = (*conda, "python")
    if pip and "pip" not in map(conda_name, conda):
        conda = (*conda, "pip")
    if not conda:
        raise InputError(
            "The environment would be empty. Name at least one package.",
            code="bad-input",
            field="packages",
            hint="For a kernel: python and ipykernel.",
        )
    asked = tuple(check_channel(channel) for channel in request.channels)
    channels = asked or given.channels or assignment.policy.channels
    if not channels:
        raise InputError(
            "No channel is named, and the settings name none.",
            code="no-channel",
            field="channels",
            hint="Name one, for example conda-forge.",
        )
    return given.model_copy(
        update={"name": request.name, "channels": channels, "conda": conda, "pip": pip}
    )


def _what(wish: Wish) -> str:
    names = [conda_name(spec) for spec in wish.conda]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
