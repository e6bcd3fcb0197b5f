"""The part that an image must keep, because a frozen version has the image or its patient in this
part.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from shared.domain.datasets.split import group_name
from shared.domain.training.states import Split
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.tables import DatasetImageRow, VersionImageRow, VersionRow

ImageTable = type[DatasetImageRow] | type[VersionImageRow]


class PartIndex:
    """The parts of images and of their groups.

    An image's own part has precedence over its group's part, and test has precedence over train.
    """

    def __init__(
        self, rows: Iterable[tuple[str, str | None, str | None, str]] = ()
    ) -> None:
        """`rows` are (image, patient, site, split)."""
        self._images: dict[str, Split] = {}
        self._groups: dict[str, Split] = {}
        for image, patient, site, split in rows:
            self.add(image=image, patient=patient, site=site, split=split)

    def add(
        self, image: str, patient: str | None, site: str | None, split: str
    ) -> None:
        _merge(self._images, image, split)
        _merge(self._groups, group_name(image, patient, site), split)

    def find(self, image: LabelledImage) -> Split | None:
        return self._images.get(image.image_sha256) or self._groups.get(image.group)


def frozen_parts(
    session: Session, dataset: UUID, images: Sequence[LabelledImage] | None = None
) -> PartIndex:
    """Parts in the dataset's versions; with `images`, only of these and of their patients."""
    query = (
        _select_parts(VersionImageRow)
        .join(VersionRow)
        .where(VersionRow.dataset_id == dataset)
        .distinct()
    )
    if images is not None:
        query = query.where(_is_related(VersionImageRow, images))
    return PartIndex(session.execute(query))


def draft_parts(
    session: Session, dataset: UUID, images: Sequence[LabelledImage]
) -> PartIndex:
    """Parts of the patients' other images in the dataset's draft."""
    hashes = [image.image_sha256 for image in images]
    query = _select_parts(DatasetImageRow).where(
        DatasetImageRow.dataset_id == dataset,
        DatasetImageRow.patient.in_(_patients(images)),
        DatasetImageRow.image_sha256.not_in(hashes),
    )
    return PartIndex(session.execute(query))


def _merge(parts: dict[str, Split], name: str, split: str) -> None:
    if Split.TEST in (split, parts.get(name)):
        parts[name] = Split.TEST
    else:
        parts[name] = Split(split)


def _select_parts(
    table: ImageTable,
) -> Select[str, str | None, str | None, str]:
    return select(table.image_sha256, table.patient, table.site, table.split)


def _is_related(
    table: ImageTable, images: Sequence[LabelledImage]
) -> ColumnElement[bool]:
    hashes = [image.image_sha256 for image in images]
    is_image = table.image_sha256.in_(hashes)
    return or_(is_image, table.patient.in_(_patients(images)))


def _patients(images: Sequence[LabelledImage]) -> set[str]:
    return {image.patient for image in images if image.patient}
