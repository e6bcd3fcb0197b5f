"""The one place where a hospital's scope is applied."""

from typing import TypeVar
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

Rows = TypeVar("Rows", bound=tuple)


class Scoped:
    """A repository that sees one hospital's rows; each query passes through `_mine`."""

    def __init__(self, session: Session, hospital: UUID) -> None:
        self._session, self._hospital = session, hospital

    def _mine(self, query: Select[Rows], table: type) -> Select[Rows]:
        return query.where(table.hospital_id == self._hospital)
