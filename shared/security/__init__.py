"""Passwords, authenticators, key files, the key that signs the audit trail, and checks of production settings."""
