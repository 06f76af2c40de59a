"""Files as installers leave them."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, text: str = "") -> Path:
    """A file with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def add_distribution(site: Path, name: str, version: str, installer: str = "pip") -> Path:
    """What an installer records of one package."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    write(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText")
    write(info / "INSTALLER", f"{installer}\n")
    return info


def program(path: Path) -> Path:
    """An executable file."""
    write(path, "#!/bin/sh\n").chmod(0o755)
    return path


def site_of(prefix: Path) -> Path:
    """The site-packages of a made prefix."""
    (site,) = prefix.glob("lib/python*/site-packages")
    return site
