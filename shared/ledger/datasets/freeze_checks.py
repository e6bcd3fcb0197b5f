"""Checks a draft before it is frozen.

No patient may be in both parts, and no training image may be in a locked test set.
"""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from shared.domain.training.states import Split
from shared.errors import Conflict
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.tables import DatasetImageRow, VersionImageRow, VersionRow

MAX_EXAMPLES = 3


class GroupInTrainAndTest(Conflict):
    code = "group-on-both-sides"
    text = (
        "Patients with images in `train` and in `test`: {count}, {examples} among them. Put all "
        "of a patient's images into one part (./sera dataset split NAME --by patient), or remove "
        "those that a frozen version holds elsewhere."
    )


class LockedTestImage(Conflict):
    code = "locked-test-image"
    text = (
        "Training images that are in the locked test set of a frozen version: {count}, "
        "{examples} among them. Move them to `test` (./sera dataset correct) or remove them "
        "(./sera dataset remove)."
    )


class LockedTestPatient(Conflict):
    code = "locked-test-patient"
    text = (
        "Training images of patients who are in the locked test set of a frozen version: "
        "{count}, {examples} among them. Move them to `test` (./sera dataset correct) or remove "
        "them (./sera dataset remove)."
    )


def check_parts(images: Iterable[LabelledImage]) -> None:
    """Raise GroupInTrainAndTest unless every patient is in one part."""
    parts_by_group: dict[str, set[str | None]] = defaultdict(set)
    for image in images:
        parts_by_group[image.group].add(image.split)
    groups = sorted(group for group, parts in parts_by_group.items() if len(parts) > 1)
    if groups:
        raise GroupInTrainAndTest(
            count=len(groups), examples=", ".join(groups[:MAX_EXAMPLES])
        )


def check_locked(session: Session, dataset: UUID) -> None:
    """Raise if a training image, or its patient, is in a locked test set.

    Raises
    ------
    LockedTestImage, LockedTestPatient
    """
    same_image = VersionImageRow.image_sha256 == DatasetImageRow.image_sha256
    checks = (
        (same_image, LockedTestImage),
        (_same_patient(dataset), LockedTestPatient),
    )
    for is_same, refusal in checks:
        images = _training_images_in_test(session, dataset, is_same)
        if images:
            raise refusal(count=len(images), examples=", ".join(images[:MAX_EXAMPLES]))


def _training_images_in_test(
    session: Session, dataset: UUID, is_same: ColumnElement[bool]
) -> list[str]:
    query = (
        select(DatasetImageRow.image_sha256)
        .select_from(VersionImageRow)
        .join(VersionRow)
        .join(DatasetImageRow, is_same)
        .where(
            DatasetImageRow.dataset_id == dataset,
            DatasetImageRow.split == Split.TRAIN,
            VersionImageRow.split == Split.TEST,
        )
        .distinct()
        .order_by(DatasetImageRow.image_sha256)
    )
    return list(session.scalars(query))


def _same_patient(dataset: UUID) -> ColumnElement[bool]:
    """Whether two rows belong to one patient.

    A patient's number is unique only within a site. Rows of other datasets without a site match no
    patient.
    """
    same_site = and_(
        VersionImageRow.site.is_not(None), VersionImageRow.site == DatasetImageRow.site
    )
    both_without_site = and_(
        VersionImageRow.site.is_(None),
        DatasetImageRow.site.is_(None),
        VersionRow.dataset_id == dataset,
    )
    same_number = VersionImageRow.patient == DatasetImageRow.patient
    return and_(same_number, or_(same_site, both_without_site))
