"""The whole ledger read at one moment, and filled again from a backup."""
