"""Routes of the audit trail: reading, exporting and verifying it."""
