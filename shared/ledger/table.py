"""The base class of all tables, and columns that many of them have.

Times are the database's own, so that no worker's clock matters.
"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import DateTime, Row, Select, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NOW = text("clock_timestamp()")
AnyRow = Row[*tuple[Any, ...]]
"""A row of any columns."""
AnySelect = Select[*tuple[Any, ...]]
"""A query for any columns."""


class Table(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own convention)
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        str: String,
    }


def id_column() -> Mapped[UUID]:
    return mapped_column(primary_key=True, default=uuid4)


def timestamp_column() -> Mapped[datetime]:
    """A column that defaults to the time of the insert."""
    return mapped_column(server_default=NOW)
