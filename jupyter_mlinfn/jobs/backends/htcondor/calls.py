"""What is asked of HTCondor, each with a deadline, through the program that speaks with it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.jobs.backends.htcondor import parsing
from jupyter_mlinfn.jobs.backends.htcondor.parsing import Cluster, CondorJob, Slot
from jupyter_mlinfn.model.errors import Refused, Unavailable
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.feed import LineFeed
from jupyter_mlinfn.process.redaction import redact

_ANSWERS_WITHIN: Final = 15.0
_TELLS_WITHIN: Final = 3.0
_SUBMITS_WITHIN: Final = 30.0
_FETCHES_WITHIN: Final = 3600.0
_TAKES_OVER_WITHIN: Final = 20.0
_LOOKS_EVERY: Final = 0.3
_LEAST_PER_SECOND: Final = 2**20
"""Bytes: a line that is slower than that is given up."""
_FRESH_FOR: Final = 40.0
"""Seconds after its last question for which the program surely waits for the next one."""

_PASSED: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "LD_LIBRARY_PATH", "CONDOR_CONFIG",
    "KRB5CCNAME", "KRB5_CONFIG", "X509_USER_PROXY", "X509_CERT_DIR", "BEARER_TOKEN_FILE",
    "XDG_RUNTIME_DIR",
)  # fmt: skip
_CONFIGURATIONS: Final = ("/etc/condor/condor_config", "/usr/local/etc/condor_config")
_OURS: Final = "MLInfnJobId =!= undefined"
_MOST: Final = 64
"""So many jobs are looked up in the history, or removed one by one, at once."""
_WHY: Final = "cancelled in JupyterLab"
_TIDY: Final = "ended already"
_RELEASED: Final = "released in JupyterLab"


def missing(site: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Why HTCondor cannot be asked here; empty when it can. Starts nothing."""
    if find_spec("htcondor2") is None:
        return (
            "HTCondor's Python package is not installed here. It comes with "
            "'pip install jupyter_mlinfn[htcondor]'."
        )
    configured = (
        site.get("pool")
        # the bindings name this one themselves where they are loaded and find none
        or environ.get("CONDOR_CONFIG", os.devnull) not in ("", os.devnull)
        or environ.get("_CONDOR_COLLECTOR_HOST")
        or any(Path(path).is_file() for path in _CONFIGURATIONS)
    )
    return "" if configured else "HTCondor is not set up on this machine, and no pool is named."


class Speaker:
    """The program, started when it is needed. Thread-safe: one question at a time."""

    def __init__(self, site: Mapping[str, str]) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._feed: LineFeed | None = None
        self._asked_at = 0.0

    def ask(self, what: str, within: float, **given: object) -> Any:
        """Raises :class:`Refused` and :class:`Unavailable`; takes ``within`` seconds at most."""
        until = time.monotonic() + within
        if not self._lock.acquire(timeout=within):
            raise silent("another question is not answered yet")
        try:
            line = self._converse(what, until, given)
        finally:
            self._lock.release()
        told = json.loads(line)
        if "refused" in told:
            why = redact(str(told["refused"]))
            does = "change" if what == "edit" else "take"
            raise Refused(f"HTCondor does not {does} this job: {why}", code="refused-by-system")
        if "silent" in told:
            raise silent(redact(str(told["silent"])))
        return told["told"]

    def _converse(self, what: str, until: float, given: Mapping[str, object]) -> bytes:
        feed = self._living()
        left = max(0.1, until - time.monotonic())
        question = {"ask": what, "with": given, "within": left + 1}
        feed.send(json.dumps(question).encode() + b"\n")
        line = feed.wait_for_line(left)
        self._asked_at = time.monotonic()
        if line is None:
            feed.abandon()
            self._feed = None
            raise silent("it did not answer in time")
        return line

    def _living(self) -> LineFeed:
        """The program; a new one where the last one may have gone because nobody asked."""
        if self._feed is not None:
            if not self._feed.ended and time.monotonic() - self._asked_at < _FRESH_FOR:
                return self._feed
            self._feed.abandon()
        argv = own_program("jupyter_mlinfn.jobs.backends.htcondor.speaking")
        self._feed = LineFeed(argv, environment(self._site, os.environ))
        return self._feed

    def close(self) -> None:
        """End the program; the next question starts another one."""
        with self._lock:
            if self._feed is not None:
                self._feed.abandon()
                self._feed = None


