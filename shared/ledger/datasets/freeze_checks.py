"""What keeps a draft from being frozen: a patient in both parts, or a training image that some test set has locked."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from shared.domain.training.states import Split
from shared.errors import Conflict
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.tables import DatasetImageRow, VersionImageRow, VersionRow

SHOWN = 3


class GroupInBothParts(Conflict):
    code = "group-on-both-sides"
    text = (
        "Patients with images in `train` and in `test`: {count}, {examples} among them. Put all of a patient's images "
        "into one part (./sera dataset split NAME --by patient), or remove those that a frozen version holds elsewhere."
    )


class LockedTestImage(Conflict):
    code = "locked-test-image"
    text = (
        "Training images that are in the locked test set of a frozen version: {count}, {examples} among them. "
        "Move them to `test` (./sera dataset correct) or remove them (./sera dataset remove)."
    )


class LockedTestPatient(Conflict):
    code = "locked-test-patient"
    text = (
        "Training images of patients who are in the locked test set of a frozen version: {count}, {examples} among "
        "them. Move them to `test` (./sera dataset correct) or remove them (./sera dataset remove)."
    )


def check_parts(images: Iterable[LabelledImage]) -> None:
    """Every patient is in one part (`GroupInBothParts`)."""
    parts: dict[str, set[str | None]] = defaultdict(set)
    for image in images:
        parts[image.group].add(image.split)
    both = sorted(group for group, found in parts.items() if len(found) > 1)
    if both:
        raise GroupInBothParts(count=len(both), examples=", ".join(both[:SHOWN]))


def check_locked(session: Session, dataset: UUID) -> None:
    """No training row is of a locked test set, be it the image itself or its patient.

    Raises
    ------
    LockedTestImage, LockedTestPatient
    """
    image = VersionImageRow.image_sha256 == DatasetImageRow.image_sha256
    for same, refusal in (
        (image, LockedTestImage),
        (_same_patient(dataset), LockedTestPatient),
    ):
        found = _training_in_test(session, dataset, same)
        if found:
            raise refusal(count=len(found), examples=", ".join(found[:SHOWN]))


def _training_in_test(
    session: Session, dataset: UUID, same: ColumnElement[bool]
) -> list[str]:
    query = (
        select(DatasetImageRow.image_sha256)
        .select_from(VersionImageRow)
        .join(VersionRow)
        .join(DatasetImageRow, same)
        .where(DatasetImageRow.dataset_id == dataset)
        .where(
            DatasetImageRow.split == Split.TRAIN, VersionImageRow.split == Split.TEST
        )
    )
    return list(
        session.scalars(query.distinct().order_by(DatasetImageRow.image_sha256))
    )


def _same_patient(dataset: UUID) -> ColumnElement[bool]:
    """A number means a person only within a site: of other datasets, rows without a site are nobody's."""
    told = and_(
        VersionImageRow.site.is_not(None), VersionImageRow.site == DatasetImageRow.site
    )
    untold = and_(
        VersionImageRow.site.is_(None),
        DatasetImageRow.site.is_(None),
        VersionRow.dataset_id == dataset,
    )
    return and_(VersionImageRow.patient == DatasetImageRow.patient, or_(told, untold))
