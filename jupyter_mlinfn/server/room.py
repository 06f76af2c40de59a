"""What the handlers share: the workbench, the folder clients may name, threads, live clients."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from importlib import import_module
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from jupyter_mlinfn.server.paths import Root
from jupyter_mlinfn.server.runtime_file import RuntimeFile
from jupyter_mlinfn.server.table import look_up

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp
    from traitlets.config import Config

    from jupyter_mlinfn.gpus.holders import Knowledge
    from jupyter_mlinfn.gpus.sampler import SamplerProcess
    from jupyter_mlinfn.server.broadcast import Broadcast
    from jupyter_mlinfn.server.messages import Topic
    from jupyter_mlinfn.server.session import HubSessionDesk
    from jupyter_mlinfn.settings import Mlinfn
    from jupyter_mlinfn.workbench import Workbench

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
SLOW_THREADS = 2
REFRESH_SECONDS = 1.0
FIRST_IMPORTS = (
    "server.problems",
    "server.reading",
    "server.questions",
    "server.answers",
    "server.jobs",
    "workbench",
    "jobs.store",
    "jobs.submission",
    "jobs.actions",
    "jobs.follow",
    "jobs.reconciler",
    "jobs.backends.local",
    "server.environments",
    "environments.catalogue",
    "environments.own.store",
    "environments.own.tasks",
)


class Room:
    """One per server. Nothing is built, imported or started before the first request."""

    def __init__(self, server: ServerApp, config: Config) -> None:
        self.server = server
        self.config = config
        self.log = server.log
        self.runtime_file = RuntimeFile(server)
        self.runtime_lock = Lock()
        self._lock = Lock()
        self._looking_lock = Lock()
        self._looking: Future[int] | None = None
        self._looked = float("-inf")
        self._looker = ThreadPoolExecutor(1, thread_name_prefix="mlinfn-reconciler")
        self._threads: ThreadPoolExecutor | None = None
        self._slow_threads: ThreadPoolExecutor | None = None
        self._workbench: Workbench | None = None
        self._broadcast: Broadcast | None = None
        self._session: HubSessionDesk | None = None
        self._warm = False
        self._found: dict[str, Callable[..., Any]] = {}
        self.sampler: SamplerProcess | None = None
        self.knowledge: Knowledge | None = None
        self.idle_minutes = 0.0

    @property
    def root(self) -> Root:
        """The folder whose files clients may name; read anew, because it may be set late."""
        contents = self.server.contents_manager
        folder = getattr(contents, "root_dir", "") or self.server.root_dir
        return Root(str(folder), allow_hidden=bool(contents.allow_hidden))

    @property
    def workbench(self) -> Workbench:
        """The capabilities. Call it in a thread: the first call imports and opens things."""
        with self._lock:
            if self._workbench is None:
                from jupyter_mlinfn.settings import Mlinfn
                from jupyter_mlinfn.workbench import Workbench

                settings = Mlinfn(config=self.config)
                self._warn_of_names(settings)
                self._workbench = Workbench(
                    settings,
                    root=Path(self.root.folder),
                    kernels=self.server.kernel_spec_manager,
                )
            return self._workbench

    def _warn_of_names(self, settings: Mlinfn) -> None:
        from jupyter_mlinfn.jobs.backends.naming import misnamed

        for sentence in misnamed(settings.named_backends):
            self.log.warning("%s", sentence)

    @property
    def broadcast(self) -> Broadcast:
        """The live clients and what feeds them; built with the first client."""
        if self._broadcast is None:
            from jupyter_mlinfn.server.broadcast import Broadcast

            self._broadcast = Broadcast(self)
        return self._broadcast

    @property
    def session(self) -> HubSessionDesk:
        """This server's session on a hub; what is asked of it is asked on the event loop."""
        if self._session is None:
            from jupyter_mlinfn.server.session import HubSessionDesk

            self._session = HubSessionDesk()
        return self._session

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``call`` in one of the room's few threads, so that the event loop never waits."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="mlinfn")
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: call(*args, **kwargs)
        )

    async def run_slow(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``call`` in one of the threads for what may take many seconds.

        Removing 18,000 files must not keep the quick answers waiting for a thread.
        """
        if self._slow_threads is None:
            self._slow_threads = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="mlinfn-slow")
        return await asyncio.get_running_loop().run_in_executor(
            self._slow_threads, lambda: call(*args, **kwargs)
        )

    def stir(self, topic: Topic) -> None:
        """Have the live topic looked at soon. Call it on the event loop."""
        if self._broadcast is not None:
            self._broadcast.channels[topic].stir()

    async def find(self, name: str) -> Callable[..., Any]:
        """The function a route names; its module is imported in a thread."""
        if name not in self._found:
            self._found[name] = await self.run(look_up, name)
        return self._found[name]

    async def warm(self) -> None:
        """Import what every request needs, in a thread, once."""
        if not self._warm:
            await self.run(self._import)
            self._warm = True

    async def warm_live(self) -> None:
        """Import what the live socket needs as well, and open the store, in a thread."""
        await self.warm()
        await self.run(self._import_live)

    def _import_live(self) -> None:
        import_module("jupyter_mlinfn.server.broadcast")
        import_module("jupyter_mlinfn.gpus.sampler")
        import_module("jupyter_mlinfn.server.session")
        self.idle_minutes = self.workbench.settings.live_idle_minutes

    def _import(self) -> None:
        # thousands of new objects set off a full collection, which stops all threads for 0.1 s;
        # modules live as long as the server, so the collector need not look at them ever
        gc.disable()
        try:
            for name in FIRST_IMPORTS:
                import_module(f"jupyter_mlinfn.{name}")
            gc.freeze()
        finally:
            gc.enable()

    def refresh(self, patience: float = 0.0) -> None:
        """Let the reconciler look, at most once a second; call it in a thread.

        Waits ``patience`` seconds for what it finds: a batch system that is slow to answer must
        not make the list of jobs slow. The first look after a start of the server heals what
        ended or stopped without us. Raises what the store raises.
        """
        with self._looking_lock:
            if self._looking is None or self._may_look_again(self._looking):
                self._looked = monotonic()
                self._looking = self._looker.submit(self.workbench.reconciler.run_once)
            looking = self._looking
        wait([looking], patience)
        if looking.done():
            looking.result()

    def _may_look_again(self, last: Future[int]) -> bool:
        return last.done() and monotonic() - self._looked >= REFRESH_SECONDS

    def make_sampler(self) -> SamplerProcess:
        """The one sampler, which keeps its history from one watcher to the next."""
        from jupyter_mlinfn.gpus.holders import Knowledge
        from jupyter_mlinfn.gpus.sampler import SamplerProcess

        if self.sampler is None:
            settings = self.workbench.settings
            self.sampler = SamplerProcess(
                interval=settings.gpu_interval,
                simulated=settings.gpus_simulated,
                knowledge=lambda: self.knowledge or Knowledge(),
            )
        return self.sampler

    async def ask_to_save(self, *, kernel_id: str | None, path: str) -> str | None:
        """The path an open page saved the notebook to; ``None`` when no page has it open."""
        if self._broadcast is None:
            return None
        return await self._broadcast.saving.ask(kernel_id=kernel_id, path=path)

    async def close(self) -> None:
        """End what was started: sockets, samplers, feeds, threads that wait for work."""
        if self._broadcast is not None:
            await self._broadcast.close()
        self.runtime_file.remove()
        if self._workbench is not None:
            built = vars(self._workbench)
            if "catalogue" in built:
                await self.run(self._workbench.catalogue.stop_measuring)
            if "package_search" in built:
                await self.run(self._workbench.package_search.close)
        for threads in (self._threads, self._slow_threads):
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)
        self._threads = self._slow_threads = None
        self._looker.shutdown(wait=False, cancel_futures=True)
