"""What a session on a hub is told of itself: its devices, its planned end, whether it idles.

The hub's service answers it, the session's server passes it on to the page
(docs/hub-services.md). Times in seconds.
"""

from __future__ import annotations

from pydantic import AwareDatetime, ConfigDict, Field

from jupyter_mlinfn.model.accelerators import SignalState
from jupyter_mlinfn.model.states import Frozen


class Told(Frozen):
    """Said by one version of this package and read by another: what is not known is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SessionDevice(Told):
    """One leased accelerator."""

    uuid: str
    pool: str
    model: str
    mig: str | None = None


class IdleWarning(Told):
    """The session ends at ``release_at`` unless its accelerators work again or she keeps them."""

    since: AwareDatetime
    release_at: AwareDatetime


class HubSession(Told):
    """One session. ``state`` is ``None`` without a device; ``idle_since`` while it idles.

    ``keep_seconds`` is how much longer one keep lasts, ``keeps_left`` how many there are until
    the accelerators work again.
    """

    user: str
    server: str = ""
    devices: tuple[SessionDevice, ...] = ()
    until: AwareDatetime | None = None
    state: SignalState | None = None
    measurement: str | None = None
    idle_since: AwareDatetime | None = None
    warning: IdleWarning | None = None
    keeps_left: int = Field(default=0, ge=0)
    keep_seconds: int = Field(default=3600, gt=0)
    asked_at: AwareDatetime


class SessionView(Frozen):
    """What a page is told: the session where there is a hub, and why nothing is known of it."""

    session: HubSession | None = None
    trouble: str | None = None
