"""Training runs and their steps as plain data."""
