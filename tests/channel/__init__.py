"""An offline conda channel for tests, demonstrations and benchmarks.

``python -m tests.channel OUT --size small`` turns wheels of the Python Package Index and the
CPython that runs it into conda packages, and indexes them. No conda program takes part. The
packages use the libraries of this machine (libssl, libffi, …), which a true channel would ship:
good for tests on the machine that built them, not for anything else.
"""
