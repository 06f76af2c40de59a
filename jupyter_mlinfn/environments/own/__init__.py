"""The person's own environments on disk."""
