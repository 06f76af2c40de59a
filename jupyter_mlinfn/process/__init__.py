"""The only room that starts programs, holds locks, knows processes and writes files durably.

Standard library only, apart from the error tree: the supervisor of every job imports it, and its
start is on the way from submit to running.
"""
