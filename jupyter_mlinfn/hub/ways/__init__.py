"""The ways in which sessions are run: one spawner class each, and what the plan is to it."""
