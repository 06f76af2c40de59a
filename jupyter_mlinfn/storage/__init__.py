"""Storage areas: where people's files lie, who sees them, how full they are, and their backups."""
