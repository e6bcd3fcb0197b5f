"""Postgres: tables, repositories, migrations, and the transaction that holds them together."""

from shared.ledger.ledger import Book, House, Ledger

__all__ = ["Book", "House", "Ledger"]
