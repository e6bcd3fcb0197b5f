"""What the schema says of itself, beside Alembic's own row."""

from sqlalchemy.orm import Mapped, mapped_column

from shared.ledger.table import Table


class SchemaTermsRow(Table):
    """One row: the revision that code must know at least to work with this database."""

    __tablename__ = "schema_terms"
    oldest_code: Mapped[str] = mapped_column(primary_key=True)
