"""What somebody who typed a wrong name may have meant."""

from __future__ import annotations

from jupyter_mlinfn.model.nearness import did_you_mean, near_miss


def test_the_nearest_name_or_none() -> None:
    assert near_miss("epoch", ["rate", "epochs"]) == "epochs"
    assert near_miss("zzz", ["epochs", "rate"]) is None
    assert near_miss(["epochs"], ["epochs"]) is None


def test_it_is_asked_in_words() -> None:
    assert did_you_mean("slrum", ["local", "slurm"]) == " Did you mean 'slurm'?"
    assert did_you_mean("moon", ["local", "slurm"]) == ""
