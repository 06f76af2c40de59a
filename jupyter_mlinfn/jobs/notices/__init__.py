"""Telling people that a job has ended: by e-mail and by their own web addresses.

Sent by whoever sees the end: the supervisor where the job ran, else a server or the dispatcher.
Standard library only, as the supervisor is.
"""
