"""The table with the terms of the schema. Alembic's own table has the revision."""

from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table


class SchemaTermsRow(Table):
    """One row: the oldest revision that code must know to work with this database."""

    __tablename__ = "schema_terms"
    oldest_code: Mapped[str] = mapped_column(primary_key=True)
