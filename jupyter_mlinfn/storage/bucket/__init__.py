"""Buckets of an object store as areas: short-lived keys, what lies in them, how full they are.

botocore speaks with the store; the server and the command line load it at the first question.
"""
