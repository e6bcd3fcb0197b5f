"""The audit trail: append, read, export, verify, seal."""
