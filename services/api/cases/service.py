"""Reads cases, records their outcomes and erases them."""

from uuid import UUID

from services.api.audit.read_audit import ReadAudit
from services.api.cases.assessment import assess_descriptors
from services.api.cases.reader_level import shown_levels
from services.api.cases.schemas import (
    CaseView,
    NewOutcome,
    OutcomeView,
    Receipt,
    Tombstone,
    links,
    outcome_view,
)
from shared.cases.accept import AcceptedCase
from shared.domain.audit.events import Event
from shared.domain.erasure import ErasureReason
from shared.domain.jobs import JobState
from shared.errors import NotFound
from shared.ledger import HospitalSession
from shared.ledger.cases import outcomes
from shared.ledger.hospitals.repository import Caller
from shared.queueing import Notifier
from shared.queueing.app import Tasks


def submission_receipt(accepted: AcceptedCase) -> Receipt:
    """Build the response to a submission."""
    return Receipt(
        case_id=accepted.case_id,
        job_id=accepted.job_id,
        state=JobState.QUEUED,
        duplicate_of=accepted.duplicate_of,
        links=links(accepted.case_id, accepted.job_id),
    )


class CaseService:
    """Reads cases of the caller's hospital, and records their final diagnoses."""

    def __init__(
        self, session: HospitalSession, caller: Caller, read_audit: ReadAudit
    ) -> None:
        self._session = session
        self._caller = caller
        self._read_audit = read_audit

    def read(self, case_id: UUID) -> CaseView:
        """Return a case. Raises CaseErased. Raises NotFound if the case is unknown or belongs to
        another hospital.
        """
        session = self._session
        case = session.cases.find(case_id)
        if case is None:
            raise NotFound(thing="case")
        jobs = session.cases.job_ids(case_id)
        outcome = session.outcomes.latest(case_id)
        withheld = session.reader_levels.withheld(self._caller.person, [case_id])
        levels = shown_levels(
            session, self._caller, case_id, withheld=case_id in withheld
        )
        self._read_audit.record_reads(
            session=session,
            caller=self._caller,
            event=Event.CASE_READ,
            subjects=[(case_id, None)],
        )
        image = {
            "sha256": case.image_sha256,
            "format": case.image_format,
            "width": case.width,
            "height": case.height,
        }
        return CaseView(
            case_id=case.id,
            image=image,
            jobs=jobs,
            links=links(case.id, jobs[-1]),
            external_id=case.external_id,
            size_mm=case.size_mm,
            roi=case.roi,
            frame=case.frame,
            device=case.device,
            removed=case.removed,
            duplicate_of=case.duplicate_of,
            created_at=case.created_at,
            source=case.source,
            batch=case.batch,
            descriptors=case.descriptors,
            outcome=None if outcome is None else outcome_view(outcome),
            reader_assessment=assess_descriptors(case.descriptors, case.size_mm),
            reader_levels=levels,
        )

    def record_outcome(self, case_id: UUID, new: NewOutcome) -> OutcomeView:
        recorded = self._session.outcomes.record(
            case_id, outcomes.NewOutcome(**dict(new))
        )
        return outcome_view(recorded)


def erase_and_notify(
    session: HospitalSession, notifier: Notifier, case_id: UUID, ground: ErasureReason
) -> Tombstone:
    """Erase a case for its hospital, and return the record that remains.

    The image is removed right after the commit, or at the next notification by beat.
    """
    erased = session.erasures.erase(case_id, ground)
    if erased is None:
        raise NotFound(thing="case")
    session.transaction.on_commit(lambda: notifier.notify(Tasks.SWEEP, case_id))
    return Tombstone(
        case_id=erased.case_id, erased_at=erased.erased_at, ground=erased.reason
    )
