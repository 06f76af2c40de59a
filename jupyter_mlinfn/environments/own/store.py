"""Own and managed environments by their names: what they are, and what is done to them at once.

Slow actions are tasks (``own/tasks.py``); what is here takes a moment, deleting aside. Methods
read files and look at processes: for threads, not for an event loop.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from jupyter_mlinfn.environments.inventories import Inventories
from jupyter_mlinfn.environments.kernels import FoundKernel
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own import kernels, removing
from jupyter_mlinfn.environments.own.cuda import Verdicts
from jupyter_mlinfn.environments.own.layout import Layout, Place
from jupyter_mlinfn.environments.own.managed import (
    ManagedEnvironment,
    find_managed,
    managed_environments,
)
from jupyter_mlinfn.environments.own.naming import split_state
from jupyter_mlinfn.environments.own.policy import this_platform
from jupyter_mlinfn.environments.own.record import EnvironmentRecord, read_record, write_record
from jupyter_mlinfn.environments.own.rows import Rows, broken_row
from jupyter_mlinfn.environments.own.states import (
    State,
    all_states,
    find_state,
    held_still,
    history_of,
    packages_in,
    papers_text,
    read_papers,
)
from jupyter_mlinfn.environments.own.using import Users
from jupyter_mlinfn.environments.prefixes import minor_version
from jupyter_mlinfn.model.environment_answers import (
    DeletedEnvironment,
    EnvironmentDetails,
    EnvironmentHistory,
    RegisteredKernel,
)
from jupyter_mlinfn.model.environment_tasks import GcPlan
from jupyter_mlinfn.model.environments import (
    CudaDriver,
    Environment,
    EnvironmentUsers,
    Package,
)
from jupyter_mlinfn.model.errors import MlinfnError, NotFound, Unavailable

Owner = tuple[Literal["own", "managed"], str]
"""An environment by kind and name."""


class OwnEnvironments:
    """``managed`` are the places of managed environments, ``users`` tells which jobs there are,
    ``driver`` what CUDA can do here.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        managed: Iterable[str] = (),
        users: EnvironmentUsers | None = None,
        driver: CudaDriver | None = None,
    ) -> None:
        self.layout = layout
        self.places = tuple(managed)
        self._users = users
        self.verdicts = Verdicts(driver)
        self.inventories = Inventories()

    def record(self, name: str) -> EnvironmentRecord:
        """The record of an own environment. Raises what :func:`read_record` raises."""
        return read_record(self.layout.place(name))

    def state(self, name: str) -> State:
        """What ``NAME`` or ``NAME@DIGEST`` names of the own ones. Raises :class:`NotFound`."""
        return find_state(self.layout, name)

    def managed(self) -> tuple[ManagedEnvironment, ...]:
        """All managed environments, sorted by name."""
        return managed_environments(self.places)

    def papers(self, name: str) -> Path:
        """The folder of papers of an own state, or of a managed environment."""
        try:
            return self.state(name).papers
        except NotFound:
            one = self.managed_state(name)
        if one.papers is None:
            raise NotFound(
                f"'{name}' has no lock: it was put there without its papers.",
                code="no-papers",
                hint="Clone it: the clone has a lock.",
            )
        return one.papers

    def lock(self, name: str) -> Lock:
        """The lock of an own state, or of a managed environment."""
        return read_papers(self.papers(name), name)

    def lock_text(self, name: str) -> str:
        """The ``conda-lock.yml`` of an own state, or of a managed environment."""
        return papers_text(self.papers(name), name)

    def packages(self, name: str) -> tuple[Package, ...]:
        """What the lock of an own state, or of a managed environment, names; sorted."""
        lock = self.lock(name)
        here = this_platform()
        return packages_in(lock, here if here in lock.platforms else lock.platforms[0])

    def history(self, name: str) -> EnvironmentHistory:
        """All states of an own environment, newest first."""
        place = self.layout.place(name)
        return history_of(place, read_record(place))

    def kernel_owners(
        self, kernels: Mapping[str, FoundKernel], prefixes: Mapping[str, Path]
    ) -> dict[str, Owner]:
        """Which kernels belong to own or managed environments; ``prefixes`` by kernel name.

        By what the kernel itself notes, else by the prefix it runs in.
        """
        own = {place.name for place, _ in all_states(self.layout)}
        home = Path(os.path.realpath(self.layout.own))
        managed = {os.path.realpath(one.prefix): one.name for one in self.managed() if one.prefix}
        owners: dict[str, Owner] = {}
        for name, kernel in kernels.items():
            prefix = Path(os.path.realpath(prefixes[name])) if name in prefixes else None
            if kernel.environment in own:
                owners[name] = ("own", kernel.environment)
            elif prefix is None:
                continue
            elif home in prefix.parents and (known := prefix.relative_to(home).parts[0]) in own:
                owners[name] = ("own", known)
            elif str(prefix) in managed:
                owners[name] = ("managed", managed[str(prefix)])
        return owners

    def rows(self, owners: Mapping[str, Owner]) -> list[Environment]:
        """Rows for the catalogue, own ones first; ``owners`` of :meth:`kernel_owners`."""
        records = list(all_states(self.layout))
        managed = self.managed()
        if not records and not managed:
            return []
        rows = Rows(Users.as_far_as_known(self._users), self.verdicts)
        named: dict[Owner, list[str]] = defaultdict(list)
        for kernel, owner in owners.items():
            named[owner].append(kernel)
        return [
            *(
                broken_row(place, record)
                if isinstance(record, MlinfnError)
                else rows.own(place, record, record.digest, named["own", place.name])
                for place, record in records
            ),
            *(
                rows.managed(one, self._installed(one), named["managed", one.name])
                for one in managed
            ),
        ]

    def details(self, name: str) -> EnvironmentDetails:
        """All that is known of an own state or a managed environment.

        Without a digest, whoever uses any of its states uses it.
        """
        users = Users.as_far_as_known(self._users)
        rows = Rows(users, self.verdicts)
        try:
            state = self.state(name)
        except NotFound:
            return self._managed_details(self.managed_state(name), users, rows)
        record, place = state.record, state.place
        images = tuple(image for image in record.images if image.lock == state.digest)
        kernels_of = (record.kernel,) if record.kernel else ()
        if "@" in name:
            used = users.of_prefix(state.prefix, state.digest, [image.path for image in images])
        else:
            used = users.of_record(place, record)
        return EnvironmentDetails(
            environment=rows.own(place, record, state.digest, kernels_of),
            packages=packages_in(read_papers(state.papers, name), record.platform),
            digest=state.digest,
            platform=record.platform,
            channels=record.channels,
            made_by=record.made_by,
            made_at=record.made_at,
            origin=record.origin,
            kernel=record.kernel,
            command=kernels.command_of(record, place, state.digest),
            images=images,
            history=history_of(place, record).states,
            used_by=used,
        )

    def register(self, name: str, *, image: bool = False) -> RegisteredKernel:
        """Make the environment a kernel that Jupyter shows at once; with ``image`` one that runs
        out of the packed file.

        Raises :class:`InputError` (``no-ipykernel``), :class:`Conflict` (``not-packed``, or while
        it is changed).
        """
        place = self.layout.place(name)
        with held_still(place):
            record = read_record(place)
            try:
                if image:
                    kernel = kernels.register_image(record, place)
                else:
                    kernel = kernels.register(record, place)
                    write_record(place, record.model_copy(update={"kernel": kernel}))
            except OSError as error:
                raise _kernel_folder(error) from error
        return RegisteredKernel(
            environment=name,
            kernel=kernel,
            registered=True,
            digest=record.digest,
            text=f"'{name}' is a kernel now: the launcher and every notebook offer it.",
        )

    def unregister(self, name: str, *, image: bool = False) -> RegisteredKernel:
        """Take its kernel away, or that of its packed file; what runs goes on."""
        place = self.layout.place(name)
        kernel = (kernels.image_kernel_name if image else kernels.kernel_name)(name)
        with held_still(place):
            record = read_record(place)
            try:
                kernels.unregister(kernel)
                if not image:
                    write_record(place, record.model_copy(update={"kernel": None}))
            except OSError as error:
                raise _kernel_folder(error) from error
        return RegisteredKernel(
            environment=name,
            kernel=kernel,
            registered=False,
            text=f"'{name}' is no kernel any more. The environment is as it was.",
        )

    def delete(self, name: str, *, force: bool = False) -> DeletedEnvironment:
        """Remove an own environment. Raises what :func:`removing.delete` raises."""
        return removing.delete(self.layout, name, self._users_now(), force=force)

    def collect(self, *, dry_run: bool) -> GcPlan:
        """What nobody uses any more, removed unless ``dry_run``."""
        return removing.collect(self.layout, self._users_now(), dry_run=dry_run)

    def _users_now(self) -> Users:
        return Users.now(self._users)

    def managed_state(self, text: str) -> ManagedEnvironment:
        """The managed environment that ``NAME`` or ``NAME@DIGEST`` names.

        Raises :class:`NotFound`: there is none, or it is in another state (``no-such-state``).
        """
        name, wanted = split_state(text)
        one = find_managed(self.places, name)
        digits = (wanted or "").removeprefix("sha256:")
        if not (one.digest or "").removeprefix("sha256:").startswith(digits):
            raise NotFound(
                f"The managed environment '{name}' is in another state than {digits[:12]}.",
                code="no-such-state",
                field="name",
                hint="It was published anew since. Clone it to keep a state of it.",
            )
        return one

    def _managed_details(
        self, one: ManagedEnvironment, users: Users, rows: Rows
    ) -> EnvironmentDetails:
        record, installed = one.record, self._installed(one)
        packages, row = installed, rows.managed(one, installed)
        if record and one.papers:
            packages = packages_in(read_papers(one.papers, one.name), record.platform)
        where = one.prefix or one.path
        return EnvironmentDetails(
            environment=row,
            packages=packages,
            digest=one.digest or row.inventoried,
            locked=one.digest is not None,
            platform=record.platform if record else None,
            channels=record.channels if record else (),
            made_by=record.made_by if record else None,
            made_at=one.made_at,
            origin=record.origin if record else None,
            images=one.images,
            history=history_of(Place(one.path), record).states if record else (),
            used_by=users.of_prefix(where, one.digest or "", [i.path for i in one.images]),
        )

    def _installed(self, one: ManagedEnvironment) -> tuple[Package, ...]:
        """The inventory of a managed prefix that came without its papers."""
        if one.papers is not None or one.prefix is None:
            return ()
        return self.inventories.of(one.prefix, minor_version(one.prefix))


def _kernel_folder(error: OSError) -> Unavailable:
    return Unavailable(
        f"The kernel's folder cannot be written: {error.strerror}.",
        code="kernel-folder",
        hint=f"Kernels are kept in {kernels.user_kernels()}.",
    )
