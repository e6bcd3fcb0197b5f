"""The image of a case as SERA reads it."""

from uuid import UUID

import cv2
import numpy as np
from fastapi import Response
from numpy.typing import NDArray

from services.api.dependencies import Dependencies
from shared.domain.audit.events import Event
from shared.errors import NotFound
from shared.ledger import HospitalSession
from shared.ledger.cases.repository import Case
from shared.ledger.hospitals.repository import Caller


class CaseImage:
    """Reads the case in the request's transaction, and ends that before it reads and decodes the image."""

    def __init__(self, session: HospitalSession, caller: Caller, dependencies: Dependencies) -> None:
        self._session = session
        self._caller = caller
        self._dependencies = dependencies

    def show(self, case_id: UUID, known: str | None) -> Response:
        """The PNG, or 304 where the browser has it (`known` is its If-None-Match)."""
        case = self._case(case_id)
        tag = f'"{case.image_sha256[:20]}-{case.frame or 0}"'
        headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
        self._session.transaction.commit()
        if tag in (known or ""):
            return Response(status_code=304, headers=headers)
        data = cv2.imencode(".png", case_pixels(self._dependencies, case))[1].tobytes()
        return Response(data, media_type="image/png", headers=headers)

    def _case(self, case_id: UUID) -> Case:
        case = self._session.cases.find(case_id)
        if case is None:
            raise NotFound(thing="case")
        self._dependencies.read_audit.record_reads(
            self._session, self._caller, Event.IMAGE_READ, [(case_id, None)]
        )
        return case


def case_pixels(dependencies: Dependencies, case: Case) -> NDArray[np.uint8]:
    """(height, width) grey, upright; its frame of a loop."""
    return dependencies.decoder_pool.decode(dependencies.objects.get(case.image_sha256), case.frame).pixels
