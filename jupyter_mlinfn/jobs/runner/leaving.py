"""Leaving a notebook before its end: the cell is interrupted, then the code's hooks are called.

What was registered with ``mlinfn.on_eviction`` is called in the kernel, when the cell in hand is
over; all of it within the time that the supervisor gave.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.runner.kernel import StartedKernel
from jupyter_mlinfn.jobs.runner.logfile import LogFile
from jupyter_mlinfn.jobs.runner.stopping import Notice, notices

_INTERRUPT_WITHIN = 2.0
_SHARE_OF_THE_CELL = 0.5
"""Of the time there is, a cell that holds out against interrupts gets so much at most."""
_POLL = 0.02
_CALL = """\
exec('''import sys
m = sys.modules.get("_mlinfn_checkpoints")
if m: m.told({why!r}, {until!r})
''', {{}})
"""


class Leaving:
    """One way out of one kernel; :meth:`begin` is called when the job is told to end."""

    def __init__(
        self, folder: AttemptFolder, client: Any, kernel: StartedKernel, log: LogFile
    ) -> None:
        self._folder = folder
        self._client = client
        self._kernel = kernel
        self._log = log
        self._work: asyncio.Future[None] | None = None

    def begin(self, cells: asyncio.Future[Any]) -> None:
        """End the cell in hand so that its clean-up code runs; ``cells`` is over soon after."""
        # kept: the loop itself holds tasks only weakly
        self._work = asyncio.ensure_future(self._leave(cells))

    async def done(self) -> None:
        """Wait until there is nothing more to do in the kernel."""
        if self._work is not None:
            await self._work

    async def _leave(self, cells: asyncio.Future[Any]) -> None:
        self._interrupt()
        notice = await self._notice()
        wanted = notice.hooks and self._folder.hooks.exists()
        await self._until_over(cells, notice if wanted else None)
        held_out = not cells.done()
        cells.cancel()
        if wanted and self._alive() and not await self._call_hooks(notice):
            what = "The cell did not stop" if held_out else "The hooks did not end"
            text = f"{what} in the time there was to save. The newest checkpoint counts."
            self._folder.event("note", text=text)
            self._log.write(f"mlinfn: {text}\n")

    async def _notice(self) -> Notice:
        for notice in notices(self._folder):
            if notice is not None:
                return notice
            await asyncio.sleep(_POLL)
        raise AssertionError  # the last one always is a notice

    async def _until_over(self, cells: asyncio.Future[Any], notice: Notice | None) -> None:
        """Interrupt again and again while hooks wait for the cell, else once."""
        patience = _INTERRUPT_WITHIN
        if notice is not None:
            patience = max(patience, notice.left() * _SHARE_OF_THE_CELL)
        until = time.monotonic() + patience
        while True:
            left = until - time.monotonic()
            await asyncio.wait({cells}, timeout=min(_INTERRUPT_WITHIN, max(0.0, left)))
            if cells.done() or left <= _INTERRUPT_WITHIN:
                return
            self._interrupt()

    def _alive(self) -> bool:
        return self._kernel.process.poll() is None

    def _interrupt(self) -> None:
        if not self._alive():
            return
        if self._kernel.interrupt_mode == "message":
            message = self._client.session.msg("interrupt_request", content={})
            self._client.control_channel.send(message)
        else:
            self._kernel.process.send_signal(signal.SIGINT)

    async def _call_hooks(self, notice: Notice) -> bool:
        """Whether the kernel answered in time. What hooks print goes to the log."""
        code = _CALL.format(why=notice.why, until=notice.until)
        while notice.left() > 0 and self._alive():
            asked = self._client.execute(code, silent=True, store_history=False, allow_stdin=False)
            status = await self._answer(asked, notice)
            if status is not None and status not in ("aborted", "abort"):
                return True
            # an error in a cell makes the kernel refuse what came in just behind it
            await asyncio.sleep(_POLL)
        return False

    async def _answer(self, asked: str, notice: Notice) -> str | None:
        """The status of the kernel's reply to ``asked``; ``None`` when none came in time."""
        while notice.left() > 0 and self._alive():
            reply = await self._next(self._client.shell_channel)
            await self._copy_streams(asked)
            if reply is not None and reply["parent_header"].get("msg_id") == asked:
                return str(reply["content"].get("status"))
        return None

    async def _copy_streams(self, asked: str) -> None:
        while (message := await self._next(self._client.iopub_channel, within=0.0)) is not None:
            mine = message["parent_header"].get("msg_id") == asked
            if mine and message["msg_type"] == "stream":
                self._log.write(message["content"]["text"])

    async def _next(self, channel: Any, within: float = 0.1) -> Any:
        if not await channel.socket.poll(within * 1000):
            return None
        return await channel.get_msg(timeout=0.1)
