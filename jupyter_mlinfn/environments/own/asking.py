"""What is wrong with a request can often be said before a task is started, and all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.requirements import (
    channel_named,
    check_channel,
    check_conda,
    check_pip,
    conda_name,
    pip_name,
)
from jupyter_mlinfn.environments.locks.wishes import read_wish
from jupyter_mlinfn.environments.own.layout import check_name
from jupyter_mlinfn.environments.own.naming import split_state
from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.environments.own.sharing import check_folder
from jupyter_mlinfn.model.environment_tasks import Alter, Collect, Create, Pack, Share, TaskRequest
from jupyter_mlinfn.model.errors import InputError, Problem


def check_request(request: TaskRequest, policy: Policy) -> None:
    """Raises :class:`InputError` with every problem, :class:`Refused` where policy forbids it.

    Nothing is solved: that packages exist and go together is for the task to find out.
    """
    if isinstance(request, Collect):
        return
    check_name(request.name)
    if isinstance(request, Share):
        check_folder(Path(request.folder))
    problems = list(_problems(request))
    if problems:
        text = problems[0].text if len(problems) == 1 else "Some of what was given cannot be used."
        raise InputError(text, code=problems[0].code, field=problems[0].field, problems=problems)
    if isinstance(request, Create):
        _check_file(request, policy)
        policy.check_channels(request.channels)
    _check_policy(*_wanted(request), policy)


def _problems(request: TaskRequest) -> Iterator[Problem]:
    if isinstance(request, Create):
        yield from _each("packages", request.packages, check_conda)
        yield from _each("pip", request.pip, check_pip)
        yield from _each("channels", request.channels, check_channel)
    elif isinstance(request, Alter):
        yield from _each("add", request.add, check_conda)
        yield from _each("add_pip", request.add_pip, check_pip)
        yield from _each("remove", request.remove, check_conda)
        yield from _each("update", request.update, check_conda)
    elif isinstance(request, Pack):
        yield from _of_packing(request)


def _of_packing(request: Pack) -> Iterator[Problem]:
    """What of a way to pack contradicts itself."""
    if request.over is not None and request.format == "sif":
        yield Problem(
            code="layer-format",
            field="format",
            text="A layer is a squashfs file: a SIF file is whole.",
            hint="Choose squashfs, or pack the environment whole.",
        )
    if request.container and request.format != "sif":
        yield Problem(
            code="image-container",
            field="container",
            text="Only a SIF file can hold a container's root.",
            hint="Choose the format sif.",
        )
    if request.over is not None and "/" not in request.over:
        try:
            split_state(request.over)
        except InputError as error:
            yield Problem(code=error.code, text=error.text, hint=error.hint, field="over")


def _each(field: str, texts: Sequence[str], check: Callable[[str], str]) -> Iterator[Problem]:
    for number, text in enumerate(texts):
        try:
            check(text)
        except InputError as error:
            place = f"{field}.{number}"
            yield Problem(code=error.code, text=error.text, hint=error.hint, field=place)


def _check_file(request: Create, policy: Policy) -> None:
    if request.file_text is None:
        return
    wish = read_wish(request.file_text, request.file_name or "", platform=policy.platform)
    if not isinstance(wish, Lock):
        policy.check_channels(wish.all_channels)
        _check_policy(wish.conda, wish.pip, policy)


def _wanted(request: TaskRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The conda and the pip requirements that come into the environment."""
    if isinstance(request, Create):
        return request.packages, request.pip
    if isinstance(request, Alter):
        return (*request.add, *request.update), request.add_pip
    return (), ()


def _check_policy(conda: Sequence[str], pip: Sequence[str], policy: Policy) -> None:
    if pip:
        policy.check_pip()
    policy.check_channels(channel for spec in conda if (channel := channel_named(spec)))
    policy.check_packages([*map(conda_name, conda), *map(pip_name, pip)])