class Calls:
    """Each question once. All raise :class:`Unavailable` when HTCondor does not answer."""

    def __init__(self, site: Mapping[str, str]) -> None:
        self._schedd = site.get("schedd", "")
        # a person who waits for an offer does not wait for the question about all jobs
        self._watching, self._serving = Speaker(site), Speaker(site)
        # and neither waits for files that are on their way
        self._moving = Speaker(site)

    def jobs(self) -> tuple[tuple[CondorJob, ...], tuple[Cluster, ...]]:
        """All jobs of ours that are in the queue, and the clusters that have still to make some."""
        told = self._asked(self._watching, _OURS)
        return _read(told), parsing.clusters(told)

    def named(self, job: str) -> tuple[CondorJob, ...]:
        """The job of this id, in the queue and in the history, the oldest one first."""
        constraint = f"MLInfnJobId =?= {_quoted(job)}"
        told = self._asked(self._serving, constraint)
        found = (*_read(told), *self.remembered([job]))
        return tuple(sorted(set(found), key=lambda one: (one.cluster, one.proc)))

    def cluster_of(self, job: str, token: str) -> str | None:
        """The number of the cluster of a sweep that was submitted with this token."""
        constraint = f"MLInfnJobId =?= {_quoted(job)} && MLInfnToken =?= {_string(token)}"
        told = self._asked(self._serving, constraint)
        found = {one.cluster for one in _read(told)} | {
            one.cluster for one in parsing.clusters(told)
        }
        if not found:
            found = {one.cluster for one in self._history(constraint, 1)}
        return str(max(found)) if found else None

    def remembered(self, jobs: Sequence[str]) -> tuple[CondorJob, ...]:
        """What the history knows of these jobs."""
        if not jobs:
            return ()
        which = " || ".join(f"MLInfnJobId =?= {_quoted(job)}" for job in jobs[:_MOST])
        return self._history(f"MLInfnPoint =?= undefined && ({which})", 2 * _MOST)

    def remembered_points(self, cluster: str, indexes: Sequence[int]) -> tuple[CondorJob, ...]:
        """What the history knows of some points of a sweep's cluster."""
        which = " || ".join(f"MLInfnPoint == {int(index)}" for index in indexes[:_MOST])
        return self._history(f"{_OURS} && ClusterId == {int(cluster)} && ({which})", _MOST)

    def slots(self) -> tuple[Slot, ...]:
        """What there is and what is free."""
        return parsing.slots(self._serving.ask("slots", _TELLS_WITHIN))

    def domain(self) -> str:
        """The name of the file system that this machine shares."""
        return str(self._serving.ask("domain", _TELLS_WITHIN))

    def submit(
        self, description: Mapping[str, str], items: Sequence[Mapping[str, str]] = ()
    ) -> str:
        """Hand a job over, or one for each of ``items``; the number of its cluster.

        Raises :class:`Refused` when HTCondor will never take it, :class:`Unavailable` when it may
        have taken it or may take it later.
        """
        told = self._serving.ask(
            "submit",
            _SUBMITS_WITHIN,
            schedd=self._schedd,
            description=dict(description),
            items=[dict(one) for one in items],
        )
        return str(int(told))

    def send(self, description: Mapping[str, str], size: int) -> str:
        """As :meth:`submit`, with the job's files: ``size`` bytes."""
        told = self._moving.ask(
            "submit", _SUBMITS_WITHIN + size / _LEAST_PER_SECOND, schedd=self._schedd,
            description=dict(description), items=[], spool=True,
        )  # fmt: skip
        return str(int(told))

    def queued(self, job: str, token: str) -> tuple[CondorJob, ...]:
        """The jobs with this token that are in the queue."""
        constraint = f"MLInfnJobId =?= {_quoted(job)} && MLInfnToken =?= {_string(token)}"
        return _read(self._asked(self._serving, constraint))

    def place(self, cluster: str) -> str | None:
        """The folder in the schedd's spool with the files of a job; ``None`` without such a job.

        Raises :class:`Unavailable` also while they are being taken over.
        """
        until = time.monotonic() + _TAKES_OVER_WITHIN
        while True:
            asked = {"schedd": self._schedd, "cluster": int(cluster)}
            told = self._serving.ask("place", _ANSWERS_WITHIN, **asked)
            if not told:
                return None
            if told["status"] == 1:
                return str(told["folder"])
            if time.monotonic() > until:
                raise silent("it is still taking over the files of the sweep")
            time.sleep(_LOOKS_EVERY)

    def fetch(self, cluster: str, files: Sequence[str] = ()) -> None:
        """Have HTCondor write what it keeps of a job, or these of its files, into the folder that
        the job was sent from.

        Raises :class:`Refused` (``nothing-there``) where it keeps nothing.
        """
        asked = {"schedd": self._schedd, "cluster": int(cluster), "files": list(files)}
        try:
            self._moving.ask("retrieve", _FETCHES_WITHIN, **asked)
        except Unavailable as error:
            # it does answer; that our own folder is not there would be told in other words
            if "reading from file" in error.text and "No such file" in error.text:
                raise Refused(error.text, code="nothing-there") from error
            raise

    def remove_points(self, cluster: str, indexes: Sequence[int]) -> None:
        """Take some points of a sweep out of the queue; those that run are told to end."""
        for first in range(0, len(indexes), _MOST):
            some = indexes[first : first + _MOST]
            which = " || ".join(f"MLInfnPoint == {int(index)}" for index in some)
            self._act("Remove", f"ClusterId == {int(cluster)} && ({which})", _WHY)

    def remove(self, cluster: str) -> None:
        """Take a job, or all of a sweep, out of the queue; what runs is told to end."""
        self._act("Remove", f"ClusterId == {int(cluster)}", _WHY)

    def release(self, cluster: str) -> None:
        """Let the held jobs of a cluster go."""
        self._act("Release", f"ClusterId == {int(cluster)} && JobStatus == 5", _RELEASED)

    def amend(self, cluster: str, attributes: Mapping[str, str]) -> int:
        """Change what the held jobs of a cluster ask for; how many there are.

        Raises :class:`Refused` where HTCondor does not allow it.
        """
        constraint = f"{_OURS} && ClusterId == {int(cluster)} && JobStatus == 5"
        told = self._serving.ask(
            "edit", _ANSWERS_WITHIN, schedd=self._schedd, constraint=constraint,
            attributes=dict(attributes),
        )  # fmt: skip
        return int(told)

    def remove_idle(self, clusters: Sequence[str], *, completed: bool = False) -> None:
        """Take jobs that wait or are held out of the queue, and ``completed`` ones."""
        statuses = "(JobStatus == 1 || JobStatus == 5" + completed * " || JobStatus == 4" + ")"
        for first in range(0, len(clusters), _MOST):
            some = clusters[first : first + _MOST]
            which = " || ".join(f"ClusterId == {int(cluster)}" for cluster in some)
            self._act("Remove", f"{statuses} && ({which})", _TIDY)

    def _act(self, action: str, constraint: str, why: str) -> int:
        told = self._serving.ask(
            "act", _ANSWERS_WITHIN, schedd=self._schedd, action=action,
            constraint=f"{_OURS} && {constraint}", why=why,
        )  # fmt: skip
        return int(told)

    def _asked(self, speaker: Speaker, constraint: str) -> object:
        return speaker.ask(
            "jobs",
            _ANSWERS_WITHIN,
            schedd=self._schedd,
            constraint=constraint,
            fields=parsing.FIELDS,
        )

    def _history(self, constraint: str, most: int) -> tuple[CondorJob, ...]:
        told = self._serving.ask(
            "history",
            _ANSWERS_WITHIN,
            schedd=self._schedd,
            constraint=constraint,
            fields=parsing.FIELDS,
            most=most,
        )
        return _read(told)


