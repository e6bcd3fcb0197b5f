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
from shared.ledger.datasets.labelled_image import (
    LabelledImage,
    labelled_image_from_row,
)
from shared.ledger.tables import AnySelect, DatasetImageRow, DatasetRow, VersionRow


class DatasetUnknown(NotFound):
    code = "dataset-unknown"
    text = (
        "There is no dataset {name!r}. Make it first: ./sera dataset import FOLDER --name "
        "NAME."
    )


@dataclass(frozen=True)
class Dataset:
    """`versions` counts the frozen versions; `images` and `malignant` count the images of the
    draft.
    """

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
    """The number of the draft's images of one site in one part."""

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
        statement = (
            insert(DatasetRow)
            .values(name=name, synthetic=synthetic)
            .on_conflict_do_nothing()
            .returning(DatasetRow.id)
        )
        new = self._session.scalar(statement)
        if new:
            self._audit.record(Event.DATASET_CREATED, dataset=str(new))
            return new
        query = select(DatasetRow.id).where(DatasetRow.name == name)
        return self._session.scalars(query).one()

    def add(self, dataset: UUID, images: Sequence[LabelledImage]) -> int:
        """Add images to the draft; returns how many were new.

        Raises
        ------
        ImageDiffers, PartFrozen
            for the first image that is refused. The caller then rolls back, so that none is added.
        """
        results = Drafts(self._session, self._audit).add(dataset, images)
        for result in results:
            if isinstance(result, Conflict):
                raise result
        return results.count(AddStatus.ADDED)

    def find(self, name_or_id: str | UUID) -> Dataset:
        """Raises DatasetUnknown."""
        column = DatasetRow.id if isinstance(name_or_id, UUID) else DatasetRow.name
        row = self._session.execute(
            _select_datasets().where(column == name_or_id)
        ).first()
        if row is None:
            raise DatasetUnknown(name=str(name_or_id))
        return Dataset(**row._mapping)

    def all(self) -> list[Dataset]:
        """Return all datasets by name."""
        rows = self._session.execute(_select_datasets().order_by(DatasetRow.name))
        return [Dataset(**row._mapping) for row in rows]

    def split_counts(self, dataset: UUID) -> list[SplitCount]:
        """Counts of the draft's images by part and site."""
        malignant = func.count().filter(DatasetImageRow.malignant)
        query = (
            select(DatasetImageRow.split, DatasetImageRow.site, func.count(), malignant)
            .where(DatasetImageRow.dataset_id == dataset)
            .group_by(DatasetImageRow.split, DatasetImageRow.site)
            .order_by(DatasetImageRow.split.desc(), DatasetImageRow.site)
        )
        return [SplitCount(*row) for row in self._session.execute(query)]

    def images(self, dataset: UUID, split: str | None = None) -> list[LabelledImage]:
        """The draft's images in the order of their hashes, which is the same on every machine."""
        query = (
            select(DatasetImageRow)
            .where(DatasetImageRow.dataset_id == dataset)
            .order_by(DatasetImageRow.image_sha256)
        )
        if split:
            query = query.where(DatasetImageRow.split == split)
        return [labelled_image_from_row(row) for row in self._session.scalars(query)]


def _select_datasets() -> AnySelect:
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
