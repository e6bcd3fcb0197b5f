"""Reads a snapshot of the whole ledger for a backup, and restores it."""
