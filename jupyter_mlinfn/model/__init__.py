"""Nouns, quantities, states and errors of the house: no I/O, pydantic and the standard library."""
