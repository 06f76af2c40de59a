"""The detached program beside each running job: ``python -m jupyter_mlinfn.jobs.supervisor``.

It starts the runner, keeps the job within what it may use, ends the whole process tree, publishes
the results once and writes the end. It may be killed at any moment: another one started for the
same attempt adopts what it finds. Standard library only.
"""
