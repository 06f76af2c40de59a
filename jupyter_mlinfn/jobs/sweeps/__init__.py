"""Sweeps: one job with many points, from what was typed to the table of results."""
