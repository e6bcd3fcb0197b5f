"""The draft of a dataset: images are added, corrected, split and removed before a freeze."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.datasets.split import Group, draw_test_groups
from shared.domain.identity import Spellings
from shared.domain.training.states import Split
from shared.errors import Conflict, InputError, NotFound, SeraError
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.datasets.labelled_image import (
    LabelledImage,
    labelled_image_from_row,
)
from shared.ledger.datasets.locked_parts import PartIndex, draft_parts, frozen_parts
from shared.ledger.datasets.revisions import increment_revision, lock_draft
from shared.ledger.datasets.site_spellings import unify_sites
from shared.ledger.edit_conflicts import ETags
from shared.ledger.tables import DatasetImageRow

COLUMN_WORDS = {
    "malignant": "label",
    "mask_sha256": "mask",
    "roi": "roi",
    "frame": "frame",
    "patient": "patient",
    "site": "site",
    "split": "split",
    "size_mm": "size",
    "tirads": "tirads",
}
"""The word for each column in a refusal, in the order in which columns are compared."""
NO_CASES: Mapping[str, UUID] = MappingProxyType({})
OUTCOME_COLUMNS = frozenset({"malignant", "patient", "site"})
"""The columns whose values an image of a case has from its hospital."""


class ImageUnknown(NotFound):
    code = "image-unknown"
    text = (
        "The dataset's draft has no image {image}. Its hash is the sha256 of the file."
    )


class ImageDiffers(Conflict):
    """The same pixels have another label, mask or patient in the dataset.

    One of the two is wrong, and only a person can decide which.
    """

    text: ClassVar[str] = (
        "The dataset has this image with another {thing}{held}. If the new one is right, correct "
        "the row (./sera dataset correct), or remove it (./sera dataset remove) and add the image "
        "again."
    )

    def __init__(self, column: str, held_value: str) -> None:
        super().__init__(thing=COLUMN_WORDS[column], held=held_value)
        self.code = f"{COLUMN_WORDS[column]}-differs"


class PartFrozen(Conflict):
    code = "split-frozen"
    text = (
        "This image, or another of its patient, is in a frozen version as `{part}` and keeps that "
        "part for ever. Leave `split` out, or send {part}."
    )


class LabelOfCase(Conflict):
    code = "label-of-case"
    text = (
        "This image came in as the case {case}, so its label, patient and site are the hospital's "
        "to correct: POST /v1/cases/{case}/outcome, then take outcomes again."
    )


class SiteUnknown(InputError):
    code = "site-unknown"
    text = "The dataset has no images of the site {site!r}. Its sites are: {known}."


class AddStatus(StrEnum):
    ADDED = "added"
    PRESENT = "known"


@dataclass(frozen=True)
class SplitResult:
    """The numbers of images in a draft after it was split."""

    train: int
    test: int
    moved: int
    fixed: int
    """Images that cannot move, because a frozen version holds them or their patient."""
    overruled: int
    """Fixed images that the split would have put into the other part."""


class Drafts:
    """Each change is made under the dataset's lock and recorded as an audit event."""

    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def add(
        self,
        dataset: UUID,
        images: Sequence[LabelledImage],
        cases: Mapping[str, UUID] = NO_CASES,
    ) -> list[AddStatus | Conflict]:
        """Add the images that are new.

        `cases` has the case of each image that was submitted as one, by the image's hash.
        Returns for each image its status, or the reason of its refusal.
        """
        lock_draft(self._session, dataset)
        images = unify_sites(self._session, dataset, images)
        hashes = [image.image_sha256 for image in images]
        admission = _Admission(
            present=self.find_images(dataset, hashes),
            frozen=frozen_parts(self._session, dataset, images),
            mates=draft_parts(self._session, dataset, images),
        )
        results = [admission.decide(image) for image in images]
        rows = [
            {
                "dataset_id": dataset,
                "case_id": cases.get(image.image_sha256),
                **vars(image),
            }
            for image in admission.new_images
        ]
        if rows:
            self._session.execute(insert(DatasetImageRow), rows)
            self._record(dataset, "added", images=len(rows))
        return results

    def compare(
        self, dataset: UUID, images: Sequence[LabelledImage]
    ) -> list[AddStatus | SeraError]:
        """For each image PRESENT if the dataset has exactly that row, else the error."""
        images = unify_sites(self._session, dataset, images)
        hashes = [image.image_sha256 for image in images]
        present = self.find_images(dataset, hashes)
        return [_compare(present.get(image.image_sha256), image) for image in images]

    def find_images(
        self, dataset: UUID, hashes: Collection[str]
    ) -> dict[str, LabelledImage]:
        """The draft's rows of these images, by hash."""
        query = select(DatasetImageRow).where(*_is_image(dataset, hashes))
        rows = self._session.scalars(query)
        return {row.image_sha256: labelled_image_from_row(row) for row in rows}

    def change(
        self,
        dataset: UUID,
        image_sha256: str,
        changes: Mapping[str, Any],
        tags: ETags = None,
    ) -> LabelledImage:
        """Correct a row's label, patient, site or split.

        Raises EditConflict, ImageUnknown, LabelOfCase, PartFrozen.
        """
        lock_draft(self._session, dataset, tags)
        row = self._row(dataset, image_sha256)
        if row.case_id and OUTCOME_COLUMNS & set(changes):
            raise LabelOfCase(case=row.case_id)
        present = labelled_image_from_row(row)
        [corrected] = unify_sites(self._session, dataset, [replace(present, **changes)])
        changed = self.assign_part(
            dataset=dataset,
            present=present,
            corrected=corrected,
            stated="split" in changes,
        )
        if changed != present:
            columns = sorted(
                name
                for name in COLUMN_WORDS
                if getattr(changed, name) != getattr(present, name)
            )
            self.update_row(dataset, changed)
            self._record(dataset, "corrected", image=image_sha256, columns=columns)
        return changed

    def assign_part(
        self,
        dataset: UUID,
        present: LabelledImage,
        corrected: LabelledImage,
        *,
        stated: bool,
    ) -> LabelledImage:
        """Put the corrected image into its part of the dataset.

        A change of patient may move it into another part. `stated` is true if the correction names
        a part. Raises PartFrozen.
        """
        mates = PartIndex()
        request = corrected
        if not stated:
            request = replace(corrected, split=None)
            if corrected.group != present.group:
                mates = draft_parts(self._session, dataset, [corrected])
        part = choose_part(
            image=request,
            frozen=frozen_parts(self._session, dataset, [corrected]),
            mates=mates,
            otherwise=present.split or Split.TRAIN,
        )
        return replace(corrected, split=part)

    def update_row(
        self, dataset: UUID, image: LabelledImage, case_id: UUID | None = None
    ) -> None:
        """Write a row's columns. The caller records the change."""
        values = dict(vars(image))
        if case_id:
            values["case_id"] = case_id
        self._session.execute(
            update(DatasetImageRow)
            .where(*_is_image(dataset, [image.image_sha256]))
            .values(values)
        )

    def remove(
        self, dataset: UUID, image_sha256: str, tags: ETags = None
    ) -> LabelledImage:
        """Remove a row from the draft.

        Frozen versions keep the row. Raises EditConflict, ImageUnknown.
        """
        lock_draft(self._session, dataset, tags)
        image = labelled_image_from_row(self._row(dataset, image_sha256))
        self._session.execute(
            delete(DatasetImageRow).where(*_is_image(dataset, [image_sha256]))
        )
        self._record(dataset, "removed", image=image_sha256)
        return image

    def split_by_patient(
        self, dataset: UUID, share: float, seed: int, tags: ETags = None
    ) -> SplitResult:
        """Draw whole patients into test: the same share of benign and of malignant images."""
        images = self._lock_images(dataset, tags)
        frozen = frozen_parts(self._session, dataset)
        parts = draw_test_groups(_groups(images, frozen), share, seed)
        result = self._assign_parts(
            dataset=dataset, images=images, frozen=frozen, parts=parts
        )
        if result.moved:
            self._record(
                dataset,
                "split",
                images=result.moved,
                by="patient",
                share=share,
                seed=seed,
            )
        return result

    def split_by_site(
        self, dataset: UUID, sites: Collection[str], tags: ETags = None
    ) -> SplitResult:
        """Put whole sites into test, and every other image into train. Raises SiteUnknown."""
        images = self._lock_images(dataset, tags)
        frozen = frozen_parts(self._session, dataset)
        known_sites = sorted({image.site for image in images if image.site})
        spellings = Spellings(known_sites)
        test_sites = {spellings.unify(site) for site in sites}
        for site in sorted(test_sites - set(known_sites)):
            raise SiteUnknown(site=site, known=", ".join(known_sites) or "none")
        parts = {
            image.group: Split.TEST if image.site in test_sites else Split.TRAIN
            for image in images
        }
        result = self._assign_parts(
            dataset=dataset, images=images, frozen=frozen, parts=parts
        )
        if result.moved:
            self._record(
                dataset,
                "split",
                images=result.moved,
                by="site",
                sites=sorted(test_sites),
            )
        return result

    def _lock_images(self, dataset: UUID, tags: ETags) -> list[LabelledImage]:
        lock_draft(self._session, dataset, tags)
        query = select(DatasetImageRow).where(DatasetImageRow.dataset_id == dataset)
        return [labelled_image_from_row(row) for row in self._session.scalars(query)]

    def _assign_parts(
        self,
        dataset: UUID,
        images: list[LabelledImage],
        frozen: PartIndex,
        parts: Mapping[str, Split],
    ) -> SplitResult:
        """Move the images that are not fixed to the parts of their groups."""
        requested = {image.image_sha256: parts[image.group] for image in images}
        fixed: dict[str, Split] = {}
        for image in images:
            fixed_part = frozen.find(image)
            if fixed_part:
                fixed[image.image_sha256] = fixed_part
        final = requested | fixed
        moved = [
            image.image_sha256
            for image in images
            if image.split != final[image.image_sha256]
        ]
        for part in Split:
            hashes = [
                image_sha256 for image_sha256 in moved if final[image_sha256] is part
            ]
            self._session.execute(
                update(DatasetImageRow)
                .where(*_is_image(dataset, hashes))
                .values(split=part)
            )
        test = sum(part is Split.TEST for part in final.values())
        overruled = sum(part is not requested[image] for image, part in fixed.items())
        return SplitResult(
            train=len(images) - test,
            test=test,
            moved=len(moved),
            fixed=len(fixed),
            overruled=overruled,
        )

    def _row(self, dataset: UUID, image_sha256: str) -> DatasetImageRow:
        query = select(DatasetImageRow).where(*_is_image(dataset, [image_sha256]))
        row = self._session.scalar(query)
        if row is None:
            raise ImageUnknown(image=image_sha256)
        return row

    def _record(self, dataset: UUID, change: str, **details: object) -> None:
        increment_revision(self._session, dataset)
        self._audit.record(
            Event.DATASET_CHANGED,
            case=None,
            job=None,
            dataset=str(dataset),
            change=change,
            **details,
        )


