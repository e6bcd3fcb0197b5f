"""What a photo of a screen spoils: reflections, beats with the screen's pixels, blur.

The thresholds are from ultrasound images photographed by `shared.phantoms.camera`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding

Grey = NDArray[np.uint8]

LOOKED_AT_PX = 512
"""Longer side at which reflections and blur are judged, whatever the camera's resolution."""
WHITE = 250
SPOT = 0.02
MOST_GLARE = 0.003
"""Grey level, least diameter of a reflection as a share of the longer side, and share of the picture. Bright echoes are
thin or speckled: of the real images none had 0.1 %; lamps drawn over them had 0.9 % and more."""
LIT = 20
LEAST_CYCLES = 10
MOST_MOIRE_DB = 20.0
"""Mean grey of a window that is looked at, least cycles a window, and decibels. Photos without beats had 18.6 at most,
with a grid of 3 % of the grey 18.7 and more, of 6 % 24.4 and more."""
MOIRE_PX = 128
BLUR_PX = 64
DETAIL_SHARE = 0.9
MOST_BLUR = 50.0
"""Share of the power that is in coarser detail, and per mille of the picture. Sharp photos had 19 to 52, those blurred
by 7 of 1,000 pixels 51 to 71."""

GLARE = Finding(
    "glare",
    "A lamp or window is reflected in the photo and hides part of the picture. Turn it off or move, retake.",
)
MOIRE = Finding(
    "moire",
    "The screen's pixels show as a pattern in the photo and change its texture. Move the phone a little nearer or "
    "farther, or turn it a little, and retake.",
)
BLURRED = Finding(
    "blurred",
    "The photo is blurred, so fine texture cannot be seen. Hold the phone still, tap to focus, and retake.",
)


@dataclass(frozen=True)
class PhotoFaults:
    """What was measured on a straight picture.

    Attributes
    ----------
    glare : share of the picture under white spots
    moire : decibels by which the strongest wave stands above others as fine, in the median window
    blur : size of the finest detail, per mille of the longer side
    """

    glare: float
    moire: float
    blur: float


def measure_faults(picture: Grey) -> PhotoFaults:
    """Faults of a straight picture (height, width) uint8 grey."""
    scale = min(LOOKED_AT_PX / max(picture.shape), 1.0)
    resized = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    small = np.asarray(resized, np.uint8)
    return PhotoFaults(_glare(small), _moire(picture), _blur(small))


def fault_findings(faults: PhotoFaults) -> tuple[Finding, ...]:
    """What a reader should know and do."""
    told = (
        (GLARE, faults.glare > MOST_GLARE),
        (MOIRE, faults.moire > MOST_MOIRE_DB),
        (BLURRED, faults.blur > MOST_BLUR),
    )
    return tuple(finding for finding, holds in told if holds)


def _glare(small: Grey) -> float:
    spot = max(round(SPOT * max(small.shape)), 3)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (spot, spot))
    return float(
        cv2.morphologyEx((small >= WHITE).astype(np.uint8), cv2.MORPH_OPEN, disc).mean()
    )


def _moire(picture: Grey) -> float:
    """Median over lit windows; 0 where none is lit."""
    radius = _radius(MOIRE_PX)
    looked = (radius >= LEAST_CYCLES) & (radius <= MOIRE_PX // 2)
    heights = [
        _highest(power, radius, looked)
        for power in _powers(picture, MOIRE_PX, MOIRE_PX)
    ]
    return float(np.median(heights)) if heights else 0.0


def _highest(
    power: NDArray[np.float64], radius: NDArray[np.int_], looked: NDArray[np.bool_]
) -> float:
    """Decibels of the highest peak above the median of its ring."""
    rings = (
        np.array(
            [np.median(power[radius == ring]) for ring in range(MOIRE_PX // 2 + 1)]
        )
        + 1e-3
    )
    return float(10 * np.log10((power[looked] / rings[radius[looked]]).max() + 1e-9))


def _blur(small: Grey) -> float:
    """From the number of cycles below which most of the power above the noise lies; 1000 where there is no detail."""
    powers = list(_powers(small, BLUR_PX, BLUR_PX // 2))
    if not powers:
        return 0.0
    total = np.sum(powers, 0)
    radius = _radius(BLUR_PX)
    rings = np.arange(1, BLUR_PX // 2)
    mean = np.array([np.median(total[radius == ring]) for ring in rings])
    detail = np.cumsum(np.maximum(mean - np.median(mean[-4:]), 0) * rings)
    if not detail[-1]:
        return 1000.0
    ring = float(np.interp(DETAIL_SHARE, detail / detail[-1], rings))
    longer_px = max(int(side) for side in small.shape)
    return 1000 / (ring * longer_px / BLUR_PX)


def _powers(picture: Grey, side: int, step: int) -> Iterator[NDArray[np.float64]]:
    """Power spectra of lit windows, each (side, side / 2 + 1)."""
    taper = np.outer(np.hanning(side), np.hanning(side))
    for top in range(0, picture.shape[0] - side + 1, step):
        for left in range(0, picture.shape[1] - side + 1, step):
            part = picture[top : top + side, left : left + side]
            if part.mean() >= LIT:
                yield np.abs(np.fft.rfft2((part - part.mean()) * taper)) ** 2


def _radius(side: int) -> NDArray[np.int_]:
    """Cycles in a window of each part of its spectrum."""
    across, down = np.meshgrid(np.fft.rfftfreq(side), np.fft.fftfreq(side))
    radius: NDArray[np.int_] = np.rint(np.hypot(across, down) * side).astype(int)
    return radius
