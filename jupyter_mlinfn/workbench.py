"""Builds the configured capabilities once, for server and program alike.

Where two capabilities meet (a job runs in an environment, a job claims an accelerator) they are
introduced to each other here, through the protocols of ``model``. Everything is built at its
first use: a server that nobody asks pays for none of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from jupyter_mlinfn.settings import Mlinfn, load_settings

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.catalogue import Catalogue
    from jupyter_mlinfn.environments.kernels import SpecFinder
    from jupyter_mlinfn.environments.own.layout import Layout
    from jupyter_mlinfn.environments.own.policy import Policy
    from jupyter_mlinfn.environments.own.store import OwnEnvironments
    from jupyter_mlinfn.environments.own.tasks import EnvironmentTasks
    from jupyter_mlinfn.environments.resolver import KernelEnvironments
    from jupyter_mlinfn.environments.search import PackageSearch
    from jupyter_mlinfn.gpus.inventory import GpuInventory
    from jupyter_mlinfn.jobs.actions import JobActions
    from jupyter_mlinfn.jobs.backends.protocol import Backend, BackendContext
    from jupyter_mlinfn.jobs.bulk import BulkActions
    from jupyter_mlinfn.jobs.folders import JobFolders
    from jupyter_mlinfn.jobs.follow import JobFollower
    from jupyter_mlinfn.jobs.reconciler import Reconciler
    from jupyter_mlinfn.jobs.sharing.verbs import JobSharing
    from jupyter_mlinfn.jobs.store import JobStore
    from jupyter_mlinfn.jobs.submission import Submission
    from jupyter_mlinfn.jobs.wishing import Wishing
    from jupyter_mlinfn.model.areas import Area
    from jupyter_mlinfn.model.environments import EnvironmentUser
    from jupyter_mlinfn.storage.overview import Storage

T = TypeVar("T")


class built_once(Generic[T]):  # noqa: N801 - reads as a decorator
    """A property whose value is built at first use, once, whichever thread asks first.

    ``functools.cached_property`` lost its lock in Python 3.12, and two stores on one database
    would be two connection pools.
    """

    def __init__(self, build: Callable[[Any], T]) -> None:
        self.build = build
        self.__doc__ = build.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, bench: None, owner: type) -> built_once[T]: ...
    @overload
    def __get__(self, bench: Workbench, owner: type) -> T: ...
    def __get__(self, bench: Workbench | None, owner: type) -> T | built_once[T]:
        if bench is None:
            return self
        with bench.lock:
            if self.name not in bench.__dict__:
                bench.__dict__[self.name] = self.build(bench)
            value: T = bench.__dict__[self.name]
            return value


class Workbench:
    """All capabilities of one person on one machine, as configured by ``settings``."""

    def __init__(
        self,
        settings: Mlinfn | None = None,
        *,
        root: Path | None = None,
        kernels: SpecFinder | None = None,
    ) -> None:
        """Nothing is built yet.

        ``root`` is the folder of the person's notebooks (default: the current one), ``kernels``
        finds kernel specs (default: Jupyter's own finder): a server passes its own, so that its
        allow-list counts.
        """
        self.settings = settings or load_settings()
        self.root = root
        self.kernels = kernels
        self.lock = RLock()

    @built_once
    def data_dir(self) -> Path:
        """The data folder, made with mode 0700 when it is not there."""
        folder = Path(self.settings.data_dir).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @built_once
    def folders(self) -> JobFolders:
        """The job folders."""
        from jupyter_mlinfn.jobs.folders import JobFolders

        return JobFolders(self.data_dir)

    @built_once
    def database(self) -> Path:
        """The index's file: in the data folder, or on a local disk when that is a network one."""
        from jupyter_mlinfn.database.location import database_path

        return database_path(self.data_dir, "jobs.sqlite")

    @built_once
    def store(self) -> JobStore:
        """The index of jobs; rebuilt from the folders when it was lost."""
        from jupyter_mlinfn.jobs.store import JobStore

        # a locked database is told within two seconds, not waited for
        return JobStore(self.database, self.folders, patience=1.8)

    @built_once
    def environments(self) -> KernelEnvironments:
        """The environments behind this server's kernels, for jobs."""
        from jupyter_mlinfn.environments.resolver import KernelEnvironments

        return KernelEnvironments(self.kernels, self.own)

    @built_once
    def catalogue(self) -> Catalogue:
        """The list of environments for people."""
        from jupyter_mlinfn.environments.catalogue import Catalogue

        return Catalogue(
            self.data_dir,
            folders=self.settings.environment_folders,
            root=self.root,
            finder=self.kernels,
            own=self.own,
            container_root=bool(self.settings.container_root),
        )

    @built_once
    def layout(self) -> Layout:
        """Where own environments lie."""
        from jupyter_mlinfn.environments.own.layout import Layout

        return Layout.of(self.data_dir)

    def policy(self) -> Policy:
        """What the settings allow of environments, as they are now."""
        from jupyter_mlinfn.environments.own.policy import Policy, this_platform

        settings = self.settings
        return Policy(
            user=settings.user,
            platform=this_platform(),
            channels=tuple(settings.channels),
            allowed_channels=tuple(settings.allowed_channels),
            denied_packages=tuple(settings.denied_packages),
            pip_allowed=settings.pip_allowed,
            pip_indexes=tuple(settings.pip_indexes),
            max_size=settings.environment_max_size_bytes,
            max_files=settings.environment_max_files or None,
            cuda=settings.cuda_version or None,
            managed=tuple(settings.managed_environments),
            conda_program=settings.conda_program or None,
            container=settings.container_root or None,
        )

    @built_once
    def tasks(self) -> EnvironmentTasks:
        """What is being done to own environments."""
        from jupyter_mlinfn.environments.own.tasks import EnvironmentTasks

        return EnvironmentTasks(self.layout, self.policy, users=JobsInEnvironments(self))

    @built_once
    def own(self) -> OwnEnvironments:
        """Own and managed environments: what they are, their kernels, their end."""
        from jupyter_mlinfn.environments.own.store import OwnEnvironments

        return OwnEnvironments(
            self.layout,
            managed=self.settings.managed_environments,
            users=JobsInEnvironments(self),
            driver=self.accelerators,
        )

    @built_once
    def package_search(self) -> PackageSearch:
        """Packages of the channels by name."""
        from jupyter_mlinfn.environments.search import PackageSearch

        return PackageSearch(self.policy, self.layout.folder / "repodata")

    @built_once
    def accelerators(self) -> GpuInventory:
        """The accelerators jobs on this machine may claim."""
        from jupyter_mlinfn.gpus.inventory import GpuInventory

        return GpuInventory(simulated=self.settings.gpus_simulated)

    @built_once
    def backend_context(self) -> BackendContext:
        """What a back-end may use."""
        from jupyter_mlinfn.jobs.backends.protocol import (
            BackendContext,
            HTCondorSettings,
            KubernetesSettings,
            LocalSettings,
            SlurmSettings,
            StagingSettings,
            VkdSettings,
            offload_settings,
        )
        from jupyter_mlinfn.jobs.backends.shapes import told_sizes
        from jupyter_mlinfn.process.detach import own_program

        settings = self.settings
        return BackendContext(
            store=self.store,
            folders=self.folders,
            accelerators=self.accelerators,
            dispatcher_command=own_program(
                "jupyter_mlinfn.cli", "local-dispatcher", f"--data-dir={self.data_dir}"
            ),
            state_dir=self.database.parent,
            local=LocalSettings(
                cpus=settings.job_cpus or None,
                memory=settings.job_memory_bytes,
                reserve_memory=settings.reserve_memory_bytes,
            ),
            htcondor=HTCondorSettings(
                options=dict(settings.htcondor_options),
                poll=settings.htcondor_poll_seconds,
            ),
            kubernetes=KubernetesSettings(
                kubeconfig=settings.kubernetes_config,
                namespace=settings.kubernetes_namespace,
                template=settings.kubernetes_template,
                options=dict(settings.kubernetes_options),
                poll=settings.kubernetes_poll_seconds,
                user=settings.user,
                offload=offload_settings(settings.kubernetes_offload),
                staging=StagingSettings(**told) if (told := settings.kubernetes_staging) else None,
                vkd=VkdSettings(**told) if (told := settings.kubernetes_vkd) else None,
                broker=settings.kubernetes_broker,
            ),
            slurm=SlurmSettings(
                programs=settings.slurm_programs,
                options=dict(settings.slurm_options),
                poll=settings.slurm_poll_seconds,
                user=settings.user,
                ssh=settings.slurm_ssh,
                ssh_config=settings.slurm_ssh_config,
            ),
            gpu_types=told_sizes(settings.gpu_types),
        )

    @built_once
    def backends(self) -> Mapping[str, Backend]:
        """The back-ends by name, from the entry points ``jupyter_mlinfn.backends``."""
        from jupyter_mlinfn.jobs.backends.registry import load_backends

        return load_backends(self.backend_context, self.settings.backends)

    @built_once
    def reconciler(self) -> Reconciler:
        """Makes the index say what is true."""
        from jupyter_mlinfn.jobs.reconciler import Reconciler

        return Reconciler(self.store, self.folders, self.backends)

    @built_once
    def submission(self) -> Submission:
        """The way from a request to a job."""
        from jupyter_mlinfn.jobs.queues import OfferedQueues
        from jupyter_mlinfn.jobs.submission import Submission

        settings = self.settings
        return Submission(
            store=self.store,
            folders=self.folders,
            backends=self.backends,
            environments=self.environments,
            user=self.settings.user,
            output_folder=self.settings.output_folder,
            hash_limit=self.settings.hash_limit_bytes,
            places=tuple(self.settings.places),
            answer_within=self.settings.answer_seconds,
            shared_folders=dict(self.settings.shared_folders),
            wishing=self.wishing,
            queues=OfferedQueues(tuple(settings.queues)),
        )

    @built_once
    def wishing(self) -> Wishing:
        """What is asked of jobs beside their run: notices, secrets."""
        from jupyter_mlinfn.jobs.notices.settings import NoticeSettings
        from jupyter_mlinfn.jobs.notices.webhook import HookPolicy
        from jupyter_mlinfn.jobs.wishing import Wishing

        settings = self.settings
        mail = {"host": settings.mail_host, "sender": settings.mail_sender}
        mail |= {"to": settings.mail_to, "security": settings.mail_security}
        hooks = HookPolicy(tuple(settings.webhook_hosts), settings.webhook_private)
        return Wishing(self.store, NoticeSettings(mail, hooks), dict(settings.secrets))

    @built_once
    def actions(self) -> JobActions:
        """What people do with jobs: cancel, delete, clean up, look closer."""
        from jupyter_mlinfn.jobs.actions import JobActions

        return JobActions(self.store, self.folders, self.backends)

    @built_once
    def bulk(self) -> BulkActions:
        """One thing done to many jobs."""
        from jupyter_mlinfn.jobs.bulk import BulkActions

        return BulkActions(self.store, self.actions, self.submission)

    @built_once
    def follower(self) -> JobFollower:
        """Logs, progress and partial notebooks."""
        from jupyter_mlinfn.jobs.follow import JobFollower

        return JobFollower(self.store, self.folders)

    @built_once
    def sharing(self) -> JobSharing:
        """Jobs that people share with each other."""
        from jupyter_mlinfn.jobs.sharing.verbs import JobSharing

        return JobSharing(
            folders=self.folders,
            actions=self.actions,
            points=self.store.points,
            submission=self.submission,
            environments=self.environments,
            places=frozenset(self.backends),
            areas=tuple(self.settings.shared_jobs),
        )

    @built_once
    def storage(self) -> Storage:
        """The storage areas of this session."""
        from jupyter_mlinfn.storage.overview import Storage

        person = os.environ.get("JUPYTERHUB_USER") or self.settings.user
        return Storage(self.areas, person, tasks=self.data_dir / "restores")

    def areas(self) -> tuple[Area, ...]:
        """The areas that the settings or the hub tell, else the folder of the notebooks."""
        from jupyter_mlinfn.storage.areas import TOLD, only_area, read_areas

        told = self.settings.areas or os.environ.get(TOLD, "")
        if told:
            return read_areas(told)
        return (only_area(self.root or Path.cwd(), self.settings.shared_folders),)

    def retain(self) -> int:
        """Apply the retention rule; how many jobs were removed. Output folders stay."""
        days = self.settings.retention_days
        if not days:
            return 0
        from jupyter_mlinfn.model.jobs import CleanupRequest

        request = CleanupRequest(older_than=int(days * 86400), dry_run=False)
        plan = self.actions.cleanup(request)
        return len(plan.items) - len(plan.failed)


class JobsInEnvironments:
    """Tells environments which jobs need them (``model.environments.EnvironmentUsers``)."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def unfinished(self) -> tuple[EnvironmentUser, ...]:
        """The environments of all jobs that wait or run, of every back-end."""
        from jupyter_mlinfn.model.environments import EnvironmentUser

        bench = self._bench
        return tuple(
            EnvironmentUser(
                job=record.id,
                name=record.name,
                environment=record.environment.name,
                digest=record.environment.digest,
            )
            for backend in bench.backends
            for record in bench.store.unfinished(backend)
        )
