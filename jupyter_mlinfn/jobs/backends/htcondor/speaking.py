"""The program that speaks with HTCondor: ``python -m …htcondor.speaking``, a JSON line a question.

The bindings block for as long as their own timeouts (20 s for a schedd that hangs), keep state that
several threads may not share, and read their configuration once from the environment. Here they
harm nobody: whoever asks kills this program when its time is over. It also ends by itself, by
SIGALRM at the deadline of a question, when its input is closed, and when nobody asks for a while.

Answers: ``{"told": …}``, or ``{"silent": text}`` (nobody can say), or ``{"refused": text}``.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import classad2
import htcondor2

IDLE = 60.0
"""Seconds without a question after which the program ends."""

_REFUSED = re.compile(r"Failed to create job ad|SUBMIT_REQUIREMENT|[Ss]ubmit requirement")
"""What is refused for good: by the submit language itself, or by the owner's own rules."""

_SLOT = (
    "Machine", "Name", "SlotType", "State", "Cpus", "Memory", "GPUs", "TotalSlotCpus",
    "TotalSlotMemory", "TotalSlotGPUs", "FileSystemDomain",
)  # fmt: skip
_TO_COME = "JobMaterializeNextProcId =!= undefined"
_OF_SCHEDD = ("Name", "Machine", "MyAddress", "CondorVersion")


class Pool:
    """One pool and one schedd in it, found at the first question and again after an error."""

    def __init__(self) -> None:
        self._found: tuple[Any, str] | None = None

    def forget(self) -> None:
        """Look for the schedd again at the next question: it may have been started again."""
        self._found = None

    def answer(self, question: Mapping[str, Any]) -> object:
        """What one question asks for."""
        does = getattr(self, f"do_{question['ask']}")
        return does(**question["with"])

    def do_jobs(self, schedd: str, constraint: str, fields: Sequence[str]) -> object:
        """The person's own jobs in the queue, and the clusters that have still to make some."""
        found, mine = self._schedd(schedd)
        wanted = f"({constraint}) && (ProcId =!= undefined || {_TO_COME})"
        whole = htcondor2.QueryOpt.IncludeClusterAd
        return _plain(found.query(_of(mine, wanted), list(fields), opts=whole), fields)

    def do_history(self, schedd: str, constraint: str, fields: Sequence[str], most: int) -> object:
        """The person's own jobs that have left the queue, the newest first."""
        found, mine = self._schedd(schedd)
        return _plain(found.history(_of(mine, constraint), list(fields), most), fields)

    def do_submit(
        self,
        schedd: str,
        description: dict[str, str],
        items: Sequence[dict[str, str]],
        spool: bool = False,
    ) -> object:
        """The number of the new cluster; ``items``: one job each, with these variables. ``spool``:
        its files are sent too."""
        found, _mine = self._schedd(schedd)
        more: dict[str, Any] = {"itemdata": iter(items)} if items else {}
        if spool:
            more["spool"] = True
        made = found.submit(htcondor2.Submit(description), **more)
        if spool:
            found.spool(made)
        return int(made.cluster())

    def do_retrieve(self, schedd: str, cluster: int, files: Sequence[str] = ()) -> object:
        """Write what came back of a job, or these of its files, into its folder; how many jobs
        that were."""
        found, mine = self._schedd(schedd)
        which = _of(mine, f"ClusterId == {int(cluster)}")
        there = len(found.query(which, ["ClusterId"]))
        if there and files:
            names = classad2.quote(",".join(files))
            found.edit(classad2.ExprTree(which), "TransferOutput", names)
        if there:
            found.retrieve(which)
        return there

    def do_place(self, schedd: str, cluster: int) -> object:
        """Where the schedd keeps the files of a job, and the job's status; empty without it."""
        found, mine = self._schedd(schedd)
        which = _of(mine, f"ClusterId == {int(cluster)}")
        ads = found.query(which, ["Iwd", "JobStatus"])
        return {"folder": str(ads[0]["Iwd"]), "status": int(ads[0]["JobStatus"])} if ads else {}

    def do_act(self, schedd: str, action: str, constraint: str, why: str) -> object:
        """Remove, release, hold or vacate the person's own jobs; how many."""
        found, mine = self._schedd(schedd)
        done = found.act(
            getattr(htcondor2.JobAction, action), classad2.ExprTree(_of(mine, constraint)), why
        )
        return int(done["TotalSuccess"]) if done is not None else 0

    def do_edit(self, schedd: str, constraint: str, attributes: Mapping[str, str]) -> object:
        """Change attributes of the person's own jobs; how many of them there are."""
        found, mine = self._schedd(schedd)
        which = _of(mine, constraint)
        there = len(found.query(which, ["ClusterId"]))
        for name, value in attributes.items() if there else ():
            found.edit(classad2.ExprTree(which), name, value)
        return there

    def do_slots(self) -> object:
        """What all machines have and what is free; dynamic slots are part of their machine's."""
        pool, whole = htcondor2.Collector(), 'SlotType =!= "Dynamic"'
        startd = htcondor2.AdType.Startd
        plain = pool.query(startd, f"{whole} && (TotalSlotGPUs ?: 0) == 0", list(_SLOT))
        # the devices are attributes of unforeseeable names
        with_gpus = pool.query(startd, f"{whole} && (TotalSlotGPUs ?: 0) > 0")
        found = [*plain, *with_gpus]
        return [
            {**fields, "devices": _devices(ad)}
            for fields, ad in zip(_plain(found, _SLOT), found, strict=True)
        ]

    def do_domain(self) -> object:
        """What this machine calls the file system it shares with others."""
        return str(htcondor2.param["FILESYSTEM_DOMAIN"])

    def _schedd(self, name: str) -> tuple[Any, str]:
        """The schedd, and what is true of our own jobs there. Raises what the bindings raise, and
        LookupError."""
        if self._found is None:
            ads = htcondor2.Collector().query(htcondor2.AdType.Schedd, projection=list(_OF_SCHEDD))
            ad = _chosen(ads, name)
            told = htcondor2.ping(ad, "WRITE")
            who = str(told.get("MyRemoteUserName") or "")
            if not told.get("AuthorizationSucceeded") or "@" not in who:
                raise LookupError("it does not let this person submit jobs")
            self._found = (htcondor2.Schedd(ad), _by(who))
        return self._found


