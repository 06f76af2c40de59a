"""A seeded training whose result depends on every step, and that goes on from its checkpoint."""

from __future__ import annotations

STEPS = 40

TRAINING = f"""
import hashlib, random, time
from pathlib import Path
import mlinfn

start = {{"step": 0, "weights": [0.0] * 50, "random": random.Random(7).getstate()}}
state = mlinfn.load(default=start)
resumed_at = state["step"]
mlinfn.on_eviction(lambda: mlinfn.save(state))

def train(pause, until={STEPS}):
    global state
    draw = random.Random()
    for step in range(state["step"], until):
        draw.setstate(state["random"])
        weights = [w * 0.9 + draw.gauss(0, 1) for w in state["weights"]]
        time.sleep(pause)
        # one assignment: a hook sees the state before this step or after it, never half of both
        state = {{"step": step + 1, "weights": weights, "random": draw.getstate()}}
        mlinfn.record(step=step + 1)

def digest():
    return hashlib.sha256(repr(state["weights"]).encode()).hexdigest()
"""
"""``train(pause, until)`` and ``digest()``; the hook saves, and nothing else does."""

# However slow the machine is: a first attempt is never over before somebody disturbs it.
WAITS = f"""
if not resumed_at:
    train(0.05, {STEPS // 2})
    time.sleep(600)
train(0.0)
"""
CALM = "train(0.0)"
TELLS = "print(resumed_at, digest())"


def undisturbed() -> str:
    """The digest of a run that nothing disturbs, without any job."""
    import random

    draw, weights = random.Random(7), [0.0] * 50
    state = draw.getstate()
    for _ in range(STEPS):
        draw.setstate(state)
        weights = [w * 0.9 + draw.gauss(0, 1) for w in weights]
        state = draw.getstate()
    import hashlib

    return hashlib.sha256(repr(weights).encode()).hexdigest()
