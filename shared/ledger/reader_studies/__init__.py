"""Reader studies and their readings."""
