"""The one place where a hospital's scope is applied."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])


class Scoped:
    """A repository that sees one hospital's rows; each query passes through `_mine`."""

    def __init__(self, session: Session, hospital: UUID) -> None:
        self._session = session
        self._hospital = hospital

    def _mine(self, query: Query, table: type[Any]) -> Query:
        """Of a table with a `hospital_id`, only this hospital's rows."""
        return query.where(table.hospital_id == self._hospital)
