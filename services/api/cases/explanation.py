"""Explanations on demand: asked for here, made by a worker at low priority."""

from uuid import UUID

from fastapi import Response

from services.api.cases.explained import Deletion, ExplanationView, MapView, Region
from services.api.dependencies import Wiring
from shared.domain.events import Event
from shared.errors import Conflict, NotFound, SeraError
from shared.ledger.explanations import Explanation, Layer
from shared.ledger.hospitals import Caller
from shared.queueing.app import Tasks

LATER = {"Retry-After": "2"}
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


class ExplanationFailed(SeraError):
    code = "explanation-failed"
    text = "The explanation could not be made ({reason}). The result itself stands."


class ExplanationDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def answer(self, case_id: UUID) -> Response:
        """The PNG over the image, or 202 while it is being made."""
        made = self._made(case_id)
        return self._picture(made.png_sha256) if made else Response(status_code=202, headers=LATER)

    def maps(self, case_id: UUID) -> ExplanationView | None:
        """All maps; None while they are being made."""
        made = self._made(case_id)
        return _view(case_id, made) if made else None

    def layer(self, case_id: UUID, number: int) -> Response:
        """One map as a transparent layer, or 202 while it is being made."""
        made = self._made(case_id)
        if made is None:
            return Response(status_code=202, headers=LATER)
        if number >= len(made.maps):
            raise NotFound(thing="map")
        return self._picture(made.maps[number].heat_sha256)

    def _made(self, case_id: UUID) -> Explanation | None:
        """None, after a ring, while it is being made; raises ExplanationFailed."""
        asked = self._ask(case_id)
        if asked.reason:
            raise ExplanationFailed(reason=asked.reason)
        if asked.png_sha256 is None:
            self._wired.doorbell.ring(Tasks.EXPLAIN, asked.job_id)
            return None
        return asked

    def _ask(self, case_id: UUID) -> Explanation:
        with self._wired.ledger.hospital_session(self._who.hospital_id, self._who.actor) as session:
            if session.cases.find(case_id) is None:
                raise NotFound(thing="case")
            asked = session.explanations.ask(case_id)
            shown = [(case_id, asked.job_id)] if asked and asked.png_sha256 else []
            read = self._wired.seen.note(session, self._who, Event.EXPLANATION_READ, shown)
        self._wired.seen.remember(self._who, Event.EXPLANATION_READ, read)
        if asked is None:
            raise NoResultYet
        return asked

    def _picture(self, sha256: str) -> Response:
        kept = {"ETag": f'"{sha256[:20]}"', "Cache-Control": "private, max-age=3600"}
        return Response(self._wired.objects.get(sha256), media_type="image/png", headers=kept)


def _view(case_id: UUID, made: Explanation) -> ExplanationView:
    maps = [_map(case_id, number, each) for number, each in enumerate(made.maps)]
    return ExplanationView(maps=maps, faithfulness=maps[0].faithfulness)


def _map(case_id: UUID, number: int, layer: Layer) -> MapView:
    facts = layer.facts
    return MapView(
        kind=facts["kind"],
        of=facts["of"],
        layer=facts["layer"],
        label=LABELS[facts["kind"]].format(**facts),
        roi=Region(box=facts["box"]),
        grid=facts["grid"],
        strongest=facts["strongest"],
        unit=UNITS[facts["kind"]],
        heat=f"/v1/cases/{case_id}/explanation/heat.png?map={number}",
        faithfulness=Deletion(**facts["faithfulness"]),
    )
