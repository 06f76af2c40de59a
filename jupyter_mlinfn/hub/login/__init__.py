"""Who comes in: INDIGO IAM by OpenID Connect, or a simple login for a first try."""
