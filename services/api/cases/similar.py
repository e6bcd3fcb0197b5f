"""Finds past cases that are similar to one case by the embedding of the model."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.api.audit.read_audit import ReadAudit
from services.api.cases.schemas import SimilarCase, SimilarView, outcome_view
from shared.domain.audit.events import Event
from shared.errors import NotFound
from shared.ledger import HospitalSession
from shared.ledger.cases.similar_cases import Neighbour
from shared.ledger.hospitals.repository import Caller

NO_RESULT = "no-result"
NO_EMBEDDING = "model-without-embedding"
NO_OUTCOME = "no-known-outcome"


def similar(
    session: HospitalSession,
    caller: Caller,
    read_audit: ReadAudit,
    case_id: UUID,
    limit: int,
) -> SimilarView:
    """Return the most similar past cases. The audit trail records that the caller has read each of
    their results that is not withheld.

    Raises NotFound, OwnLevelMissing.
    """
    view, neighbours = _search(session, caller, case_id, limit)
    read_audit.record_reads(
        session=session,
        caller=caller,
        event=Event.CASE_READ,
        subjects=[(case_id, None)],
    )
    shown = [neighbour for neighbour in neighbours if neighbour.decision is not None]
    read_audit.record_reads(
        session=session,
        caller=caller,
        event=Event.RESULT_READ,
        subjects=[(neighbour.case_id, neighbour.job_id) for neighbour in shown],
    )
    return view


def _search(
    session: HospitalSession, caller: Caller, case_id: UUID, limit: int
) -> tuple[SimilarView, list[Neighbour]]:
    if session.cases.find(case_id) is None:
        raise NotFound(thing="case")
    session.reader_levels.check_shown(caller.person, case_id)
    place = session.similar_cases.embedded_case(case_id)
    if place is None or place.embedding is None:
        model = place.model_digest if place else None
        reason = NO_EMBEDDING if place else NO_RESULT
        return SimilarView(model=model, among=0, cases=[], reason=reason), []
    found = session.similar_cases.nearest(place, case_id, limit)
    nearest = _without_withheld(session, caller, found.nearest)
    view = SimilarView(
        model=place.model_digest,
        among=found.candidate_count,
        cases=[_view(neighbour) for neighbour in nearest],
        reason=None if found.candidate_count else NO_OUTCOME,
    )
    return view, nearest


def _without_withheld(
    session: HospitalSession, caller: Caller, neighbours: Sequence[Neighbour]
) -> list[Neighbour]:
    """The cases, without those answers that are withheld from the caller."""
    case_ids = [neighbour.case_id for neighbour in neighbours]
    withheld = session.reader_levels.withheld(caller.person, case_ids)
    return [
        replace(neighbour, risk=None, decision=None)
        if neighbour.case_id in withheld
        else neighbour
        for neighbour in neighbours
    ]


def _view(neighbour: Neighbour) -> SimilarCase:
    names = SimilarCase.model_fields.keys() - {"outcome"}
    return SimilarCase(
        outcome=outcome_view(neighbour.outcome),
        **{name: getattr(neighbour, name) for name in names},
    )
