"""The draft of a dataset: rows come, are corrected, are put into parts and go, until a version freezes them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.datasets.split import Group, draw_test_groups
from shared.domain.training.states import Split
from shared.errors import Conflict, InputError, NotFound, SeraError
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.datasets.labelled_image import LabelledImage, labelled_image_from_row
from shared.ledger.datasets.locked_parts import PartIndex, draft_parts, frozen_parts
from shared.ledger.datasets.revisions import increment_revision, lock_draft
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
"""What a column is called in a refusal, in the order in which a difference is looked for."""
NO_CASES: Mapping[str, UUID] = MappingProxyType({})
OF_OUTCOME = frozenset({"malignant", "patient", "site"})


class ImageUnknown(NotFound):
    code = "image-unknown"
    text = (
        "The dataset's draft has no image {image}. Its hash is the sha256 of the file."
    )


class ImageDiffers(Conflict):
    """The same pixels under another label, mask or patient: one of the two is wrong, and only a person knows which."""

    text: ClassVar[str] = (
        "The dataset has this image with another {thing}{held}. If the new one is right, correct the row "
        "(./sera dataset correct), or remove it (./sera dataset remove) and add the image again."
    )

    def __init__(self, column: str, held: str) -> None:
        super().__init__(thing=COLUMN_WORDS[column], held=held)
        self.code = f"{COLUMN_WORDS[column]}-differs"


class PartFrozen(Conflict):
    code = "split-frozen"
    text = (
        "This image, or another of its patient, is in a frozen version as `{part}` and keeps that part for ever. "
        "Leave `split` out, or send {part}."
    )


class LabelOfCase(Conflict):
    code = "label-of-case"
    text = (
        "This image came in as the case {case}, so its label, patient and site are the hospital's to correct: "
        "POST /v1/cases/{case}/outcome, then take outcomes again."
    )


class SiteUnknown(InputError):
    code = "site-unknown"
    text = "The dataset has no images of the site {site!r}. Its sites are: {known}."


class AddStatus(StrEnum):
    ADDED = "added"
    PRESENT = "known"


@dataclass(frozen=True)
class SplitResult:
    """What a split made of a draft, in images."""

    train: int
    test: int
    moved: int
    fixed: int
    """In a frozen version, or of a patient who is, so that they stay."""
    overruled: int
    """Fixed in the other part than was asked for."""


class Drafts:
    """Every change is made under the dataset's lock and recorded."""

    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit

    def add(
        self,
        dataset: UUID,
        images: Sequence[LabelledImage],
        cases: Mapping[str, UUID] = NO_CASES,
    ) -> list[AddStatus | Conflict]:
        """Add what is new; for each image whether it was, or why it is refused. `cases` of those that came as one."""
        lock_draft(self._session, dataset)
        frozen = frozen_parts(self._session, dataset, images)
        held = self.find_images(dataset, [image.image_sha256 for image in images])
        admission = _Admission(
            held, frozen, draft_parts(self._session, dataset, images)
        )
        answers = [admission.answer(image) for image in images]
        if admission.new:
            rows = [
                {
                    "dataset_id": dataset,
                    "case_id": cases.get(image.image_sha256),
                    **vars(image),
                }
                for image in admission.new
            ]
            self._session.execute(insert(DatasetImageRow), rows)
            self._record(dataset, "added", images=len(rows))
        return answers

    def compare(
        self, dataset: UUID, images: Sequence[LabelledImage]
    ) -> list[AddStatus | SeraError]:
        """For each image whether the dataset has it just so; adds nothing."""
        held = self.find_images(dataset, [image.image_sha256 for image in images])
        return [_compared(held.get(image.image_sha256), image) for image in images]

    def find_images(self, dataset: UUID, hashes: Collection[str]) -> dict[str, LabelledImage]:
        """The draft's own rows of these images, by hash."""
        query = select(DatasetImageRow).where(DatasetImageRow.dataset_id == dataset)
        rows = self._session.scalars(
            query.where(DatasetImageRow.image_sha256.in_(hashes))
        )
        return {row.image_sha256: labelled_image_from_row(row) for row in rows}

    def change(
        self,
        dataset: UUID,
        image_sha256: str,
        changes: Mapping[str, Any],
        tags: ETags = None,
    ) -> LabelledImage:
        """Correct a row's label, patient, site or split."""
        lock_draft(self._session, dataset, tags)
        row = self._row(dataset, image_sha256)
        if row.case_id and OF_OUTCOME & set(changes):
            raise LabelOfCase(case=row.case_id)
        before = labelled_image_from_row(row)
        after = self.assign_part(
            dataset, before, replace(before, **changes), stated="split" in changes
        )
        if after != before:
            columns = sorted(
                name for name in COLUMN_WORDS if getattr(after, name) != getattr(before, name)
            )
            self.update_row(dataset, after)
            self._record(dataset, "corrected", image=image_sha256, columns=columns)
        return after

    def assign_part(
        self,
        dataset: UUID,
        before: LabelledImage,
        after: LabelledImage,
        *,
        stated: bool,
    ) -> LabelledImage:
        """The corrected image in the part where it may be: another patient may bring it into another part."""
        joins = not stated and after.group != before.group
        mates = draft_parts(self._session, dataset, [after]) if joins else PartIndex()
        wanted = after if stated else replace(after, split=None)
        return replace(
            after,
            split=choose_part(
                wanted,
                frozen_parts(self._session, dataset, [after]),
                mates,
                before.split or Split.TRAIN,
            ),
        )

    def update_row(
        self, dataset: UUID, image: LabelledImage, case_id: UUID | None = None
    ) -> None:
        """Put a row's columns; for callers that record the change themselves."""
        values = vars(image) | ({"case_id": case_id} if case_id else {})
        self._session.execute(
            update(DatasetImageRow)
            .where(*_is(dataset, [image.image_sha256]))
            .values(values)
        )

    def remove(
        self, dataset: UUID, image_sha256: str, tags: ETags = None
    ) -> LabelledImage:
        """Take a row out of the draft; versions that have it keep it."""
        lock_draft(self._session, dataset, tags)
        gone = labelled_image_from_row(self._row(dataset, image_sha256))
        self._session.execute(
            delete(DatasetImageRow).where(*_is(dataset, [image_sha256]))
        )
        self._record(dataset, "removed", image=image_sha256)
        return gone

    def split_by_patient(
        self, dataset: UUID, share: float, seed: int, tags: ETags = None
    ) -> SplitResult:
        """Draw whole patients into test; of both classes the same share of images."""
        images, frozen = self._all(dataset, tags)
        parts = draw_test_groups(_groups(images, frozen), share, seed)
        return self._part(
            dataset, images, frozen, parts, by="patient", share=share, seed=seed
        )

    def split_by_site(
        self, dataset: UUID, sites: Collection[str], tags: ETags = None
    ) -> SplitResult:
        """Hold back whole sites as test; every other image is for training."""
        images, frozen = self._all(dataset, tags)
        known = sorted({image.site for image in images if image.site})
        for site in sorted(set(sites) - set(known)):
            raise SiteUnknown(site=site, known=", ".join(known) or "none")
        parts = {
            image.group: Split.TEST if image.site in sites else Split.TRAIN
            for image in images
        }
        return self._part(
            dataset, images, frozen, parts, by="site", sites=sorted(sites)
        )

    def _all(self, dataset: UUID, tags: ETags) -> tuple[list[LabelledImage], PartIndex]:
        lock_draft(self._session, dataset, tags)
        query = select(DatasetImageRow).where(DatasetImageRow.dataset_id == dataset)
        return [labelled_image_from_row(row) for row in self._session.scalars(query)], frozen_parts(
            self._session, dataset
        )

    def _part(
        self,
        dataset: UUID,
        images: list[LabelledImage],
        frozen: PartIndex,
        parts: Mapping[str, Split],
        **how: Any,
    ) -> SplitResult:
        asked = {image.image_sha256: parts[image.group] for image in images}
        fixed = {
            image.image_sha256: part for image in images if (part := frozen.find(image))
        }
        final = asked | fixed
        moved = [
            image.image_sha256
            for image in images
            if image.split != final[image.image_sha256]
        ]
        for part in Split:
            here = [image for image in moved if final[image] is part]
            self._session.execute(
                update(DatasetImageRow).where(*_is(dataset, here)).values(split=part)
            )
        test = sum(part is Split.TEST for part in final.values())
        if moved:
            self._record(dataset, "split", images=len(moved), **how)
        overruled = sum(part is not asked[image] for image, part in fixed.items())
        return SplitResult(len(images) - test, test, len(moved), len(fixed), overruled)

    def _row(self, dataset: UUID, image_sha256: str) -> DatasetImageRow:
        row = self._session.scalar(
            select(DatasetImageRow).where(*_is(dataset, [image_sha256]))
        )
        if row is None:
            raise ImageUnknown(image=image_sha256)
        return row

    def _record(self, dataset: UUID, change: str, **details: Any) -> None:
        increment_revision(self._session, dataset)
        self._audit.record(
            Event.DATASET_CHANGED, dataset=str(dataset), change=change, **details
        )


