"""Retraining: dataset -> recipe -> bundle -> ledger."""
