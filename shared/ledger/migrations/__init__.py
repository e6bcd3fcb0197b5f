"""Alembic's migrations of the database schema."""
