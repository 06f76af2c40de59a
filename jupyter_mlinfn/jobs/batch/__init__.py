"""The program that batch systems run: it makes the attempt, and supervises it in place.

What it needs lies in the job's folder; its start is on the way from accepted to running, so it
imports what the supervisor does and nothing more.
"""
