"""Which images a file may name: whole references only, pinned, out of the registries it allows."""

from __future__ import annotations

import re
from collections.abc import Iterable

from jupyter_mlinfn.profiles.nearness import listed, shown
from jupyter_mlinfn.profiles.parts import Found, Parts

_HOST = r"(?:[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9](?:[a-z0-9-]{0,62}))*(?::[0-9]{1,5})?/)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_HOST}{_PART}(?:/{_PART})*", re.ASCII)
_REFERENCE = re.compile(
    rf"(?P<name>{_HOST}{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)


def registries_are_plain(parts: Parts) -> Found:
    """Each is the beginning of names, up to a slash, or the whole name of one image."""
    registries = parts.ceiling.registries if parts.ceiling else ()
    for at, registry in enumerate(registries):
        if len(registry) > 255 or not _NAME.fullmatch(registry.removesuffix("/")):
            yield (
                ("ceiling", "registries", at),
                f"{shown(registry)} is no beginning of image names. Write it with its last slash, "
                "such as 'registry.example.org/physics/', or the whole name of one image without "
                "its tag.",
            )


def images_are_allowed(parts: Parts) -> Found:
    """Each has a tag or a digest and lies in an allowed registry; without any, a digest."""
    if parts.ceiling is None:
        return
    for name, image in parts.image.items():
        if problem := image_problem(image.reference, parts.ceiling.registries):
            yield ("image", name, "reference"), problem


def image_problem(reference: str, registries: Iterable[str]) -> str | None:
    """Why this image may not be offered; ``None`` where it may."""
    found = _REFERENCE.fullmatch(reference) if len(reference) <= 512 else None
    if found is None:
        return (
            f"{shown(reference)} is no name of an image. Write host/path:tag, or "
            "host/path@sha256: and 64 digits."
        )
    if found["tag"] is None and found["digest"] is None:
        return f"{shown(reference)} has no tag and no digest: what it is could change at any time."
    allowed = list(registries)
    if not allowed:
        if found["digest"]:
            return None
        return (
            "Without [ceiling] registries an image is named by its digest: "
            "host/path@sha256: and 64 digits."
        )
    if any(_is_in(found["name"], registry) for registry in allowed):
        return None
    return (
        f"{shown(found['name'])} is in no allowed registry. Allowed ([ceiling] registries): "
        f"{listed(allowed)}."
    )


def _is_in(name: str, registry: str) -> bool:
    return name.startswith(registry) if registry.endswith("/") else name == registry
