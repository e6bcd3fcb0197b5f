"""Serves the image of a case as the model processes it: cleaned, upright, grey."""

from dataclasses import dataclass, replace
from io import BytesIO
from uuid import UUID

import cv2
import numpy as np
from fastapi import Response
from numpy.typing import NDArray

from services.api.dependencies import Dependencies
from shared.domain.audit.events import Event
from shared.errors import NotFound
from shared.imaging import Box, UltrasoundImage, inspect
from shared.ledger import HospitalSession
from shared.ledger.cases.repository import Case
from shared.ledger.hospitals.repository import Caller

CACHE_CONTROL = "private, max-age=3600"


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

    def response(
        self, case_id: UUID, if_none_match: str | None, frame: int | None = None
    ) -> Response:
        """Return the PNG, or status 304 if the browser already has it.

        `frame` is one of a loop, counted from 1; by default the one that was selected.
        """
        case = self._case(case_id)
        if frame is not None:
            case = replace(case, frame=frame)
        tag = f'"{case.image_sha256[:20]}-{case.frame or 0}"'
        headers = {"ETag": tag, "Cache-Control": CACHE_CONTROL}
        self._session.transaction.commit()
        if tag in (if_none_match or ""):
            return Response(status_code=304, headers=headers)
        response = case_png_response(
            self._dependencies, case, self._session.hospital_id
        )
        response.headers.update(headers)
        return response

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


def case_png_response(
    dependencies: Dependencies, case: Case, hospital_id: UUID
) -> Response:
    """Return the image of a hospital's case as a PNG that contains only the pixels and no metadata
    of the file.

    Headers say what a viewer needs: `X-Image-Frame` and `X-Image-Frames`, and for a calibrated
    image `X-Image-Calibration`.
    """
    data = dependencies.objects.get(case.image_sha256)
    header = inspect(BytesIO(data))
    image = dependencies.decoder_pool.decode(data, case.frame, hospital_id)
    headers = {
        "Cache-Control": CACHE_CONTROL,
        "X-Image-Frame": str(header.frame_index(case.frame) + 1),
        "X-Image-Frames": str(header.readable_frames),
    }
    calibration = calibration_text(image, case)
    if calibration is not None:
        headers["X-Image-Calibration"] = calibration
    png = cv2.imencode(".png", image.pixels)[1].tobytes()
    return Response(png, media_type="image/png", headers=headers)


@dataclass(frozen=True)
class Calibration:
    """Millimetres per row and per column, and the area of the picture in which they hold."""

    row_mm: float
    column_mm: float
    area: Box


def calibration_of(image: UltrasoundImage, area: Box | None) -> Calibration | None:
    """Return the scale of an area, by default of the whole picture; None without calibration."""
    height, width = image.pixels.shape
    measured = area or Box(x=0, y=0, width=width, height=height)
    spacing = image.spacing_at(measured)
    if spacing is None:
        return None
    row_mm, column_mm = spacing
    return Calibration(row_mm=row_mm, column_mm=column_mm, area=measured)


def calibration_text(image: UltrasoundImage, case: Case) -> str | None:
    """Return mm per row, mm per column, and x, y, width and height of the area where they hold.

    The area is that of the case's ROI, or the largest B-mode area. None without calibration.
    """
    scale = calibration_of(image, _area(image, case))
    if scale is None:
        return None
    area = scale.area
    lengths = f"{scale.row_mm:.9g} {scale.column_mm:.9g}"
    return f"{lengths} {area.x} {area.y} {area.width} {area.height}"


def _area(image: UltrasoundImage, case: Case) -> Box | None:
    """Return the uppermost B-mode area at the middle of the case's ROI, else the largest one."""
    middle = _roi_middle(case)
    if middle is None:
        return image.region
    areas = [
        region
        for region in image.regions
        if region.is_b_mode and region.box.contains(middle)
    ]
    if not areas:
        return image.region
    return min(areas, key=lambda region: region.rank).box


def _roi_middle(case: Case) -> Box | None:
    if not case.roi:
        return None
    if "box" in case.roi:
        x, y, width, height = case.roi["box"]
        return Box(x=int(x + width / 2), y=int(y + height / 2), width=1, height=1)
    points = np.asarray(case.roi["polygon"])
    x, y = (points.min(axis=0) + points.max(axis=0)) / 2
    return Box(x=int(x), y=int(y), width=1, height=1)


def case_pixels(
    dependencies: Dependencies, case: Case, hospital_id: UUID
) -> NDArray[np.uint8]:
    """Return the image of a hospital's case, grey and upright: (height, width) uint8. From a loop,
    only the selected frame is returned.
    """
    data = dependencies.objects.get(case.image_sha256)
    return dependencies.decoder_pool.decode(data, case.frame, hospital_id).pixels
