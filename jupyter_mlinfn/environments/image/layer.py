"""A layer over a packed environment: only what differs from the image below, in a second file.

Laid over its base (overlayfs), it is the whole environment. What the base has and the layer's
lock has not is marked as gone by a device 0/0, as overlayfs reads it, and named in the layer's
list of contents, for who unpacks. The layer names its base's digest and runs over no other.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.image import shelf, squashfs
from jupyter_mlinfn.environments.image.below import look_below
from jupyter_mlinfn.environments.image.contents import BASE
from jupyter_mlinfn.environments.image.normalising import write_papers
from jupyter_mlinfn.environments.image.pack import finish, papers
from jupyter_mlinfn.environments.image.upper import Upper, make_upper
from jupyter_mlinfn.environments.image.verifying import digest_of
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.model.environment_tasks import ImageBelow, PackedImage


def pack_layer(
    lock: Lock,
    platform: str,
    base: Path,
    layout: Layout,
    reporter: Reporter,
    *,
    compressor: str | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> PackedImage:
    """The layer that makes the image ``base`` into the environment of ``lock``.

    Packed, or found in ``layout.images``. Raises what :func:`below.look_below` raises when
    nothing can be laid over ``base``, else what :func:`pack.pack_lock` raises.
    """
    squashfs.mksquashfs()
    below = look_below(base, lock, platform)
    beneath = ImageBelow(path=str(base), digest=digest_of(base, layout.images / ".digests"))
    recipe = shelf.Recipe(
        lock=lock.digest(platform),
        platform=platform,
        format="squashfs",
        compressor=compressor or squashfs.compressor_for(),
        base=beneath.digest,
    )
    if found := shelf.find(layout.images, recipe):
        return found.model_copy(update={"base": beneath})
    with shelf.workplace(layout.images) as work:
        upper = make_upper(lock, platform, below, layout, work, reporter, cancelled)
        folder, image = work / "layer", work / "image"
        _gather(upper, folder)
        _write_papers(folder, lock, platform, upper, beneath.digest)
        _squash(folder, image, upper, recipe.compressor, reporter, cancelled)
        return finish(image, work, recipe, layout, reporter, below=beneath)


def _gather(upper: Upper, folder: Path) -> None:
    """Link the changed files into a folder of their own, with every folder that a mark of
    something gone will lie in.
    """
    folder.mkdir()
    for path in upper.gone:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    for path in upper.changed:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(upper.prefix / path, target, follow_symlinks=False)


def _write_papers(folder: Path, lock: Lock, platform: str, upper: Upper, base: str) -> None:
    marked = upper.whole.model_copy(update={"base": base, "gone": upper.gone})
    write_papers(folder, (*papers(lock, platform, marked), (Path(BASE).name, f"{base}\n")))


def _squash(
    folder: Path,
    image: Path,
    upper: Upper,
    compressor: str,
    reporter: Reporter,
    cancelled: Callable[[], bool],
) -> None:
    total = len(upper.changed)
    reporter.say("packing", done=0, total=total, unit="files")
    squashfs.make(
        folder,
        image,
        compressor,
        whiteouts=[squashfs.Whiteout(path) for path in upper.gone],
        report=lambda done: reporter.say(
            "packing", done=min(done, total), total=total, unit="files"
        ),
        cancelled=cancelled,
    )
