"""The image of a case as SERA reads it."""

from uuid import UUID

import cv2
import numpy as np
from fastapi import Response
from numpy.typing import NDArray

from services.api.dependencies import Wiring
from shared.domain.events import Event
from shared.errors import NotFound
from shared.ledger.cases import Case
from shared.ledger.hospitals import Caller


def show(wired: Wiring, who: Caller, case_id: UUID, known: str | None) -> Response:
    """The PNG, or 304 where the browser has it."""
    case = _case(wired, who, case_id)
    tag = f'"{case.image_sha256[:20]}-{case.frame or 0}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
    if tag in (known or ""):
        return Response(status_code=304, headers=headers)
    data = cv2.imencode(".png", pixels(wired, case))[1].tobytes()
    return Response(data, media_type="image/png", headers=headers)


def pixels(wired: Wiring, case: Case) -> NDArray[np.uint8]:
    """(height, width) grey, upright; its frame of a loop."""
    return wired.eyes.decode(wired.objects.get(case.image_sha256), case.frame).pixels


def _case(wired: Wiring, who: Caller, case_id: UUID) -> Case:
    with wired.ledger.hospital_session(who.hospital_id, who.actor) as session:
        case = session.cases.find(case_id)
        if case is None:
            raise NotFound(thing="case")
        read = wired.seen.note(session, who, Event.IMAGE_READ, [(case_id, None)])
    wired.seen.remember(who, Event.IMAGE_READ, read)
    return case
