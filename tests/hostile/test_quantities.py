"""The hostile table through the door ``quantity``."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.quantities import parse_count, parse_duration, parse_memory
from tests.hostile.table import QUANTITIES

PARSERS = {
    "cpus": lambda text: parse_count(text, field="cpus", least=1),
    "memory": parse_memory,
    "time": parse_duration,
}


@pytest.mark.parametrize(("number", "field", "text"), QUANTITIES)
def test_hostile_quantity(number: int, field: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        PARSERS[field](text)
    assert caught.value.field == field
    assert len(caught.value.text) < 200
