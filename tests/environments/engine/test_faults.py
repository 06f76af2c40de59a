"""A sample of the campaign ``python -m tests.faults.environments``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.environments import Campaign


@pytest.mark.fault
@pytest.mark.timeout(400)
def test_kill_at_random_points(tmp_path: Path, small_channel: Path) -> None:
    seen = Campaign(tmp_path, small_channel, seed=20261121).rounds(8)
    assert sum(seen.values()) == 8
