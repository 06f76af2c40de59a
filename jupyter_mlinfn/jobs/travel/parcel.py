"""What goes: the parcel of a job, packed here and unpacked there.

::

    travel.json          job, token, the Python that packed it, the images it needs
    job.json amendments.json points.jsonl
    bundle/              as it was captured; of kernel.json no variable that is a secret by its name
    work/                declared inputs that lie below the notebook's folder; the job works here
    checkpoints/         those that are whole, where asked for

A secret of the job, its attempts and its notices stay at home.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from jupyter_mlinfn.jobs.attempt import AMENDMENTS, TRAVEL, WORK, read_json
from jupyter_mlinfn.jobs.travel import archive
from jupyter_mlinfn.jobs.travel.archive import Limits, Packer, bad, packing
from jupyter_mlinfn.model.errors import NotFound, Refused
from jupyter_mlinfn.process.durable import sync_folder, write_durably
from jupyter_mlinfn.process.redaction import is_secret_name

_BESIDE: Final = ("job.json", AMENDMENTS, "points.jsonl")
_TOP: Final = frozenset({TRAVEL, *_BESIDE})
_FOLDERS: Final = frozenset({"bundle", WORK, "checkpoints"})


def pack(job_folder: Path, target: BinaryIO, *, checkpoints: bool = True) -> None:
    """Write the parcel of a job as a tar; the same folder gives the same bytes.

    Raises :class:`NotFound` when the job's folder is gone or damaged, :class:`Refused`
    (``input-changed``) when a declared input is not there any more, and OSError.
    """
    spec = _spec(job_folder)
    with packing(target) as packer:
        packer.text(TRAVEL, json.dumps(_travel(job_folder, spec), indent=1).encode())
        for name in _BESIDE:
            packer.file(name, job_folder / name)
        _pack_bundle(packer, job_folder / "bundle")
        for name in sorted(inputs(spec)):
            if not packer.file(f"{WORK}/{name}", Path(spec["workdir"]) / name):
                text = f"The input {name} is not there any more, so the job cannot travel."
                raise Refused(text, code="input-changed")
        if checkpoints and (job_folder / "checkpoints").is_dir():
            packer.tree("checkpoints", job_folder / "checkpoints", hidden=False)


def inputs(spec: Mapping[str, Any]) -> list[str]:
    """The declared inputs that travel: those below the notebook's folder, relative to it."""
    named = (str(file["path"]) for file in spec.get("files", ()) if file.get("role") == "input")
    return [path for path in named if travels(path)]


def travels(path: str) -> bool:
    """Whether an input of this path, relative to the notebook's folder, can come along."""
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and bool(pure.parts)


def images(job_folder: Path) -> dict[str, Path]:
    """The one-file environments that the job needs there, by the digest of their bytes."""
    ref = (read_json(job_folder / "bundle" / "environment.json") or {}).get("ref") or {}
    pairs = (("image", "image_digest"), ("base", "base_digest"))
    return {ref[digest]: Path(ref[path]) for path, digest in pairs if ref.get(path)}


def unpack(
    source: BinaryIO,
    folder: Path,
    *,
    image_folder: Path | None = None,
    limits: Limits | None = None,
) -> None:
    """Unpack a parcel there: ``folder`` is there as a whole afterwards, or not at all.

    Harmless when the same parcel is there already. ``image_folder``: where images lie there, each
    under the name that :func:`image_name` gives. Raises :class:`Refused` for what is no parcel and
    for a folder of another job, OSError.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    try:
        archive.unpack(source, part, _wanted, limits)
        told = _told(part)
        if folder.exists():
            if (read_json(folder / TRAVEL) or {}).get("token") != told["token"]:
                raise bad("another job's folder lies there")
            shutil.rmtree(part)
            return
        (part / WORK).mkdir(mode=0o700, exist_ok=True)
        _settle_in(part, told, image_folder)
        sync_folder(part)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def image_name(digest: str) -> str:
    """The name of an image on the far side. Raises :class:`Refused` for what is no digest."""
    plain = digest.removeprefix("sha256:")
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise Refused(f"{digest[:100]!r} is no digest of an image.", code="bad-digest")
    return f"{plain}.image"


# --- inside -----------------------------------------------------------------------------------


def _spec(job_folder: Path) -> dict[str, Any]:
    spec = read_json(job_folder / "job.json")
    if spec is None:
        text = f"The folder of job {job_folder.name} is gone or damaged."
        raise NotFound(text, code="job-not-found")
    return spec


def _travel(job_folder: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "job": spec["id"],
        "token": spec["token"],
        "python": {"executable": sys.executable, "prefix": sys.prefix},
        "images": {str(path): digest for digest, path in images(job_folder).items()},
    }


def _pack_bundle(packer: Packer, bundle: Path) -> None:
    for path in sorted(bundle.rglob("*")):
        name = f"bundle/{path.relative_to(bundle).as_posix()}"
        if path == bundle / "kernel.json":
            command = json.loads(path.read_bytes())
            env = {k: v for k, v in (command.get("env") or {}).items() if not is_secret_name(k)}
            packer.text(name, json.dumps({**command, "env": env}, indent=1).encode())
        elif path.is_file() and not path.is_symlink():
            packer.file(name, path)


def _wanted(parts: tuple[str, ...]) -> bool:
    return parts[0] in _FOLDERS or (len(parts) == 1 and parts[0] in _TOP)


def _told(part: Path) -> dict[str, Any]:
    told, spec = read_json(part / TRAVEL), read_json(part / "job.json")
    if told is None or spec is None or told.get("token") != spec.get("token"):
        raise bad("it is no parcel of a job")
    return told


def _settle_in(part: Path, told: Mapping[str, Any], image_folder: Path | None) -> None:
    """Say in the bundle where this program's Python and the images lie here."""
    python = told.get("python") or {}
    words = {str(python.get("executable") or ""): sys.executable}
    if image_folder is not None:
        for path, digest in (told.get("images") or {}).items():
            words[path] = str(image_folder / image_name(digest))
    before, here = str(python.get("prefix") or ""), sys.prefix

    def settled(word: Any) -> Any:
        if not isinstance(word, str) or not word:
            return word
        if word in words:
            return words[word]
        inside = before and os.path.dirname(word) == os.path.join(before, "bin")  # noqa: PTH118, PTH120
        if inside and os.path.basename(word).startswith("python"):  # noqa: PTH119
            return sys.executable
        return here if word == before else word

    for name in ("kernel.json", "environment.json"):
        path = part / "bundle" / name
        if (document := read_json(path)) is not None:
            write_durably(path, json.dumps(_mapped(document, name, settled), indent=1))


def _mapped(document: dict[str, Any], name: str, settled: Any) -> dict[str, Any]:
    """The document with the paths of its command, and of the environment, as they are here."""
    if name == "kernel.json":
        return {**document, "argv": [settled(word) for word in document.get("argv", ())]}
    ref = dict(document.get("ref") or {})
    for key in ("prefix", "image", "base"):
        ref[key] = settled(ref.get(key))
    kernel = dict(ref.get("kernel") or {})
    ref["kernel"] = {**kernel, "argv": [settled(word) for word in kernel.get("argv", ())]}
    return {**document, "ref": ref}
