"""One requirement as people write it: checked before a solver or pip ever sees it.

Nothing here asks a channel; a requirement that passes can be handed over as one word of a command
line and one line of a file. The forms of conda's requirements are CEP 29's, without regular
expressions and package addresses; those of pip are PEP 508's, without addresses (read by
``packaging``, which is loaded where one is met: most environments have none).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from jupyter_mlinfn.model.errors import InputError

MAX_LENGTH = 300
CONDA_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)

_VERSION = r"[A-Za-z0-9_.+!*-]+"
_TERM = rf"\(*\s*(?:==|!=|>=|<=|~=|=|<|>)?\s*{_VERSION}\s*\)*"
_CONSTRAINT = re.compile(
    rf"{_TERM}(?:\s*[,|]\s*{_TERM})*(?:(?:=|\s+)(?P<build>[A-Za-z0-9_.*+-]+))?", re.ASCII
)
_BRACKETS = re.compile(r"(?P<head>[^\[\]]*)\[(?P<body>[^\[\]]*)\]", re.ASCII)
_PAIR = re.compile(
    r"\s*(?P<key>[a-z_]+)\s*=\s*(?P<quote>['\"]?)(?P<value>[^'\"]*)(?P=quote)\s*", re.ASCII
)
_BRACKET_KEYS = {"version", "build", "build_number", "channel"}
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CHANNEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*){0,4}")


def check_conda(text: str) -> str:
    """``text`` without outer space, if it is a requirement on a conda package.

    Raises :class:`InputError` (code ``bad-requirement``) with what is wrong and an example.
    """
    spec = _one_line(text)
    if re.match(r"[a-z+]+://|[./~]", spec) and "::" not in spec:
        raise _bad(spec, "an address or a file stands where a package name should", _BY_NAME)
    channel, name, constraint = _split(spec)
    if channel:
        check_channel(channel)
    if CONDA_NAME.fullmatch(name) is None:
        raise _bad(spec, "it does not begin with the name of a package", _EXAMPLE)
    if constraint and not _is_constraint(constraint):
        raise _bad(spec, f"{constraint[:60]!r} is no version", _EXAMPLE)
    return spec


def channel_named(spec: str) -> str | None:
    """The channel a checked conda requirement asks for (``channel::name``), if any."""
    return _split(spec)[0] or None


def conda_name(spec: str) -> str:
    """The package's name in a checked conda requirement, in small letters as in channels."""
    return _split(spec)[1].lower()


def check_pip(text: str) -> str:
    """``text`` in PEP 508's normal form. Raises :class:`InputError` (code ``bad-requirement``)."""
    spec = _one_line(text)
    if re.match(r"[a-z+]+:|[./~]", spec) or " @ " in spec or re.search(r"@\s*[a-z+]+:", spec):
        raise _bad(
            spec,
            "packages from addresses, folders and version control cannot be locked by their hash",
            "Name a package of the index, for example requests>=2.31.",
        )
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(spec)
    except InvalidRequirement as error:
        raise _bad(
            spec,
            "it is no requirement that pip knows",
            "Examples: requests, requests>=2.31, requests[socks]==2.32.3.",
        ) from error
    return str(requirement)


