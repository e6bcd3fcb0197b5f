"""Checks whether a crop looks like readable ultrasound. Problems become findings, not errors."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.imaging.errors import ImageBlank

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MIN_NODULE_PX = 32 * 32
"""Minimum number of pixels of a nodule.

The networks' input has 128 to 299 pixels a side. With fewer pixels, each pixel of the nodule is
spread over 16 pixels or more of the input.
"""
WHITE = 250
MAX_WHITE_SHARE = 0.10
"""Grey level of white, and the maximum share of white in the nodule.

851 real images had 4.7 % at most.
"""
BLACK = 1
MAX_BLACK_SHARE = 0.60
"""Grey level of black, and the maximum share of black in the nodule.

Fluid is dark but carries noise. 851 real images had 43 % at most, including the frame of a screen.
"""
SPECKLE_RANGE = (8, 247)
MIN_SPECKLE_RANGE_SHARE = 0.05
"""Grey levels between black and white, in which speckle is visible.

If a smaller share of the nodule is in this range, as in a cyst, its speckle is not judged.
"""
WINDOW_PX = 5
MIN_SPECKLE = 2.5
"""Median standard deviation in grey levels within windows.

Of 851 real images one had less (1.9, mostly text), and the second lowest had 3.2. The same image
smoothed by 4 pixels had 2.2, a grey ramp 1.4, and a drawing 0.
"""
MAX_FLAT_SHARE = 0.30
"""Share of the pixels in `SPECKLE_RANGE` that equal all their neighbours.

Real images had 4.4 % at most, a drawing 98 %.
"""

SMALL = Finding(
    "few-pixels",
    "The nodule covers few pixels, so fine texture cannot be seen. "
    "Send the original image, not a small copy of it.",
)
SATURATED = Finding(
    "saturated",
    "A large part of the nodule is pure white or pure black, so texture is lost there. "
    "Lower or raise the gain.",
)
NO_SPECKLE = Finding(
    "no-speckle",
    "The image has none of the fine grain of ultrasound: "
    "it may be a drawing, a smoothed copy or no ultrasound at all. "
    "The risk means little then.",
)


def quality_findings(pixels: Grey, mask: Mask) -> tuple[Finding, ...]:
    """Return the findings about the crop that the user should know.

    Parameters
    ----------
    pixels : (h, w) uint8 grey
    mask : (h, w) bool, the nodule

    Raises
    ------
    ImageBlank
        if all pixels are equal.
    """
    if pixels.min() == pixels.max():
        raise ImageBlank
    findings: list[Finding] = []
    if mask.sum() < MIN_NODULE_PX:
        findings.append(SMALL)
    if _is_saturated(pixels[mask]):
        findings.append(SATURATED)
    if not _has_speckle(pixels, mask):
        findings.append(NO_SPECKLE)
    return tuple(findings)


def _is_saturated(values: Grey) -> bool:
    if not values.size:
        return False
    white_share = (values >= WHITE).mean()
    black_share = (values <= BLACK).mean()
    return bool(white_share > MAX_WHITE_SHARE or black_share > MAX_BLACK_SHARE)


def _has_speckle(pixels: Grey, mask: Mask) -> bool:
    """Return whether grey levels vary from pixel to pixel as echoes do.

    It is also True if too few pixels are in the grey range in which speckle is visible.
    """
    grey = pixels.astype(np.float32)
    mean = cv2.blur(grey, (WINDOW_PX, WINDOW_PX))
    low, high = SPECKLE_RANGE
    in_range = mask & (mean > low) & (mean < high)
    if in_range.sum() <= MIN_SPECKLE_RANGE_SHARE * mask.sum():
        return True
    mean_square = cv2.blur(grey * grey, (WINDOW_PX, WINDOW_PX))
    deviation = np.sqrt(np.maximum(mean_square - mean * mean, 0))
    neighbours = np.ones((3, 3), np.uint8)
    is_flat = cv2.dilate(pixels, neighbours) == cv2.erode(pixels, neighbours)
    speckle = np.median(deviation[in_range])
    flat_share = is_flat[in_range].mean()
    return bool(speckle >= MIN_SPECKLE and flat_share <= MAX_FLAT_SHARE)
