"""Short-lived access tokens of the login service, for sessions that ask for one."""
