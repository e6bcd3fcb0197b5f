"""Frozen versions of datasets, which training runs use for training and evaluation."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, insert, literal, or_, select, text
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.training.states import Split
from shared.errors import Conflict, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.datasets.consents import Consents
from shared.ledger.datasets.freeze_checks import check_locked, check_parts
from shared.ledger.datasets.labelled_image import (
    COLUMNS,
    LabelledImage,
    labelled_image_from_row,
)
from shared.ledger.datasets.revisions import lock_draft
from shared.ledger.edit_conflicts import ETags
from shared.ledger.tables import (
    CaseRow,
    DatasetImageRow,
    ModelRow,
    TrainingRunRow,
    VersionImageRow,
    VersionRow,
)

FREEZE_LOCK_ID = 7_300_004
"""The lock of all datasets: one freeze runs at a time, because each checks the test sets of the
others."""


class VersionUnknown(NotFound):
    code = "version-unknown"
    text = "The dataset has no version {number}. Freeze it first: ./sera dataset freeze NAME."


class DatasetEmpty(Conflict):
    code = "dataset-empty"
    text = "The dataset holds no images yet. Add some: ./sera dataset import FOLDER --name NAME."


class VersionHasErasedImages(Conflict):
    code = "version-holds-erased"
    text = (
        "{count} images of this version came in as cases that were erased since, {example} among "
        "them, so nothing is learned from it any more. Freeze the dataset again (./sera dataset "
        "freeze NAME) and train on the new version."
    )


@dataclass(frozen=True)
class Version:
    """A dataset as it was when it was frozen."""

    id: UUID
    dataset_id: UUID
    number: int
    fingerprint: str
    images: int
    malignant: int
    test_images: int
    actor: str
    created_at: datetime


@dataclass(frozen=True)
class FreezeResult(Version):
    """The version of a freeze. It is not `new` if the dataset was unchanged."""

    new: bool


@dataclass(frozen=True)
class VersionDifference:
    """Numbers of images that differ between two versions; `changed` ones kept their label."""

    added: int
    removed: int
    relabelled: int
    changed: int


class Versions:
    def __init__(self, session: Session, audit: AuditTrail, actor: str) -> None:
        self._session = session
        self._audit = audit
        self._actor = actor

    def freeze(self, dataset: UUID, tags: ETags = None) -> FreezeResult:
        """Freeze the draft as a version. For an unchanged draft return its existing version.

        Images whose consent was withdrawn are removed first.

        Raises
        ------
        EditConflict, DatasetEmpty, GroupInTrainAndTest, LockedTestImage, LockedTestPatient
        """
        self._session.execute(
            text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": FREEZE_LOCK_ID}
        )
        lock_draft(self._session, dataset, tags)
        self._lock_cases(dataset)
        Consents(self._session, self._audit).remove_withdrawn(dataset)
        images = self._draft_images(dataset)
        if not images:
            raise DatasetEmpty
        check_parts(images)
        check_locked(self._session, dataset)
        draft_fingerprint = fingerprint(images)
        query = select(VersionRow).where(
            VersionRow.dataset_id == dataset,
            VersionRow.fingerprint == draft_fingerprint,
        )
        existing = self._session.scalar(query)
        if existing:
            return FreezeResult(**_version_values(existing), new=False)
        row = self._add(dataset, images, draft_fingerprint)
        return FreezeResult(**_version_values(row), new=True)

    def find(self, dataset: UUID, number: int | None = None) -> Version:
        """A version by its number; None means the latest. Raises VersionUnknown."""
        query = (
            select(VersionRow)
            .where(VersionRow.dataset_id == dataset)
            .order_by(VersionRow.number.desc())
            .limit(1)
        )
        if number is not None:
            query = query.where(VersionRow.number == number)
        row = self._session.scalar(query)
        if row is None:
            raise VersionUnknown(number=number or 1)
        return _version(row)

    def all(self, dataset: UUID) -> list[Version]:
        """Return the versions, latest first."""
        query = (
            select(VersionRow)
            .where(VersionRow.dataset_id == dataset)
            .order_by(VersionRow.number.desc())
        )
        return [_version(row) for row in self._session.scalars(query)]

    def get(self, version: UUID) -> Version:
        return _version(self._session.get_one(VersionRow, version))

    def images(self, version: UUID, split: str | None = None) -> list[LabelledImage]:
        """The version's images in the order of their hashes, the same on every machine."""
        query = (
            select(VersionImageRow)
            .where(VersionImageRow.version_id == version)
            .order_by(VersionImageRow.image_sha256)
        )
        if split:
            query = query.where(VersionImageRow.split == split)
        return [labelled_image_from_row(row) for row in self._session.scalars(query)]

    def difference(self, older: UUID, newer: UUID) -> VersionDifference:
        """Count the images that differ between two versions."""
        old = _select_images(older).subquery()
        new = _select_images(newer).subquery()
        joined = old.join(new, old.c.image_sha256 == new.c.image_sha256, full=True)
        other_columns = [name for name in COLUMNS if name != "malignant"]
        other_differs = or_(
            *(old.c[name].is_distinct_from(new.c[name]) for name in other_columns)
        )
        is_added = old.c.image_sha256.is_(None)
        is_removed = new.c.image_sha256.is_(None)
        is_relabelled = old.c.malignant != new.c.malignant
        is_changed = and_(old.c.malignant == new.c.malignant, other_differs)
        query = select(
            func.count().filter(is_added).label("added"),
            func.count().filter(is_removed).label("removed"),
            func.count().filter(is_relabelled).label("relabelled"),
            func.count().filter(is_changed).label("changed"),
        ).select_from(joined)
        row = self._session.execute(query).one()
        return VersionDifference(
            added=row.added,
            removed=row.removed,
            relabelled=row.relabelled,
            changed=row.changed,
        )

    def locked_test_images(self, hashes: Sequence[str]) -> set[str]:
        """The subset of images that are in the test part of any version of any dataset."""
        query = select(VersionImageRow.image_sha256).where(
            VersionImageRow.split == Split.TEST,
            VersionImageRow.image_sha256.in_(hashes),
        )
        return set(self._session.scalars(query))

    def erased_images(self, version: UUID) -> set[str]:
        """The version's images that came from cases which were erased since."""
        query = (
            select(VersionImageRow.image_sha256)
            .join(CaseRow, CaseRow.id == VersionImageRow.case_id)
            .where(
                VersionImageRow.version_id == version, CaseRow.erased_at.is_not(None)
            )
        )
        return set(self._session.scalars(query))

    def training_images_of_model(self, model: str, hashes: Sequence[str]) -> set[str]:
        """The subset of images on which a stored model was trained.

        Empty for a model that was trained elsewhere.
        """
        version = (
            select(TrainingRunRow.version_id)
            .join(ModelRow, ModelRow.run_id == TrainingRunRow.id)
            .where(ModelRow.digest == model)
        )
        query = select(VersionImageRow.image_sha256).where(
            VersionImageRow.version_id == version.scalar_subquery(),
            VersionImageRow.split == Split.TRAIN,
            VersionImageRow.image_sha256.in_(hashes),
        )
        return set(self._session.scalars(query))

    def _add(
        self, dataset: UUID, images: Sequence[LabelledImage], draft_fingerprint: str
    ) -> VersionRow:
        last_number = func.coalesce(func.max(VersionRow.number), 0)
        query = select(last_number).where(VersionRow.dataset_id == dataset)
        row = VersionRow(
            dataset_id=dataset,
            number=self._session.scalars(query).one() + 1,
            fingerprint=draft_fingerprint,
            images=len(images),
            malignant=sum(image.malignant for image in images),
            test_images=sum(image.split == Split.TEST for image in images),
            actor=self._actor,
        )
        self._session.add(row)
        self._session.flush()
        self._copy_draft(dataset, row.id)
        self._audit.record(
            Event.DATASET_FROZEN,
            dataset=str(dataset),
            version=row.number,
            fingerprint=draft_fingerprint,
        )
        return row

    def _lock_cases(self, dataset: UUID) -> None:
        """Lock the draft's cases while they are copied.

        A concurrent erasure is then either finished before the copy, or it finds the copy.
        """
        case_ids = select(DatasetImageRow.case_id).where(
            DatasetImageRow.dataset_id == dataset
        )
        query = select(CaseRow.id).where(CaseRow.id.in_(case_ids))
        self._session.execute(query.with_for_update(read=True))

    def _draft_images(self, dataset: UUID) -> list[LabelledImage]:
        query = (
            select(DatasetImageRow)
            .where(DatasetImageRow.dataset_id == dataset)
            .order_by(DatasetImageRow.image_sha256)
        )
        return [labelled_image_from_row(row) for row in self._session.scalars(query)]

    def _copy_draft(self, dataset: UUID, version: UUID) -> None:
        names = (*COLUMNS, "case_id")
        columns = [getattr(DatasetImageRow, name) for name in names]
        rows = select(literal(version), *columns).where(
            DatasetImageRow.dataset_id == dataset
        )
        self._session.execute(
            insert(VersionImageRow).from_select(["version_id", *names], rows)
        )


def check_usable(erased: Collection[str]) -> None:
    """Raise VersionHasErasedImages if any image of a version was erased."""
    if erased:
        raise VersionHasErasedImages(count=len(erased), example=min(erased)[:12])


def fingerprint(images: Sequence[LabelledImage]) -> str:
    """SHA-256 over every row's content, in order: equal fingerprints mean equal data."""
    digest = hashlib.sha256()
    for image in images:
        content = sorted(vars(image).items())
        digest.update(repr(content).encode())
    return digest.hexdigest()


def _select_images(version: UUID) -> Select[VersionImageRow]:
    return select(VersionImageRow).where(VersionImageRow.version_id == version)


def _version(row: VersionRow) -> Version:
    return Version(**_version_values(row))


def _version_values(row: VersionRow) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(Version)}
