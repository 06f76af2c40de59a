"""A program that answers conda-lock as conda would, with rattler's solver and no conda.

``python -I -m jupyter_mlinfn.environments.locks.shim [--report FILE] [--cache FOLDER] -- CALL…``.
conda-lock 4.0 asks six things of a conda program (``calls`` lists them); everything else is
refused. What went wrong is also written to ``--report`` as JSON, because conda-lock passes on
only parts of it.
"""
