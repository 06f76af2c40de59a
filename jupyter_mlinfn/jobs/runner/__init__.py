"""The program that runs a job's code: ``python -m jupyter_mlinfn.jobs.runner``.

A program of its own (a face): nbclient with the kernel of the recorded environment, or a script
with its interpreter. It writes the partial notebook, the log and the events as it goes, and ends
with the true reason in ``result.json``.
"""
