"""Passwords, authenticators, key files, audit signing, and checks of production settings."""
