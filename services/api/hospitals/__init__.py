"""Routes of hospitals and their settings."""
