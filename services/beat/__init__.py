"""The clock: rings for whatever waits, so that a lost ring costs only delay."""
