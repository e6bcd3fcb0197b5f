"""All handcrafted features of a nodule as one vector with names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared.features import glcm, glrlm, wavelet
from shared.features.errors import UnknownFamily
from shared.features.region import Region, discretise
from shared.features.shape import shape
from shared.features.statistics import Distribution, histogram, statistics

LEVELS = 16
"""Grey levels of histogram and texture; the SERA deck uses 16 or 256, and 16 keeps a small ROI's matrices filled."""

Named = dict[str, float]


@dataclass(frozen=True, eq=False)
class FeatureVector:
    """`values` (D,) float64, all finite, and their D `names`."""

    names: tuple[str, ...]
    values: NDArray[np.float64]


def _shape(region: Region) -> Named:
    return _prefixed("shape", shape(region.mask))


def _intensity(region: Region) -> Named:
    levels = discretise(region, LEVELS)[region.mask]
    return _prefixed("stat", statistics(Distribution.of(region.inside))) | _prefixed("ih", histogram(levels, LEVELS))


def _glcm(region: Region) -> Named:
    return _prefixed("glcm", glcm.texture(discretise(region, LEVELS), LEVELS))


def _glrlm(region: Region) -> Named:
    return _prefixed("glrlm", glrlm.texture(discretise(region, LEVELS), LEVELS))


def _wavelet(region: Region) -> Named:
    return _prefixed("wavelet", wavelet.texture(region, LEVELS))


FAMILIES: dict[str, Callable[[Region], Named]] = {
    "shape": _shape,
    "intensity": _intensity,
    "glcm": _glcm,
    "glrlm": _glrlm,
    "wavelet": _wavelet,
}


def extract(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], families: Sequence[str]) -> FeatureVector:
    """Handcrafted features of the pixels under a mask.

    Parameters
    ----------
    pixels : (H, W) uint8 grey
    mask : (H, W) bool, the nodule
    families : of `FAMILIES`, in the order wanted: shape, intensity, glcm, glrlm, wavelet

    Returns
    -------
    FeatureVector
        its names depend on `families` only.

    Raises
    ------
    EmptyRegion
        where no pixel is under the mask.
    UnknownFamily
    """
    chosen = _chosen(tuple(families))
    region = Region.cut(pixels, mask)
    measured: Named = {}
    for measure in chosen:
        measured |= measure(region)
    return FeatureVector(tuple(measured), np.fromiter(measured.values(), np.float64, len(measured)))


def names(families: Sequence[str]) -> tuple[str, ...]:
    """Names of the features of `families`, in the order that `extract` gives."""
    return _names(tuple(families))


@cache
def _names(families: tuple[str, ...]) -> tuple[str, ...]:
    dot = np.zeros((1, 1), np.uint8)
    return extract(dot, dot == 0, families).names


def _chosen(families: tuple[str, ...]) -> list[Callable[[Region], Named]]:
    for family in families:
        if family not in FAMILIES:
            raise UnknownFamily(family=family, known=", ".join(FAMILIES))
    return [FAMILIES[family] for family in families]


def _prefixed(prefix: str, measured: Named) -> Named:
    return {f"{prefix}_{name}": value for name, value in measured.items()}
