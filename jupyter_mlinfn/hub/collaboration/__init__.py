"""Group sessions on the hub: their accounts and roles, who is let in, their page."""
