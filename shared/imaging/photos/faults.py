"""Measures the faults of a photo of a screen: reflections, moire, blur.

The thresholds come from ultrasound images that were photographed by a simulated phone camera
(`tests/support/phone_photos.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding

Grey = NDArray[np.uint8]
Spectrum = NDArray[np.float64]

ANALYSED_PX = 512
"""Longer side of the picture in which reflections and blur are measured, for any camera."""
WHITE = 250
SPOT_SHARE = 0.02
MAX_GLARE = 0.003
"""Bounds of a reflection.

They are its grey level, its minimum diameter as a share of the longer side, and the maximum share
of the picture. Bright echoes are thin or speckled: no real image had 0.1 %. The same images with a
lamp drawn over them had 0.9 % or more.
"""
MIN_WINDOW_GREY = 20
MIN_CYCLES = 10
MAX_MOIRE_DB = 20.0
"""Minimum mean grey of a window, minimum number of cycles per window, and maximum decibels.

Photos without moire had 18.6 dB at most. Photos with a grid of 3 % of the grey had 18.7 dB or
more, and photos with a grid of 6 % had 24.4 dB or more.
"""
MOIRE_WINDOW_PX = 128
BLUR_WINDOW_PX = 64
COARSE_POWER_SHARE = 0.9
MAX_BLUR = 50.0
"""Share of the power in coarser detail, and maximum size of the finest detail.

The size is in per mille of the picture's longer side. Sharp photos had 19 to 52. Photos blurred by
7 of 1,000 pixels had 51 to 71.
"""

GLARE = Finding(
    "glare",
    "A lamp or window is reflected in the photo and hides part of the picture. "
    "Turn it off or move, retake.",
)
MOIRE = Finding(
    "moire",
    "The screen's pixels show as a pattern in the photo and change its texture. "
    "Move the phone a little nearer or farther, or turn it a little, and retake.",
)
BLURRED = Finding(
    "blurred",
    "The photo is blurred, so fine texture cannot be seen. "
    "Hold the phone still, tap to focus, and retake.",
)


@dataclass(frozen=True)
class PhotoFaults:
    """Measurements of a rectified picture.

    Attributes
    ----------
    glare : share of the picture under white spots
    moire : decibels by which the strongest wave exceeds other waves of the same frequency, in the
        median window
    blur : size of the finest detail, per mille of the longer side
    """

    glare: float
    moire: float
    blur: float


def measure_faults(picture: Grey) -> PhotoFaults:
    """Return the faults of a rectified picture (height, width) uint8 grey."""
    scale = min(ANALYSED_PX / max(picture.shape), 1.0)
    resized = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    small = np.asarray(resized, np.uint8)
    return PhotoFaults(
        glare=_glare_share(small), moire=_moire_db(picture), blur=_blur(small)
    )


def fault_findings(faults: PhotoFaults) -> tuple[Finding, ...]:
    """Return the faults that exceed their bounds, each with the next step."""
    findings: list[Finding] = []
    if faults.glare > MAX_GLARE:
        findings.append(GLARE)
    if faults.moire > MAX_MOIRE_DB:
        findings.append(MOIRE)
    if faults.blur > MAX_BLUR:
        findings.append(BLURRED)
    return tuple(findings)


def _glare_share(small: Grey) -> float:
    diameter_px = max(round(SPOT_SHARE * max(small.shape)), 3)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter_px, diameter_px))
    white = (small >= WHITE).astype(np.uint8)
    spots = cv2.morphologyEx(white, cv2.MORPH_OPEN, disc)
    return float(spots.mean())


def _moire_db(picture: Grey) -> float:
    """Return the median over the analysed windows; 0 if no window is bright enough."""
    cycles = _cycles(MOIRE_WINDOW_PX)
    in_range = (cycles >= MIN_CYCLES) & (cycles <= MOIRE_WINDOW_PX // 2)
    spectra = _power_spectra(
        picture, window_px=MOIRE_WINDOW_PX, step_px=MOIRE_WINDOW_PX
    )
    peaks_db = [_peak_db(spectrum, cycles, in_range) for spectrum in spectra]
    return float(np.median(peaks_db)) if peaks_db else 0.0


def _peak_db(
    spectrum: Spectrum, cycles: NDArray[np.int_], in_range: NDArray[np.bool_]
) -> float:
    """Return the decibels of the highest peak above the median of the waves of its frequency."""
    medians = [
        np.median(spectrum[cycles == count])
        for count in range(MOIRE_WINDOW_PX // 2 + 1)
    ]
    median_power = np.array(medians) + 1e-3
    ratios = spectrum[in_range] / median_power[cycles[in_range]]
    return float(10 * np.log10(ratios.max() + 1e-9))


def _blur(small: Grey) -> float:
    """Return the size of the finest detail, per mille of the longer side; 1000 if there is no
    detail.

    It is derived from the number of cycles below which most of the power above the noise lies.
    """
    spectra = list(
        _power_spectra(small, window_px=BLUR_WINDOW_PX, step_px=BLUR_WINDOW_PX // 2)
    )
    if not spectra:
        return 0.0
    total = np.sum(spectra, 0)
    cycles = _cycles(BLUR_WINDOW_PX)
    counts = np.arange(1, BLUR_WINDOW_PX // 2)
    power = np.array([np.median(total[cycles == count]) for count in counts])
    noise = np.median(power[-4:])
    detail = np.cumsum(np.maximum(power - noise, 0) * counts)
    if not detail[-1]:
        return 1000.0
    finest = float(np.interp(COARSE_POWER_SHARE, detail / detail[-1], counts))
    longer_px = max(int(side) for side in small.shape)
    return 1000 / (finest * longer_px / BLUR_WINDOW_PX)


def _power_spectra(picture: Grey, window_px: int, step_px: int) -> Iterator[Spectrum]:
    """Yield the power spectrum (window, window / 2 + 1) of each window that is bright enough."""
    taper = np.outer(np.hanning(window_px), np.hanning(window_px))
    height, width = picture.shape
    for top in range(0, height - window_px + 1, step_px):
        for left in range(0, width - window_px + 1, step_px):
            window = picture[top : top + window_px, left : left + window_px]
            if window.mean() < MIN_WINDOW_GREY:
                continue
            amplitudes = np.fft.rfft2((window - window.mean()) * taper)
            yield np.abs(amplitudes) ** 2


def _cycles(window_px: int) -> NDArray[np.int_]:
    """Return the cycles per window of each element of a window's spectrum."""
    frequency_x = np.fft.rfftfreq(window_px)
    frequency_y = np.fft.fftfreq(window_px)
    grid_x, grid_y = np.meshgrid(frequency_x, frequency_y)
    frequency = np.hypot(grid_x, grid_y)
    cycles: NDArray[np.int_] = np.rint(frequency * window_px).astype(int)
    return cycles
