"""The database's clock, which gives all times in the ledger."""

from datetime import datetime

from sqlalchemy import DateTime, func, select
from sqlalchemy.orm import Session

NOW = func.clock_timestamp(type_=DateTime(timezone=True))


def database_time(session: Session) -> datetime:
    return session.scalars(select(NOW)).one()
