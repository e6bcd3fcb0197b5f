"""Routes that read, verify and export the audit trail."""