class _Admission:
    """Decides about images one by one. Earlier images of the same request count as present."""

    def __init__(
        self, present: dict[str, LabelledImage], frozen: PartIndex, mates: PartIndex
    ) -> None:
        """`mates` are the other images of the same patients."""
        self._present = present
        self._frozen = frozen
        self._mates = mates
        self.new_images: list[LabelledImage] = []

    def decide(self, image: LabelledImage) -> AddStatus | Conflict:
        try:
            return self._admit(image)
        except Conflict as refusal:
            return refusal

    def _admit(self, image: LabelledImage) -> AddStatus:
        present = self._present.get(image.image_sha256)
        if present:
            check_consistent(present, image)
            return AddStatus.PRESENT
        part = choose_part(
            image=image,
            frozen=self._frozen,
            mates=self._mates,
            otherwise=Split.TRAIN,
        )
        row = replace(image, split=part)
        self._mates.add(
            image=row.image_sha256, patient=row.patient, site=row.site, split=part
        )
        self._present[row.image_sha256] = row
        self.new_images.append(row)
        return AddStatus.ADDED


def check_consistent(present: LabelledImage, offered: LabelledImage) -> None:
    """Raise ImageDiffers if a column of the offered image differs from the present row.

    A column that is None in the offered image is not compared.
    """
    for column in COLUMN_WORDS:
        offered_value = getattr(offered, column)
        present_value = getattr(present, column)
        if offered_value is not None and offered_value != present_value:
            raise ImageDiffers(column, _value_text(column, present_value))


