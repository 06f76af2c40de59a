"""Texts that come out of a spawner as they went in.

DockerSpawner and KubeSpawner run ``str.format`` over volumes, labels and, KubeSpawner, over the
environment: a folder called ``{username}`` would be another one, and the JSON of ``MLINFN_AREAS``
would end the spawn with a KeyError. Kubernetes replaces ``$(NAME)`` in environment and arguments.
"""

from __future__ import annotations

from typing import Any


def literal(value: Any) -> Any:
    """``value`` (texts in dicts, lists, tuples) so that ``str.format`` gives it back."""
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}")
    if isinstance(value, dict):
        return {literal(key): literal(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(literal(inner) for inner in value)
    return value


def without_references(text: str) -> str:
    """``text`` so that Kubernetes replaces nothing in it: ``$$`` is its ``$``."""
    return text.replace("$", "$$")
