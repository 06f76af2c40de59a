"""The cells, one after the other, with nbclient: outputs, events and the partial notebook."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.runner.kernel import StartedKernel
from jupyter_mlinfn.jobs.runner.leaving import Leaving
from jupyter_mlinfn.jobs.runner.logfile import LogFile, plain
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome, begin, signal_name, write_result
from jupyter_mlinfn.jobs.runner.outputs import Outputs
from jupyter_mlinfn.jobs.runner.partial import PartialNotebook
from jupyter_mlinfn.jobs.runner.scraps import note_scrap
from jupyter_mlinfn.jobs.runner.stopping import Stopping

_START_WITHIN = 120.0
_SHUTDOWN_WITHIN = 10.0
_LARGEST_MESSAGE = 128 * 2**20
_POLL = 0.01
_BROKEN_OFF = {"abort", "aborted"}
"""What kernels answer of a cell that was interrupted, where IPython answers with an error."""


class Cells(NotebookClient):  # type: ignore[misc]
    """nbclient's loop over one cell, with a process of ours instead of a kernel manager."""

    outputs: Outputs
    values: Path
    alive: Callable[[], bool]
    clear_before_next_output: bool

    async def _async_check_alive(self) -> None:
        if not self.alive():
            raise DeadKernelError("Kernel died")

    async def _check_raise_for_error(self, cell: Any, cell_index: int, exec_reply: Any) -> None:
        if exec_reply and exec_reply["content"]["status"] in _BROKEN_OFF:
            raise CellExecutionError("", "Interrupted", "the kernel broke off what the cell did.")
        await super()._check_raise_for_error(cell, cell_index, exec_reply)

    def clear_output(self, outs: Any, msg: Any, cell_index: int) -> None:
        super().clear_output(outs, msg, cell_index)
        if not outs:
            self.outputs.cleared()

    def _update_display_id(self, display_id: Any, msg: Any) -> None:
        super()._update_display_id(display_id, msg)
        self.outputs.changed = True

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
        """Streams are gathered and go to the log as they come; everything else has a size."""
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if self.clear_before_next_output and not hooked:
            # here, not in nbclient, which never learns of an output that is left out
            outs.clear()
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
            self.outputs.cleared()
        if msg["msg_type"] == "stream" and not hooked:
            return self.outputs.stream(outs, msg["content"])
        self.outputs.settle()
        note_scrap(self.values, msg)
        if msg["msg_type"] == "stream":
            self.outputs.to_log(msg["content"])
        if not hooked and self.outputs.too_large(outs, msg):
            return None
        return super().output(outs, msg, display_id, cell_index)


