"""Frozen versions of datasets: what runs train on and are judged on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, literal, select, text
from sqlalchemy.orm import Session

from shared.domain.events import Event
from shared.domain.training import Split
from shared.errors import Conflict, NotFound
from shared.ledger.audit import AuditTrail
from shared.ledger.datasets import LabelledImage
from shared.ledger.tables import DatasetImageRow, VersionImageRow, VersionRow

COLUMNS = [field.name for field in fields(LabelledImage)]


class VersionUnknown(NotFound):
    code = "version-unknown"
    text = "The dataset has no version {number}. Freeze it first: ./sera dataset freeze NAME."


class DatasetEmpty(Conflict):
    code = "dataset-empty"
    text = "The dataset holds no images yet. Add some: ./sera dataset import FOLDER --name NAME."


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


class Versions:
    def __init__(self, session: Session, audit: AuditTrail, actor: str) -> None:
        self._session, self._audit, self._actor = session, audit, actor

    def freeze(self, dataset: UUID) -> Version:
        """The dataset's present rows as a version; an unchanged dataset gives the version it has."""
        self._session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:dataset))"), {"dataset": str(dataset)})
        images = self._draft(dataset)
        if not images:
            raise DatasetEmpty
        print_ = fingerprint(images)
        known = select(VersionRow).where(VersionRow.dataset_id == dataset, VersionRow.fingerprint == print_)
        if same := self._session.scalar(known):
            return _version(same)
        newest = select(func.coalesce(func.max(VersionRow.number), 0)).where(VersionRow.dataset_id == dataset)
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
        self._audit.record(Event.DATASET_FROZEN, dataset=str(dataset), version=row.number, fingerprint=print_)
        return _version(row)

    def find(self, dataset: UUID, number: int | None = None) -> Version:
        """A version by its number, or the newest."""
        query = select(VersionRow).where(VersionRow.dataset_id == dataset).order_by(VersionRow.number.desc())
        row = self._session.scalar((query if number is None else query.where(VersionRow.number == number)).limit(1))
        if row is None:
            raise VersionUnknown(number=number or 1)
        return _version(row)

    def get(self, version: UUID) -> Version:
        return _version(self._session.get_one(VersionRow, version))

    def images(self, version: UUID, split: str | None = None) -> list[LabelledImage]:
        """Rows in the order of their hashes, the same on every machine."""
        query = select(VersionImageRow).where(VersionImageRow.version_id == version)
        if split:
            query = query.where(VersionImageRow.split == split)
        return [_image(row) for row in self._session.scalars(query.order_by(VersionImageRow.image_sha256))]

    def locked(self, hashes: Sequence[str]) -> set[str]:
        """Those of these images that are in the test part of any version of any dataset."""
        query = select(VersionImageRow.image_sha256).where(
            VersionImageRow.split == Split.TEST, VersionImageRow.image_sha256.in_(hashes)
        )
        return set(self._session.scalars(query))

    def _draft(self, dataset: UUID) -> list[LabelledImage]:
        query = select(DatasetImageRow).where(DatasetImageRow.dataset_id == dataset)
        return [_image(row) for row in self._session.scalars(query.order_by(DatasetImageRow.image_sha256))]

    def _copy(self, dataset: UUID, version: UUID) -> None:
        columns = [getattr(DatasetImageRow, name) for name in COLUMNS]
        rows = select(literal(version), *columns).where(DatasetImageRow.dataset_id == dataset)
        self._session.execute(insert(VersionImageRow).from_select(["version_id", *COLUMNS], rows))


def fingerprint(images: Sequence[LabelledImage]) -> str:
    """SHA-256 over every row's content, in order: equal fingerprints mean equal data."""
    digest = hashlib.sha256()
    for image in images:
        digest.update(repr(sorted(vars(image).items())).encode())
    return digest.hexdigest()


def _image(row: DatasetImageRow | VersionImageRow) -> LabelledImage:
    return LabelledImage(**{name: getattr(row, name) for name in COLUMNS})


def _version(row: VersionRow) -> Version:
    return Version(**{field.name: getattr(row, field.name) for field in fields(Version)})
