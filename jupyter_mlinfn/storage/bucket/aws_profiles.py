"""A configuration for the programs of S3: one AWS profile for each bucket, without a key in it.

``AWS_CONFIG_FILE`` names it to kernels and terminals. Each profile says which program gives keys
(``credential_process``), so ``boto3``, ``aws`` and ``s3fs`` ask when they need some and again
before they end.
"""

from __future__ import annotations

import configparser
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.process.durable import write_atomically

VARIABLE: Final = "AWS_CONFIG_FILE"
FILE: Final = "mlinfn-aws-config"
_LARGEST: Final = 2**20


def write_profiles(
    areas: Iterable[Area], folder: Path, program: Sequence[str], environ: Mapping[str, str]
) -> Path | None:
    """Write the file (0600) into ``folder`` and return its path; ``None`` where no bucket needs it.

    ``program`` gives keys when the area's name is put behind it. What the person's own
    configuration says is kept, hers first: a profile of hers is never replaced. Raises OSError.
    """
    wanted = [area for area in areas if area.kind == "bucket" and area.store is not None]
    if not wanted:
        return None
    own = _own(environ)
    taken = _sections(own)
    parts = [own.rstrip("\n") + "\n"] if own else []
    parts += [_profile(area, program) for area in wanted if f"profile {area.name}" not in taken]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    write_atomically(path, "\n".join(parts))
    return path


def _profile(area: Area, program: Sequence[str]) -> str:
    assert area.store is not None
    lines = (
        f"[profile {area.name}]",
        f"credential_process = {shlex.join((*program, area.name))}",
        f"endpoint_url = {area.store.endpoint}",
        f"region = {area.store.region}",
        "request_checksum_calculation = when_required",
        "response_checksum_validation = when_required",
        "s3 =",
        "    addressing_style = path",
    )
    return "\n".join(lines) + "\n"


def _own(environ: Mapping[str, str]) -> str:
    """The person's configuration as it is; nothing where it cannot be read."""
    home = environ.get("HOME") or str(Path.home())
    named = environ.get(VARIABLE) or str(Path(home) / ".aws" / "config")
    path = Path(named).expanduser()
    try:
        if path.name == FILE or not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _sections(text: str) -> set[str]:
    told = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        told.read_string(text)
    except configparser.Error:
        return set()
    return set(told.sections())
