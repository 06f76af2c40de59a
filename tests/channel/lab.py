"""What ``make lab`` offers a person who has no conda channel: ``python -m tests.channel.lab``.

A channel ``demo`` in ``.build/channels`` and one managed environment made from it, to clone and
to add packages to. Nothing is made for a person who set ``MLINFN_CHANNELS``. Without wheels the
lab starts all the same; this says so and ends with 0.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from tests.channel.build import CACHE, STAMP, build, is_current
from tests.channel.downloads import DownloadFailed

MANAGED = CACHE.parent / "lab-managed"
NAME = "ml-base"
SPECS = ["python", "ipykernel", "pip", "numpy", "pandas", "matplotlib"]
"""Not ``scipy``, ``tqdm``, ``rich`` and ``humanize``: they are there to be added."""

WITHOUT = """{failure}
So there is no conda channel to try environments with: packages come from conda-forge where this
machine reaches it (MLINFN_CHANNELS names others). Everything else in the lab works as always."""


def main() -> None:
    """Make what is missing, and say in a line what there is."""
    if os.environ.get("MLINFN_CHANNELS"):
        return
    channel = CACHE / "demo"
    if not is_current(channel, "demo"):
        print(
            "Making a small conda channel from wheels (half a minute the first time)…", flush=True
        )
    try:
        build(channel, "demo")
    except DownloadFailed as failure:
        if not channel.exists():
            print(WITHOUT.format(failure=failure))
            return
    made_of = MANAGED.with_suffix(".made-of")
    stamp = (channel / STAMP).read_text(encoding="utf-8")
    known = made_of.read_text(encoding="utf-8") if made_of.exists() else ""
    if not (MANAGED / NAME).exists() or known != stamp:
        asyncio.run(_install(channel))
        made_of.write_text(stamp, encoding="utf-8")
    print(
        f"Environments: the managed one '{NAME}' is there to clone; packages come from {channel}."
    )


async def _install(channel: Path) -> None:
    """The managed environment, in its place only when it is whole."""
    from rattler import Gateway, MatchSpec, Subdir, VirtualPackage, install, solve

    MANAGED.mkdir(parents=True, exist_ok=True)
    staging, final = MANAGED.parent / "lab-managed-staging", MANAGED / NAME
    shutil.rmtree(staging, ignore_errors=True)
    cache = MANAGED.parent / "lab-packages"
    records = await solve(
        [channel.as_uri()],
        SPECS,
        gateway=Gateway(cache_dir=cache / "repodata"),
        platforms=[Subdir.current(), "noarch"],
        virtual_packages=VirtualPackage.detect(),
    )
    await install(
        records,
        staging,
        cache_dir=cache / "packages",
        show_progress=False,
        alternative_target_prefix=final,
        # MatchSpec itself is refused (py-rattler 0.28).
        requested_specs=[MatchSpec(spec)._match_spec for spec in SPECS],
    )
    shutil.rmtree(final, ignore_errors=True)
    staging.rename(final)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # As in installing.py: rattler's threads can crash a Python that is finalising.
    os._exit(0)
