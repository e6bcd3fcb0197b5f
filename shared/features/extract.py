"""All handcrafted features of a nodule as one vector with names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared.features import glcm, glrlm, surroundings, wavelet
from shared.features.errors import TextureInvalid, UnknownFamily
from shared.features.region import Region, discretise
from shared.features.shape import shape_features
from shared.features.statistics import (
    Distribution,
    histogram_features,
    intensity_statistics,
)

DEFAULT_LEVELS = 16
"""Grey levels of histogram and texture; the SERA deck uses 16 or 256, and 16 keeps a small ROI's matrices filled."""
DEFAULT_DISTANCE = 1
"""Pixels between the two of a co-occurring pair."""
MAX_LEVELS = 65535

Named = dict[str, float]


@dataclass(frozen=True)
class TextureSettings:
    """How texture is measured: number of grey levels, and pixels between the two of a pair."""

    levels: int = DEFAULT_LEVELS
    distance: int = DEFAULT_DISTANCE

    def __post_init__(self) -> None:
        if not (2 <= self.levels <= MAX_LEVELS and self.distance >= 1):
            raise TextureInvalid(
                levels=self.levels, distance=self.distance, most=MAX_LEVELS
            )


@dataclass(frozen=True, eq=False)
class FeatureVector:
    """`values` (D,) float64, all finite, and their D `names`, which are the same for every `texture`."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    texture: TextureSettings = TextureSettings()


def _shape(region: Region, _: TextureSettings) -> Named:
    return _prefixed("shape", shape_features(region.mask))


def _intensity(region: Region, by: TextureSettings) -> Named:
    inside = discretise(region, by.levels)[region.mask]
    return _prefixed("stat", intensity_statistics(Distribution.from_sample(region.masked_values))) | _prefixed(
        "ih", histogram_features(inside, by.levels)
    )


def _glcm(region: Region, by: TextureSettings) -> Named:
    return _prefixed(
        "glcm", glcm.glcm_features(discretise(region, by.levels), by.levels, by.distance)
    )


def _glrlm(region: Region, by: TextureSettings) -> Named:
    return _prefixed("glrlm", glrlm.glrlm_features(discretise(region, by.levels)))


def _wavelet(region: Region, by: TextureSettings) -> Named:
    return _prefixed("wavelet", wavelet.wavelet_features(region, by.levels, by.distance))


def _contrast(region: Region, _: TextureSettings) -> Named:
    return _prefixed("contrast", surroundings.contrast_features(region))


def _outline(region: Region, _: TextureSettings) -> Named:
    return _prefixed("outline", surroundings.outline_features(region))


Measure = Callable[[Region, TextureSettings], Named]

FAMILIES: dict[str, Measure] = {
    "shape": _shape,
    "intensity": _intensity,
    "glcm": _glcm,
    "glrlm": _glrlm,
    "wavelet": _wavelet,
    "contrast": _contrast,
    "outline": _outline,
}


def extract(
    pixels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    families: Sequence[str],
    levels: int = DEFAULT_LEVELS,
    distance: int = DEFAULT_DISTANCE,
) -> FeatureVector:
    """Handcrafted features of the pixels under a mask.

    Parameters
    ----------
    pixels : (H, W) uint8 grey
    mask : (H, W) bool, the nodule
    families : of `FAMILIES`, in the order wanted: shape, intensity, glcm, glrlm, wavelet, contrast, outline
    levels : grey levels of histogram and texture, 2 to 65535; 16 or 256 in the SERA deck
    distance : pixels (in the wavelet's bands: coefficients) between the two of a co-occurring pair

    Returns
    -------
    FeatureVector
        its names depend on `families` only; the vector itself says how texture was measured.

    Raises
    ------
    EmptyRegion
        where no pixel is under the mask.
    UnknownFamily, TextureInvalid
    """
    by = TextureSettings(levels, distance)
    chosen = _chosen(tuple(families))
    region = Region.from_mask(pixels, mask)
    measured: Named = {}
    for measure in chosen:
        measured |= measure(region, by)
    return FeatureVector(
        tuple(measured), np.fromiter(measured.values(), np.float64, len(measured)), by
    )


def feature_names(families: Sequence[str]) -> tuple[str, ...]:
    """Names of the features of `families`, in the order that `extract` gives."""
    return _names(tuple(families))


@cache
def _names(families: tuple[str, ...]) -> tuple[str, ...]:
    dot = np.zeros((1, 1), np.uint8)
    return extract(dot, dot == 0, families).names


def _chosen(families: tuple[str, ...]) -> list[Measure]:
    for family in families:
        if family not in FAMILIES:
            raise UnknownFamily(family=family, known=", ".join(FAMILIES))
    return [FAMILIES[family] for family in families]


def _prefixed(prefix: str, measured: Named) -> Named:
    return {f"{prefix}_{name}": value for name, value in measured.items()}
