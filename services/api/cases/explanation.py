"""Explanations on demand: asked for here, made by a worker at low priority."""

from uuid import UUID

from fastapi import Response

from services.api.dependencies import Wiring
from shared.domain.events import Event
from shared.errors import Conflict, NotFound, SeraError
from shared.ledger.explanations import Explanation
from shared.ledger.hospitals import Caller
from shared.queueing.app import Tasks


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
        """The PNG, or 202 while it is being made."""
        made = self._ask(case_id)
        if made.reason:
            raise ExplanationFailed(reason=made.reason)
        if made.png_sha256 is None:
            self._wired.doorbell.ring(Tasks.EXPLAIN, made.job_id)
            return Response(status_code=202, headers={"Retry-After": "2"})
        return Response(self._wired.objects.get(made.png_sha256), media_type="image/png", headers=_cached(made))

    def _ask(self, case_id: UUID) -> Explanation:
        with self._wired.ledger.scoped(self._who.hospital_id, self._who.actor) as book:
            if book.cases.find(case_id) is None:
                raise NotFound(thing="case")
            asked = book.explanations.ask(case_id)
            shown = [(case_id, asked.job_id)] if asked and asked.png_sha256 else []
            read = self._wired.seen.note(book, self._who, Event.EXPLANATION_READ, shown)
        self._wired.seen.remember(self._who, Event.EXPLANATION_READ, read)
        if asked is None:
            raise NoResultYet
        return asked


def _cached(made: Explanation) -> dict[str, str]:
    return {"ETag": f'"{made.png_sha256[:20]}"', "Cache-Control": "private, max-age=3600"}
