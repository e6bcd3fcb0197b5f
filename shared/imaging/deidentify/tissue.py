"""Tells where the tissue is in a picture, and which lines of text lie beside it.

The tissue is the B-mode region that the file names, unless it is the whole picture, and each large
connected textured area with its convex hull. The estimate is generous, because what may be tissue
must never be painted over: calipers, letters on the tissue and whatever lies between parts of it
count as tissue.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.imaging.deidentify.text import TextLine, find_text_lines
from shared.imaging.image import Box, UltrasoundImage

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MAX_SIDE_PX = 800
"""Of a larger picture every n-th pixel is looked at, which leaves the texture as strong as it is.
"""
WINDOW_PX = 5
MIN_DEVIATION = 2.0
"""Side of the window, and the smallest standard deviation of grey in it, of a place that is
textured. Banners and bars are even."""
MAX_GAP_SHARE = 0.02
"""Gaps in the texture, as a share of the shorter side, over which an area is still connected."""
MIN_WIDTH_SHARE = 0.06
"""Smallest width of tissue, as a share of the shorter side. Narrower are letters, scales and grey
bars, which else would join the tissue that they stand beside."""
MIN_AREA_SHARE = 0.1
"""Smallest area that is tissue, as a share of the largest. The smaller ones are logos, scales and
colour bars."""

BURNT_IN_TEXT = "burnt-in-text"
BURNT_IN_TEXT_MESSAGE = (
    "Text is burnt into the picture (lines: {lines}, of these on the tissue: "
    "{lines_on_tissue}) and may name the patient. It was not removed. Send a crop around the "
    "tissue, or ask your administrator to have text beside the tissue painted over."
)


def burnt_in_text(image: UltrasoundImage) -> tuple[Finding, ...]:
    """Return a finding if there is a line of text, on the tissue or beside it.

    The facts count the lines and never say what they read.
    """
    lines = find_text_lines(image.pixels)
    if not lines:
        return ()
    tissue = tissue_mask(image.pixels, image.region, lines)
    lines_on_tissue = [line for line in lines if not is_beside(line, tissue)]
    facts = {"lines": len(lines), "lines_on_tissue": len(lines_on_tissue)}
    return (Finding(BURNT_IN_TEXT, BURNT_IN_TEXT_MESSAGE.format(**facts), facts),)


def tissue_mask(pixels: Grey, region: Box | None, lines: Sequence[TextLine]) -> Mask:
    """Return where tissue may be, (height, width) bool.

    Parameters
    ----------
    pixels : (height, width) uint8 grey
    region : the B-mode region, if the file names one. One that is as large as the picture says
        nothing.
    lines : the lines of text of the picture, which are no texture
    """
    tissue = _textured_areas(pixels, lines)
    height, width = pixels.shape
    if region is not None and (region.width, region.height) != (width, height):
        rows = slice(region.y, region.y + region.height)
        tissue[rows, region.x : region.x + region.width] = True
    return tissue


def _textured_areas(pixels: Grey, lines: Sequence[TextLine]) -> Mask:
    """Return the convex hulls of the textured areas; everything if there is none."""
    height, width = pixels.shape
    step = -(-max(height, width) // MAX_SIDE_PX)
    textured = (_deviation(pixels[::step, ::step]) > MIN_DEVIATION).astype(np.uint8)
    picture = Box(x=0, y=0, width=width, height=height)
    for line in lines:
        box = line.place(picture).grow(step * WINDOW_PX // 2, picture)
        rows = slice(box.y // step, -(-(box.y + box.height) // step))
        columns = slice(box.x // step, -(-(box.x + box.width) // step))
        textured[rows, columns] = 0
    hulls = _hulls(textured)
    enlarged = hulls.repeat(step, axis=0).repeat(step, axis=1)
    return np.array(enlarged[:height, :width], np.bool_)


def _hulls(textured: Grey) -> Grey:
    """Return 1 in the hull of each wide area that is not small beside the largest one."""
    connected = cv2.morphologyEx(
        textured, cv2.MORPH_CLOSE, _square(MAX_GAP_SHARE, textured)
    )
    wide = cv2.morphologyEx(
        connected, cv2.MORPH_OPEN, _square(MIN_WIDTH_SHARE, textured)
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(wide)
    if count == 1:
        return np.ones_like(textured)
    areas = np.asarray(stats)[1:, cv2.CC_STAT_AREA]
    hulls = np.zeros_like(textured)
    for index in np.flatnonzero(areas >= MIN_AREA_SHARE * areas.max()):
        points = cv2.findNonZero((labels == index + 1).astype(np.uint8))
        cv2.fillConvexPoly(hulls, cv2.convexHull(points), 1)
    return hulls


def _square(share: float, picture: Grey) -> Grey:
    """Return a square with a side of about this share of the picture's shorter side."""
    side = 2 * round(share * min(picture.shape) / 2) + 1
    return np.ones((side, side), np.uint8)


def _deviation(pixels: Grey) -> NDArray[np.float32]:
    """Return the standard deviation of grey around each pixel, (height, width)."""
    window = (WINDOW_PX, WINDOW_PX)
    values = pixels.astype(np.float32)
    means = cv2.blur(values, window)
    variances = cv2.blur(values * values, window) - means * means
    return np.asarray(np.sqrt(np.maximum(variances, 0)), np.float32)


def is_beside(line: TextLine, tissue: Mask) -> bool:
    """Return whether no pixel of a line lies where tissue may be."""
    height, width = tissue.shape
    place = line.place(Box(x=0, y=0, width=width, height=height))
    rows = slice(place.y, place.y + place.height)
    return not tissue[rows, place.x : place.x + place.width].any()
