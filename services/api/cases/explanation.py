"""Serves the explanation maps of a case. After the first request, a worker computes them at low
priority.
"""

from uuid import UUID

from fastapi import Response

from services.api.cases.explanation_view import (
    CropRegion,
    DeletionTest,
    ExplanationView,
    MapView,
)
from services.api.dependencies import Dependencies
from shared.domain.audit.events import Event
from shared.errors import Conflict, NotFound
from shared.ledger import HospitalSession
from shared.ledger.cases.explanations import Explanation, ExplanationMap
from shared.ledger.hospitals.repository import Caller
from shared.queueing.app import Tasks

RETRY_LATER = {"Retry-After": "2"}
LABELS = {
    "occlusion": "Occlusion map of the whole ensemble",
    "grad-cam": "Grad-CAM of the tuned {of}, layer {layer}; not of the whole ensemble",
}
UNITS = {
    "occlusion": "change of the score, 0 to 1",
    "grad-cam": "none: relative to the strongest place",
}


class NoResultYet(Conflict):
    code = "no-result-yet"
    text = "The case has no result to explain yet. Wait until its job is done."
    retryable = True


class ExplanationFailed(Conflict):
    code = "explanation-failed"
    text = "The explanation could not be made ({reason}). The result itself stands."


class ExplanationService:
    def __init__(
        self, session: HospitalSession, caller: Caller, dependencies: Dependencies
    ) -> None:
        self._session = session
        self._caller = caller
        self._dependencies = dependencies

    def overlay(self, case_id: UUID) -> Response:
        """Return a PNG of the map over the image, or status 202 while a worker computes it."""
        explanation = self._finished(case_id)
        if explanation is None or explanation.png_sha256 is None:
            return Response(status_code=202, headers=RETRY_LATER)
        return self._png(explanation.png_sha256)

    def maps(self, case_id: UUID) -> ExplanationView | None:
        """Return all maps, or None while a worker computes them."""
        explanation = self._finished(case_id)
        return _view(case_id, explanation) if explanation else None

    def layer(self, case_id: UUID, number: int) -> Response:
        """Return one map as a transparent layer, or status 202 while a worker computes it."""
        explanation = self._finished(case_id)
        if explanation is None:
            return Response(status_code=202, headers=RETRY_LATER)
        if number >= len(explanation.maps):
            raise NotFound(thing="map")
        return self._png(explanation.maps[number].heat_sha256)

    def _finished(self, case_id: UUID) -> Explanation | None:
        """Return the explanation, or None if a worker must compute it first.

        In that case a worker is notified after the commit. Raises ExplanationFailed.
        """
        explanation = self._request(case_id)
        if explanation.reason:
            raise ExplanationFailed(reason=explanation.reason)
        if explanation.png_sha256 is None:
            job_id = explanation.job_id
            self._session.transaction.on_commit(
                lambda: self._dependencies.notifier.notify(Tasks.EXPLAIN, job_id)
            )
            return None
        return explanation

    def _request(self, case_id: UUID) -> Explanation:
        session = self._session
        if session.cases.find(case_id) is None:
            raise NotFound(thing="case")
        session.reader_levels.check_shown(self._caller.person, case_id)
        explanation = session.explanations.request(case_id)
        if explanation is None:
            raise NoResultYet
        if explanation.png_sha256:
            self._dependencies.read_audit.record_reads(
                session=session,
                caller=self._caller,
                event=Event.EXPLANATION_READ,
                subjects=[(case_id, explanation.job_id)],
            )
        return explanation

    def _png(self, sha256: str) -> Response:
        self._session.transaction.commit()
        headers = {"ETag": f'"{sha256[:20]}"', "Cache-Control": "private, max-age=3600"}
        png = self._dependencies.objects.get(sha256)
        return Response(png, media_type="image/png", headers=headers)


def _view(case_id: UUID, explanation: Explanation) -> ExplanationView:
    maps = [
        _map_view(case_id, number, explanation_map)
        for number, explanation_map in enumerate(explanation.maps)
    ]
    return ExplanationView(maps=maps, faithfulness=maps[0].faithfulness)


def _map_view(case_id: UUID, number: int, explanation_map: ExplanationMap) -> MapView:
    facts = explanation_map.facts
    label = LABELS[facts["kind"]].format(**facts)
    return MapView(
        kind=facts["kind"],
        of=facts["of"],
        layer=facts["layer"],
        label=label,
        roi=CropRegion(box=facts["box"]),
        grid=facts["grid"],
        strongest=facts["strongest"],
        unit=UNITS[facts["kind"]],
        heat=f"/v1/cases/{case_id}/explanation/heat.png?map={number}",
        faithfulness=DeletionTest(**facts["faithfulness"]),
    )
