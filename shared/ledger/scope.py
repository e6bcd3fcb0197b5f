"""The one place where a repository's queries are limited to one hospital."""

from typing import Any, TypeVarTuple
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

Columns = TypeVarTuple("Columns")


class HospitalRepository:
    """A repository that sees one hospital's rows.

    Each of its queries passes through `_restrict_to_hospital`.
    """

    def __init__(self, session: Session, hospital: UUID) -> None:
        self._session = session
        self._hospital = hospital

    def _restrict_to_hospital(
        self, query: Select[*Columns], table: type[Any]
    ) -> Select[*Columns]:
        return query.where(table.hospital_id == self._hospital)
