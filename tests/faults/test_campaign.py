"""A seeded sample of the campaign; ``make faults N=200`` runs the whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.campaign import Campaign
from tests.faults.scene import VICTIMS
from tests.parts import took_part

ROUNDS = int(os.environ.get("MLINFN_FAULT_ROUNDS", "3"))


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", VICTIMS)
def test_nothing_is_lost_doubled_or_stuck(
    victim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR", "NO_CONFIG"):
        monkeypatch.setenv(f"JUPYTER_{name}", "")
    campaign = Campaign(tmp_path, seed=2026, victims=[victim])
    try:
        campaign.run(ROUNDS)
    finally:
        campaign.scene.end()
    assert campaign.killed[victim] > 0
    took_part(f"kill -9 of {victim}", f"{ROUNDS} rounds, {campaign.killed[victim]} processes")
