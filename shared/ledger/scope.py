"""The one place where a hospital's scope is applied."""

from typing import Any, TypeVarTuple
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

Columns = TypeVarTuple("Columns")


class HospitalRepository:
    """A repository that sees one hospital's rows; each query passes through `_mine`."""

    def __init__(self, session: Session, hospital: UUID) -> None:
        self._session = session
        self._hospital = hospital

    def _restrict_to_hospital(self, query: Select[*Columns], table: type[Any]) -> Select[*Columns]:
        return query.where(table.hospital_id == self._hospital)
