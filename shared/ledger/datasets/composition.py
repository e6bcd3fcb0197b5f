"""Counts the images of a draft or a version by part, site and nodule size."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Label,
    SQLColumnExpression,
    case,
    distinct,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Session

from shared.domain.size_groups import SIZE_BANDS, SIZE_LIMITS_MM, UNKNOWN_SIZE
from shared.ledger.tables import DatasetImageRow, VersionImageRow

ImageTable = type[DatasetImageRow] | type[VersionImageRow]


class Grouping(StrEnum):
    ALL = "all"
    SPLIT = "split"
    SITE = "site"
    SIZE = "size"


@dataclass(frozen=True)
class CompositionGroup:
    """Counts of one group. `name` is None for images of unknown site.

    `patients` counts an image of an unknown patient as one patient.
    """

    name: str | None
    images: int
    malignant: int
    patients: int

    @property
    def benign(self) -> int:
        return self.images - self.malignant


class Compositions:
    def __init__(self, session: Session) -> None:
        self._session = session

    def of_draft(self, dataset: UUID) -> dict[Grouping, list[CompositionGroup]]:
        is_in_draft = DatasetImageRow.dataset_id == dataset
        return self._composition(DatasetImageRow, is_in_draft)

    def of_version(self, version: UUID) -> dict[Grouping, list[CompositionGroup]]:
        is_in_version = VersionImageRow.version_id == version
        return self._composition(VersionImageRow, is_in_version)

    def _composition(
        self, table: ImageTable, condition: ColumnElement[bool]
    ) -> dict[Grouping, list[CompositionGroup]]:
        group_columns = {
            Grouping.ALL: literal("all"),
            Grouping.SPLIT: table.split,
            Grouping.SITE: table.site,
            Grouping.SIZE: _size_band(table),
        }
        groups = {
            grouping: self._count_groups(table, condition, column)
            for grouping, column in group_columns.items()
        }
        groups[Grouping.SIZE].sort(key=lambda group: SIZE_BANDS.index(group.name))
        return groups

    def _count_groups(
        self,
        table: ImageTable,
        condition: ColumnElement[bool],
        column: SQLColumnExpression[Any],
    ) -> list[CompositionGroup]:
        number = func.coalesce(table.patient, table.image_sha256)
        patient = func.concat(table.site, "/", number)
        name: Label[Any] = column.label("part")
        query = (
            select(
                name,
                func.count(),
                func.count().filter(table.malignant),
                func.count(distinct(patient)),
            )
            .where(condition)
            .group_by(text("part"))
            .order_by(text("part"))
        )
        return [CompositionGroup(*row) for row in self._session.execute(query)]


def _size_band(table: ImageTable) -> SQLColumnExpression[Any]:
    below_limits = [
        (table.size_mm < limit, band)
        for limit, band in zip(SIZE_LIMITS_MM, SIZE_BANDS, strict=False)
    ]
    return case(
        (table.size_mm.is_(None), UNKNOWN_SIZE),
        *below_limits,
        else_=SIZE_BANDS[len(SIZE_LIMITS_MM)],
    )
