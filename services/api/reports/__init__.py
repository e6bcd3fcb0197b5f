"""The route of the printable report of a case, and its PDF."""
