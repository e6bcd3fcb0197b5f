"""Postgres: tables, repositories, migrations, and the transactions on them."""

from shared.ledger.hospital_session import HospitalSession
from shared.ledger.ledger import Ledger
from shared.ledger.system_session import SystemSession
from shared.ledger.transaction import Transaction

__all__ = ["HospitalSession", "Ledger", "SystemSession", "Transaction"]
