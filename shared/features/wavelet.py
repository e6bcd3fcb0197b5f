"""One level of the two-dimensional discrete wavelet transform, and the statistics and texture of its bands."""

import numpy as np
import pywt
from numpy.typing import NDArray

from shared.features import glcm
from shared.features.region import Region, discretise
from shared.features.statistics import Distribution, intensity_statistics

WAVELET = "haar"
"""The SERA deck names none; Haar's coefficients touch 2 x 2 pixels, so that they stay within the outline."""
BANDS = ("ll", "lh", "hl", "hh")
"""First letter along the columns (x), second along the rows (y): lh holds horizontal edges, hl vertical ones."""
UNSTABLE = ("cov", "qcod")
"""Ratios to a mean or median that is zero but for noise in the three detail bands."""


def bands(region: Region) -> dict[str, Region]:
    """The four bands, each (ceil(H / 2), ceil(W / 2)).

    A coefficient belongs to the region where at least half of its 2 x 2 pixels do, or where, in a region thinner than
    that, any does. An odd side is filled up with its own mirror image.
    """
    low, (horizontal, vertical, diagonal) = pywt.dwt2(
        region.values.astype(np.float64), WAVELET, mode="symmetric"
    )
    mask = _halved(region.mask)
    return dict(
        zip(
            BANDS,
            (Region(band, mask) for band in (low, horizontal, vertical, diagonal)),
            strict=True,
        )
    )


def wavelet_features(region: Region, levels: int, distance: int = 1) -> dict[str, float]:
    """Statistics and GLCM features of each band, named `BAND_stat_...` and `BAND_glcm_...`.

    `distance` is in coefficients, which lie two pixels apart.
    """
    measured: dict[str, float] = {}
    for name, band in bands(region).items():
        spread = intensity_statistics(Distribution.from_sample(band.masked_values))
        measured |= {
            f"{name}_stat_{key}": value
            for key, value in spread.items()
            if key not in UNSTABLE
        }
        measured |= {
            f"{name}_glcm_{key}": value
            for key, value in glcm.glcm_features(
                discretise(band, levels), levels, distance
            ).items()
        }
    return measured


def _halved(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    height, width = mask.shape
    even = np.pad(mask, ((0, height % 2), (0, width % 2)), mode="edge").astype(np.uint8)
    inside = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return inside >= 2 if (inside >= 2).any() else inside > 0
