"""What hospitals' latest outcomes let a dataset hold: images whose consent stands, under the label that stands."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Subquery, and_, case, delete, exists, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState
from shared.errors import Conflict, NotFound
from shared.ledger.audit.repository import AuditTrail
from shared.ledger.datasets.drafts import AddStatus, Drafts
from shared.ledger.datasets.labelled_image import LabelledImage, labelled_image_from_row
from shared.ledger.datasets.revisions import increment_revision, lock_draft
from shared.ledger.edit_conflicts import ETags
from shared.ledger.tables import (
    AnySelect,
    CaseRow,
    DatasetImageRow,
    HospitalRow,
    JobRow,
    OutcomeRow,
    VersionImageRow,
    VersionRow,
)


class HospitalUnknown(NotFound):
    code = "hospital-unknown"
    text = "There is no hospital {name!r}. Name it as its key was made: ./sera key create --hospital NAME."


class CaseFailed(Conflict):
    code = "case-failed"
    text = "The case's image could not be read ({reason}), so nothing can be learned from it."


@dataclass(frozen=True)
class WithdrawnImage:
    """An image whose consent was withdrawn; `versions` are the frozen ones that still hold it."""

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
    """What taking outcomes did to a draft."""

    added: int
    corrected: int
    known: int
    withdrawn: list[WithdrawnImage]
    refused: list[RefusedImage]


@dataclass(frozen=True)
class _Candidate:
    case_id: UUID
    image: LabelledImage
    failed: str | None


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
        """Bring the draft up to what hospitals say; the filters narrow what is added, never what is withdrawn."""
        lock_draft(self._session, dataset, tags)
        withdrawn = self.remove_withdrawn(dataset)
        corrected = self._correct(dataset)
        found = self._candidates(
            dataset, recorded_from, self._hospital(hospital) if hospital else None
        )
        refused = [
            _refusal(each, CaseFailed(reason=each.failed))
            for each in found
            if each.failed
        ]
        readable = [each for each in found if not each.failed]
        cases = {each.image.image_sha256: each.case_id for each in reversed(readable)}
        answers = self._drafts.add(dataset, [each.image for each in readable], cases)
        pairs = zip(readable, answers, strict=True)
        refused += [
            _refusal(each, answer)
            for each, answer in pairs
            if isinstance(answer, Conflict)
        ]
        added, known = (
            answers.count(reception) for reception in (AddStatus.ADDED, AddStatus.PRESENT)
        )
        return OutcomeImport(added, corrected, known, withdrawn, refused)

    def remove_withdrawn(self, dataset: UUID) -> list[WithdrawnImage]:
        """Take rows out of the draft whose consent was withdrawn or whose case was erased; what is frozen stays."""
        return self._take_out(
            dataset, "withdrawn", self._unconsented(dataset)
        ) + self.remove_erased(dataset)

    def remove_erased(self, dataset: UUID) -> list[WithdrawnImage]:
        """Take rows of erased cases out of the draft."""
        lock_draft(self._session, dataset)
        query = select(DatasetImageRow.image_sha256, DatasetImageRow.case_id).join(
            CaseRow
        )
        erased = query.where(
            DatasetImageRow.dataset_id == dataset, CaseRow.erased_at.is_not(None)
        )
        return self._take_out(dataset, "erased", erased)

    def datasets_with_erased_cases(self) -> list[UUID]:
        """Datasets whose drafts hold rows of erased cases."""
        query = (
            select(DatasetImageRow.dataset_id)
            .join(CaseRow)
            .where(CaseRow.erased_at.is_not(None))
        )
        return list(
            self._session.scalars(query.distinct().order_by(DatasetImageRow.dataset_id))
        )

    def _unconsented(self, dataset: UUID) -> AnySelect:
        latest = _latest()
        return (
            select(DatasetImageRow.image_sha256, latest.c.case_id)
            .join(CaseRow, CaseRow.id == DatasetImageRow.case_id)
            .join(latest, _same_image(latest))
            .where(DatasetImageRow.dataset_id == dataset, latest.c.consent.is_(False))
        )

    def _take_out(
        self, dataset: UUID, change: str, query: AnySelect
    ) -> list[WithdrawnImage]:
        gone = [
            WithdrawnImage(of, image, self._holding(dataset, image))
            for image, of in self._session.execute(query)
        ]
        hashes = [each.image_sha256 for each in gone]
        here = (
            DatasetImageRow.dataset_id == dataset,
            DatasetImageRow.image_sha256.in_(hashes),
        )
        self._session.execute(delete(DatasetImageRow).where(*here))
        for each in gone:
            self._record(
                dataset,
                change,
                each.case_id,
                each.image_sha256,
                versions=list(each.versions),
            )
        return gone

    def _correct(self, dataset: UUID) -> int:
        """Rows of cases as their latest outcomes have them; returns how many changed."""
        latest = _latest()
        query = (
            select(DatasetImageRow, latest)
            .join(CaseRow, CaseRow.id == DatasetImageRow.case_id)
            .join(latest, _same_image(latest))
            .where(DatasetImageRow.dataset_id == dataset, latest.c.consent)
        )
        return sum(
            self._corrected(dataset, row.DatasetImageRow, row)
            for row in self._session.execute(query).all()
        )

    def _corrected(self, dataset: UUID, row: DatasetImageRow, told: Any) -> bool:
        before = labelled_image_from_row(row)
        after = replace(before, **_facts(told))
        if after == before:
            return False
        self._drafts.update_row(
            dataset,
            self._drafts.assign_part(dataset, before, after, stated=False),
            told.case_id,
        )
        self._record(dataset, "corrected", told.case_id, before.image_sha256)
        return True

    def _candidates(
        self, dataset: UUID, since: datetime | None, hospital: UUID | None
    ) -> list[_Candidate]:
        """Images with consent that did not come into this dataset as a case yet."""
        latest = _latest()
        of_case = DatasetImageRow.case_id.is_not(None)
        in_dataset = and_(
            DatasetImageRow.dataset_id == dataset,
            DatasetImageRow.image_sha256 == latest.c.image_sha256,
        )
        query = (
            select(
                latest, HospitalRow.name.label("site"), _failure(latest).label("failed")
            )
            .join(HospitalRow, HospitalRow.id == latest.c.hospital_id)
            .where(latest.c.consent, ~exists().where(in_dataset, of_case))
            .order_by(latest.c.id)
        )
        if since:
            query = query.where(latest.c.recorded_at >= since)
        if hospital:
            query = query.where(latest.c.hospital_id == hospital)
        return [_candidate(row) for row in self._session.execute(query)]

    def _hospital(self, name: str) -> UUID:
        found = self._session.scalar(
            select(HospitalRow.id).where(HospitalRow.name == name)
        )
        if found is None:
            raise HospitalUnknown(name=name)
        return found

    def _holding(self, dataset: UUID, image: str) -> tuple[int, ...]:
        query = (
            select(VersionRow.number)
            .join(VersionImageRow)
            .where(VersionRow.dataset_id == dataset)
        )
        held = query.where(VersionImageRow.image_sha256 == image).order_by(
            VersionRow.number
        )
        return tuple(self._session.scalars(held))

    def _record(
        self, dataset: UUID, change: str, case_id: UUID, image: str, **more: Any
    ) -> None:
        increment_revision(self._session, dataset)
        details = {"dataset": str(dataset), "change": change, "image": image, **more}
        self._audit.record(Event.DATASET_CHANGED, case=case_id, **details)


def _latest() -> Subquery:
    """The newest outcome of each image of each hospital: a case sent twice is one image."""
    columns = (CaseRow.image_sha256, CaseRow.roi, CaseRow.frame, CaseRow.size_mm)
    query = select(OutcomeRow, *columns).join(CaseRow, CaseRow.id == OutcomeRow.case_id)
    order = OutcomeRow.hospital_id, CaseRow.image_sha256
    return (
        query.ext(distinct_on(*order))
        .order_by(*order, OutcomeRow.id.desc())
        .subquery("latest")
    )


def _same_image(latest: Subquery) -> Any:
    return and_(
        latest.c.hospital_id == CaseRow.hospital_id,
        latest.c.image_sha256 == CaseRow.image_sha256,
    )


def _failure(latest: Subquery) -> Any:
    """Why the case's newest job failed, if it did."""
    reason = case((JobRow.state == JobState.FAILED, JobRow.reason))
    jobs = select(reason).where(JobRow.case_id == latest.c.case_id)
    return jobs.order_by(JobRow.created_at.desc()).limit(1).scalar_subquery()


def _candidate(row: Any) -> _Candidate:
    image = LabelledImage(row.image_sha256, split=None, site=row.site, **_facts(row))
    return _Candidate(row.case_id, image, row.failed)


def _facts(row: Any) -> dict[str, Any]:
    return {
        name: getattr(row, name)
        for name in ("malignant", "patient", "roi", "frame", "size_mm")
    }


def _refusal(each: _Candidate, reason: Conflict) -> RefusedImage:
    return RefusedImage(each.case_id, each.image.image_sha256, reason)
