"""Keeps drafts in line with hospitals' outcomes.

A draft holds only images whose latest outcome has consent, under the label of that outcome.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Subquery,
    and_,
    case,
    delete,
    exists,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState
from shared.errors import Conflict, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.datasets.drafts import AddStatus, Drafts
from shared.ledger.datasets.labelled_image import (
    LabelledImage,
    labelled_image_from_row,
)
from shared.ledger.datasets.revisions import increment_revision, lock_draft
from shared.ledger.edit_conflicts import ETags
from shared.ledger.tables import (
    AnyRow,
    AnySelect,
    CaseRow,
    DatasetImageRow,
    HospitalRow,
    JobRow,
    OutcomeRow,
    VersionImageRow,
    VersionRow,
)

OUTCOME_FIELDS = ("malignant", "patient", "roi", "frame", "size_mm")
"""The fields of a labelled image that come from the case and its outcome."""


class HospitalUnknown(NotFound):
    code = "hospital-unknown"
    text = (
        "There is no hospital {name!r}. Name it as its key was made: ./sera key create "
        "--hospital NAME."
    )


class CaseFailed(Conflict):
    code = "case-failed"
    text = "The case's image could not be read ({reason}), so nothing can be learned from it."


@dataclass(frozen=True)
class WithdrawnImage:
    """An image that was removed from a draft; `versions` are the frozen versions that still contain
    it.
    """

    case_id: UUID
    image_sha256: str
    versions: tuple[int, ...]


@dataclass(frozen=True)
class RefusedImage:
    case_id: UUID
    image_sha256: str
    reason: Conflict


@dataclass(frozen=True)
class OutcomeImport:
    """The changes that an import of outcomes made to a draft."""

    added: int
    corrected: int
    known: int
    withdrawn: list[WithdrawnImage]
    refused: list[RefusedImage]


@dataclass(frozen=True)
class _Candidate:
    case_id: UUID
    image: LabelledImage
    failure: str | None
    """The reason why the case's latest job failed, if it did."""


class Consents:
    def __init__(self, session: Session, audit: AuditTrail) -> None:
        self._session = session
        self._audit = audit
        self._drafts = Drafts(session, audit)

    def import_outcomes(
        self,
        dataset: UUID,
        recorded_from: datetime | None = None,
        hospital: str | None = None,
        tags: ETags = None,
    ) -> OutcomeImport:
        """Bring the draft in line with the hospitals' outcomes.

        The filters limit the images that are added, but not the images that are withdrawn.
        Raises EditConflict, HospitalUnknown.
        """
        lock_draft(self._session, dataset, tags)
        withdrawn = self.remove_withdrawn(dataset)
        corrected = self._correct_rows(dataset)
        hospital_id = self._hospital_id(hospital) if hospital else None
        candidates = self._candidates(
            dataset=dataset, recorded_from=recorded_from, hospital=hospital_id
        )
        readable: list[_Candidate] = []
        refused: list[RefusedImage] = []
        for candidate in candidates:
            if candidate.failure:
                refused.append(
                    _refusal(candidate, CaseFailed(reason=candidate.failure))
                )
            else:
                readable.append(candidate)
        results = self._add(dataset, readable)
        for candidate, result in zip(readable, results, strict=True):
            if isinstance(result, Conflict):
                refused.append(_refusal(candidate, result))
        return OutcomeImport(
            added=results.count(AddStatus.ADDED),
            corrected=corrected,
            known=results.count(AddStatus.PRESENT),
            withdrawn=withdrawn,
            refused=refused,
        )

    def remove_withdrawn(self, dataset: UUID) -> list[WithdrawnImage]:
        """Remove rows from the draft whose consent was withdrawn or whose case was erased.

        Frozen versions stay as they are.
        """
        unconsented = self._remove(dataset, "withdrawn", _unconsented(dataset))
        return unconsented + self.remove_erased(dataset)

    def remove_erased(self, dataset: UUID) -> list[WithdrawnImage]:
        """Remove rows of erased cases from the draft."""
        lock_draft(self._session, dataset)
        query = (
            select(DatasetImageRow.image_sha256, DatasetImageRow.case_id)
            .join(CaseRow)
            .where(
                DatasetImageRow.dataset_id == dataset, CaseRow.erased_at.is_not(None)
            )
        )
        return self._remove(dataset, "erased", query)

    def datasets_with_erased_cases(self) -> list[UUID]:
        """Datasets whose drafts hold rows of erased cases."""
        query = (
            select(DatasetImageRow.dataset_id)
            .join(CaseRow)
            .where(CaseRow.erased_at.is_not(None))
            .distinct()
            .order_by(DatasetImageRow.dataset_id)
        )
        return list(self._session.scalars(query))

    def _remove(
        self, dataset: UUID, change: str, query: AnySelect
    ) -> list[WithdrawnImage]:
        """Remove the draft's rows of these (image, case)."""
        images: list[WithdrawnImage] = []
        for image_sha256, case_id in self._session.execute(query).all():
            image = WithdrawnImage(
                case_id=case_id,
                image_sha256=image_sha256,
                versions=self._versions_with(dataset, image_sha256),
            )
            images.append(image)
        statement = delete(DatasetImageRow).where(
            DatasetImageRow.dataset_id == dataset,
            DatasetImageRow.image_sha256.in_([image.image_sha256 for image in images]),
        )
        self._session.execute(statement)
        for image in images:
            self._record(
                dataset=dataset,
                change=change,
                case_id=image.case_id,
                image=image.image_sha256,
                versions=list(image.versions),
            )
        return images

    def _correct_rows(self, dataset: UUID) -> int:
        """Update rows of cases to their latest outcomes; returns how many changed."""
        latest = _latest_outcomes()
        query = (
            select(DatasetImageRow, latest)
            .join(CaseRow, CaseRow.id == DatasetImageRow.case_id)
            .join(latest, _same_image(latest))
            .where(DatasetImageRow.dataset_id == dataset, latest.c.consent)
        )
        corrected = 0
        for row in self._session.execute(query).all():
            if self._correct_row(dataset, row.DatasetImageRow, row):
                corrected += 1
        return corrected

    def _correct_row(
        self, dataset: UUID, image_row: DatasetImageRow, outcome: AnyRow
    ) -> bool:
        present = labelled_image_from_row(image_row)
        corrected = replace(present, **_outcome_fields(outcome))
        if corrected == present:
            return False
        assigned = self._drafts.assign_part(
            dataset=dataset, present=present, corrected=corrected, stated=False
        )
        self._drafts.update_row(dataset, assigned, outcome.case_id)
        self._record(
            dataset=dataset,
            change="corrected",
            case_id=outcome.case_id,
            image=present.image_sha256,
        )
        return True

    def _candidates(
        self, dataset: UUID, recorded_from: datetime | None, hospital: UUID | None
    ) -> list[_Candidate]:
        """Images with consent that were not added to this dataset as a case yet."""
        latest = _latest_outcomes()
        in_dataset = exists().where(
            DatasetImageRow.dataset_id == dataset,
            DatasetImageRow.image_sha256 == latest.c.image_sha256,
            DatasetImageRow.case_id.is_not(None),
        )
        query = (
            select(
                latest,
                HospitalRow.name.label("site"),
                _failure_reason(latest).label("failure"),
            )
            .join(HospitalRow, HospitalRow.id == latest.c.hospital_id)
            .where(latest.c.consent, ~in_dataset)
            .order_by(latest.c.id)
        )
        if recorded_from:
            query = query.where(latest.c.recorded_at >= recorded_from)
        if hospital:
            query = query.where(latest.c.hospital_id == hospital)
        return [_candidate(row) for row in self._session.execute(query)]

    def _add(
        self, dataset: UUID, candidates: list[_Candidate]
    ) -> list[AddStatus | Conflict]:
        """Add images. An image of several cases is added for the first case."""
        cases: dict[str, UUID] = {}
        for candidate in candidates:
            cases.setdefault(candidate.image.image_sha256, candidate.case_id)
        images = [candidate.image for candidate in candidates]
        return self._drafts.add(dataset, images, cases)

    def _hospital_id(self, name: str) -> UUID:
        query = select(HospitalRow.id).where(HospitalRow.name == name)
        hospital_id = self._session.scalar(query)
        if hospital_id is None:
            raise HospitalUnknown(name=name)
        return hospital_id

    def _versions_with(self, dataset: UUID, image_sha256: str) -> tuple[int, ...]:
        query = (
            select(VersionRow.number)
            .join(VersionImageRow)
            .where(
                VersionRow.dataset_id == dataset,
                VersionImageRow.image_sha256 == image_sha256,
            )
            .order_by(VersionRow.number)
        )
        return tuple(self._session.scalars(query))

    def _record(
        self, dataset: UUID, change: str, case_id: UUID, image: str, **details: object
    ) -> None:
        increment_revision(self._session, dataset)
        self._audit.record(
            Event.DATASET_CHANGED,
            case=case_id,
            job=None,
            dataset=str(dataset),
            change=change,
            image=image,
            **details,
        )


