"""The admin's offer: ``profiles.toml`` read, checked, offered, chosen from and planned."""
