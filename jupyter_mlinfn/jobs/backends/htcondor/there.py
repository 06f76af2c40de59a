"""What HTCondor starts on a machine that sees none of our folders, in a folder of its own.

``python -I -m …htcondor.there [DIGEST=IMAGE…] [--point POINT]``. There lie ``parcel.tar``, the
images, and from an earlier start ``home.tar`` (of a sweep's point ``home.POINT.tar``). The parcel
is unpacked, :mod:`jupyter_mlinfn.jobs.batch` runs in it as ever, and ``home.tar`` holds the
attempts when it has ended or must give way: HTCondor brings it back, and with it what a later
start goes on from. While the job runs, what is small is put to the submit machine as ``news.tar``
where HTCondor allows that (Chirp); :data:`NEWS` counts them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Final

from jupyter_mlinfn.jobs.attempt import AMENDMENTS
from jupyter_mlinfn.jobs.backends.htcondor.chirp import CONFIG, Chirp
from jupyter_mlinfn.jobs.travel import home, parcel
from jupyter_mlinfn.jobs.travel.giving import attempts, give
from jupyter_mlinfn.process.child import Child, start_child
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.durable import write_durably

PARCEL: Final = "parcel.tar"
HOME: Final = "home.tar"
NEWS_FILE: Final = "news.tar"
POINT: Final = "--point"
NEWS: Final = "ChirpMLInfnNews"
ASKS: Final = "MLInfnAsks"
NOTHING: Final = b"nothing\n"
"""In the place of a tar that there is none of yet: HTCondor misses files it was told of, and does
not take empty ones from a job that runs."""

_LOG: Final = "htcondor.log"
_NEWS_EVERY: Final = 5.0
_NEWS_BYTES: Final = 4 * 2**20
_LOOKS_EVERY: Final = 0.2


class There:
    """One start of a job, or of the point of a sweep, in ``scratch``."""

    def __init__(self, scratch: Path, environ: Mapping[str, str], point: str = "") -> None:
        self.scratch = scratch
        self._point = point
        self._home, self._news = home_file(point), news_file(point)
        self.folder = scratch / "job"
        self.environ = dict(environ)
        self._ending = False
        self._child: Child | None = None
        self._told: object = None
        self._counted = 0
        self._quiet = False

    def run(self, images: Mapping[str, str]) -> int:
        """Everything; the exit code of the job. Raises OSError and what no parcel raises."""
        signal.signal(signal.SIGTERM, self._end)
        self._settle_in(images)
        with (self.folder / _LOG).open("ab") as log:
            told = (str(self.folder), "htcondor", *([self._point] if self._point else ()))
            words = own_program("jupyter_mlinfn.jobs.batch", *told)
            self._child = start_child(
                words, env=self._variables(), cwd=self.scratch, output=log.fileno()
            )
        if self._ending:  # told before there was anybody to tell
            self._child.terminate()
        code = self._wait(self._child)
        self._give()
        return code

    def _settle_in(self, images: Mapping[str, str]) -> None:
        kept = self.scratch / "images"
        kept.mkdir(mode=0o700, exist_ok=True)
        for digest, name in images.items():
            (self.scratch / name).rename(kept / parcel.image_name(digest))
        with (self.scratch / PARCEL).open("rb") as stream:
            parcel.unpack(stream, self.folder, image_folder=kept)
        for earlier in (self._home, self._news):
            came = self.scratch / earlier
            if is_something(came):
                home.take(self.folder, came)
            else:
                came.write_bytes(NOTHING)
        if (asks := _asks(self.environ)) is not None:
            write_durably(self.folder / AMENDMENTS, json.dumps([{"now": asks}]))

    def _variables(self) -> dict[str, str]:
        """The person's home is not here: what looks for one gets this folder."""
        mine = self.environ.get("HOME", "")
        own = {} if os.access(mine, os.W_OK) else {"HOME": str(self.scratch)}
        return {**self.environ, **own}

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True
        if self._child is not None:
            self._child.terminate()

    def _wait(self, child: Child) -> int:
        looked = 0.0
        while (code := child.poll()) is None:
            time.sleep(_LOOKS_EVERY)
            if not self._ending and time.monotonic() - looked > _NEWS_EVERY:
                self._tell()
                looked = time.monotonic()
        return code

    def _tell(self) -> None:
        """Put the news to the submit machine, when there are some; a site may not allow it."""
        state = _state(self.folder)
        if state == self._told or self._quiet:
            return
        content = BytesIO()
        try:
            give(self.folder, content, checkpoints=False)
            if content.tell() > _NEWS_BYTES:
                return
            with Chirp(self.scratch / CONFIG) as chirp:
                if not self._counted and not is_something(self.scratch / self._home):
                    chirp.put(self._home, BytesIO(NOTHING), len(NOTHING))
                size = content.tell()
                content.seek(0)
                chirp.put(self._news, content, size)
                self._counted += 1
                chirp.set_attribute(NEWS, str(int(time.time())))
        except OSError as error:
            sys.stderr.write(f"No news can be told: {error}\n")
            self._quiet = self._counted == 0
            return
        self._told = state

    def _give(self) -> None:
        part = self.scratch / f".{self._home}.part"
        with part.open("wb") as stream:
            give(self.folder, stream)
        part.replace(self.scratch / self._home)
        (self.scratch / self._news).write_bytes(NOTHING)
        if self._ending:
            self._give_myself()

    def _give_myself(self) -> None:
        """HTCondor brings nothing back of a job that was removed, and does not tell the job
        whether it was that or has to give way."""
        try:
            made = self.scratch / self._home
            with Chirp(self.scratch / CONFIG) as chirp, made.open("rb") as stream:
                chirp.put(self._news, BytesIO(NOTHING), len(NOTHING))
                chirp.put(self._home, stream, made.stat().st_size)
        except OSError as error:
            sys.stderr.write(f"The attempts cannot be put home: {error}\n")


def home_file(point: object = "") -> str:
    """The file that holds the attempts of the job, or of this point of a sweep."""
    return HOME if point == "" else f"home.{point}.tar"


def news_file(point: object = "") -> str:
    """The file that holds the news of the job, or of this point."""
    return NEWS_FILE if point == "" else f"news.{point}.tar"


def is_something(path: Path) -> bool:
    """Whether this is a tar, and not what stands in its place."""
    return path.is_file() and path.stat().st_size > len(NOTHING)


def _state(folder: Path) -> object:
    """What the news are made of: names, sizes and times."""
    found = []
    for one in attempts(folder):
        for path in sorted(one.path.iterdir()):
            if path.is_file() and path.name not in ("supervisor.json", "live.json"):
                facts = path.stat()
                found.append((str(path), facts.st_size, facts.st_mtime_ns))
    return found


def _asks(environ: Mapping[str, str]) -> object:
    """What the job asks for since it was changed while it was held; ``None``: it never was."""
    path = Path(environ.get("_CONDOR_JOB_AD", ".job.ad"))
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    found = re.search(rf'^{ASKS} = (".*")$', text, re.MULTILINE)
    return None if found is None else json.loads(json.loads(found[1]))


def main(argv: list[str]) -> int:
    """Run one start of a job; its exit code."""
    os.umask(0o077)
    words, point = argv[1:], ""
    if words[-2:-1] == [POINT]:
        words, point = words[:-2], words[-1]
    images = dict(word.split("=", 1) for word in words)
    return There(Path.cwd(), os.environ, point).run(images)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
