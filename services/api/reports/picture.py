"""Draws the image of a case on its report, with the outline of the ROI."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.api.cases.picture import case_pixels
from services.api.dependencies import Dependencies
from shared.errors import InputError
from shared.ledger.cases.repository import Case
from shared.objects import ObjectDamaged
from shared.observability.logs import log

if TYPE_CHECKING:
    from services.api.reports.paper import ReportDocument

MAX_PX = 900
"""Maximum of the longer side in pixels. More pixels would make the file larger, but would not be
visible at the printed size.
"""
OUTLINE = (255, 214, 10)
OUTLINE_MM = 0.4

Pixels = NDArray[np.uint8]


def printable(
    dependencies: Dependencies, case: Case, hospital_id: UUID
) -> Pixels | None:
    """Return the image of a hospital's case, (height, width) uint8, grey.

    Returns None if the image can no longer be read. The report is then printed without it.
    """
    try:
        return case_pixels(dependencies, case, hospital_id)
    except (InputError, ObjectDamaged) as error:
        log().warning("report.image_unreadable", case=str(case.id), code=error.code)
        return None


def place(
    document: "ReportDocument",
    roi: Mapping[str, Any] | None,
    image: Pixels,
    upper_right: tuple[float, float],
    max_size: tuple[float, float],
) -> float:
    """Draw the image with its outline, as large as `max_size` (width, height in mm) allows.

    `upper_right` is the position of the image's upper right corner in mm. Returns the height of the
    drawn image in mm.
    """
    height, width = _size(image)
    max_width, max_height = max_size
    scale = min(max_width / width, max_height / height)
    right, top = upper_right
    left = right - width * scale
    document.image(
        Image.fromarray(_downscaled(image)),
        x=left,
        y=top,
        w=width * scale,
        h=height * scale,
    )
    _outline(document, roi or {}, scale, (left, top))
    return height * scale


def _outline(
    document: "ReportDocument",
    roi: Mapping[str, Any],
    scale: float,
    upper_left: tuple[float, float],
) -> None:
    left, top = upper_left
    document.set_draw_color(*OUTLINE)
    document.set_line_width(OUTLINE_MM)
    if "box" in roi:
        x, y, width, height = (length * scale for length in roi["box"])
        document.rect(left + x, top + y, width, height)
    elif "polygon" in roi:
        points = [(left + x * scale, top + y * scale) for x, y in roi["polygon"]]
        document.polygon(points)
    document.set_line_width(0.2)


def _downscaled(image: Pixels) -> Pixels:
    factor = MAX_PX / max(image.shape)
    if factor >= 1:
        return image
    downscaled = cv2.resize(
        image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
    )
    return downscaled.astype(np.uint8, copy=False)


def _size(image: Pixels) -> tuple[int, int]:
    """Height and width."""
    height, width = image.shape
    return height, width
