"""The example of docs/eviction.md, as it is printed there, evicted and run again."""

from __future__ import annotations

import ast
import re
import signal
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.attempt import read_json
from tests.jobs.engine.making import (
    make_attempt,
    next_attempt,
    run_to_end,
    start_supervisor,
    texts,
    wait_for,
)

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "eviction.md"
AROUND = """
import time, mlinfn
from pathlib import Path
def train_one_epoch(weights):
    time.sleep(0.02)
    mlinfn.record(epoch=1)
    return (weights or 0) * 3 % 1000003 + 1
"""


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_example_of_the_page_goes_on_where_it_was(tmp_path: Path) -> None:
    example = examples()[0]
    cells = (AROUND, "print(mlinfn.load())", example, "print(state)")
    folder = make_attempt(tmp_path, *cells, evictable=True, system="slurm", grace=12.0)
    process = start_supervisor(folder)
    wait_for(lambda: folder.values.exists() and folder.values.read_text().count("\n") > 9)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    end = read_json(folder.end)
    assert end is not None
    assert end["state"] == "evicted"
    resumed, *_, last = (one for one in texts(run_to_end(next_attempt(folder))["output"]) if one)
    assert "'epoch':" in resumed  # it had a checkpoint to begin with
    undisturbed = 0
    for _ in range(100):
        undisturbed = undisturbed * 3 % 1000003 + 1
    assert ast.literal_eval(last) == {"epoch": 100, "weights": undisturbed}


def test_every_example_is_python() -> None:
    assert len(examples()) >= 5
    for text in examples():
        compile(text, str(PAGE), "exec")