class _Admission:
    """Decides image by image, the earlier ones of the same offer counted in."""

    def __init__(
        self, held: dict[str, LabelledImage], frozen: PartIndex, mates: PartIndex
    ) -> None:
        self._held = held
        self._frozen = frozen
        self._mates = mates
        self.new: list[LabelledImage] = []

    def answer(self, image: LabelledImage) -> AddStatus | Conflict:
        try:
            return self._admit(image)
        except Conflict as refusal:
            return refusal

    def _admit(self, image: LabelledImage) -> AddStatus:
        if held := self._held.get(image.image_sha256):
            check_consistent(held, image)
            return AddStatus.PRESENT
        part = choose_part(image, self._frozen, self._mates, Split.TRAIN)
        row = replace(image, split=part)
        self._mates.add(row.image_sha256, row.patient, row.site, part)
        self._held[row.image_sha256] = row
        self.new.append(row)
        return AddStatus.ADDED


def check_consistent(held: LabelledImage, offered: LabelledImage) -> None:
    """What is said of the image must be what is held of it (`ImageDiffers`); what is left out says nothing."""
    for column in COLUMN_WORDS:
        told = getattr(offered, column)
        known = getattr(held, column)
        if told is not None and told != known:
            raise ImageDiffers(column, _shown(column, known))


