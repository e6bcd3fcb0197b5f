"""Whether a crop looks like ultrasound that can be read; what speaks against it is told, not refused."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.imaging.errors import ImageBlank

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

FEWEST_PX = 32 * 32
"""Pixels of a nodule; networks look at 128 to 299 a side, so below this each pixel is spread over 16 and more."""
WHITE = 250
MOST_WHITE = 0.10
"""Grey level and share of the nodule; 851 real images had 4.7 % at most."""
BLACK = 1
MOST_BLACK = 0.60
"""Grey level and share. Fluid is dark but carries noise; 851 real images had 43 % at most, with a frame of screen."""
LIT = (8, 247)
LEAST_LIT = 0.05
"""Between black and white, where speckle shows; a nodule of which less is lit, such as a cyst, is not judged by it."""
WINDOW_PX = 5
LEAST_SPECKLE = 2.5
"""Median standard deviation in grey levels within windows. Of 851 real images one had less (1.9, mostly text), the next
had 3.2; the same image smoothed by 4 pixels had 2.2, a grey ramp 1.4, a drawing 0.
"""
MOST_FLAT = 0.30
"""Share of lit pixels that equal all their neighbours: real images 4.4 % at most, a drawing 98 %."""

SMALL = Finding(
    "few-pixels",
    "The nodule covers few pixels, so fine texture cannot be seen. Send the original image, not a small copy of it.",
)
SATURATED = Finding(
    "saturated",
    "A large part of the nodule is pure white or pure black, so texture is lost there. Lower or raise the gain.",
)
NO_SPECKLE = Finding(
    "no-speckle",
    "The image has none of the fine grain of ultrasound: it may be a drawing, a smoothed copy or no ultrasound at all. "
    "The risk means little then.",
)


def judge(pixels: Grey, mask: Mask) -> tuple[Finding, ...]:
    """What a reader should know about the crop.

    Parameters
    ----------
    pixels : (h, w) uint8 grey
    mask : (h, w) bool, the nodule

    Raises
    ------
    ImageBlank
        where all pixels are the same.
    """
    if pixels.min() == pixels.max():
        raise ImageBlank
    told = ((SMALL, mask.sum() < FEWEST_PX), (SATURATED, _saturated(pixels[mask])))
    findings = tuple(finding for finding, holds in told if holds)
    return findings if _has_speckle(pixels, mask) else (*findings, NO_SPECKLE)


def _saturated(values: Grey) -> bool:
    if not values.size:
        return False
    return bool(
        (values >= WHITE).mean() > MOST_WHITE or (values <= BLACK).mean() > MOST_BLACK
    )


def _has_speckle(pixels: Grey, mask: Mask) -> bool:
    """Whether grey levels vary from pixel to pixel as echoes do; True where too little is lit to tell."""
    grey = pixels.astype(np.float32)
    mean = cv2.blur(grey, (WINDOW_PX, WINDOW_PX))
    lit = mask & (mean > LIT[0]) & (mean < LIT[1])
    if lit.sum() <= LEAST_LIT * mask.sum():
        return True
    spread = np.sqrt(
        np.maximum(cv2.blur(grey * grey, (WINDOW_PX, WINDOW_PX)) - mean * mean, 0)
    )
    neighbours = np.ones((3, 3), np.uint8)
    flat = cv2.dilate(pixels, neighbours) == cv2.erode(pixels, neighbours)
    return bool(
        np.median(spread[lit]) >= LEAST_SPECKLE and flat[lit].mean() <= MOST_FLAT
    )