def choose_part(
    image: LabelledImage, frozen: PartIndex, mates: PartIndex, otherwise: str
) -> Split:
    """Choose the part of an image: its frozen part, else the stated part, else its patient's part.

    Raises PartFrozen if a frozen version has another part than the stated part.
    """
    fixed = frozen.find(image)
    if fixed is None:
        return Split(image.split or mates.find(image) or otherwise)
    if image.split not in (None, fixed):
        raise PartFrozen(part=fixed)
    return fixed


def _compare(
    present: LabelledImage | None, offered: LabelledImage
) -> AddStatus | SeraError:
    if present is None:
        return ImageUnknown(image=offered.image_sha256)
    try:
        check_consistent(present, offered)
    except SeraError as refusal:
        return refusal
    return AddStatus.PRESENT


def _value_text(column: str, value: object) -> str:
    if column == "malignant":
        return " (malignant)" if value else " (benign)"
    if column in ("split", "site") and value:
        return f" ({value})"
    return ""


def _groups(images: list[LabelledImage], frozen: PartIndex) -> list[Group]:
    ordered = sorted(images, key=lambda image: image.group)
    return [
        _group(name, list(members), frozen)
        for name, members in groupby(ordered, lambda image: image.group)
    ]


def _group(name: str, members: list[LabelledImage], frozen: PartIndex) -> Group:
    fixed_parts = {frozen.find(member) for member in members} - {None}
    fixed_split = None
    if Split.TEST in fixed_parts:
        fixed_split = Split.TEST
    elif fixed_parts:
        fixed_split = Split.TRAIN
    return Group(
        name=name,
        image_count=len(members),
        malignant=any(member.malignant for member in members),
        fixed_split=fixed_split,
    )


def _is_image(
    dataset: UUID, hashes: Collection[str]
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        DatasetImageRow.dataset_id == dataset,
        DatasetImageRow.image_sha256.in_(hashes),
    )
