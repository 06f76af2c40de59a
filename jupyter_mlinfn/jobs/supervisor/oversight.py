"""From a claimed slot to the end of the attempt, whatever dies in between."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.jobs.accelerator_locks import hold
from jupyter_mlinfn.jobs.attempt import TOKEN_VARIABLE, AttemptFolder, Slot, now, read_json
from jupyter_mlinfn.jobs.supervisor.consumption import Consumption
from jupyter_mlinfn.jobs.supervisor.dispatching import DispatcherWatch
from jupyter_mlinfn.jobs.supervisor.launch import inherited_locks, start_runner
from jupyter_mlinfn.jobs.supervisor.live import Live
from jupyter_mlinfn.jobs.supervisor.warning import (
    grace_for,
    limit_is_near,
    time_for_code,
    warn,
    warned_before,
)
from jupyter_mlinfn.process import locks, tree
from jupyter_mlinfn.process.cgroup import ControlGroup
from jupyter_mlinfn.process.durable import write_durably
from jupyter_mlinfn.process.identity import myself, start_time, this_machine

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.supervisor.ending import Stop

_TICK = 0.2
_HEARTBEAT = 5.0
_SETTLE = 3.0
_KILL_WITHIN = 30.0
_MAX_STARTS = 3
_RESERVE = 64 * 1024
_GROUP_PREFIX = "mlinfn-"


class Oversight:
    """One supervisor's work on one attempt. Single-threaded on purpose."""

    def __init__(self, folder: AttemptFolder, slot: Slot) -> None:
        self.folder = folder
        self.slot = slot
        self.locks = inherited_locks(os.environ)
        self.group = ControlGroup(())
        self.runner: int | None = None
        self.stop: Stop | None = None
        self.kill_at = 0.0
        self.started = time.monotonic()
        self.told_to_end = False
        self.dispatcher = DispatcherWatch(slot)
        self.restarted = not this_machine().shares_processes(slot.machine)
        """Whether the machine or container that the slot was given on is not the one of now."""
        self._beat = 0.0
        self._pending: set[int] = set()

    def run(self) -> None:
        """Start or adopt the runner, watch it, end what is left, write the end."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
        tree.become_subreaper()
        self._announce()
        self.use = Consumption(self.group, self.slot.memory, self.members)
        self.live = Live(self.folder, self.slot, self.use)
        self.use.guarded = self.runner is not None and self.group.limits_memory(self.runner)
        if before := warned_before(self.folder):
            # a predecessor had told the job to end
            self.stop, self.kill_at = before
        if self.restarted and not self._over():
            self._give_back("The machine or container was stopped before your code began.")
            return
        while not self._finished():
            if not self._runner_alive() and not self._settles():
                self.end_all()
                if self._over():
                    break
                if not self._start():
                    return
            self.watch()
        self.end_all()
        self._conclude()

    # --- who belongs to the attempt -------------------------------------------------------------

    def members(self) -> set[int]:
        """All processes of the attempt but this one: below us, in the group, by the token."""
        mine = tree.descendants(os.getpid()) | self.group.processes()
        return mine - {os.getpid(), 0} - self.live.pids()

    def remains(self) -> set[int]:
        """:meth:`members` and, slower, those that escaped while no supervisor lived."""
        carried = tree.carrying(TOKEN_VARIABLE, self.slot.attempt_token)
        return self.members() | tree.with_descendants(carried) - {os.getpid()}

    def end_all(self) -> None:
        """Kill every process of the attempt, daemons and escapees too."""
        self.group.kill()
        tree.kill_until_gone(self.remains, within=_KILL_WITHIN, collect=self.collect)

    def collect(self) -> None:
        """Wait for ended children, whoever bore them: a subreaper must."""
        while True:
            try:
                pid, _, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.use.collected(usage.ru_utime + usage.ru_stime)
            self._pending.discard(pid)

    # --- start ----------------------------------------------------------------------------------

    def _announce(self) -> None:
        """Say who supervises, before anything is started; find the groups of a predecessor."""
        before, here = read_json(self.folder.supervisor) or {}, this_machine().as_dict()
        known = before.get("groups", ()) if before.get("machine") == here else None
        if known is not None:
            self.group = ControlGroup(tuple(Path(path) for path in known))
        else:
            # by the token too: a copy of a job's folder must not share a group with the job
            mark = zlib.crc32(self.slot.token.encode())
            name = f"{_GROUP_PREFIX}{self.slot.job}-{self.slot.which}-{mark:08x}"
            self.group = ControlGroup.planned(name)
        about = {**myself(), "at": now(), "groups": [str(path) for path in self.group.folders]}
        write_durably(self.folder.supervisor, json.dumps(about))
        self.group = self.group.create(self.slot.memory)
        if not self.folder.reserve.exists():
            with contextlib.suppress(OSError), self.folder.reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _RESERVE)
        told = read_json(self.folder.runner) or {}
        self.runner = told.get("pid")
        if told.get("machine") == here:
            self.started = told["monotonic"]

    def _start(self) -> bool:
        """Start the runner; ``False`` when the slot was given back instead."""
        starts = 1 + (read_json(self.folder.runner) or {}).get("starts", 0)
        self._note_runner(None, starts)
        if self.slot.accelerators and self.slot.accelerator_locks and not self.locks:
            # a predecessor died before it could hand its locks to a runner
            held = hold(Path(self.slot.accelerator_locks), self.slot.accelerators)
            if held is None:
                return self._give_back("The accelerators were taken by somebody else meanwhile.")
            self.locks = held
        try:
            child = start_runner(self.folder, self.slot, self.group, self.locks)
        except OSError as error:
            self.folder.event("note", text=f"The runner cannot be started: {error}")
            return self._give_back(f"The runner could not be started: {error.strerror}.")
        self._pending.add(child.pid)
        child.returncode = 0  # it is collected by collect(), not by its object
        self.runner = child.pid
        self._note_runner(child.pid, starts)
        self.use.guarded = self.group.limits_memory(child.pid)
        return True

    def _note_runner(self, pid: int | None, starts: int) -> None:
        self.started = time.monotonic()
        about = {
            "pid": pid,
            "start_time": start_time(pid) if pid else None,
            "machine": this_machine().as_dict(),
            "monotonic": self.started,
            "starts": starts,
        }
        write_durably(self.folder.runner, json.dumps(about))

    def _give_back(self, text: str) -> bool:
        """Nothing ran and nothing can run here: let the job wait again."""
        reason = {"code": "not-started", "text": text}
        write_durably(self.folder.returned, json.dumps({"reason": reason, "at": now()}))
        self.group.remove()
        self.dispatcher.wake()
        return False

    # --- is it over -----------------------------------------------------------------------------

    def _finished(self) -> bool:
        """Whether a predecessor came so far that only the end is missing, or nothing may start."""
        return self._over() and not self._runner_alive()

    def _over(self) -> bool:
        """Whether nothing may be started any more."""
        starts = (read_json(self.folder.runner) or {}).get("starts", 0)
        return (
            self.folder.result.exists()
            or self.folder.begun.exists()
            or self.folder.cancelled()
            or self.stop is not None
            or starts >= _MAX_STARTS
        )

    def _runner_alive(self) -> bool:
        if self._pending and self.runner in self._pending:
            return True
        return locks.held(self.folder.runner_lock)

    def _settles(self) -> bool:
        """Give a runner that a dead predecessor has just started the time to take its lock."""
        until = time.monotonic() + _SETTLE
        while time.monotonic() < until:
            if locks.held(self.folder.runner_lock):
                return True
            young = tree.carrying(TOKEN_VARIABLE, self.slot.attempt_token)
            if not young or self.folder.begun.exists() or self.folder.result.exists():
                return False
            time.sleep(0.05)
        return False

    # --- watch ----------------------------------------------------------------------------------

    def watch(self) -> None:
        """Until the runner is gone: heartbeat, limits, cancel, a living dispatcher."""
        while self._runner_alive():
            self._wait()
            self.collect()
            self._heartbeat()
            self.live.look()
            self.dispatcher.look()
            self._enforce()

    def _wait(self) -> None:
        woken = signal.sigtimedwait({signal.SIGCHLD, signal.SIGTERM}, _TICK)
        if woken is not None and woken.si_signo == signal.SIGTERM:
            self.told_to_end = True

    def _heartbeat(self) -> None:
        if time.monotonic() - self._beat > _HEARTBEAT:
            self._beat = time.monotonic()
            try:
                os.utime(self.folder.supervisor)
            except FileNotFoundError:
                # the attempt's folder was removed: the job counts as lost, and nobody would
                # ever hear of it again
                self.end_all()

    def _enforce(self) -> None:
        """Begin to end the job when it must end; kill what does not heed that in time."""
        over_memory = self.use.sample()
        if self.stop is None:
            if self.folder.cancelled():
                self._ask_to_end("cancel")
            elif time.monotonic() - self.started > time_for_code(self.slot, self.folder):
                self._ask_to_end("time-limit")
            elif self.told_to_end:
                self._ask_to_end(self._why_told())
            elif over_memory:
                self._end_hungry()
        elif time.monotonic() > self.kill_at:
            self.end_all()

    def _ask_to_end(self, why: Stop) -> None:
        """The runner has the code's hooks called, saves what it has and ends, all in time."""
        grace = grace_for(why, self.slot, self.folder)
        self.stop, self.kill_at = why, time.monotonic() + grace
        warn(self.folder, why, grace)
        told = read_json(self.folder.runner) or {}
        if self.runner and this_machine().shares_processes(told.get("machine")):
            tree.send(self.runner, signal.SIGTERM, told.get("start_time"))

    def _was_told(self) -> bool:
        return self.told_to_end or signal.SIGTERM in signal.sigpending()

    def _why_told(self) -> Stop:
        """A machine stops; a batch system takes the place back, or its own limit comes near."""
        if not self.slot.system:
            return "session"
        return "time-limit" if limit_is_near(self.slot, os.environ, self.started) else "eviction"

    def _end_hungry(self) -> None:
        """Kill everything but the runner, which then saves the partial notebook and ends."""
        self.stop, self.kill_at = "memory", time.monotonic() + grace_for("memory", self.slot)
        table = tree.living()
        for pid in self.members() - {self.runner}:
            if pid in table:
                tree.send(pid, signal.SIGKILL, table[pid].started)

    # --- the end --------------------------------------------------------------------------------

    def _conclude(self) -> None:
        from jupyter_mlinfn.jobs.supervisor.conclusion import conclude
        from jupyter_mlinfn.jobs.supervisor.farewell import after_the_end

        if self.folder.cancelled() and self.stop is None:
            self.stop = "cancel"
        if self.stop is None and self.slot.system and self._was_told():
            # all processes of the attempt were told at once, and the runner heeded it first
            self.stop = self._why_told()
        conclude(self)
        self.live.close()
        self.group.remove()
        self.group.sweep(_GROUP_PREFIX)
        self.dispatcher.wake()
        after_the_end(self.folder)