def _chosen(ads: Sequence[Any], name: str) -> Any:
    """The schedd of this name; without one that of this machine, or the only one there is."""
    if name:
        ads = [ad for ad in ads if ad.get("Name") == name]
    elif len(ads) > 1:
        here = os.uname().nodename.split(".")[0]
        ads = [ad for ad in ads if str(ad.get("Machine")).split(".")[0] == here] or ads
    if len(ads) == 1:
        return ads[0]
    if not ads:
        raise LookupError("the pool tells of no schedd" + (f" called {name}" if name else ""))
    names = ", ".join(sorted(str(ad.get("Name")) for ad in ads)[:5])
    raise LookupError(f"the pool has several schedds ({names}): the settings must name one")


def _by(who: str) -> str:
    """The jobs of a person; versions differ in whether an owner's domain is named."""
    names = (who, who.rsplit("@", 1)[0])
    owners = " || ".join(f"Owner == {classad2.quote(name)}" for name in names)
    return f"(User == {classad2.quote(who)} || {owners})"


def _of(mine: str, constraint: str) -> str:
    return f"{mine} && ({constraint})"


def _plain(ads: Iterable[Any], fields: Sequence[str]) -> list[dict[str, Any]]:
    """Attributes as JSON knows them; what is undefined is left out."""
    found = []
    for ad in ads:
        values = {name: ad.eval(name) for name in fields if name in ad}
        found.append(
            {
                name: value if isinstance(value, (bool, int, float)) else str(value)
                for name, value in values.items()
                if not isinstance(value, classad2.Value)
            }
        )
    return found


def _devices(ad: Any) -> list[dict[str, object]]:
    """The accelerators of a slot: number, model, memory in MiB, whether free."""
    if not ad.get("TotalSlotGPUs"):
        return []
    free = ad.eval("AvailableGPUs") if "AvailableGPUs" in ad else []
    # a list of references to the attributes that describe one device each
    names = {str(one) for one in free} if isinstance(free, list) else set()
    told = {name: ad.get(name) for name in ad if name.startswith("GPUs_")}
    devices = {name: one for name, one in told.items() if isinstance(one, classad2.ClassAd)}
    if devices:
        return [_device(one, name in names) for name, one in devices.items()]
    alike = {
        "DeviceName": ad.get("GPUs_DeviceName"),
        "GlobalMemoryMb": ad.get("GPUs_GlobalMemoryMb"),
    }
    total, left = int(ad["TotalSlotGPUs"]), int(ad.get("GPUs") or 0)
    return [_device(alike, number < left) for number in range(total)]


def _device(told: Any, free: bool) -> dict[str, object]:
    memory = told.get("GlobalMemoryMb")
    return {
        "id": str(told.get("Id") or ""),
        "model": str(told.get("DeviceName") or ""),
        "memory": int(memory) if isinstance(memory, (int, float)) else None,
        "free": free,
    }


def main() -> int:
    """Answer until the input is closed or nobody asks any more."""
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # the bindings write there what they like
        os.dup2(nothing, stream)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    pool, questions = Pool(), sys.stdin.buffer
    while select.select([questions], [], [], IDLE)[0]:
        line = questions.readline()
        if not line:
            return 0
        question = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, float(question["within"]))
        _reply(answers, pool, question)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return 0


def _reply(answers: BinaryIO, pool: Pool, question: Mapping[str, Any]) -> None:
    try:
        told: dict[str, object] = {"told": pool.answer(question)}
    except Exception as error:  # whatever the bindings raise: the text decides
        pool.forget()
        words = " ".join(str(error).split())[:400]
        told = {"refused" if _REFUSED.search(words) else "silent": words}
    answers.write(json.dumps(told).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