def pip_name(spec: str) -> str:
    """The canonical name in a checked pip requirement."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    return canonicalize_name(Requirement(spec).name)


def check_channel(text: str) -> str:
    """A channel's name, ``http(s)://`` or ``file://`` address, or absolute folder.

    Raises :class:`InputError` (code ``bad-channel``); passwords, tokens and environment variables
    in addresses are refused, because locks and histories are read by others.
    """
    channel = text.strip().rstrip("/")
    problem = None
    if not channel or len(channel) > 1000 or _UNSAFE.search(channel) or " " in channel:
        problem = "it is empty, too long, or has spaces or control characters"
    elif "://" in channel:
        problem = address_problem(channel)
    elif not channel.startswith("/") and _CHANNEL_NAME.fullmatch(channel) is None:
        problem = "it is neither a name, an address nor an absolute folder"
    elif ".." in channel.split("/"):
        problem = "it has '..' in it"
    if problem:
        raise InputError(
            f"The channel {_shown(channel)} cannot be used: {problem}.",
            code="bad-channel",
            field="channels",
            hint="Write a name such as conda-forge, an https:// or file:// address, or a folder.",
        )
    return channel


def address_problem(address: str) -> str | None:
    """Why nothing may be fetched from ``address``; ``None`` when it is in order."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "it is no valid address"
    if _UNSAFE.search(address) or re.search(r"[\s\\\"'`<>|;]", address):
        return "it has characters that no address has"
    if parts.scheme not in {"http", "https", "file"}:
        return "only http, https and file addresses are read"
    if "$" in address:
        return "it has an environment variable in it; its value would be sent away"
    token = parts.scheme != "file" and "/t/" in parts.path
    if parts.username is not None or parts.password is not None or token:
        return "it has a password or token in it, which others could read"
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
            return "file addresses begin with file:/// and an absolute path"
    elif not host:
        return "it names no host"
    if ".." in re.split(r"/|%2f", parts.path.lower().replace("%2e", ".")):
        return "it has '..' in it"
    return None


_EXAMPLE = "Examples: numpy, numpy>=2,<3, python=3.11, conda-forge::numpy."
_BY_NAME = "Name the package; its channel goes to channels."


def _one_line(text: str) -> str:
    spec = text.strip(" \t")
    if not spec:
        raise _bad(spec, "it is empty", _EXAMPLE)
    if len(spec) > MAX_LENGTH:
        raise _bad(spec, f"it is longer than {MAX_LENGTH} characters", _EXAMPLE)
    if _UNSAFE.search(spec):
        raise _bad(spec, "it has line breaks or control characters", _EXAMPLE)
    if spec.startswith("-"):
        raise _bad(spec, "options are not read here", "Write packages only.")
    return spec


def _split(spec: str) -> tuple[str, str, str]:
    """Channel, name and the rest; the rest begins with an operator, a space or a bracket."""
    brackets = spec.find("[")
    at = spec.find("::", 0, brackets if brackets >= 0 else len(spec))
    channel, rest = (spec[:at], spec[at + 2 :]) if at >= 0 else ("", spec)
    match = re.match(r"[^\s=<>!~\[]*", rest)
    name = match.group() if match else ""
    if not channel and (found := re.search(r"\bchannel\s*=\s*['\"]?([^'\",\]]+)", rest)):
        channel = found.group(1)
    return channel.strip(), name, rest[len(name) :].strip()


def _is_constraint(text: str) -> bool:
    brackets = _BRACKETS.fullmatch(text)
    head = (brackets["head"] if brackets else text).strip()
    if head and (head.count("(") != head.count(")") or _CONSTRAINT.fullmatch(head) is None):
        return False
    return brackets is None or _are_pairs(brackets["body"])


def _are_pairs(body: str) -> bool:
    """``version='>=1,<2', build=py_0``: known keys, values that are constraints or channels."""
    pairs = re.findall(r"(?:[^,'\"]|'[^']*'|\"[^\"]*\")+", body)
    for pair in pairs:
        match = _PAIR.fullmatch(pair)
        if match is None or match["key"] not in _BRACKET_KEYS:
            return False
        if match["key"] != "channel" and _CONSTRAINT.fullmatch(match["value"]) is None:
            return False
    return bool(pairs)


def _shown(text: str) -> str:
    return repr(re.sub(r"//[^/@\s]*@", "//…@", text)[:80])


def _bad(spec: str, problem: str, hint: str) -> InputError:
    return InputError(
        f"{_shown(spec)} cannot be asked for: {problem}.",
        code="bad-requirement",
        field="packages",
        hint=hint,
    )