def environment(site: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """What the speaking program sees: HTCondor's own variables, and what the settings say."""
    passed = {name: environ[name] for name in _PASSED if name in environ}
    passed |= {name: text for name, text in environ.items() if name.startswith("_CONDOR_")}
    told = {
        "_CONDOR_COLLECTOR_HOST": site.get("pool"),
        "_CONDOR_FILESYSTEM_DOMAIN": site.get("filesystem_domain"),
        "_CONDOR_SEC_TOKEN_DIRECTORY": site.get("tokens"),
    }
    return passed | {name: text for name, text in told.items() if text}


def silent(why: str) -> Unavailable:
    """Nobody can say."""
    return Unavailable(f"HTCondor does not answer ({why}).", code="htcondor-silent")


def _read(told: object) -> tuple[CondorJob, ...]:
    found, unread = parsing.jobs(told)
    if unread:
        # what cannot be read may be a job that would count as gone
        raise silent("its answer cannot be read")
    return found


def _quoted(job: str) -> str:
    """A job's id as a ClassAd string. Raises :class:`Refused` for what is no id."""
    if not parsing.is_id(job):
        raise Refused(f"{job!r} is no job.", code="bad-job")
    return f'"{job}"'


def _string(token: str) -> str:
    """A token as a ClassAd string. Raises :class:`Refused` for what is none."""
    if not parsing.TOKEN.fullmatch(token):
        raise Refused("This job's token is damaged.", code="bad-job")
    return f'"{token}"'
