"""Simulated GPUs: a stand-in for NVIDIA's library in C and a scene that moves over time.

For people who want to see the panel on a machine without a GPU, and for the tests.
"""
