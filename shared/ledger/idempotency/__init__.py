"""Idempotency keys and the receipts of answered requests."""
