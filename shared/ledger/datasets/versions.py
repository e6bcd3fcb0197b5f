"""Frozen versions of datasets: what runs train on and are judged on."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, insert, literal, or_, select, text
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
"""One freeze at a time in all datasets, since each looks at the others' test sets."""


class VersionUnknown(NotFound):
    code = "version-unknown"
    text = "The dataset has no version {number}. Freeze it first: ./sera dataset freeze NAME."


class DatasetEmpty(Conflict):
    code = "dataset-empty"
    text = "The dataset holds no images yet. Add some: ./sera dataset import FOLDER --name NAME."


class VersionHoldsErased(Conflict):
    code = "version-holds-erased"
    text = (
        "{count} images of this version came in as cases that were erased since, {example} among them, so nothing is "
        "learned from it any more. Freeze the dataset again (./sera dataset freeze NAME) and train on the new version."
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
    """A version just asked for; not `new` if the dataset was unchanged."""

    new: bool


@dataclass(frozen=True)
class VersionDifference:
    """What came between two versions, in images; `changed` ones kept their label."""

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
        """The dataset's present rows as a version; an unchanged dataset gives the version it has.

        Images whose consent was withdrawn are taken out first.

        Raises
        ------
        ChangedMeanwhile, DatasetEmpty, GroupInBothParts, LockedTestImage, LockedTestPatient
        """
        self._session.execute(
            text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": FREEZE_LOCK_ID}
        )
        lock_draft(self._session, dataset, tags)
        self._hold_cases(dataset)
        Consents(self._session, self._audit).remove_withdrawn(dataset)
        images = self._draft(dataset)
        if not images:
            raise DatasetEmpty
        check_parts(images)
        check_locked(self._session, dataset)
        print_ = fingerprint(images)
        known = select(VersionRow).where(
            VersionRow.dataset_id == dataset, VersionRow.fingerprint == print_
        )
        same = self._session.scalar(known)
        return _frozen(same or self._add(dataset, images, print_), new=same is None)

    def find(self, dataset: UUID, number: int | None = None) -> Version:
        """A version by its number, or the newest."""
        query = (
            select(VersionRow)
            .where(VersionRow.dataset_id == dataset)
            .order_by(VersionRow.number.desc())
        )
        row = self._session.scalar(
            (
                query if number is None else query.where(VersionRow.number == number)
            ).limit(1)
        )
        if row is None:
            raise VersionUnknown(number=number or 1)
        return _version(row)

    def all(self, dataset: UUID) -> list[Version]:
        """Newest first."""
        query = (
            select(VersionRow)
            .where(VersionRow.dataset_id == dataset)
            .order_by(VersionRow.number.desc())
        )
        return [_version(row) for row in self._session.scalars(query)]

    def get(self, version: UUID) -> Version:
        return _version(self._session.get_one(VersionRow, version))

    def images(self, version: UUID, split: str | None = None) -> list[LabelledImage]:
        """Rows in the order of their hashes, the same on every machine."""
        query = select(VersionImageRow).where(VersionImageRow.version_id == version)
        if split:
            query = query.where(VersionImageRow.split == split)
        return [
            labelled_image_from_row(row)
            for row in self._session.scalars(
                query.order_by(VersionImageRow.image_sha256)
            )
        ]

    def difference(self, older: UUID, newer: UUID) -> VersionDifference:
        """What was added, removed, relabelled or otherwise changed from one version to another."""
        old, new = (
            select(VersionImageRow).where(VersionImageRow.version_id == each).subquery()
            for each in (older, newer)
        )
        both = old.join(new, old.c.image_sha256 == new.c.image_sha256, full=True)
        label_differs = old.c.malignant != new.c.malignant
        other = or_(
            *(
                old.c[name].is_distinct_from(new.c[name])
                for name in COLUMNS
                if name != "malignant"
            )
        )
        kinds = (
            old.c.image_sha256.is_(None),
            new.c.image_sha256.is_(None),
            label_differs,
            and_(old.c.malignant == new.c.malignant, other),
        )
        counts = [
            func.count().filter(kind).label(name)
            for name, kind in zip(
                ("added", "removed", "relabelled", "changed"), kinds, strict=True
            )
        ]
        row = self._session.execute(select(*counts).select_from(both)).one()
        return VersionDifference(
            added=row.added,
            removed=row.removed,
            relabelled=row.relabelled,
            changed=row.changed,
        )

    def locked_test_images(self, hashes: Sequence[str]) -> set[str]:
        """Those of these images that are in the test part of any version of any dataset."""
        query = select(VersionImageRow.image_sha256).where(
            VersionImageRow.split == Split.TEST,
            VersionImageRow.image_sha256.in_(hashes),
        )
        return set(self._session.scalars(query))

    def erased_images(self, version: UUID) -> set[str]:
        """Those of a version's images that came in as cases that were erased since."""
        query = select(VersionImageRow.image_sha256).join(
            CaseRow, CaseRow.id == VersionImageRow.case_id
        )
        return set(
            self._session.scalars(
                query.where(
                    VersionImageRow.version_id == version,
                    CaseRow.erased_at.is_not(None),
                )
            )
        )

    def training_images_of_model(self, model: str, hashes: Sequence[str]) -> set[str]:
        """Those of these images that a stored model was trained on; none of a model that was made elsewhere."""
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
        self, dataset: UUID, images: Sequence[LabelledImage], print_: str
    ) -> VersionRow:
        newest = select(func.coalesce(func.max(VersionRow.number), 0)).where(
            VersionRow.dataset_id == dataset
        )
        row = VersionRow(
            dataset_id=dataset,
            number=self._session.scalars(newest).one() + 1,
            fingerprint=print_,
            images=len(images),
            malignant=sum(image.malignant for image in images),
            test_images=sum(image.split == Split.TEST for image in images),
            actor=self._actor,
        )
        self._session.add(row)
        self._session.flush()
        self._copy(dataset, row.id)
        self._audit.record(
            Event.DATASET_FROZEN,
            dataset=str(dataset),
            version=row.number,
            fingerprint=print_,
        )
        return row

    def _hold_cases(self, dataset: UUID) -> None:
        """None of the draft's cases is erased while it is copied: an erasure goes before, or finds the copy."""
        held = select(DatasetImageRow.case_id).where(
            DatasetImageRow.dataset_id == dataset
        )
        self._session.execute(
            select(CaseRow.id).where(CaseRow.id.in_(held)).with_for_update(read=True)
        )

    def _draft(self, dataset: UUID) -> list[LabelledImage]:
        query = select(DatasetImageRow).where(DatasetImageRow.dataset_id == dataset)
        return [
            labelled_image_from_row(row)
            for row in self._session.scalars(
                query.order_by(DatasetImageRow.image_sha256)
            )
        ]

    def _copy(self, dataset: UUID, version: UUID) -> None:
        copied = (*COLUMNS, "case_id")
        columns = [getattr(DatasetImageRow, name) for name in copied]
        rows = select(literal(version), *columns).where(
            DatasetImageRow.dataset_id == dataset
        )
        self._session.execute(
            insert(VersionImageRow).from_select(["version_id", *copied], rows)
        )


def check_usable(erased: Collection[str]) -> None:
    """Raises VersionHoldsErased if any image of a version was erased."""
    if erased:
        raise VersionHoldsErased(count=len(erased), example=min(erased)[:12])


def fingerprint(images: Sequence[LabelledImage]) -> str:
    """SHA-256 over every row's content, in order: equal fingerprints mean equal data."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(repr(sorted(vars(image).items())).encode())
    return digest.hexdigest()


def _version(row: VersionRow) -> Version:
    return Version(**_told(row))


def _frozen(row: VersionRow, *, new: bool) -> FreezeResult:
    return FreezeResult(**_told(row), new=new)


def _told(row: VersionRow) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(Version)}
