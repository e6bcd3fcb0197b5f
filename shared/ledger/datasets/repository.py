"""Datasets: named sets of labelled images that grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.errors import Conflict, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.datasets.drafts import AddStatus, Drafts
from shared.ledger.datasets.labelled_image import LabelledImage, labelled_image_from_row
from shared.ledger.tables import AnySelect, DatasetImageRow, DatasetRow, VersionRow


class DatasetUnknown(NotFound):
    code = "dataset-unknown"
    text = "There is no dataset {name!r}. Make it first: ./sera dataset import FOLDER --name NAME."


@dataclass(frozen=True)
class Dataset:
    """`versions` counts the frozen ones; the images are the draft's."""

    id: UUID
    name: str
    synthetic: bool
    images: int
    malignant: int
    versions: int = 0
    revision: int = 0
    """Counts the draft's changes."""


@dataclass(frozen=True)
class SplitCount:
    """How many images of the draft are of one site and in one part."""

    split: str
    site: str | None
    images: int
    malignant: int


class Datasets:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def ensure(self, name: str, synthetic: bool = False) -> UUID:
        """The dataset of this name, created if it is new."""
        made = (
            insert(DatasetRow)
            .values(name=name, synthetic=synthetic)
            .on_conflict_do_nothing()
            .returning(DatasetRow.id)
        )
        if new := self._session.scalar(made):
            self._audit.record(Event.DATASET_CREATED, dataset=str(new))
            return new
        return self._session.scalars(
            select(DatasetRow.id).where(DatasetRow.name == name)
        ).one()

    def add(self, dataset: UUID, images: Sequence[LabelledImage]) -> int:
        """Add images, passing over those the dataset has; returns how many were new.

        Raises
        ------
        ImageDiffers, PartFrozen
            for the first image that is refused; then none is added.
        """
        answers = Drafts(self._session, self._audit).add(dataset, images)
        for answer in answers:
            if isinstance(answer, Conflict):
                raise answer
        return answers.count(AddStatus.ADDED)

    def find(self, name_or_id: str | UUID) -> Dataset:
        known = DatasetRow.id if isinstance(name_or_id, UUID) else DatasetRow.name
        row = self._session.execute(_counted().where(known == name_or_id)).first()
        if row is None:
            raise DatasetUnknown(name=str(name_or_id))
        return Dataset(**row._mapping)

    def all(self) -> list[Dataset]:
        """By name."""
        return [
            Dataset(**row._mapping)
            for row in self._session.execute(_counted().order_by(DatasetRow.name))
        ]

    def split_counts(self, dataset: UUID) -> list[SplitCount]:
        """The draft, counted by part and site."""
        malignant = func.count().filter(DatasetImageRow.malignant)
        query = (
            select(DatasetImageRow.split, DatasetImageRow.site, func.count(), malignant)
            .where(DatasetImageRow.dataset_id == dataset)
            .group_by(DatasetImageRow.split, DatasetImageRow.site)
            .order_by(DatasetImageRow.split.desc(), DatasetImageRow.site)
        )
        return [SplitCount(*row) for row in self._session.execute(query)]

    def images(self, dataset: UUID, split: str | None = None) -> list[LabelledImage]:
        """Rows in the order of their hashes, the same on every machine."""
        query = select(DatasetImageRow).where(DatasetImageRow.dataset_id == dataset)
        if split:
            query = query.where(DatasetImageRow.split == split)
        return [
            labelled_image_from_row(row)
            for row in self._session.scalars(
                query.order_by(DatasetImageRow.image_sha256)
            )
        ]


def _counted() -> AnySelect:
    versions = (
        select(func.count())
        .where(VersionRow.dataset_id == DatasetRow.id)
        .scalar_subquery()
    )
    return (
        select(
            DatasetRow.id,
            DatasetRow.name,
            DatasetRow.synthetic,
            DatasetRow.revision,
            func.count(DatasetImageRow.image_sha256).label("images"),
            func.count().filter(DatasetImageRow.malignant).label("malignant"),
            versions.label("versions"),
        )
        .outerjoin(DatasetImageRow, DatasetImageRow.dataset_id == DatasetRow.id)
        .group_by(DatasetRow.id)
    )