def _unconsented(dataset: UUID) -> AnySelect:
    """(image, case) of the draft's rows whose consent was withdrawn."""
    latest = _latest_outcomes()
    return (
        select(DatasetImageRow.image_sha256, latest.c.case_id)
        .join(CaseRow, CaseRow.id == DatasetImageRow.case_id)
        .join(latest, _same_image(latest))
        .where(DatasetImageRow.dataset_id == dataset, latest.c.consent.is_(False))
    )


def _latest_outcomes() -> Subquery:
    """The latest outcome of each image of each hospital, because a case that was sent twice has one
    image.
    """
    key = (OutcomeRow.hospital_id, CaseRow.image_sha256)
    query = (
        select(
            OutcomeRow,
            CaseRow.image_sha256,
            CaseRow.roi,
            CaseRow.frame,
            CaseRow.size_mm,
        )
        .join(CaseRow, CaseRow.id == OutcomeRow.case_id)
        .ext(distinct_on(*key))
        .order_by(*key, OutcomeRow.id.desc())
    )
    return query.subquery("latest")


def _same_image(latest: Subquery) -> ColumnElement[bool]:
    return and_(
        latest.c.hospital_id == CaseRow.hospital_id,
        latest.c.image_sha256 == CaseRow.image_sha256,
    )


def _failure_reason(latest: Subquery) -> ScalarSelect[str | None]:
    """SQL for the reason why the case's latest job failed; NULL if it did not."""
    reason = case((JobRow.state == JobState.FAILED, JobRow.reason))
    query = (
        select(reason)
        .where(JobRow.case_id == latest.c.case_id)
        .order_by(JobRow.created_at.desc())
        .limit(1)
    )
    return query.scalar_subquery()


def _candidate(row: AnyRow) -> _Candidate:
    image = LabelledImage(
        image_sha256=row.image_sha256,
        split=None,
        site=row.site,
        **_outcome_fields(row),
    )
    return _Candidate(case_id=row.case_id, image=image, failure=row.failure)


def _outcome_fields(row: AnyRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in OUTCOME_FIELDS}


def _refusal(candidate: _Candidate, reason: Conflict) -> RefusedImage:
    return RefusedImage(
        case_id=candidate.case_id,
        image_sha256=candidate.image.image_sha256,
        reason=reason,
    )
