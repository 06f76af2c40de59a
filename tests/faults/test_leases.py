"""A seeded sample of the leases' campaign; ``make faults ON=leases N=1000`` runs the whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.parts import took_part
from tests.systems import postgres
from tests.systems.daemons import Missing

STEPS = os.environ.get("MLINFN_FAULT_STEPS", "40")


@pytest.mark.fault
@pytest.mark.parametrize("on", ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def test_no_device_twice_and_no_lease_leaked(on: str) -> None:
    if on == "postgresql":
        try:
            postgres.programs()
        except Missing as error:
            pytest.skip(f"PostgreSQL: {error}")
    argv = (sys.executable, "-m", "tests.faults.leases", STEPS, "--seed", "2026", "--on", on)
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "0 double, 0 leaked" in done.stdout
    took_part(f"kill -9 of a hub with leases in {on}", f"{STEPS} steps")
