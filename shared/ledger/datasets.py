"""Labelled images to train on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.events import Event
from shared.errors import NotFound
from shared.ledger.audit import AuditTrail
from shared.ledger.tables import DatasetImageRow, DatasetRow


class DatasetUnknown(NotFound):
    code = "dataset-unknown"
    text = "There is no dataset {name!r}. Make it first: ./sera dataset import FOLDER --name NAME."


@dataclass(frozen=True)
class LabelledImage:
    """One row of a dataset; the image and mask lie in the object store under their hashes."""

    image_sha256: str
    malignant: bool
    split: str
    roi: dict[str, Any] | None = None
    mask_sha256: str | None = None
    frame: int | None = None
    patient: str | None = None
    site: str | None = None
    size_mm: float | None = None
    tirads: str | None = None


@dataclass(frozen=True)
class Dataset:
    id: UUID
    name: str
    synthetic: bool
    images: int
    malignant: int


class Datasets:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session, self._audit = session, audit

    def ensure(self, name: str, synthetic: bool = False) -> UUID:
        """The dataset of this name, created if it is new."""
        made = (
            insert(DatasetRow).values(name=name, synthetic=synthetic).on_conflict_do_nothing().returning(DatasetRow.id)
        )
        if new := self._session.scalar(made):
            self._audit.record(Event.DATASET_CREATED, dataset=str(new))
            return new
        return self._session.scalars(select(DatasetRow.id).where(DatasetRow.name == name)).one()

    def add(self, dataset: UUID, images: Sequence[LabelledImage]) -> int:
        """Add images, passing over those the dataset has; returns how many were new."""
        rows = [{"dataset_id": dataset, **vars(image)} for image in images]
        if not rows:
            return 0
        added = insert(DatasetImageRow).values(rows).on_conflict_do_nothing().returning(DatasetImageRow.image_sha256)
        return len(self._session.scalars(added).all())

    def find(self, name_or_id: str | UUID) -> Dataset:
        known = DatasetRow.id if isinstance(name_or_id, UUID) else DatasetRow.name
        query = (
            select(
                DatasetRow.id,
                DatasetRow.name,
                DatasetRow.synthetic,
                func.count(DatasetImageRow.image_sha256).label("images"),
                func.count().filter(DatasetImageRow.malignant).label("malignant"),
            )
            .outerjoin(DatasetImageRow, DatasetImageRow.dataset_id == DatasetRow.id)
            .where(known == name_or_id)
            .group_by(DatasetRow.id)
        )
        row = self._session.execute(query).first()
        if row is None:
            raise DatasetUnknown(name=str(name_or_id))
        return Dataset(**row._mapping)

    def images(self, dataset: UUID, split: str | None = None) -> list[LabelledImage]:
        """Rows in the order of their hashes, the same on every machine."""
        query = select(DatasetImageRow).where(DatasetImageRow.dataset_id == dataset)
        if split:
            query = query.where(DatasetImageRow.split == split)
        names = LabelledImage.__dataclass_fields__
        ordered = self._session.scalars(query.order_by(DatasetImageRow.image_sha256))
        return [LabelledImage(**{name: getattr(row, name) for name in names}) for row in ordered]
