"""Kubernetes by its API, with Kueue where a cluster has it."""
