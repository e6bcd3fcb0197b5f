"""Extracts all handcrafted features of a nodule as one vector with names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from shared.features.errors import TextureInvalid, UnknownFamily
from shared.features.glcm import glcm_features
from shared.features.glrlm import glrlm_features
from shared.features.region import Region, discretise
from shared.features.shape import shape_features
from shared.features.statistics import (
    Distribution,
    histogram_features,
    intensity_statistics,
)
from shared.features.surroundings import contrast_features, outline_features
from shared.features.wavelet import wavelet_features

DEFAULT_LEVELS = 16
"""Grey levels of histogram and texture.

The SERA deck uses 16 or 256. 16 keeps the matrices of a small ROI filled.
"""
DEFAULT_DISTANCE = 1
"""Pixels between the two pixels of a co-occurring pair."""
MAX_LEVELS = 65535

FeaturesByName = dict[str, float]


@dataclass(frozen=True)
class TextureSettings:
    """How texture is measured.

    Attributes
    ----------
    levels : number of grey levels, 2 to 65535
    distance : pixels between the two pixels of a pair, 1 or more
    """

    levels: int = DEFAULT_LEVELS
    distance: int = DEFAULT_DISTANCE

    def __post_init__(self) -> None:
        levels_valid = 2 <= self.levels <= MAX_LEVELS
        if not levels_valid or self.distance < 1:
            raise TextureInvalid(
                levels=self.levels, distance=self.distance, most=MAX_LEVELS
            )


@dataclass(frozen=True, eq=False)
class FeatureVector:
    """A feature vector with its names.

    Attributes
    ----------
    names : (D,), the same for every `texture`
    values : (D,) float64, all finite
    texture : the settings that the texture was measured with
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    texture: TextureSettings = TextureSettings()


def _shape(region: Region, _: TextureSettings) -> FeaturesByName:
    return _prefixed("shape", shape_features(region.mask))


def _intensity(region: Region, texture: TextureSettings) -> FeaturesByName:
    distribution = Distribution.from_sample(region.masked_values)
    statistics = intensity_statistics(distribution)
    levels_image = discretise(region, texture.levels)
    histogram = histogram_features(levels_image[region.mask], texture.levels)
    return _prefixed("stat", statistics) | _prefixed("ih", histogram)


def _glcm(region: Region, texture: TextureSettings) -> FeaturesByName:
    levels_image = discretise(region, texture.levels)
    features = glcm_features(
        levels_image, levels=texture.levels, distance=texture.distance
    )
    return _prefixed("glcm", features)


def _glrlm(region: Region, texture: TextureSettings) -> FeaturesByName:
    levels_image = discretise(region, texture.levels)
    return _prefixed("glrlm", glrlm_features(levels_image))


def _wavelet(region: Region, texture: TextureSettings) -> FeaturesByName:
    features = wavelet_features(
        region, levels=texture.levels, distance=texture.distance
    )
    return _prefixed("wavelet", features)


def _contrast(region: Region, _: TextureSettings) -> FeaturesByName:
    return _prefixed("contrast", contrast_features(region))


def _outline(region: Region, _: TextureSettings) -> FeaturesByName:
    return _prefixed("outline", outline_features(region))


FeatureFamily = Callable[[Region, TextureSettings], FeaturesByName]

FAMILIES: dict[str, FeatureFamily] = {
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
    """Extract the handcrafted features of the pixels under a mask.

    Parameters
    ----------
    pixels : (H, W) uint8 grey
    mask : (H, W) bool, the nodule
    families : names from `FAMILIES` (shape, intensity, glcm, glrlm, wavelet, contrast, outline);
        the features come in the order of these names
    levels : grey levels of histogram and texture, 2 to 65535; 16 or 256 in the SERA deck
    distance : pixels between the two pixels of a co-occurring pair; coefficients in the bands of
        the wavelet transform

    Returns
    -------
    FeatureVector
        its names depend on `families` only; its `texture` says how texture was measured.

    Raises
    ------
    EmptyRegion
        if no pixel is under the mask.
    UnknownFamily, TextureInvalid
    """
    texture = TextureSettings(levels=levels, distance=distance)
    measures = _lookup_families(tuple(families))
    region = Region.from_mask(pixels, mask)
    features: FeaturesByName = {}
    for measure in measures:
        features |= measure(region, texture)
    values = np.fromiter(features.values(), np.float64, len(features))
    return FeatureVector(names=tuple(features), values=values, texture=texture)


def feature_names(families: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the features of `families`, in the order of the values of `extract`."""
    return _feature_names(tuple(families))


@cache
def _feature_names(families: tuple[str, ...]) -> tuple[str, ...]:
    pixel = np.zeros((1, 1), np.uint8)
    return extract(pixel, pixel == 0, families).names


def _lookup_families(families: tuple[str, ...]) -> list[FeatureFamily]:
    for family in families:
        if family not in FAMILIES:
            raise UnknownFamily(family=family, known=", ".join(FAMILIES))
    return [FAMILIES[family] for family in families]


def _prefixed(prefix: str, features: FeaturesByName) -> FeaturesByName:
    return {f"{prefix}_{name}": value for name, value in features.items()}
