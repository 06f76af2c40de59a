"""``mlinfn env pack``: whole, as a layer, and what is said where it cannot be."""

from __future__ import annotations

import shutil

import pytest

from tests import parts
from tests.cli.conftest import Program
from tests.cli.test_cli_env import desk, done, mine

pytestmark = pytest.mark.slow

__all__ = ["desk", "mine"]  # fixtures


@pytest.fixture(autouse=True)
def tools() -> None:
    """What packing needs."""
    if shutil.which("mksquashfs") is None or shutil.which("unsquashfs") is None:
        parts.missed("mksquashfs", "it is not installed")
        pytest.skip("squashfs-tools are not installed")


def test_a_layer_over_what_it_was_cloned_from(mine: Program) -> None:
    done(mine.run("env", "clone", "mine", "fit", "--yes"))
    done(mine.run("env", "add", "fit", "greeting=2.0", "--yes"))
    early = mine.run("env", "pack", "fit", "--over", "mine", "--dry-run")
    assert early.code == 1
    assert "'mine' is not packed" in early.err
    assert "mlinfn env pack mine" in early.err

    base = done(mine.run("env", "pack", "mine", "--yes", "--json")).json["result"]["image"]
    told = done(mine.run("env", "pack", "fit", "--over", "mine", "--dry-run"))
    assert "greeting" in told.out
    assert "both files are needed" in told.out
    packed = done(mine.run("env", "pack", "fit", "--over", "mine", "--yes", "--json"))
    image = packed.json["result"]["image"]
    assert image["base"] == {"path": base["path"], "digest": base["digest"]}
    assert image["size"] < base["size"] / 10
    shown = done(mine.run("env", "show", "fit"))
    assert "a layer over" in shown.out

    by_path = done(mine.run("env", "pack", "fit", "--over", base["path"], "--yes", "--json"))
    assert by_path.json["result"]["image"]["digest"] == image["digest"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--format", "sif", "--over", "mine"), 2, "A layer is a squashfs file"),
        (("--container",), 2, "Only a SIF file"),
        (("--format", "sif", "--container"), 4, "No container's root is set"),
        (("--over", "nobody"), 2, "no managed environment named 'nobody'"),
        (("--over", "./no.sqfs"), 2, "cannot be read"),
    ],
)
def test_what_cannot_be_packed_so(
    mine: Program, words: tuple[str, ...], code: int, said: str
) -> None:
    ended = mine.run("env", "pack", "mine", *words, "--yes")
    assert ended.code == code, ended.err
    assert said in ended.err
