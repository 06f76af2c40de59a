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
from jupyter_mlinfn.environments.image.contents import (
    CONTENTS,
    Contents,
    is_compiled,
    read_contents,
)
from jupyter_mlinfn.environments.image.files import open_image
from jupyter_mlinfn.environments.image.normalising import PAPERS
from jupyter_mlinfn.environments.image.pack import build, finish
from jupyter_mlinfn.environments.image.verifying import digest_of
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.model.environment_tasks import PackedImage


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

    Packed, or found in ``layout.images``. Raises :class:`InputError` when ``base`` was not packed
    by this program, else what :func:`pack.pack_lock` raises.
    """
    below = read_contents(open_image(base, platform))
    recipe = shelf.Recipe(
        lock=lock.digest(platform),
        platform=platform,
        format="squashfs",
        compressor=compressor or squashfs.compressor_for(),
        base=digest_of(base, layout.images / ".digests"),
    )
    if found := shelf.find(layout.images, recipe):
        return found
    with shelf.workplace(layout.images) as work:
        whole = build(lock, platform, layout, work, reporter, cancelled)
        changed, gone = difference(below, whole)
        upper = work / "layer"
        _gather(work / "env", upper, changed, gone)
        marked = whole.model_copy(update={"base": recipe.base, "gone": tuple(gone)})
        papers = upper / CONTENTS
        papers.unlink()
        papers.write_text(marked.model_dump_json(), encoding="utf-8")
        reporter.say("packing", done=0, total=len(changed), unit="files")
        image = work / "image"
        squashfs.make(
            upper,
            image,
            recipe.compressor,
            whiteouts=[squashfs.Whiteout(path) for path in gone],
            report=lambda done: reporter.say(
                "packing", done=min(done, len(changed)), total=len(changed), unit="files"
            ),
            cancelled=cancelled,
        )
        return finish(image, work, recipe, layout, reporter)


def difference(below: Contents, whole: Contents) -> tuple[list[str], list[str]]:
    """Files of ``whole`` that are new or other than below; and what is gone, whole folders by
    their name alone. Both sorted.
    """
    changed = [path for path in whole.entries if not _same(path, below, whole)]
    folders: set[str] = set()
    for path in (*whole.entries, CONTENTS):
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    gone: set[str] = set()
    for path in below.entries.keys() - whole.entries.keys():
        top, folder = path, path.rpartition("/")[0]
        while folder and folder not in folders:
            top, folder = folder, folder.rpartition("/")[0]
        if top not in whole.entries:
            gone.add(top)
    return sorted(changed), sorted(gone)


def _same(path: str, below: Contents, whole: Contents) -> bool:
    """Whether the image below has this very file. A compiled one is decided by its source."""
    before, after = below.entries.get(path), whole.entries[path]
    if before != after:
        return False
    if not is_compiled(path):
        return True
    folder, _, name = path.rpartition("/__pycache__/")
    source = f"{folder}/{name.split('.')[0]}.py"
    now = whole.entries.get(source)
    return below.python == whole.python and now is not None and below.entries.get(source) == now


def _gather(prefix: Path, upper: Path, changed: list[str], gone: list[str]) -> None:
    """Link the changed files and the papers into a folder of their own, with every folder that
    a mark of something gone will lie in.
    """
    for path in gone:
        (upper / path).parent.mkdir(parents=True, exist_ok=True)
    papers = [f"{PAPERS}/{path.name}" for path in (prefix / PAPERS).iterdir()]
    for path in [*changed, *papers]:
        target = upper / path
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(prefix / path, target, follow_symlinks=False)
