"""The audit trail: record, read, export, verify, seal."""
