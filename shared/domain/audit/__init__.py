"""The audit trail as plain data: events, chain, export, verification."""
