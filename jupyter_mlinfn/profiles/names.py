"""Names of people and groups, made safe for containers, labels and folders.

People's names come from a login service and may be whatever it lets them be. Where two of them
meet in one container, label or folder, one person gets another's home (CVE-2020-15110 was one
such meeting). So nothing is ever dropped in silence: what cannot stay as it is gets a hash of the
whole name.
"""

from __future__ import annotations

import base64
import hashlib
import re

LONGEST = 48
"""Characters of a slug at most: with a prefix of 15 it still is a label of Kubernetes (63)."""

_PLAIN = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_TAKEN = frozenset({"root", "nobody", "daemon", "bin", "sys", "default", "localhost"})
_TAKEN_PREFIX = "kube-"
_MARK = "--"
_HASH_BITS = 80


def slug(name: str) -> str:
    """``name`` as at most 48 characters ``a-z``, ``0-9`` and ``-``, the first of them a letter.

    A name of that form without ``--`` stays as it is, unless it means something to a system by
    itself (``root``, ``default``, ``kube-…``). Any other becomes ``<what is left>--<hash>``, where
    the hash is 80 bits of the SHA-256 of the name as it was: two different names never share a
    slug (``a_b`` and ``ab``, ``A`` and ``a``, ``é`` in its two spellings), and no name can be
    chosen so that it is the slug of another.

    A slug with a hash is a name like any other: ``slug`` of it is a third one. Make it once.
    """
    if len(name) <= LONGEST and _PLAIN.fullmatch(name) and not _is_taken(name):
        return name
    # surrogates: a name that came with broken bytes is still a name, and not another's
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[: _HASH_BITS // 8]
    hashed = base64.b32encode(digest).decode("ascii").lower()
    return f"{_stem(name, LONGEST - len(_MARK) - len(hashed))}{_MARK}{hashed}"


def _is_taken(name: str) -> bool:
    return name in _TAKEN or name.startswith(_TAKEN_PREFIX)


def _stem(name: str, longest: int) -> str:
    """What a person still recognises of the name; the hash alone keeps names apart."""
    # only so much of the name is looked at: a name may be megabytes long
    left = re.sub(r"[^a-z0-9]+", "-", name[: 4 * longest].lower()).strip("-")
    if not left[:1].isalpha():
        left = f"x-{left}"
    return left[:longest].strip("-")