def _compared(
    held: LabelledImage | None, offered: LabelledImage
) -> AddStatus | SeraError:
    try:
        if held is None:
            raise ImageUnknown(image=offered.image_sha256)
        check_consistent(held, offered)
        return AddStatus.PRESENT
    except SeraError as refusal:
        return refusal


def choose_part(image: LabelledImage, frozen: PartIndex, mates: PartIndex, otherwise: str) -> Split:
    """Where the image goes: where it is frozen, else where it is said to go, else to its patient's others."""
    fixed = frozen.find(image)
    if fixed is None:
        return Split(image.split or mates.find(image) or otherwise)
    if image.split not in (None, fixed):
        raise PartFrozen(part=fixed)
    return fixed


def _shown(column: str, value: Any) -> str:
    if column == "malignant":
        return f" ({'malignant' if value else 'benign'})"
    return f" ({value})" if column in ("split", "site") and value else ""


def _groups(images: list[LabelledImage], frozen: PartIndex) -> list[Group]:
    ordered = sorted(images, key=lambda image: image.group)
    return [
        _group(name, list(members), frozen)
        for name, members in groupby(ordered, lambda image: image.group)
    ]


def _group(name: str, members: list[LabelledImage], frozen: PartIndex) -> Group:
    fixed = {frozen.find(member) for member in members} - {None}
    part = Split.TEST if Split.TEST in fixed else Split.TRAIN if fixed else None
    return Group(name, len(members), any(member.malignant for member in members), part)


def _is(dataset: UUID, images: Collection[str]) -> tuple[Any, Any]:
    return DatasetImageRow.dataset_id == dataset, DatasetImageRow.image_sha256.in_(
        images
    )
