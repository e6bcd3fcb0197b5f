"""Statistics and texture of the four bands of a two-dimensional wavelet transform of one level."""

import numpy as np
import pywt
from numpy.typing import NDArray

from shared.features.glcm import glcm_features
from shared.features.region import Region, discretise
from shared.features.statistics import Distribution, intensity_statistics

WAVELET = "haar"
"""The SERA deck does not name a wavelet.

A Haar coefficient depends on 2 x 2 pixels only, so that the coefficients stay inside the outline.
"""
BANDS = ("ll", "lh", "hl", "hh")
"""The first letter is the filter along x, the second along y.

Thus lh holds horizontal edges and hl vertical ones.
"""
UNSTABLE_RATIOS = ("cov", "qcod")
"""Ratios to a mean or median, which is zero except for noise in the three detail bands."""


def bands(region: Region) -> dict[str, Region]:
    """Return the four bands by name, each (ceil(H / 2), ceil(W / 2)).

    A coefficient belongs to the region if at least half of its 2 x 2 pixels do. In a region too
    thin for that, one pixel is enough. An odd side is padded with its mirror image.
    """
    low, (horizontal, vertical, diagonal) = pywt.dwt2(
        region.values.astype(np.float64), WAVELET, mode="symmetric"
    )
    mask = _downsampled_mask(region.mask)
    coefficients = (low, horizontal, vertical, diagonal)
    return {
        name: Region(values=band, mask=mask)
        for name, band in zip(BANDS, coefficients, strict=True)
    }


def wavelet_features(
    region: Region, levels: int, distance: int = 1
) -> dict[str, float]:
    """Return the statistics and GLCM features of each band, named `BAND_stat_...` and
    `BAND_glcm_...`.

    Parameters
    ----------
    region : the pixels of the nodule
    levels : number of grey levels of the texture
    distance : step in coefficients, which lie two pixels apart
    """
    features: dict[str, float] = {}
    for band_name, band in bands(region).items():
        distribution = Distribution.from_sample(band.masked_values)
        for name, value in intensity_statistics(distribution).items():
            if name not in UNSTABLE_RATIOS:
                features[f"{band_name}_stat_{name}"] = value
        texture = glcm_features(
            discretise(band, levels), levels=levels, distance=distance
        )
        for name, value in texture.items():
            features[f"{band_name}_glcm_{name}"] = value
    return features


def _downsampled_mask(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    height, width = mask.shape
    padding = ((0, height % 2), (0, width % 2))
    even = np.pad(mask, padding, mode="edge").astype(np.uint8)
    counts = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    at_least_half = counts >= 2
    return at_least_half if at_least_half.any() else counts > 0
