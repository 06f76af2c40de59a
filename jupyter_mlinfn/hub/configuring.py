"""The two lines of ``jupyterhub_config.py``::

    from jupyter_mlinfn.hub import configure
    configure(c, "profiles.toml")

They stand at its end: what is added to lists there (services, roles) is not lost by a later
assignment.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from jupyter_mlinfn.hub.broker.definition import TOLD, address_of, broker_service, site_of
from jupyter_mlinfn.hub.broker.settings import Broker
from jupyter_mlinfn.hub.collaboration import installing
from jupyter_mlinfn.hub.collaboration.keeping import Keeper
from jupyter_mlinfn.hub.counter import Counter
from jupyter_mlinfn.hub.desk import Desk
from jupyter_mlinfn.hub.inventory import Inventory, driver_inventory
from jupyter_mlinfn.hub.options import from_form
from jupyter_mlinfn.hub.page import TEMPLATES
from jupyter_mlinfn.hub.reclaim.journal import Journal
from jupyter_mlinfn.hub.reclaim.sessions import Sessions
from jupyter_mlinfn.hub.refusals import quiet_refusals, refusal
from jupyter_mlinfn.hub.service.definition import service_settings, services
from jupyter_mlinfn.hub.service.settings import ServiceSettings
from jupyter_mlinfn.hub.spawning import PlannedSpawner
from jupyter_mlinfn.hub.tending import Round
from jupyter_mlinfn.hub.watching import WatchedBook
from jupyter_mlinfn.hub.ways.way import Way
from jupyter_mlinfn.leases.store import open_book
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.plans import Plan, SpawnerKind
from jupyter_mlinfn.model.quantities import parse_duration
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, KubeSite, LocalSite, Site
from jupyter_mlinfn.storage.making import make

_TASKS: set[asyncio.Task[None]] = set()
"""The loop itself holds its tasks weakly only."""

Kind = TypeVar("Kind", bound=Site)
Grouped = TypeVar("Grouped", DockerSite, KubeSite)
Devices = Literal["driver", "simulated"] | Inventory


def configure(
    c: Any,
    profiles: str | Path,
    *,
    spawner: SpawnerKind | Way | None = None,
    site: Site | None = None,
    accounts: bool = True,
    devices: Devices = "driver",
    host: str = "localhost",
    state: str | Path = "mlinfn",
    database: str | None = None,
    wait: str = "30min",
    service: tuple[str, int] = ("127.0.0.1", 10101),
    reclaim: Mapping[str, Any] | None = None,
    group_ids: Mapping[str, int] | None = None,
    broker: Broker | None = None,
) -> Desk:
    """Set spawner, spawn page, validation, leases and services of this hub from ``profiles``.

    ``spawner`` is the file's own when it is not said here, else ``docker``; a site with a spawner
    class of its own gives a :class:`~jupyter_mlinfn.hub.ways.way.Way`. ``site`` is what its
    spawner must know of the place. ``accounts`` false: everybody is the hub's own account (local
    spawner, for a first try). ``devices`` are what the driver of this machine shows, ``simulated``
    ones, or a function that tells them; ``host`` is this machine's name in the leases. ``state``
    is a folder of the hub's own; ``database`` the address of a PostgreSQL for the leases (SQLite
    in ``state`` otherwise). ``wait`` is how long somebody stands in line at most. ``service`` is
    where the hub's service listens, an address that sessions reach; ``reclaim`` are the settings
    of idle reclaim (:class:`~jupyter_mlinfn.hub.reclaim.settings.ReclaimSettings`), a dry run when
    nothing is said. ``group_ids`` are ids of the groups of group folders, by the safe names.
    ``broker`` makes the jobs on Kubernetes of sessions, which have no rights in the cluster.

    Raises :class:`~jupyter_mlinfn.model.errors.InputError` with every mistake of the file.
    """
    book = WatchedBook(Path(profiles).resolve())
    folder = _own_folder(Path(state).resolve())
    where = database or f"sqlite:///{folder / 'leases.sqlite'}"
    told = service_settings(
        leases=where, state=folder, host=service[0], port=service[1],
        simulated=devices == "simulated", **(reclaim or {}),
    )  # fmt: skip
    kind = spawner or book.book().spawner or "docker"
    variables = {TOLD: address_of(broker)} if broker else {}
    way = _way(kind, site, accounts, told.address, group_ids or {}, variables)
    leases = open_book(where) if way.leases else None
    counter = Counter(leases, parse_duration(wait)) if leases else None
    desk = Desk(
        book, way, counter, Sessions(told.sessions), partial(_make, way, group_ids or {}),
        Journal(told.journal),
    )  # fmt: skip
    install(c, desk)
    installing.install(c, desk)
    _in_background(Keeper(desk))
    _add_services(c, told)
    if broker is not None:
        of_pods = site_of(broker, way)
        program, role = broker_service(broker, of_pods, Path(profiles).resolve(), folder)
        c.JupyterHub.services.extend([program])
        c.JupyterHub.load_roles.extend([role])
    _add_backups(c, Path(profiles).resolve(), book.book(), way.kind)
    if leases is not None:
        look = devices if callable(devices) else _driver(devices, host)
        _in_background(Round(book, leases, way, look, host, desk.starting))
    return desk


def install(c: Any, desk: Desk) -> None:
    """Hand the desk to JupyterHub: a spawner class that knows it, and the three hooks."""
    quiet_refusals(logging.getLogger("JupyterHub"))
    base = desk.way.spawner
    c.JupyterHub.spawner_class = type(base.__name__, (base,), {"desk": desk})
    c.JupyterHub.template_paths.insert(0, str(TEMPLATES))
    c.Spawner.options_form = options_form
    c.Spawner.options_from_form = options_from_form
    c.Spawner.apply_user_options = apply_user_options


async def options_form(spawner: PlannedSpawner) -> str:
    """``c.Spawner.options_form``: the spawn page."""
    return await spawner.desk.form(spawner)


def options_from_form(form: Mapping[str, Sequence[object]]) -> dict[str, object]:
    """``c.Spawner.options_from_form``: pure, judges nothing."""
    return from_form(form)


async def apply_user_options(spawner: PlannedSpawner, options: Mapping[str, object]) -> None:
    """``c.Spawner.apply_user_options``: the one place that sees form, REST and saved options."""
    try:
        await spawner.plan(options)
    except MlinfnError as error:
        raise refusal(error) from error


def _make(way: Way, group_ids: Mapping[str, int], plan: Plan, roots: Sequence[str]) -> None:
    """The folders of a plan that are to be made, for whoever its session runs as."""
    owner = way.owner(plan)
    if owner is not None:
        make(plan.mounts, owner, areas=plan.areas, groups=group_ids, roots=roots)


def _add_backups(c: Any, file: Path, book: Book, kind: SpawnerKind) -> None:
    """The program that makes the copies the file asks for.

    A file that asks for none now may do so when it is read again, which makes no new service. On
    Kubernetes the folders are seldom the hub's: there it is made where they are asked for now.
    """
    if kind != "kube" or any(volume.backup is not None for volume in book.volume.values()):
        command = [sys.executable, "-m", "jupyter_mlinfn.hub.backups", str(file), "--forever"]
        service = {"name": "mlinfn-backups", "command": command, "display": False}
        c.JupyterHub.services.extend([service])


def _add_services(c: Any, told: ServiceSettings) -> None:
    programs, roles = services(told)
    c.JupyterHub.services.extend(programs)
    c.JupyterHub.load_roles.extend(roles)


def _way(
    spawner: SpawnerKind | Way,
    site: Site | None,
    accounts: bool,
    address: str,
    group_ids: Mapping[str, int],
    variables: Mapping[str, str],
) -> Way:
    """The spawners are loaded here: a hub needs one of them, and not the others' libraries."""
    if spawner == "docker":
        from jupyter_mlinfn.hub.ways.docker import DockerWay

        return DockerWay(_with_groups(_of(DockerSite, site, address, variables), group_ids))
    if spawner == "kube":
        from jupyter_mlinfn.hub.ways.kube import KubeWay

        return KubeWay(_with_groups(_of(KubeSite, site, address, variables), group_ids))
    if spawner == "local":
        from jupyter_mlinfn.hub.ways.local import LocalWay

        return LocalWay(_of(LocalSite, site, address, variables), accounts=accounts)
    return spawner


def _of(kind: type[Kind], site: Site | None, address: str, variables: Mapping[str, str]) -> Kind:
    """The site, of which sessions are told where the hub's services are."""
    site = kind() if site is None else site
    if not isinstance(site, kind):
        raise TypeError(f"site must be a {kind.__name__}, not a {type(site).__name__}")
    environment = (*variables.items(), *site.environment)
    return site.model_copy(update={"service": site.service or address, "environment": environment})


def _with_groups(site: Grouped, group_ids: Mapping[str, int]) -> Grouped:
    """The site, whose sessions belong to the groups of the group folders they are shown."""
    return site.model_copy(update={"group_ids": (*site.group_ids, *group_ids.items())})


def _own_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _driver(devices: str, host: str) -> Inventory:
    return driver_inventory(host, simulated=devices == "simulated")


def _in_background(round_: Round | Keeper) -> None:
    """JupyterHub reads its configuration inside of its loop; who only looks at one has none."""
    with suppress(RuntimeError):
        task = asyncio.get_running_loop().create_task(round_.go_on())
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)
