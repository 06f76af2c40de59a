"""The one-file form of an environment."""
