"""The broker: makes the Jobs of sessions that have no rights in the cluster
(docs/hub-services.md, section 6)."""
