"""The image of a case on its report, with the outline that was given or found."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.api.cases.picture import case_pixels
from services.api.dependencies import Dependencies
from shared.errors import InputError
from shared.ledger.cases.repository import Case
from shared.objects.errors import ObjectCorrupt, ObjectMissing
from shared.observability.logs import log

if TYPE_CHECKING:
    from services.api.reports.paper import ReportDocument

MOST_PX = 900
"""The longer side as it is printed; more dots than paper of this size shows would only make the file larger."""
OUTLINE = (255, 214, 10)
OUTLINE_MM = 0.4

Pixels = NDArray[np.uint8]


def printable(dependencies: Dependencies, case: Case) -> Pixels | None:
    """(height, width) grey; None where the image can be read no more, which keeps no report from being printed."""
    try:
        return case_pixels(dependencies, case)
    except (InputError, ObjectMissing, ObjectCorrupt) as error:
        log().warning("report.image_unreadable", case=str(case.id), code=error.code)
        return None


def place(
    paper: "ReportDocument",
    roi: Mapping[str, Any] | None,
    image: Pixels,
    at: tuple[float, float],
    room: tuple[float, float],
) -> float:
    """Draw the image with its outline, as large as `room` (width and height in mm) lets it; its height.

    Its upper right corner comes to lie `at`.
    """
    height, width = _size(image)
    scale = min(room[0] / width, room[1] / height)
    left = at[0] - width * scale
    top = at[1]
    paper.image(
        Image.fromarray(_smaller(image)), left, top, width * scale, height * scale
    )
    _outline(paper, roi or {}, scale, (left, top))
    return height * scale


def _outline(
    paper: "ReportDocument", roi: Mapping[str, Any], scale: float, at: tuple[float, float]
) -> None:
    paper.set_draw_color(*OUTLINE)
    paper.set_line_width(OUTLINE_MM)
    if "box" in roi:
        x, y, width, height = (each * scale for each in roi["box"])
        paper.rect(at[0] + x, at[1] + y, width, height)
    elif "polygon" in roi:
        paper.polygon(
            [(at[0] + x * scale, at[1] + y * scale) for x, y in roi["polygon"]]
        )
    paper.set_line_width(0.2)


def _smaller(image: Pixels) -> Pixels:
    share = MOST_PX / max(image.shape)
    if share >= 1:
        return image
    smaller = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return smaller.astype(np.uint8, copy=False)


def _size(image: Pixels) -> tuple[int, int]:
    """Height and width."""
    height, width = image.shape
    return height, width