class NotebookRun:
    """One run of one notebook in a kernel that is starting."""

    def __init__(
        self,
        folder: AttemptFolder,
        notebook: Any,
        kernel: StartedKernel,
        log: LogFile,
        stopping: Stopping,
    ) -> None:
        self.folder = folder
        self.notebook = notebook
        self.kernel = kernel
        self.log = log
        self.stopping = stopping
        self.outputs = Outputs(log)
        self.partial = PartialNotebook(folder, notebook, self.outputs)
        self.client: Any = AsyncKernelClient()
        self.total = sum(_runs(cell) for cell in notebook.cells)
        self.done = 0

    async def run(self) -> Outcome:
        """All cells, then the result. Raises :class:`Ended` when the kernel does not start."""
        await self._connect()
        await self._prepare()
        self.stopping.check()
        begin(self.folder, self.total)
        self.partial.save()
        task = asyncio.ensure_future(self._cells())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stopping.on_signal)
        leaving = Leaving(self.folder, self.client, self.kernel, self.log)
        self.stopping.then(lambda: leaving.begin(task))
        saving = asyncio.ensure_future(self.partial.keep_saving())
        try:
            outcome = await task
        except asyncio.CancelledError:
            outcome = Outcome("stopped", cells_done=self.done, cells_total=self.total)
        finally:
            saving.cancel()
        self.partial.finish()
        if outcome.state == "stopped":
            await leaving.done()
        self.log.flush()
        write_result(self.folder, outcome)
        await self._shut_down()
        return outcome

    # --- the kernel -----------------------------------------------------------------------------

    def alive(self) -> bool:
        """Whether the kernel's process lives."""
        return self.kernel.process.poll() is None

    async def _connect(self) -> None:
        about = self.kernel.connection
        self.client.load_connection_info({**about, "key": about["key"].encode()})
        sockets = Path(f"{about['ip']}-{about['shell_port']}")
        if about["transport"] == "ipc":
            # the kernel makes its sockets when it is ready to listen: seeing them is faster than
            # having connections refused and tried again
            await self._until(sockets.exists)
        self.client.start_channels(stdin=False, hb=False)
        self.client.allow_stdin = False  # nobody could answer input()
        # one cell that prints a gigabyte in one piece must not take all of our memory
        self.client.iopub_channel.socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST_MESSAGE)
        self.client.is_alive = self.alive
        ready = self._answers(self.client.kernel_info)
        await self._within(ready)

    async def _until(self, seen: Callable[[], bool]) -> None:
        until = time.monotonic() + _START_WITHIN
        while not seen():
            if not self.alive() or time.monotonic() > until:
                raise self._no_start()
            self.stopping.check()
            await asyncio.sleep(_POLL)

    async def _within(self, ready: Awaitable[None]) -> None:
        task = asyncio.ensure_future(ready)
        until = time.monotonic() + _START_WITHIN
        while not task.done():
            if not self.alive() or time.monotonic() > until:
                task.cancel()
                raise self._no_start()
            self.stopping.check()
            await asyncio.wait({task}, timeout=0.1)
        await task

    async def _answers(self, ask: Callable[[], str]) -> None:
        """Ask until the answer and its traffic on iopub arrive: then no output is missed."""
        while True:
            asked = ask()
            while True:
                reply = await self._next(self.client.shell_channel, 5.0)
                if reply is None or reply["parent_header"].get("msg_id") == asked:
                    break
            if reply is not None and await self._next(self.client.iopub_channel, 1.0) is not None:
                info = reply["content"].get("language_info")
                if info:
                    self.notebook.metadata["language_info"] = info
                return

    async def _next(self, channel: Any, within: float) -> Any:
        if not await channel.socket.poll(within * 1000):
            return None
        return await channel.get_msg(timeout=0.1)

    def _no_start(self) -> Ended:
        self.log.flush()
        if self.alive():
            text = f"The kernel did not answer within {_START_WITHIN:.0f} s of its start."
        else:
            text = f"The kernel ended while it started (exit code {self.kernel.process.poll()})."
        return Ended(Outcome.failed("kernel-died", f"{text} The log holds what it said."))

    async def _prepare(self) -> None:
        """Local modules as they were captured come first on ``sys.path``."""
        modules = self.folder.bundle / "modules"
        language = self.notebook.metadata.get("language_info", {}).get("name", "")
        if language != "python" or not modules.is_dir():
            return
        code = f"import sys as _s; _s.path.insert(0, {str(modules)!r}); del _s"
        asked = self.client.execute(code, silent=True, store_history=False, allow_stdin=False)
        while self.alive():
            reply = await self._next(self.client.shell_channel, 1.0)
            if reply is not None and reply["parent_header"].get("msg_id") == asked:
                return

    async def _shut_down(self) -> None:
        """Let the kernel end by itself, so that what it does at exit is done."""
        if self.alive() and not self.stopping.asked:
            self.client.shutdown()
            until = time.monotonic() + _SHUTDOWN_WITHIN
            while self.alive() and time.monotonic() < until and not self.stopping.asked:
                await asyncio.sleep(_POLL)
        self.client.stop_channels()

    # --- the cells ------------------------------------------------------------------------------

    async def _cells(self) -> Outcome:
        cells = Cells(
            self.notebook,
            timeout=None,
            record_timing=True,
            store_widget_state=True,
            iopub_timeout=10,
        )
        cells.kc, cells.outputs, cells.alive = self.client, self.outputs, self.alive
        cells.values = self.folder.values
        cells.reset_execution_trackers()
        try:
            for index, cell in enumerate(self.notebook.cells):
                if _runs(cell) and not self.stopping.asked:
                    await self._cell(cells, cell, index)
            cells.set_widgets_metadata()
        except CellExecutionError as error:
            return self._outcome(*self._error(error))
        except DeadKernelError:
            return self._outcome("kernel-died", self._death())
        # a cell that takes the interrupt and goes on did not do all it was there for
        state: Literal["stopped", "succeeded"] = "stopped" if self.stopping.asked else "succeeded"
        return Outcome(state, cells_done=self.done, cells_total=self.total)

    async def _cell(self, cells: Cells, cell: Any, index: int) -> None:
        counts = {"cells_done": self.done, "cells_total": self.total}
        self.folder.event("cell-start", cell=self.done + 1, index=index, **counts)
        started = time.monotonic()
        try:
            await cells.async_execute_cell(cell, index, execution_count=self.done + 1)
        finally:
            self.outputs.settle()
            self.log.flush()
        self.done += 1
        self.partial.save()
        self.folder.event(
            "cell-done",
            cell=self.done,
            index=index,
            seconds=round(time.monotonic() - started, 3),
            cells_done=self.done,
            cells_total=self.total,
        )

    def _error(self, error: CellExecutionError) -> tuple[str, str]:
        name, value = plain(error.ename) or "an error", plain(error.evalue)[:500].strip()
        self.log.write(plain(error.traceback) + "\n")
        where = f"Cell {self.done + 1} of {self.total} ended with {name}: {value}"
        if name == "OSError" and "[Errno 28]" in value:
            return "disk-full", f"{where} Free some space and run the job again."
        return "notebook-error", where

    def _death(self) -> str:
        code = self.kernel.process.poll()
        how = f"by signal {signal_name(-code)}" if code and code < 0 else f"({code})"
        return (
            f"The kernel ended {how} while cell {self.done + 1} of {self.total} ran. "
            "What was there before was kept."
        )

    def _outcome(self, code: str, text: str) -> Outcome:
        if self.stopping.asked:
            return Outcome("stopped", cells_done=self.done, cells_total=self.total)
        reason = {"code": code, "text": text}
        return Outcome("failed", reason, cells_done=self.done, cells_total=self.total)


def _runs(cell: Any) -> bool:
    """Whether nbclient executes this cell."""
    skipped = "skip-execution" in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and bool(cell.source.strip()) and not skipped
