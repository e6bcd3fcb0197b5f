"""The part that an image must keep because a frozen version has it, or a patient's other images, there."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from shared.domain.datasets.split import group_name
from shared.domain.training.states import Split
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.tables import DatasetImageRow, VersionImageRow, VersionRow


class PartIndex:
    """Where images and their groups are; an image's own place counts before its group's, and test before train."""

    def __init__(
        self, rows: Iterable[tuple[str, str | None, str | None, str]] = ()
    ) -> None:
        self._images: dict[str, Split] = {}
        self._groups: dict[str, Split] = {}
        for row in rows:
            self.add(*row)

    def add(
        self, image: str, patient: str | None, site: str | None, split: str
    ) -> None:
        for known, name in (
            (self._images, image),
            (self._groups, group_name(image, patient, site)),
        ):
            known[name] = (
                Split.TEST if Split.TEST in (split, known.get(name)) else Split(split)
            )

    def find(self, image: LabelledImage) -> Split | None:
        return self._images.get(image.image_sha256) or self._groups.get(image.group)


def frozen_parts(
    session: Session, dataset: UUID, among: Sequence[LabelledImage] | None = None
) -> PartIndex:
    """Parts in the dataset's versions; of these images and their patients only, where some are named."""
    query = (
        _places(VersionImageRow)
        .join(VersionRow)
        .where(VersionRow.dataset_id == dataset)
        .distinct()
    )
    if among is not None:
        query = query.where(_related(VersionImageRow, among))
    return PartIndex(session.execute(query))


def draft_parts(
    session: Session, dataset: UUID, among: Sequence[LabelledImage]
) -> PartIndex:
    """Parts of other images of these images' patients in the dataset's draft."""
    query = _places(DatasetImageRow).where(
        DatasetImageRow.dataset_id == dataset,
        DatasetImageRow.patient.in_(_patients(among)),
        DatasetImageRow.image_sha256.not_in([image.image_sha256 for image in among]),
    )
    return PartIndex(session.execute(query))


def _places(table: Any) -> Select[tuple[str, str | None, str | None, str]]:
    return select(table.image_sha256, table.patient, table.site, table.split)


def _related(table: Any, images: Sequence[LabelledImage]) -> ColumnElement[bool]:
    named = table.image_sha256.in_([image.image_sha256 for image in images])
    return or_(named, table.patient.in_(_patients(images)))


def _patients(images: Sequence[LabelledImage]) -> set[str]:
    return {image.patient for image in images if image.patient}
