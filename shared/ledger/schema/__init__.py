"""Migrations, and which schema this code can work with."""
