"""Serves the image of a case as the model processes it: cleaned, upright, grey."""

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
    """Reads the case in the request's transaction, and ends it before reading and decoding the
    image.
    """

    def __init__(
        self, session: HospitalSession, caller: Caller, dependencies: Dependencies
    ) -> None:
        self._session = session
        self._caller = caller
        self._dependencies = dependencies

    def response(self, case_id: UUID, if_none_match: str | None) -> Response:
        """Return the PNG, or status 304 if the browser already has it."""
        case = self._case(case_id)
        tag = f'"{case.image_sha256[:20]}-{case.frame or 0}"'
        headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
        self._session.transaction.commit()
        if tag in (if_none_match or ""):
            return Response(status_code=304, headers=headers)
        png = case_png(self._dependencies, case, self._session.hospital_id)
        return Response(png, media_type="image/png", headers=headers)

    def _case(self, case_id: UUID) -> Case:
        case = self._session.cases.find(case_id)
        if case is None:
            raise NotFound(thing="case")
        self._dependencies.read_audit.record_reads(
            session=self._session,
            caller=self._caller,
            event=Event.IMAGE_READ,
            subjects=[(case_id, None)],
        )
        return case


def case_png(dependencies: Dependencies, case: Case, hospital_id: UUID) -> bytes:
    """Return the image of a hospital's case as a PNG that contains only the pixels and no metadata
    of the file.
    """
    pixels = case_pixels(dependencies, case, hospital_id)
    return cv2.imencode(".png", pixels)[1].tobytes()


def case_pixels(
    dependencies: Dependencies, case: Case, hospital_id: UUID
) -> NDArray[np.uint8]:
    """Return the image of a hospital's case, grey and upright: (height, width) uint8. From a loop,
    only the selected frame is returned.
    """
    data = dependencies.objects.get(case.image_sha256)
    return dependencies.decoder_pool.decode(data, case.frame, hospital_id).pixels
