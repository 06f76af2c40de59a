"""Slurm by its own programs: ``sbatch``, ``squeue``, ``sinfo``, ``scancel``, ``sacct``."""
