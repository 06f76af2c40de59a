"""What makes a job exact, as rows for people: seed, commit, machine, verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_mlinfn.model.exactness import GitState, Node
    from jupyter_mlinfn.model.jobs import JobDetails

_SHORT = 12


def exact_rows(details: JobDetails) -> Iterator[tuple[str, str]]:
    """Only what is there."""
    spec = details.spec
    if spec.seed is not None:
        yield "Seed", str(spec.seed)
    if spec.git is not None:
        yield "Commit", commit_words(spec.git)
    node = details.attempts[-1].node if details.attempts else None
    if node is not None:
        yield "Machine", node_words(node)
    yield "Fingerprint", details.fingerprint.all
    if details.verdict is not None:
        yield "Compared", f"{details.verdict.text} (with {details.verdict.first})"


def commit_words(git: GitState) -> str:
    """``1a2b3c4d5e6f on main, with changes``."""
    words = git.commit[:_SHORT] if git.commit else "none yet"
    words += f" on {git.branch}" if git.branch else " (no branch)" if git.commit else ""
    if git.dirty:
        kept = " (kept in the bundle)" if git.diff_file else ""
        words += f", with changes{kept}"
    elif git.dirty is False:
        words += ", without changes"
    return f"{words}. {git.note}" if git.note else words


def node_words(node: Node) -> str:
    """``farm7: AMD EPYC 7313, 2 × …, driver 550.54, Linux 6.1``."""
    told = [node.cpu, *node.gpu_models, node.driver and f"driver {node.driver}", node.kernel]
    return f"{node.host}: {', '.join(word for word in told if word)}"
