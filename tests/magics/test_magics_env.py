"""``%mlinfn env`` in a kernel: the same verbs, where nobody can be asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.magics.conftest import Kernel


def test_an_environment_is_made_in_two_steps(small_channel: Path, plain_kernel: Kernel) -> None:
    config = Path(os.environ["JUPYTER_CONFIG_DIR"]) / "jupyter_mlinfn_config.py"
    config.write_text(f"c.Mlinfn.channels = ['{small_channel.as_uri()}']\n")
    line = "%mlinfn env create mine python greeting=1.0"

    unsure = plain_kernel.run(line)
    assert "--dry-run" in unsure.out
    assert "--yes" in unsure.out
    assert "exit code 2" in unsure.error

    shown = plain_kernel.run(f"{line} --dry-run")
    assert not shown.error
    assert "greeting" in shown.out
    assert "mine" not in plain_kernel.run("%mlinfn env list").out

    made = plain_kernel.run(f"{line} --yes")
    assert not made.error
    assert "Installing 3 packages" in made.out
    assert "'mine' is ready" in made.out
    assert made.err == ""
    assert "mine" in plain_kernel.run("%mlinfn env list").out
