"""What a draft or a version is made of: images, malignant ones and patients, by part, site and size."""

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

Rows = type[DatasetImageRow] | type[VersionImageRow]


class Grouping(StrEnum):
    ALL = "all"
    SPLIT = "split"
    SITE = "site"
    SIZE = "size"


@dataclass(frozen=True)
class CompositionGroup:
    """`name` is None for images whose site is not known; `patients` counts an image of no known patient as one."""

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
        return self._parts(DatasetImageRow, DatasetImageRow.dataset_id == dataset)

    def of_version(self, version: UUID) -> dict[Grouping, list[CompositionGroup]]:
        return self._parts(VersionImageRow, VersionImageRow.version_id == version)

    def _parts(self, rows: Rows, which: ColumnElement[bool]) -> dict[Grouping, list[CompositionGroup]]:
        groups = {
            Grouping.ALL: literal("all"),
            Grouping.SPLIT: rows.split,
            Grouping.SITE: rows.site,
            Grouping.SIZE: _band(rows),
        }
        found = {by: self._counted(rows, which, group) for by, group in groups.items()}
        found[Grouping.SIZE].sort(key=lambda part: SIZE_BANDS.index(part.name))
        return found

    def _counted(
        self, rows: Rows, which: ColumnElement[bool], group: SQLColumnExpression[Any]
    ) -> list[CompositionGroup]:
        patient = func.concat(
            rows.site, "/", func.coalesce(rows.patient, rows.image_sha256)
        )
        counts = (
            func.count(),
            func.count().filter(rows.malignant),
            func.count(distinct(patient)),
        )
        named: Label[Any] = group.label("part")
        query = (
            select(named, *counts)
            .where(which)
            .group_by(text("part"))
            .order_by(text("part"))
        )
        return [CompositionGroup(*row) for row in self._session.execute(query)]


def _band(rows: Rows) -> SQLColumnExpression[Any]:
    limits = [
        (rows.size_mm < limit, band)
        for limit, band in zip(SIZE_LIMITS_MM, SIZE_BANDS, strict=False)
    ]
    return case(
        (rows.size_mm.is_(None), UNKNOWN_SIZE),
        *limits,
        else_=SIZE_BANDS[len(SIZE_LIMITS_MM)],
    )
