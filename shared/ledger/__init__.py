"""Postgres: tables, repositories, migrations, and the transaction that holds them together."""

from shared.ledger.ledger import HospitalSession, Ledger, SystemSession

__all__ = ["HospitalSession", "Ledger", "SystemSession"]
