"""What the admin allows: channels, packages, sizes. Given to every task by whoever starts it.

The engine is a program of the person and reads ``tasks/<id>/policy.json``; who can write there
can also install packages by other means. The policy keeps people from mistakes and from
unwanted sources; it is no wall against its own user.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.quantities import show_count, show_memory

CHANNEL_ALIAS = "https://conda.anaconda.org"
"""Where conda looks for a channel that is named without an address (conda's ``channel_alias``)."""


class Policy(BaseModel):
    """Sizes in bytes; ``None`` means no limit.

    ``channels`` are used where a request names none; they are always allowed. ``allowed_channels``
    empty: every channel is allowed. ``denied_packages`` are names, ``*`` stands for any letters.
    ``cuda`` is the version of ``__cuda`` to solve for in place of the detected one. ``managed``
    are the places of managed environments, by which a clone's source is found. ``container`` is
    the file with a container's root that a SIF image can carry.
    """

    model_config = ConfigDict(frozen=True)

    user: str
    platform: str = "linux-64"
    channels: tuple[str, ...]
    allowed_channels: tuple[str, ...] = ()
    denied_packages: tuple[str, ...] = ()
    pip_allowed: bool = True
    pip_indexes: tuple[str, ...] = ()
    max_size: int | None = None
    max_files: int | None = None
    cuda: str | None = None
    managed: tuple[str, ...] = ()
    conda_program: str | None = None
    container: str | None = None

    def check_channels(self, channels: Iterable[str]) -> None:
        """Raises :class:`Refused` naming the first channel that may not be used.

        ``channels`` are names, addresses or folders; the channel of a package is its address
        without the last two parts (:func:`channel_of`).
        """
        if not self.allowed_channels:
            return
        allowed = [channel_address(name) for name in (*self.channels, *self.allowed_channels)]
        for channel in channels:
            address = channel_address(channel)
            if address not in allowed:
                raise Refused(
                    f"The channel {channel} may not be used here.",
                    code="channel-refused",
                    field="channels",
                    hint="Allowed are: "
                    + ", ".join(dict.fromkeys((*self.channels, *self.allowed_channels)))
                    + ".",
                )

    def check_packages(self, names: Iterable[str]) -> None:
        """Raises :class:`Refused` naming every package that may not be installed."""
        patterns = [_canonical(pattern) for pattern in self.denied_packages]
        refused = sorted(
            {n for n in names if any(fnmatchcase(_canonical(n), pattern) for pattern in patterns)}
        )
        if refused:
            raise Refused(
                f"These packages may not be installed here: {', '.join(refused)}.",
                code="package-refused",
                field="packages",
                hint="Your administrators keep the list (Mlinfn.denied_packages).",
            )

    def check_size(self, size: int | None, files: int | None) -> None:
        """Raises :class:`Refused` when an environment of ``size`` bytes and ``files`` is too large.

        ``None`` means that it is not known yet; it is then asked again after the installation.
        """
        if self.max_size is not None and size is not None and size > self.max_size:
            raise Refused(
                f"The environment would take {show_memory(size)}; "
                f"{show_memory(self.max_size)} are allowed.",
                code="environment-too-large",
                hint="Choose fewer packages, or packages built for CPU only.",
            )
        if self.max_files is not None and files is not None and files > self.max_files:
            raise Refused(
                f"The environment would have {show_count(files, 'file')}; "
                f"{show_count(self.max_files, 'file')} are allowed.",
                code="environment-too-large",
                hint="Choose fewer packages.",
            )

    def check_pip(self) -> None:
        """Raises :class:`Refused` where packages of pip may not be used."""
        if not self.pip_allowed:
            raise Refused(
                "Packages of pip may not be installed here.",
                code="pip-refused",
                field="pip",
                hint="Look for the package in the channels: mlinfn env search NAME.",
            )


def this_platform() -> str:
    """The platform of this machine as conda names it, such as ``linux-64``."""
    machine = os.uname().machine
    return "linux-64" if machine == "x86_64" else f"linux-{machine}"


def channel_address(channel: str) -> str:
    """The address of a channel given by name, address or folder, in one form for comparing."""
    text = channel.strip().rstrip("/")
    if text.startswith("/"):
        return "file://" + text
    if "://" not in text:
        return f"{CHANNEL_ALIAS}/{text}"
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((parts.scheme.lower(), host, unquote(parts.path).rstrip("/"), "", ""))


def channel_of(url: str) -> str:
    """The channel of a conda package: its address without platform and file name."""
    return url.split("#")[0].split("?")[0].rsplit("/", 2)[0]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
